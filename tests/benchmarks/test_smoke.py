"""Every benchmark starts, and those that need no hours measure something on a few drawn pictures."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.train import layouts
from tests.train.conftest import draw
from tests.train.runs import TRAINED, all_left_out
from train.data.split import split_of
from train.judging import leftout

ROOT = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = sorted(
    str(path.relative_to(ROOT).with_suffix(""))
    for path in ROOT.rglob("*.py")
    if "__main__" in path.read_text()
)
Run = Callable[..., None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a benchmark as its command line does, in this process."""
    threads, before = cv2.getNumThreads(), set(sys.modules)

    def start(name: str, *words: str | Path) -> None:
        path = ROOT / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, words)])
        monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as ended:
            assert not ended.code  # noqa: PT017

    yield start
    cv2.setNumThreads(threads)
    for name in set(sys.modules) - before:  # names such as `scale` belong to others too
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(ROOT)):
            del sys.modules[name]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two small data sets: fields with boxes, and cells with masks."""
    layouts.LAYOUTS["bccd"](tmp_path)
    for part in (1, 2):
        folder = tmp_path / "segmentation_WBC" / f"Dataset {part}"
        folder.mkdir(parents=True)
        for number in (1, 100):
            cell, mask = np.full((120, 120, 3), 230, np.uint8), np.zeros((120, 120), np.uint8)
            cv2.circle(cell, (60, 60), 30, (190, 120, 190), -1)
            cv2.circle(cell, (60, 60), 22, (150, 60, 90), -1)
            cv2.circle(mask, (60, 60), 30, 128, -1)
            cv2.circle(mask, (60, 60), 22, 255, -1)
            cv2.imwrite(str(folder / f"{number:03d}.bmp"), cell)
            cv2.imwrite(str(folder / f"{number:03d}.png"), mask)
    return tmp_path


@pytest.fixture
def runs(tmp_path: Path, make_bundle: Callable[..., Path]) -> Path:
    """Runs that left laboratories out, the cells of these, and the bundle `small.bundle` of their recipe."""
    for name in ("deepapl", "cnmc"):
        layouts.LAYOUTS[name](tmp_path)
    patient = next(f"Patient_{i:02d}" for i in range(16) if split_of(f"Patient_{i:02d}") == "train")
    blasts = tmp_path / "deepapl" / "Data" / "All" / patient / "Signed slides" / "Blast, no lineage spec"
    for seed in range(12):  # enough for slides of them
        draw(blasts / f"more-{seed}.png", layouts.HUES[0], seed)
    make_bundle(training=TRAINED, thresholds={"positive": 0.3, "confidence": 0.1, "certain": 0.9})
    return all_left_out(tmp_path / "runs", ("deepapl", "cnmc"))


def test_patients_are_slides(
    run: Run, tmp_path: Path, make_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    layouts.LAYOUTS["deepapl"](tmp_path)
    folders = sorted((tmp_path / "deepapl" / "Data" / "All").iterdir())
    rows = [f"{path.name},AML,Discovery" for path in folders]
    (tmp_path / "deepapl" / "Data" / "master.csv").write_text(
        "\n".join(["Patient_ID,Diagnosis,Cohort", *rows])
    )
    bundle, out = make_bundle(training=TRAINED), tmp_path / "out.json"
    run("patients", "--data", tmp_path, "--bundle", bundle, "--split", "train", "--json", out)
    found = json.loads(out.read_text())
    assert found["command"] == "python benchmarks/patients.py --data DATA --bundle BUNDLE --split train"
    listed = found["details"]["patients"]
    assert {each["patient"] for each in listed} <= {path.name for path in folders}
    assert all(each["apl alert"] is None for each in listed)
    assert "positive once a person saw 40" in capsys.readouterr().out


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_says_what_it_measures_and_how_to_run_it(
    name: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(name, "--help")
    told = capsys.readouterr().out
    assert f"python benchmarks/{name}.py" in " ".join(told.split())
    # that makes what others measure
    assert "--json" in told or name == "peer_graphs"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("detection", ["--data", "DATA", "--dataset", "bccd", "--limit", "1"]),
        ("masks", ["--data", "DATA", "--limit", "1"]),
        ("scale", ["--data", "DATA", "--limit", "1"]),
        ("quality", ["--data", "DATA", "--limit", "1"]),
        ("colours", ["--data", "DATA", "--limit", "1"]),
        ("windows", ["--data", "DATA", "--limit", "1"]),
        ("focus", ["--data", "DATA", "--limit", "1", "--dataset", "zheng-1"]),
        ("flatfield", ["--limit", "1"]),
        ("segmentation", ["--data", "DATA", "--only", "bccd, vignetted"]),
        ("demo", ["--frames", "2", "--seeds", "0-0"]),
        ("line", ["--data", "DATA", "--rounds", "1", "--limit", "3"]),
        ("why", ["--data", "DATA", "--limit", "1"]),
        ("review", ["--cells", "40", "--rounds", "2", "--size", "80x24"]),
        ("report", ["--fields", "2", "--rounds", "1"]),
        ("export", ["--slides", "10", "--cells", "20", "--formats", "csv,json"]),
        ("slides", ["--slides", "30", "--rounds", "2", "--size", "80x24"]),
    ],
)
def test_it_measures(name: str, words: list[str], run: Run, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    run(name, *(data if word == "DATA" else word for word in words), "--json", out)
    found: dict[str, Any] = json.loads(out.read_text())
    assert found["benchmark"] == name
    assert found["command"] == f"python benchmarks/{name}.py {' '.join(words)}"
    assert {"measured", "commit", "clean", "machine", "versions", "figures", "details"} <= found.keys()
    assert {"name", "cpu", "cores", "instructions"} <= found["machine"].keys()
    assert found["figures"]
    for figure in found["figures"]:
        assert list(figure) == ["name", "what", "value", "low", "high", "unit", "n", "of", "wanted"]
    names = [(figure["name"], figure["what"]) for figure in found["figures"]]
    assert len(set(names)) == len(names)
    assert str(tmp_path) not in out.read_text()


def test_slides_of_cells_left_out(run: Run, runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = ("--leftout", runs, "--data", tmp_path, "--bundle", tmp_path / "small.bundle", "--json", out)
    run("leftout_slides", *words, "--slides", "2", "--cells", "30")
    found = json.loads(out.read_text())
    by = {(figure["name"], figure["what"]): figure for figure in found["figures"]}
    assert by["positive", "deepapl, 10% blasts, by the site"]["wanted"] == "≥ 0.9"
    assert by["positive at some look", "cnmc, 0% blasts, by the table"]["n"] == 2
    assert by["flips", ""]["value"] == 0
    assert set(found["details"]["deepapl"]) == {
        "table", "site", *(f"{share}%, {by}" for share in (0, 5, 10, 20) for by in ("table", "site"))
    }  # fmt: skip
    assert found["details"]["cnmc"]["site"]["place"] == "site"
    assert found["details"]["cnmc"]["site"]["source"].endswith("sensitivity of other laboratories")
    assert str(tmp_path) not in out.read_text()


def test_laboratories_left_out_that_are_taught_by_their_own_cells(
    run: Run, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.judging.leftout._BATCH", 8)
    out = tmp_path / "out.json"
    blasts = tmp_path / "deepapl" / "Data" / "All"
    typed = next(blasts.rglob("Signed slides"))
    for seed in range(40):  # enough to learn from and to judge by
        draw(
            typed / ("Lymphocyte" if seed % 2 else "Monocyte") / f"many-{seed}.png",
            layouts.HUES[seed % 2],
            seed,
        )
    words = ("--leftout", runs, "--data", tmp_path, "--cells", "20", "--seeds", "2", "--json", out)
    run("adapt", *words)
    found = {(figure["name"], figure["what"]): figure for figure in json.loads(out.read_text())["figures"]}
    learned = "deepapl, 20 named cells"
    assert found["types, fitted", learned]["n"] == 2
    assert 0 <= found["refused", learned]["value"] <= 1
    passed = found["types, behind the gate", learned]["value"]
    assert (
        min(found["types, fitted", learned]["value"], found["types, as it ships", learned]["value"]) <= passed
    )
    assert str(tmp_path) not in out.read_text()


def test_figures_of_a_laboratory_left_out(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    judged = runpy.run_path(str(ROOT / "leftout.py"))["judged"]
    for run in leftout.runs_in(runs, print):
        for cells in leftout.asked(run, tmp_path, runs / "cache", print):
            found = {name: (value, n) for name, value, n, _ in judged(cells, 0.3)}
            assert set(found) == {"sensitivity", "false blasts", "ROC area", "six types"}
            assert all(0 <= value <= 1 for value, _ in found.values())
            assert found["sensitivity"][1] + found["false blasts"][1] == found["ROC area"][1]
