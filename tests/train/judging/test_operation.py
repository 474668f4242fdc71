"""The table of a bundle's errors elsewhere, and what runs it is not made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import manifest
from edge.bundle.bundle import load
from edge.bundle.operation import ErrorRates
from edge.files import strictjson
from tests import conftest
from tests.train.layouts import LAYOUTS
from tests.train.runs import RECIPE, TRAINED, all_left_out, left_out, longer
from train.cli import main
from train.data.classes import CLASSES
from train.data.dataset import DataSet
from train.data.registry import dataset
from train.judging import leftout
from train.judging.leftout import LeftOutError, Unseen
from train.judging.operation import Laboratory, laboratories, operation
from train.recipes import recipe
from train.statistics.betabinomial import Counts

ABOUT = manifest.read(
    json.dumps(conftest.manifest(files={"classifier.onnx": "0" * 64})).encode()
)  # positive from 0.5, uncertain below 0.1


@pytest.fixture
def command(make_bundle: Callable[..., Path], tmp_path: Path) -> list[str]:
    """The command line, for runs in the folder `runs`, of a bundle of their recipe."""
    bundle = make_bundle(training=TRAINED, thresholds={"positive": 0.3, "confidence": 0.1, "certain": 0.9})
    return [
        "operation",
        "--leftout",
        str(tmp_path / "runs"),
        "--data",
        str(tmp_path),
        "--bundle",
        str(bundle),
    ]


def _counts(rates: list[float], cells: int) -> Counts:
    return np.array([[round(rate * cells), cells] for rate in rates])


def _laboratory(name: str, blasts: Counts, others: Counts) -> Laboratory:
    return Laboratory(name, "patient", blasts, others, blasts)


def test_the_table_from_runs_to_what_a_device_reads(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in RECIPE.shares:
        LAYOUTS[name](tmp_path)
    all_left_out(tmp_path / "runs")
    out = tmp_path / "operation.json"
    assert main([*command, "--json", str(out)]) == 0
    table = strictjson.read(out.read_bytes())
    rates = ErrorRates.of(table)
    assert rates.place == "laboratories"
    assert "trained without one of (cnmc; deepapl; pbc) at a time" in rates.source
    assert str(tmp_path) not in out.read_text()
    by = {each["name"]: each for each in table.values["laboratories"]}
    assert list(by) == ["cnmc", "deepapl", "pbc"]
    assert (by["deepapl"]["unit"], by["pbc"]["unit"], by["pbc"]["units"]) == ("patient", "laboratory", 1)
    assert by["cnmc"]["units"] > 5
    assert by["pbc"]["sensitivity"] is None
    assert 0 <= by["deepapl"]["sensitivity"] <= 1
    told = capsys.readouterr().out
    assert "cnmc " in told
    assert "positive by the machine's word alone, of 200 leukocytes: " in told

    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "cache").iterdir()}
    assert main([*command, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == table.values
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "cache").iterdir()} == kept


def test_laboratories_that_differ_make_the_spread() -> None:
    alike = [_laboratory(name, _counts([0.6] * 9, 50), _counts([0.02] * 9, 100)) for name in "ab"]
    differ = [
        _laboratory("a", _counts([0.9] * 9, 50), _counts([0.0] * 9, 100)),
        _laboratory("b", _counts([0.1] * 9, 50), _counts([0.2] * 9, 100)),
    ]
    narrow, wide = (operation(each, ABOUT.finding, "test").rates for each in (alike, differ))
    assert narrow.sensitivity.mean == pytest.approx(wide.sensitivity.mean + 0.1, abs=0.02)
    assert narrow.sensitivity.low > 0.5 > wide.sensitivity.low
    assert narrow.false_blasts.high < 0.15 < wide.false_blasts.high


def test_the_order_of_laboratories_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    listed = [
        _laboratory(name, _counts(rng.beta(2, 3, 5).tolist(), 40), _counts(rng.beta(1, 40, 5).tolist(), 90))
        for name in ("x", "a", "m")
    ]
    found, again = (operation(each, ABOUT.finding, "test").as_json() for each in (listed, listed[::-1]))
    assert found == again
    assert [each["name"] for each in found["laboratories"]] == ["a", "m", "x"]


def _unseen(source: DataSet, *cells: tuple[str, str, str, float]) -> Unseen:
    """Cells of label and group, called so with this probability."""
    probabilities = np.zeros((len(cells), len(CLASSES)), np.float32)
    for row, (_, _, called, probability) in zip(probabilities, cells, strict=True):
        row[:] = (1 - probability) / (len(CLASSES) - 1)
        row[CLASSES.index(called)] = probability
    labels, groups = np.array([cell[0] for cell in cells]), np.array([cell[1] for cell in cells])
    return Unseen(source, labels, groups, probabilities)


def test_what_is_counted_of_a_laboratory() -> None:
    deepapl = _unseen(
        dataset("deepapl"),
        ("blast", "p1", "blast", 0.9),
        ("blast", "p1", "lymphocyte", 0.9),
        ("blast", "p1", "lymphocyte", 0.09),  # left out by the device: missed all the same
        ("blast", "p2", "blast", 0.5),
        ("neutrophil", "p2", "blast", 0.7),
        ("neutrophil", "p2", "neutrophil", 0.7),
        ("neutrophil", "p2", "neutrophil", 0.09),  # the classifier abstains: in no tally
        ("neutrophil", "p2", "artefact", 0.7),  # no leukocyte to the device: in no tally
        ("erythroblast", "p2", "blast", 0.9),  # no leukocyte
        ("leukocyte", "p2", "blast", 0.9),  # may be a blast
    )
    bccd = _unseen(dataset("bccd"), ("no-blast", "f1", "blast", 0.6), ("no-blast", "f2", "monocyte", 0.6))
    found = laboratories([deepapl, bccd], ABOUT)
    by = {each.name: each for each in found}
    assert by["deepapl"].blasts.tolist() == [[1, 3], [1, 1]]
    assert by["deepapl"].others.tolist() == [[0, 0], [1, 2]]
    assert by["bccd"].others.tolist() == [[1, 2]]  # fields of who knows whom: one unit
    assert (by["bccd"].unit, by["bccd"].sensitivity) == ("", None)


def test_data_sets_of_one_laboratory_go_together() -> None:
    cells = _unseen(dataset("bccd"), ("no-blast", "f1", "monocyte", 0.6))
    same = replace(dataset("chula"), laboratory="somewhere")
    both = [replace(cells, source=same), replace(cells, source=replace(same, name="other", groups="field"))]
    (found,) = laboratories(both, ABOUT)
    assert (found.name, found.units) == ("chula, other", 2)
    unstated = [replace(each, source=replace(each.source, laboratory="not stated")) for each in both]
    assert len(laboratories(unstated, ABOUT)) == 2


def _refused(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(command) == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_folders_without_such_runs(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "runs: is no folder; make them with edge-train fit --leave-out" in _refused(command, capsys)
    (tmp_path / "runs").mkdir()
    assert "holds no run that left a laboratory out" in _refused(command, capsys)
    left_out(tmp_path / "runs")
    assert main(command) == 1
    passed, said = capsys.readouterr().err.splitlines()
    assert "home: left nothing out, passed over" in passed
    assert "holds no run that left a laboratory out" in said


def test_an_unfinished_run(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LAYOUTS["pbc"](tmp_path)
    (left_out(tmp_path / "runs", "pbc") / "model.pt").unlink()
    assert "pbc: not finished, it has no model.pt; run edge-train fit again" in _refused(command, capsys)


def test_settings_that_cannot_be_read(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (left_out(tmp_path / "runs", "pbc") / "settings.json").write_text("{")
    assert "pbc: settings.json cannot be read" in _refused(command, capsys)


def test_runs_of_another_recipe(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out(tmp_path / "runs", "pbc", recipe=replace(RECIPE, input=replace(RECIPE.input, pitch_um=0.5)))
    said = _refused(command, capsys)
    assert "pbc: is of another recipe than bundle small (input.pitch_um 0.5, there 0.25)" in said


def test_a_run_that_left_out_what_the_bundle_never_saw(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out(tmp_path / "runs", "bccd", recipe=replace(RECIPE, shares={**RECIPE.shares, "bccd": 1}))
    assert "leaves out bccd, which bundle small did not learn from" in _refused(command, capsys)


def test_two_runs_that_left_out_the_same(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out(tmp_path / "runs", "pbc")
    left_out(tmp_path / "runs", "pbc", "cnmc")
    assert "leaves out pbc, as " in _refused(command, capsys)


def test_fewer_epochs_are_told(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    LAYOUTS["cnmc"](tmp_path)
    left_out(tmp_path / "runs", "cnmc", recipe=longer(5), limit=60)
    assert main([*command, "--json", "-"]) == 0
    source = json.loads(capsys.readouterr().out)["source"]
    assert "trained for 5 epochs instead of 2, at most 60 pictures of each data set without one of" in source


def test_a_laboratory_that_tells_no_spread(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    LAYOUTS["pbc"](tmp_path)
    left_out(tmp_path / "runs", "pbc")
    said = _refused(command, capsys)
    assert "0 units do not tell how a rate differs; two are needed; leave out more of them" in said


def test_a_bundle_that_does_not_say_how_it_was_trained(
    command: list[str], make_bundle: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle()
    left_out(tmp_path / "runs", "pbc")
    assert "bundle small: does not say how it was trained" in _refused(command, capsys)


def test_a_run_that_knows_the_laboratory_all_the_same(
    make_bundle: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = replace(RECIPE, shares={**RECIPE.shares, "cnmc-preliminary": 0.1})
    bundle = make_bundle(training=json.loads(json.dumps({"recipe": asdict(recipe)})))
    left_out(tmp_path / "runs", "cnmc", recipe=recipe)
    said = _refused(["operation", "--leftout", str(tmp_path / "runs"), "--bundle", str(bundle)], capsys)
    assert "leaves out cnmc and learned cnmc-preliminary, of the same laboratory" in said
    assert "train it with --leave-out cnmc,cnmc-preliminary" in said


def test_blasts_of_a_set_that_the_bundle_never_learned_from(tmp_path: Path) -> None:
    LAYOUTS["aria-cells"](tmp_path)
    shipped, window = load(), recipe.load("leukocytes").window
    (found,) = leftout.blasts(shipped, ["aria-cells"], window, tmp_path, tmp_path / "cache", print)
    assert set(found.labels.tolist()) <= {"blast"}
    assert found.probabilities.shape == (len(found.labels), len(CLASSES))
    assert not list(leftout.blasts(shipped, [], window, tmp_path, tmp_path / "cache", print))
    with pytest.raises(LeftOutError, match="--blasts deepapl: bundle leukocytes learned from it"):
        list(leftout.blasts(shipped, ["deepapl"], window, tmp_path, tmp_path / "cache", print))
