"""`edge-run` as other programs use it: flags, JSON, exit status, one clear line for every mistake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from edge import cli
from edge.bundle import devicekey, sitefile
from edge.bundle.bundle import Bundle, load
from edge.cameras.demo.camera import SimulatedCamera
from edge.line.opening import site_of
from edge.machine.profile import data_folder, load_profile
from edge.records.book import Book
from edge.records.people import About
from edge.runtimes.ort import OnnxRuntime
from edge.selftest import selftest
from edge.types import LeukoscopeError
from export.bundle.amend import amend
from tests.conftest import golden, graph, graph_with_features
from tests.edge.bundle.sites import HEALTHY, HERE, correction, site

pytestmark = pytest.mark.usefixtures("tested")


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge.cli", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three drawn fields."""
    folder = tmp_path_factory.mktemp("fields")
    camera = SimulatedCamera(1)
    camera.open()
    for name in ("Im1.png", "Im2.png", "Im10.png"):
        frame = camera.read()
        cv2.imwrite(str(folder / name), frame.pixels[..., ::-1])
    camera.close()
    return folder


@pytest.fixture
def screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """Runs `edge-run --headless` in this process and gives its JSON lines."""

    def run(*arguments: object) -> list[dict[str, Any]]:
        out = tmp_path / "out.jsonl"
        status = cli.main([*map(str, arguments), "--headless", "--json", str(out)])
        assert status == 0, capsys.readouterr().err
        return _lines(out)

    return run


def _chosen_here() -> str:
    """The precision that the self-test chose for this machine."""
    classifier = selftest.choose(load(), load_profile().runtime, folder=data_folder(), tell=print)
    classifier.close()
    return classifier.runtime


def test_the_classifier_is_warm_before_the_first_field(
    screen: Callable[..., list[dict[str, Any]]], fields: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    run = OnnxRuntime.run

    def watched(self: OnnxRuntime, arrays: Any) -> Any:
        if "crops" in arrays:  # and not the tiles that tell the scale
            batches.append(len(arrays["crops"]))
        return run(self, arrays)

    monkeypatch.setattr(OnnxRuntime, "run", watched)
    # a batch a field: candidates are not looked at again
    monkeypatch.setattr("edge.cells.classify.looked", lambda look, crops, *_: dict(look(crops)))
    screen("--camera", fields)
    fields_with_cells = 3
    assert batches[-fields_with_cells - 2 : -fields_with_cells] == [1, 12]


def test_json_of_a_folder(screen: Callable[..., list[dict[str, Any]]], fields: Path) -> None:
    start, *readings, finding, files = screen("--camera", fields, "--slide", "S-1")
    assert start["kind"] == "start"
    assert start["slide"] == "S-1"
    assert start["runtime"] == _chosen_here()
    assert set(start["bundle"]) >= {"name", "sha256", "classes"}
    assert [r["source"] for r in readings] == ["Im1.png", "Im2.png", "Im10.png"]
    assert [r["index"] for r in readings] == [0, 1, 2]
    counted = 0
    for reading in readings:
        assert (reading["width"], reading["height"]) == (1440, 900)
        assert {"quality", "segment", "classify", "total"} <= set(reading["ms"])
        assert reading["um_per_px_from"] in ("red-cells", "nominal")
        for cell in reading["cells"]:
            x0, y0, x1, y1 = cell["box_px"]
            assert 0 <= x0 < x1 <= 1440
            assert 0 <= y0 < y1 <= 900
            assert sum(cell["probabilities"].values()) == pytest.approx(1, abs=1e-6)
            assert list(cell["probabilities"]) == start["bundle"]["classes"]
            assert cell["class"] in cell["probabilities"]
            assert not (cell["counted"] and cell["uncertain"])
            counted += cell["counted"]
    assert finding["kind"] == "finding"
    assert finding["cells_counted"] == counted
    assert finding["frames"] == 3
    assert finding["finding"] in ("refer", "no-blasts-seen", "keep-scanning", "not-readable")
    assert finding["reason"]
    assert files == {"kind": "files", "read": 3, "left_out": [], "trusted": True}


def test_of_marrow_a_bundle_for_blood_only_counts(
    screen: Callable[..., list[dict[str, Any]]], fields: Path, tmp_path: Path
) -> None:
    out = tmp_path / "blood.bundle"
    amend(Path("leukocytes"), out, {"specimen": ["blood"]})
    words = ("--camera", fields, "--no-records", "--bundle", out, "--allow-unsigned")
    start, *_, finding, _ = screen(*words, "--specimen", "marrow")
    assert (start["specimen"], start["rates"]) == ("marrow", None)
    assert (finding["finding"], finding["headline"]) == ("keep-scanning", "COUNTS ONLY")
    assert finding["reason"].startswith("This model is made for blood")
    start, *_ = screen(*words)
    assert start["specimen"] == "blood"
    assert start["rates"] is not None


def test_independent_frames_have_a_finding_each(
    screen: Callable[..., list[dict[str, Any]]], fields: Path
) -> None:
    kinds = [line["kind"] for line in screen("--camera", fields, "--independent", "--no-records")]
    assert kinds == [*["start", "reading", "finding"] * 3, "files"]


def test_scale_given_and_limits(screen: Callable[..., list[dict[str, Any]]], fields: Path) -> None:
    lines = screen("--camera", fields / "Im*.png", "--um-per-px", "0.12", "--max-frames", 2)
    readings = [line for line in lines if line["kind"] == "reading"]
    assert [(r["um_per_px"], r["um_per_px_from"]) for r in readings] == [(0.12, "given")] * 2


@pytest.mark.parametrize("shape", [(400, 400, 3), (20, 20, 3), (90, 300, 3)])
@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_single_cell_is_always_one_cell(
    screen: Callable[..., list[dict[str, Any]]], tmp_path: Path, shape: tuple[int, int, int], kind: str
) -> None:
    picture = {"black": np.zeros(shape), "white": np.full(shape, 255.0)}.get(
        kind, np.random.default_rng(0).uniform(0, 255, shape)
    )
    cv2.imwrite(str(tmp_path / "cell.png"), picture.astype(np.uint8))
    _, reading, _, _ = screen("--camera", tmp_path / "cell.png", "--single-cell", "--independent")
    assert len(reading["cells"]) == 1
    assert reading["problems"] == []
    x0, y0, x1, y1 = reading["cells"][0]["box_px"]
    assert x0 <= shape[1] / 2 <= x1
    assert y0 <= shape[0] / 2 <= y1


def test_label_images(screen: Callable[..., list[dict[str, Any]]], fields: Path, tmp_path: Path) -> None:
    lines = screen("--camera", fields, "--labels", tmp_path / "labels")
    for reading in (line for line in lines if line["kind"] == "reading"):
        stem = Path(reading["source"]).stem
        labels = cv2.imread(str(tmp_path / "labels" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
        nuclei = cv2.imread(str(tmp_path / "labels" / f"{stem}_nuclei.png"), cv2.IMREAD_UNCHANGED)
        assert labels.dtype == nuclei.dtype == np.uint16
        assert labels.shape == nuclei.shape == (900, 1440)
        assert set(np.unique(labels)) == set(range(len(reading["cells"]) + 1))
        for number, cell in enumerate(reading["cells"], 1):
            y, x = np.nonzero(labels == number)
            box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
            np.testing.assert_allclose(box, cell["box_px"], atol=4)
            assert (labels[nuclei == number] == number).all()


def test_a_truncated_image_among_good_ones_is_named_and_skipped(
    screen: Callable[..., list[dict[str, Any]]], fields: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = (fields / "Im1.png").read_bytes()
    (folder / "a.png").write_bytes(good)
    (folder / "b.png").write_bytes(good[: len(good) // 2])
    (folder / "c.png").write_bytes((fields / "Im10.png").read_bytes())
    _, a, b, c, finding, files = screen("--camera", folder)
    assert (a["problems"], c["problems"]) == ([], [])
    assert "unreadable" in b["problems"][0]
    assert b["cells"] == []
    assert not b["counted"]
    assert (finding["frames"], finding["rejected"]) == (3, 1)
    (left,) = files["left_out"]
    assert (files["read"], left["count"], left["first"]) == (2, 1, "b.png")
    assert "cut short" in left["reason"]


def test_what_was_not_read_of_a_folder_is_told_in_one_line(
    screen: Callable[..., list[dict[str, Any]]],
    fields: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "phone"
    shutil.copytree(fields, folder)
    for name in ("IMG_2.svs", "IMG_10.svs", "notes.txt", ".hidden.svs"):
        (folder / name).write_bytes(b"x")
    words = ("--camera", folder, "--um-per-px", 0.1, "--no-records")
    files = screen(*words, "--independent", "--labels", folder / "labels")[-1]
    (left,) = files["left_out"]
    assert (files["kind"], files["read"], left["count"], left["first"]) == ("files", 3, 2, "IMG_2.svs")
    told = capsys.readouterr().err.splitlines()
    assert told == [f"edge-run: 3 pictures read, 2 not: {left['reason']} (first: IMG_2.svs)"]
    again = screen(*words, "--max-frames", 2)[-1]
    assert (again["read"], [left["count"] for left in again["left_out"]]) == (2, [2, 6, 1])


def test_a_folder_that_is_called_like_a_camera_is_told(
    screen: Callable[..., list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    screen("--camera", "demo", "--no-records", "--max-frames", 1)
    assert "edge-run: demo means the simulated microscope; " in capsys.readouterr().err


def test_truth_of_the_demo(screen: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    screen("--camera", "demo:1", "--truth", tmp_path / "truth.json", "--max-frames", 1, "--no-records")
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["blast_fraction"] == pytest.approx(0.4, abs=0.001)
    assert {"x_um", "y_um", "class"} <= set(truth["cells"][0])


def test_whose_rates_are_reckoned_with_is_told(
    screen: Callable[..., list[dict[str, Any]]], fields: Path, tmp_path: Path
) -> None:
    elsewhere, demo = screen("--camera", fields)[0], screen("--camera", "demo:1", "--max-frames", 1)[0]
    assert (elsewhere["rates"]["place"], elsewhere["site"]) == ("laboratories", None)
    assert (demo["rates"]["place"], demo["site"]["key"], demo["site"]["slides"]) == ("site", "", 6)
    path = tmp_path / "site.json"
    sitefile.write(path, site(load().manifest.network))
    here = screen("--camera", fields, "--site", path)[0]
    assert (here["rates"]["place"], here["rates"]["false_blasts"]["high"]) == ("site", HERE.high)
    assert here["rates"]["sensitivity"] == elsewhere["rates"]["at_site"]["sensitivity"]
    assert here["site"] == sitefile.read(path).record()


def test_a_sites_threshold_and_correction_decide(
    screen: Callable[..., list[dict[str, Any]]],
    make_bundle: Callable[..., Path],
    fields: Path,
    tmp_path: Path,
) -> None:
    members = {"classifier.onnx": graph_with_features()}
    small = make_bundle(members=members | golden(members))
    words = ("--camera", fields, "--bundle", small, "--allow-unsigned", "--no-records")
    network = load(small, allow_unsigned=True).manifest.network
    path = tmp_path / "site.json"

    def counts(**known: Any) -> dict[str, int]:
        sitefile.write(path, site(network, **known))
        return dict(screen(*words, "--site", path)[-2]["counts"])

    everything = counts(healthy=replace(HEALTHY, threshold=0.0))
    assert everything["blast"] == sum(everything.values()) > 0
    fitted = counts(healthy=None, correction=correction(monocyte=50.0))
    assert fitted["monocyte"] == sum(fitted.values()) > 0


def test_a_site_of_another_device_is_told(
    screen: Callable[..., list[dict[str, Any]]],
    fields: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "site.json"
    sitefile.write(path, site(load().manifest.network))
    key = devicekey.own()
    (data_folder() / devicekey.FILE).unlink()
    assert screen("--camera", fields, "--site", path)[0]["site"]["key"] == key
    err = capsys.readouterr().err
    assert f"edge-run: site {path}: was signed by another device (key {key[:16]})" in err


def test_the_devices_own_site_is_for_live_cameras_and_one_of_another_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about, own = load(), sitefile.own_path()
    live, still = SimpleNamespace(live=True), SimpleNamespace(live=False)
    assert site_of(None, live, about) == (None, None)
    sitefile.write(own, site("another@0.5"))
    used, notice = site_of(None, live, about)
    assert (used, str(notice).split("; ")[0]) == (
        None, f"site {own}: was measured with another model and is not used",
    )  # fmt: skip
    sitefile.write(own, site(about.manifest.network))
    used, notice = site_of(None, live, about)
    assert (used and used.healthy, notice) == (HEALTHY, None)
    assert site_of(None, still, about) == (None, None)
    own.write_text(own.read_text().replace("0.31", "0.29"))
    with pytest.raises(LeukoscopeError, match="was altered since it was made; measure it anew"):
        site_of(None, live, about)


def test_a_sites_file_that_cannot_be_used_is_told(
    fields: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "site.json", tmp_path / "other.json"
    sitefile.write(other, site("another@0.5"))
    fitted = tmp_path / "fitted.json"
    sitefile.write(fitted, site(load().manifest.network, correction=correction()))
    path.write_text("{}")
    for given, words in (
        (tmp_path / "absent.json", "No such file"),
        (tmp_path, "is no file"),
        (path, "format is missing"),
        (other, "was measured with another model"),
        (fitted, "the site's correction"),
    ):
        assert cli.main(["--camera", str(fields), "--headless", "--no-records", "--site", str(given)]) == 1
        told = capsys.readouterr().err.splitlines()
        assert words in told[-1]
        # before a correction is tried on it a model is opened, which may say that its INT8 is too slow here
        assert all("not used" in line for line in told[:-1])


def test_an_unsigned_bundle_is_marked(
    screen: Callable[..., list[dict[str, Any]]],
    make_bundle: Callable[..., Path],
    fields: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = tmp_path / "r.db"
    lines = screen("--camera", fields, "--bundle", make_bundle(), "--allow-unsigned", "--records", store)
    assert lines[0]["bundle"]["trusted"] is False
    assert {line["trusted"] for line in lines[1:]} == {False}
    assert capsys.readouterr().out.endswith("(unsigned model: not for patients)\n")
    with sqlite3.connect(store) as database:
        assert database.execute("SELECT trusted FROM slides").fetchall() == [(0,)]


def test_a_large_bundle_is_opened_only_where_it_is_asked_for(
    screen: Callable[..., list[dict[str, Any]]],
    make_bundle: Callable[..., Path],
    fields: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("edge.bundle.archive.LARGEST", 4096)
    asked = ["--camera", fields, "--bundle", make_bundle(), "--allow-unsigned", "--no-records"]
    assert cli.main([*map(str, asked), "--headless"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "small.bundle: has 0.5 MiB, 0.0 MiB are allowed; not opened; --large opens it" in line
    assert screen(*asked, "--large")[0]["kind"] == "start"


def test_a_precision_that_fails_its_selftest_is_told_and_passed_over(
    screen: Callable[..., list[dict[str, Any]]],
    two_precisions: Callable[..., Bundle],
    fields: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = two_precisions({"int8.onnx": graph(seed=1)}).path
    lines = screen("--camera", fields, "--bundle", path, "--allow-unsigned", "--no-records")
    assert lines[0]["runtime"] == "ort-fp32"
    (told,) = capsys.readouterr().err.strip().splitlines()
    assert told.startswith("edge-run: ort-int8 does not pass its self-test on this machine")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--camera", "/dev/video97"], 1, "/dev/video97"),
        (["--camera", "nowhere/"], 1, "nowhere"),
        (["--camera", "{empty}"], 1, "empty"),
        (["--camera", "demo", "--um-per-px", "-1"], 2, "-1"),
        (["--camera", "demo", "--um-per-px", "0"], 2, "0"),
        (["--camera", "demo", "--um-per-px", "nan"], 2, "nan"),
        (["--camera", "demo", "--um-per-px", "wide"], 2, "wide"),
        (["--camera", "demo", "--max-frames", "0"], 2, "0"),
        (["--camera", "demo", "--max-seconds", "-3"], 2, "-3"),
        (["--camera", "demo", "--runtime", "abacus"], 2, "abacus"),
        (["--camera", "demo", "--runtime", "trt"], 1, "trt"),
        ([], 2, "--camera"),
        (["--camera", "demo", "--profile", "toaster"], 1, "toaster"),
        (["--camera", "demo", "--profile", "{odd}"], 1, "colour"),
        (["--camera", "demo", "--bundle", "none.bundle"], 1, "none.bundle"),
        (["--camera", "demo", "--records", "{folder}"], 1, "folder"),
        (["--camera", "demo", "--json", "{folder}"], 1, "folder"),
        (["--camera", "demo", "--labels", "{file}"], 1, "file"),
        (["--camera", "{file}"], 1, "file"),
        (["--camera", "{folder}", "--truth", "t.json"], 1, "--truth"),
    ],
)
def test_one_clear_line_for_every_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.png").write_bytes(cv2.imencode(".png", np.zeros((9, 9, 3)))[1].tobytes())
    (tmp_path / "file").write_text("text")
    (tmp_path / "odd.toml").write_text("colour = 3\n")
    names = {"empty": "empty", "folder": "folder", "file": "file", "odd": "odd.toml"}
    filled = [a.format(**{k: tmp_path / v for k, v in names.items()}) for a in arguments]
    try:
        said = cli.main(
            [*filled, "--headless", "--max-seconds", "20"] if "--max-seconds" not in filled else filled
        )
    except SystemExit as wrong_usage:
        said = wrong_usage.code
    error = capsys.readouterr().err.strip().splitlines()
    assert said == status
    assert words in error[-1]
    assert error[-1].startswith("edge-run: ")
    if status == 1:
        assert len(error) == 1


def test_a_slide_that_exists_is_refused(
    screen: Callable[..., list[dict[str, Any]]], fields: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen("--camera", fields, "--slide", "S-9")
    assert cli.main(["--camera", str(fields), "--slide", "S-9", "--headless"]) == 1
    assert "S-9" in capsys.readouterr().err


def test_the_patient_is_kept_with_the_slide(
    screen: Callable[..., list[dict[str, Any]]], fields: Path, tmp_path: Path
) -> None:
    screen("--camera", fields, "--slide", "S-1", "--patient", " P-7 ", "--records", tmp_path / "r.db")
    with Book(tmp_path / "r.db") as book:
        assert book.about("S-1") == About(patient="P-7")


@pytest.mark.parametrize("flag", ["--slide", "--patient"])
@pytest.mark.parametrize(
    "bad",
    ["", "   ", "S\x1b[2J", "S\u202e1", "x" * 10_000],
    ids=["empty", "spaces", "control", "turned", "long"],
)
def test_what_is_no_identifier_is_refused_before_anything_is_opened(
    flag: str, bad: str, fields: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--camera", str(fields), flag, bad, "--headless"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"edge-run: {flag[2:]} '")
    assert told.rstrip().isprintable()
    assert len(told) < 200


def test_lines_to_a_pipe_and_no_progress_there(fields: Path) -> None:
    done = _run("--camera", fields, "--headless", "--json", "-", "--no-records")
    assert (done.returncode, done.stderr) == (0, "")
    kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds == ["start", "reading", "reading", "reading", "finding", "files"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_slide_properly(tmp_path: Path, name: str) -> None:
    out, store = tmp_path / "out.jsonl", tmp_path / "r.db"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edge.cli",
            "--camera",
            "demo",
            "--headless",
            "--json",
            out,
            "--records",
            store,
        ],
        stdout=subprocess.DEVNULL,
    )
    _wait(lambda: out.exists() and out.read_text().count("\n") > 3, process)
    process.send_signal(getattr(signal, name))
    assert process.wait(120) == 0
    lines = _lines(out)
    assert lines[-1]["kind"] == "finding"
    with sqlite3.connect(store) as database:
        (stored,) = database.execute("SELECT count(*) FROM readings").fetchone()
        (finding,) = database.execute("SELECT finding FROM slides").fetchone()
    assert stored == lines[-1]["frames"] == sum(line["kind"] == "reading" for line in lines)
    assert finding == lines[-1]["finding"]


def test_nothing_shown_is_lost_when_the_program_is_killed(tmp_path: Path) -> None:
    out, store = tmp_path / "out.jsonl", tmp_path / "r.db"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edge.cli",
            "--camera",
            "demo",
            "--headless",
            "--json",
            out,
            "--records",
            store,
        ],
        stdout=subprocess.DEVNULL,
    )
    _wait(lambda: out.exists() and out.read_text().count("\n") > 6, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(120)
    whole = [line for line in out.read_text().splitlines(keepends=True) if line.endswith("\n")]
    shown = {record["index"] for record in map(json.loads, whole) if record["kind"] == "reading"}
    with sqlite3.connect(store) as database:
        stored = {index for (index,) in database.execute("SELECT frame FROM readings")}
    assert shown
    assert shown <= stored


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 300
    while not ready():
        assert process.poll() is None, "ended by itself"
        assert time.monotonic() < end, "gave no lines"
        time.sleep(0.05)


_KILLED = """
import os, signal, sys
from edge import cli
from edge.records.jsonl import JsonLines

def reading(self, reading):
    if reading.frame.index == 1:
        os.kill(os.getpid(), signal.SIGKILL)

JsonLines.reading = reading
cli.main(sys.argv[1:])
"""


def test_a_slide_that_a_kill_cut_off_goes_on_and_comes_to_the_same(
    screen: Callable[..., list[dict[str, Any]]],
    fields: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = screen("--camera", fields, "--slide", "in one go", "--keep-fields", "suspicious")
    killed = [sys.executable, "-c", _KILLED, "--camera", fields, "--headless", "--json", tmp_path / "k.jsonl"]
    done = subprocess.run([*map(str, killed), "--slide", "S 1"], capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL
    capsys.readouterr()
    assert cli.main(["--camera", str(fields), "--slide", "S 1", "--headless"]) == 1
    assert "was cut off: go on with it with --go-on, or choose another" in capsys.readouterr().err
    screen("--camera", fields, "--slide", "another", "--max-frames", 1)
    told = capsys.readouterr().err
    assert "slide S 1 was cut off on 20" in told
    assert "edge-run --camera … --slide 'S 1' --go-on, or close it: edge-slides close 'S 1'" in told
    start, *readings, finding, files = screen("--camera", fields, "--slide", "S 1", "--go-on")
    assert "was cut off on" not in capsys.readouterr().err
    assert (start["slide"], start["gone_on"], whole[0]["gone_on"]) == ("S 1", True, False)
    assert [reading["index"] for reading in readings] in (
        [1, 2],
        [2],
        [],
    )  # what was read when it fell may be on the disk
    assert files["read"] == 3
    for name in ("counts", "cells_counted", "uncertain", "frames", "rejected", "repeated", "finding"):
        assert finding[name] == whole[-2][name], name
    with Book(data_folder() / "records.db") as book:
        settled = [row["cell"] for row in book.cells("S 1") if row["settled"]]
        assert len(settled) == len(set(settled))
        assert book.kept_fields("S 1") == []
        assert 0 < len(book.kept_fields("in one go")) <= 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--go-on"], "--go-on: which slide is to go on? Name it with --slide"),
        (["--go-on", "--slide", "S", "--independent"], "each picture is a slide of its own"),
        (["--go-on", "--slide", "S", "--no-records"], "a slide goes on from its records"),
        (["--keep-fields", "all", "--no-records"], "the pictures are kept in the records"),
        (["--keep-fields", "some"], "--keep-fields"),
    ],
)
def test_what_cannot_go_on_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--camera", "demo", "--headless", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_slide_that_is_not_there_does_not_go_on(fields: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--camera", str(fields), "--headless", "--slide", "S", "--go-on"]) == 1
    assert "slide 'S': is not in the records" in capsys.readouterr().err
