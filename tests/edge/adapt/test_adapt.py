"""`edge-device adapt` from its arguments to the file: figures, refusals, one line for every mistake."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import cv2
import numpy as np
import pytest

from edge import cli, device
from edge.adapt import gate, healthy, place, session
from edge.bundle import sitefile
from edge.bundle.bundle import Bundle
from edge.bundle.site import Correction, Site
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells.classify import Classifier
from edge.records.book import Book
from edge.types import Frame

Adapt = Callable[..., int]
FEW = 10
NAMES = {1: "Neutrophils", 2: "lymph", 3: "Monocyte", 4: "eosinophil", 5: "basophil"}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count of ten cells is enough."""
    for module in (healthy, session):
        monkeypatch.setattr(module, "LEAST_CELLS", FEW)


@pytest.fixture(scope="session")
def fields(made_once: Callable[..., Path]) -> Path:
    """Drawn fields of a healthy person and, in a folder beside them, of one with many blasts."""

    def draw(folder: Path) -> None:
        for seed, name in enumerate(("healthy", "ill")):
            (folder / name).mkdir()
            camera = SimulatedCamera(seed)
            camera.open()
            for i in range(8):
                cv2.imwrite(str(folder / name / f"{i}.png"), camera.read().pixels[..., ::-1])
            camera.close()

    return made_once("adapt-fields", draw)


@pytest.fixture(scope="session")
def typed(shared_data: Path, made_once: Callable[..., Path]) -> Path:
    """Real cells in a folder for each type, of a laboratory that the shipped network did not learn from."""

    def sort(folder: Path) -> None:
        source, found = shared_data / "segmentation_WBC", dict.fromkeys(NAMES, 0)
        with (source / "Class Labels of Dataset 1.csv").open(newline="", encoding="utf-8-sig") as table:
            rows = [row for row in csv.reader(table) if row and row[0].isdecimal()]
        for number, kind in ((int(row[0]), int(row[1])) for row in rows):
            cell = source / "Dataset 1" / f"{number:03d}.bmp"
            if cell.is_file() and found[kind] < 14:
                found[kind] += 1
                (folder / NAMES[kind]).mkdir(exist_ok=True)
                shutil.copy(cell, folder / NAMES[kind])

    return made_once("adapt-typed", sort)


@pytest.fixture
def typed_scale() -> tuple[str, str]:
    return "--um-per-px", "0.18"


def told(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_healthy_slide(
    adapt: Adapt, fields: Path, few: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, figures = tmp_path / "site.json", tmp_path / "out.json"
    assert adapt("--healthy", "--camera", fields / "healthy", "--out", out, "--json", figures) == 0
    site, found = sitefile.read(out), told(figures)
    assert site.healthy is not None
    assert site.correction is None
    assert found["written"] == str(out)
    assert found["refused"] == []
    assert site.healthy.threshold == found["threshold"]
    assert (site.healthy.cells, site.healthy.called) == (found["cells"], found["called"])
    assert found["cells"] >= FEW
    assert sum(row["cells"] for row in found["by_type"].values()) == found["cells"]
    assert not sitefile.own_path().exists()
    printed = capsys.readouterr()
    assert f"-> {found['threshold']:.3f}" in printed.out
    assert f"written to {out}" in printed.err


def test_the_devices_own_and_back(
    adapt: Adapt, fields: Path, few: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt("--healthy", "--camera", fields / "healthy", "--json", "-") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["written"] == str(sitefile.own_path())
    assert sitefile.read(sitefile.own_path()).made_by
    assert "adapt --undo" in printed.err
    assert device.main(["adapt", "--undo"]) == 0
    assert not sitefile.own_path().exists()
    assert "in use now: nothing of this site" in capsys.readouterr().out
    assert device.main(["adapt", "--undo", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["in_use"]["corrected"] is False


def test_nothing_to_undo(capsys: pytest.CaptureFixture[str]) -> None:
    assert device.main(["adapt", "--undo"]) == 1
    assert "nothing to undo" in capsys.readouterr().err


def test_too_few_cells(
    adapt: Adapt, fields: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site.json"
    assert adapt("--healthy", "--camera", fields / "healthy", "--out", out) == 1
    assert "leukocytes of the 200 needed" in capsys.readouterr().err
    assert not out.exists()


def test_an_ill_persons_slide_is_refused_unless_somebody_vouches(
    adapt: Adapt, fields: Path, few: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, slide = tmp_path / "site.json", ("--healthy", "--camera", fields / "ill")
    assert adapt(*slide, "--out", out, "--json", "-") == 3
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["written"] is None
    assert any("a hump of their own" in why for why in found["refused"])
    assert "a healthy person's slide is needed" in printed.err
    assert not out.exists()
    assert adapt(*slide, "--out", out, "--vouched-by", "ab") == 0
    site = sitefile.read(out)
    assert site.healthy is not None
    assert "read as normal by AB" in site.healthy.source


def test_the_demo_ends_by_itself_and_is_not_this_site(
    adapt: Adapt, few: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt("--healthy", "--camera", "demo:0", "--out", tmp_path / "site.json") == 0
    assert (tmp_path / "site.json").exists()
    assert adapt("--healthy", "--camera", "demo:0") == 1
    assert "the simulated microscope is not this site" in capsys.readouterr().err


class Scope:
    """A live camera over drawn fields; `interrupted` is when somebody presses Ctrl-C."""

    live, serial, name = True, "77", "scope"
    um_per_px: float | None = 0.1

    def __init__(self, fields: Path) -> None:
        self._files = sorted(fields.glob("*.png"))
        self._index = 0

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def read(self) -> Frame | None:
        pixels = cv2.imread(str(self._files[self._index % len(self._files)]))
        self._index += 1
        return Frame(
            np.ascontiguousarray(pixels[..., ::-1]), self._index, self.name, datetime.now(UTC), monotonic()
        )


def test_a_live_camera_is_asked_until_there_are_enough(
    adapt: Adapt, fields: Path, few: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "camera_for", lambda *_: Scope(fields / "healthy"))
    assert adapt("--healthy", "--camera", "0", "--um-per-px", "0.1") == 0
    assert "move from field to field" in capsys.readouterr().err
    assert sitefile.own_path().exists()


def test_ctrl_c_leaves_everything_as_it_was(
    adapt: Adapt, fields: Path, few: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "_progress", pressed)
    assert adapt("--healthy", "--camera", fields / "healthy") == 1
    assert "stopped" in capsys.readouterr().err
    assert not sitefile.own_path().exists()


@pytest.fixture
def records(fields: Path, model_path: Path, tmp_path: Path) -> Path:
    """Records with a healthy slide and one of an ill person."""
    path = tmp_path / "records.db"
    for name in ("healthy", "ill"):
        words = ["--camera", fields / name, "--headless", "--records", path, "--slide", name,
                 "--bundle", model_path, "--allow-unsigned"]  # fmt: skip
        assert cli.main([*map(str, words)]) == 0
    return path


def test_a_slide_of_the_records(
    adapt: Adapt, records: Path, fields: Path, few: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, again = tmp_path / "a.json", tmp_path / "b.json"
    slide = ("--healthy", "--slide", "healthy", "--records", records)
    assert adapt(*slide, "--out", out) == 0
    assert adapt("--healthy", "--camera", fields / "healthy", "--out", again) == 0
    stored, read = sitefile.read(out).healthy, sitefile.read(again).healthy
    assert stored is not None
    assert read is not None
    assert (stored.threshold, stored.cells, stored.by_type) == (read.threshold, read.cells, read.by_type)

    with Book(records) as book:
        cell = book.views("healthy")[0]["cell"]
        book.say("healthy", [cell], "blast", "AB")
    capsys.readouterr()
    assert adapt(*slide, "--out", out, "--vouched-by", "CD") == 3  # no word of one undoes another's
    assert "people confirmed 1 of its cells as blasts" in capsys.readouterr().err
    assert adapt("--healthy", "--slide", "nowhere", "--records", records) == 1
    assert "is not in the records" in capsys.readouterr().err
    assert device.main(["adapt", *map(str, slide)]) == 1
    assert "not this model" in capsys.readouterr().err


def test_cells_that_people_named_in_the_review(
    adapt: Adapt, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learn = ("--from-records", "--records", records, "--out", tmp_path / "site.json", "--json", "-")
    assert adapt(*learn) == 1
    assert "0 named cells (none): 20 more are needed" in capsys.readouterr().err
    named = {}
    with Book(records) as book:
        for slide in ("healthy", "ill"):
            for view in book.views(slide):  # as the machine says: then there is nothing to learn, or little
                if view["settled"] and len(named) < 60:
                    named[slide, view["cell"]] = view["class"]
                    book.say(slide, [view["cell"]], view["class"], "AB")
        book.say("ill", [next(cell for slide, cell in named if slide == "ill")], "monocyte", "CD")
    status = adapt(*learn)
    found = json.loads(capsys.readouterr().out)
    assert status in (0, 3)
    assert (found["written"] is None) == bool(found["refused"])
    assert (
        len(named) - 1 <= sum(found["cells"].values()) <= len(named)
    )  # on one of them two people may differ


def test_real_cells_of_a_laboratory(
    adapt: Adapt,
    typed: Path,
    typed_scale: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "site.json"
    (tmp_path / "cells").mkdir()
    folder = Path(shutil.copytree(typed, tmp_path / "cells", dirs_exist_ok=True))
    (folder / "odd").mkdir()
    shutil.copy(next((folder / "lymph").iterdir()), folder / "odd")
    shutil.copy(next((folder / "lymph").iterdir()), folder)
    assert adapt("--labelled", folder, *typed_scale, "--out", out, "--json", tmp_path / "out.json") == 0
    found, site = told(tmp_path / "out.json"), sitefile.read(out)
    assert found["after"]["accuracy"] >= found["before"]["accuracy"]
    assert found["after"]["log_likelihood"] > found["before"]["log_likelihood"]
    assert found["left_out"] == {
        "pictures in odd, which names no class": 1, "pictures beside the folders": 1,
    }  # fmt: skip
    assert site.correction is not None
    assert site.healthy is None
    assert site.correction.cells == found["cells"]
    assert site.correction.gate["accuracy_after"] == found["after"]["accuracy"]
    assert "called, with it:" in capsys.readouterr().out

    # with the correction in place, and the threshold measured with it
    cells = ("--camera", str(folder), "--single-cell", *typed_scale)
    patch = pytest.MonkeyPatch()
    with patch.context() as changed:
        for module in (healthy, session):
            changed.setattr(module, "LEAST_CELLS", FEW)
        assert adapt("--healthy", *cells, "--site", out, "--out", out, "--vouched-by", "AB") == 0
    both = sitefile.read(out)
    assert both.healthy is not None
    assert both.correction is not None
    np.testing.assert_array_equal(both.correction.weights, site.correction.weights)
    capsys.readouterr()

    # and a new correction takes the threshold away again
    assert adapt("--labelled", folder, *typed_scale, "--site", out, "--out", out) == 0
    assert sitefile.read(out).healthy is None
    assert "measure it again with edge-device adapt --healthy" in capsys.readouterr().err


def test_what_the_gate_refuses_is_not_written(
    adapt: Adapt,
    typed: Path,
    typed_scale: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(gate, "GOLDEN", -1.0)  # not even no change is little enough
    out = tmp_path / "site.json"
    assert adapt("--labelled", typed, *typed_scale, "--out", out, "--json", "-") == 3
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["written"] is None
    (why,) = found["refused"]
    assert "golden cells change their class" in why
    assert "refused, nothing was written" in printed.err
    assert not out.exists()


def test_a_model_without_features(typed: Path, tmp_path: Path, make_bundle: Callable[..., Path],
                                  capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    words = [
        "--labelled",
        typed,
        "--bundle",
        make_bundle(),
        "--allow-unsigned",
        "--out",
        tmp_path / "site.json",
    ]
    assert device.main(["adapt", *map(str, words)]) == 1
    assert "this model gives no features; update it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--healthy"], "--healthy needs one of --camera and --slide"),
        (["--healthy", "--camera", "0", "--slide", "x"], "--healthy needs one of --camera and --slide"),
        (["--healthy", "--slide", "x", "--single-cell"], "--single-cell goes with --camera"),
        (["--undo", "--camera", "0"], "--camera goes with --healthy"),
        (["--from-records", "--vouched-by", "AB"], "--vouched-by goes with --healthy"),
        (["--healthy", "--undo"], "not allowed with"),
        ([], "one of the arguments --healthy --labelled --from-records --undo is required"),
    ],
)
def test_wrong_usage(words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        device.main(["adapt", *words])
    assert ended.value.code == 2
    assert wanted in capsys.readouterr().err


def test_what_is_no_folder_and_no_initials(
    adapt: Adapt, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt("--labelled", tmp_path / "none") == 1
    assert "is no folder; give one with a folder for each class" in capsys.readouterr().err
    assert adapt("--healthy", "--camera", "demo", "--out", tmp_path / "x", "--vouched-by", "a doctor") == 1
    assert "are not 1 to 8 letters" in capsys.readouterr().err


def test_a_slide_of_the_records_with_a_correction_in_place(
    adapt: Adapt, records: Path, model: Bundle, few: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classes, out = model.manifest.classes, tmp_path / "site.json"
    classifier = Classifier(model)
    width = classifier.features(np.zeros((1, 96, 96, 3), np.uint8)).shape[1]
    classifier.close()
    bias = np.array([{"neutrophil": -9.0, "monocyte": 9.0}.get(name, 0.0) for name in classes], np.float32)
    correction = Correction(
        np.zeros((len(classes), width), np.float32), bias, {"monocyte": 1}, "1 cell named by AB", {}
    )
    place.keep(out, Site(model.manifest.network, correction=correction))
    slide = ("--healthy", "--slide", "healthy", "--records", records)
    kinds = []
    for site in ((), ("--site", out)):
        assert adapt(*slide, *site, "--out", tmp_path / "new.json", "--json", "-") == 0
        kinds.append(json.loads(capsys.readouterr().out)["by_type"])
    assert "neutrophil" in kinds[0]
    assert "neutrophil" not in kinds[1]
    assert kinds[1]["monocyte"]["cells"] >= kinds[0]["neutrophil"]["cells"]
    kept = sitefile.read(tmp_path / "new.json").correction
    assert kept is not None
    np.testing.assert_array_equal(kept.bias, bias)
