"""No worthless model is made for a device without being marked for good."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import bundle
from export.bundle import worth
from export.bundle.bundle import Options, build, of_run
from export.cli import main
from export.graph.graph import ExportError
from export.graph.precisions import Precisions
from tests.export.conftest import WORTH
from train.data.windows import Windows
from train.fitting.fit import settings_of
from train.recipes.recipe import Recipe

FEW = {**WORTH, "positives": {"cells": 3, "groups": 1}}
TOLD = "3 blasts among its validation cells, 30 are wanted"


@pytest.fixture
def poor(run: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of a run with other metrics; `...` leaves one out."""

    def made(**changes: Any) -> Path:
        copy = Path(shutil.copytree(run, tmp_path / "run"))
        metrics = json.loads((copy / "metrics.json").read_text()) | changes
        kept = {name: value for name, value in metrics.items() if value is not ...}
        (copy / "metrics.json").write_text(json.dumps(kept))
        return copy

    return made


def test_a_run_of_few_blasts_is_refused_and_marked_even_so(
    poor: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = poor(worth=FEW), tmp_path / "x.bundle"
    command = ["bundle", "--run", str(run), "--out", str(out)]
    assert main(command) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"run {run}: {TOLD}; fit it on more data" in told
    assert "--even-so" in told
    assert not out.exists()
    assert main([*command, "--even-so"]) == 0
    opened = bundle.load(out, allow_unsigned=True)
    assert opened.caveats == (f"exported even so: {TOLD}",)
    told = f"## Caveats\n\nThey stay in sight of every slide. The model was\n\n- exported even so: {TOLD}\n"
    assert told in opened.members["MODEL_CARD.md"].decode()
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    assert f"caveat: exported even so: {TOLD}\n" in capsys.readouterr().out


def test_a_good_run_says_nothing(built: Path) -> None:
    opened = bundle.load(built, allow_unsigned=True)
    assert opened.caveats == ()
    assert "caveats" not in opened.manifest.everything
    assert "## Caveats" not in opened.members["MODEL_CARD.md"].decode()


def test_a_run_of_an_older_program_is_judged_by_what_it_left(poor: Callable[..., Path]) -> None:
    run = poor(worth=...)  # two blasts among the validation cells of either data set, and an area of chance
    with pytest.raises(ExportError, match="4 blasts among its validation cells, 30 are wanted; 0 other"):
        build(run)


def test_a_run_that_says_nothing_at_all_is_to_be_fitted_again(poor: Callable[..., Path]) -> None:
    part = {"validation": 3}
    run = poor(worth=..., data={"deepapl": part, "pbc": part}, validation={"all": {}})
    with pytest.raises(ExportError, match="nobody knows what it is worth on validation cells; fit it again"):
        build(run)


def test_a_worthless_run_is_refused_before_its_graph_is_made_and_cells_are_cut(
    poor: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.bundle.bundle.to_onnx", lambda *_: pytest.fail("made a graph"))
    monkeypatch.setattr("export.bundle.bundle.gather", lambda *_: pytest.fail("cut cells"))
    with pytest.raises(ExportError, match=TOLD):
        build(poor(worth=FEW), Options(data=tmp_path))


def test_older_figures_are_enough_where_they_are_good(run: Path) -> None:
    recipe, _ = settings_of(run)
    cells = {"blast": 50, "lymphocyte": 90, "no-such-class": 7}
    kept = {"validation": {"cells": cells, "groups": ["a", "b"]}}
    metrics = {"data": {"deepapl": kept, "pbc": kept}, "validation": {"all": {"roc_area": 0.9}}}
    found = worth.brought_up(replace(of_run(run), recipe=recipe, metrics=metrics), None)
    assert found["worth"]["positives"] == {"cells": 100, "groups": 4}
    assert found["worth"]["others"]["cells"] == 180
    assert worth.gate(found, even_so=False, what="run x") == ()


def test_cells_at_hand_are_asked_where_the_run_saw_fewer(
    blob_run: Path, recipe: Recipe, windows: Windows
) -> None:
    source = replace(of_run(blob_run), recipe=recipe)
    few = replace(source, metrics={**source.metrics, "worth": FEW})
    limited = replace(few, limit=50)
    assert worth.brought_up(few, windows)["worth"] == FEW
    found = worth.brought_up(limited, windows)
    assert found["worth"]["positives"]["cells"] > 100
    assert worth.gate(found, even_so=False, what="run x") == ()
    assert worth.brought_up(limited, None)["worth"] == FEW


def test_all_data_calibrate_and_judge_a_run_that_was_limited(
    blob_run: Path, windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(blob_run, tmp_path / "run"))
    for name, changes in (("settings", {"limit": 30}), ("metrics", {"worth": FEW})):
        path = run / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    asked: list[Any] = []
    training = np.flatnonzero(windows.splits == "train")
    some = windows.pick(np.concatenate([training[:200], np.flatnonzero(windows.splits == "validation")]))

    def gather(recipe: object, data: Path, limit: int, *_: object) -> Windows:
        asked.append((data, limit))
        return some

    monkeypatch.setattr("export.bundle.bundle.gather", gather)
    told: list[str] = []
    made = build(run, Options(int8=True, data=Path("full")), notice=told.append)
    assert asked == [(Path("full"), 0)]
    assert told[0] == f"run {run}: saw 30 pictures of each data set; --calibrate takes all in full"
    assert made.precisions.figures["ort-int8"]["calibration_cells"] == 200
    opened = bundle.opened(Path("x"), made.content, allow_unsigned=True)
    quantized = {"ort-int8", "trt-int8"} & set(opened.manifest.graphs)
    assert opened.caveats == (("calibrated on 200 cells, 1,000 are usual",) if quantized else ())


def test_only_int8_that_is_there_is_marked() -> None:
    figures = {"ort-int8": {"calibration_cells": 200}, "trt-fp16": {"calibration_cells": 0}}
    assert worth.of_calibration(Precisions({"ort-fp32": b""}, figures)) == ()
    assert worth.of_calibration(Precisions({"ort-int8": b""}, figures)) != ()
    usual = {"ort-int8": {"calibration_cells": 1000}}
    assert worth.of_calibration(Precisions({"ort-int8": b""}, usual)) == ()


@pytest.mark.parametrize(
    ("cells", "low", "words"),
    [(40, 0.6, None), (3, 0.6, "3 cells in its validation fields, 30 are wanted"),
     (40, 0.4, "mean average precision on its validation fields may be 0.400, more than 0.5 is wanted")],
)  # fmt: skip
def test_a_detector_has_figures_of_its_own(cells: int, low: float, words: str | None) -> None:
    figure = {"value": 0.7, "low": low, "high": 0.8}
    metrics = {"validation": {"cells": {"rbc": cells}, "figures": {"mean": {"average_precision": figure}}}}
    told = worth.detector_gate(metrics, even_so=True, what="run x")
    assert told == ((f"exported even so: {words}",) if words else ())
    if words:
        with pytest.raises(ExportError, match=words):
            worth.detector_gate(metrics, even_so=False, what="run x")
    with pytest.raises(ExportError, match="nobody knows"):
        worth.detector_gate({}, even_so=False, what="run x")
