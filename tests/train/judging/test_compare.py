from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.bundle.bundle import BundleError
from edge.bundle.model_input import ModelInput
from tests.conftest import graph
from train.cli import main
from train.data.classes import CLASSES
from train.data.cut import cut
from train.data.own import Own
from train.data.registry import dataset, named
from train.fitting.fit import FitError
from train.judging import report
from train.judging.compare import SHOWN, _minus, compare
from train.judging.contestants import ContestantError, contestant
from train.network.model import Architecture, DeviceGraph, build
from train.recipes.recipe import Operation, Recipe

POINT = {"temperature": 1.3, "calibration_error": 0.02, "positive": 0.3, "confidence": 0.1, "certain": 0.9}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)  # a run is timed on one thread, and torch keeps that for the process


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of an untrained network whose answers differ from cell to cell."""
    recipe = Recipe(
        name="untrained",
        title="for tests",
        shares={"deepapl": 1.0},
        architecture=Architecture(stem=4, widths=(8, 8, 8), blocks=(1, 1, 1)),
        operation=Operation(datasets=("deepapl",)),
    )
    torch.manual_seed(0)
    network = build(recipe.architecture, len(CLASSES))
    with torch.no_grad():
        network.head.weight.mul_(100)
    folder = tmp_path / "run"
    folder.mkdir()
    settings = {"recipe": asdict(recipe), "limit": 0, "classes": CLASSES}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "metrics.json").write_text(
        json.dumps({"operating_point": POINT, "data": {}, "finished": "2026-01-31"})
    )
    torch.save(network.state_dict(), folder / "model.pt")
    return folder


def test_a_run_and_a_bundle_side_by_side(
    run: Path, deepapl: Callable[..., Path], make_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    data, path, out = deepapl(), make_bundle(), tmp_path / "out.json"
    arguments = ["compare", str(path), str(run), str(path), "--dataset", "deepapl", "--data", str(data)]
    assert main([*arguments, "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    first, second, third = found["contestants"]
    assert (first["runtime"], second["runtime"]) == ("ort-fp32", "torch-fp32")
    assert first["parameters"] == 33
    assert second["parameters"] == sum(
        v.numel() for k, v in torch.load(run / "model.pt").items() if "running" not in k and "num_" not in k
    )
    assert second["model_bytes"] == (run / "model.pt").stat().st_size
    assert first["file_bytes"] == path.stat().st_size > first["model_bytes"]
    assert first["ms_per_cell"] > 0
    for name, change in second["difference_to_first"].items():
        expected = second["figures"][name]["value"] - first["figures"][name]["value"]
        assert change["value"] == pytest.approx(expected, abs=2e-4)
    assert first["figures_all_cells"].keys() == first["figures"].keys() - {"roc_area", "calibration_error"}
    # paired: the same model drawn twice never differs, however wide its own interval
    assert third["figures"]["roc_area"]["low"] < third["figures"]["roc_area"]["high"]
    assert third["difference_to_first"]["roc_area"] == {"value": 0, "low": 0, "high": 0}


def test_the_graph_of_a_bundle_can_be_named(
    run: Path, deepapl: Callable[..., Path], make_bundle: Callable[..., Path]
) -> None:
    members = {"classifier.onnx": graph(), "other.onnx": graph(seed=3)}
    graphs = {"classifier": {"ort-fp32": "classifier.onnx", "ort-int8": "other.onnx"}}
    path = make_bundle(members=members, graphs=graphs)
    paths = [path, Path(f"{path}:ort-fp32"), Path(f"{path}:ort-int8")]
    found = compare(paths, [dataset("deepapl")], deepapl(), rounds=20, limit=9, notice=lambda _: None)
    plain, same, other = found.sides
    assert [side.model.runtime for side in found.sides] == ["ort-fp32", "ort-fp32", "ort-int8"]
    assert {side.model.path for side in found.sides} == {path}
    assert (plain.agreement.same_class, same.agreement.largest_difference) == (1, 0)
    assert 0 < other.agreement.mean_difference < other.agreement.largest_difference
    assert plain.as_json()["agreement_with_first"]["same_class"] == 1
    row = next(line for line in report.of_comparison(found) if line.startswith("same class as A"))
    assert row.split()[-2:] == ["1.0000", f"{other.agreement.same_class:.4f}"]
    with pytest.raises(BundleError, match="no graph for trt-int8"):
        contestant(Path(f"{path}:trt-int8"))
    with pytest.raises(ContestantError, match=r"run:ort-int8: a run has no graphs"):
        contestant(Path(f"{run}:ort-int8"))
    with pytest.raises(ContestantError, match="no such run or bundle"):
        contestant(Path(f"{path}:int8"))  # no name of a graph: part of the file's


def test_a_run_answers_as_its_network_does(run: Path, deepapl: Callable[..., Path]) -> None:
    source = dataset("deepapl")
    picture = next(iter(source.read(source.root(deepapl()), pytest.fail)))
    crops = cut(picture, ModelInput(0.25, 96))
    model = contestant(run)
    network = build(Architecture(stem=4, widths=(8, 8, 8), blocks=(1, 1, 1)), len(CLASSES))
    network.load_state_dict(torch.load(run / "model.pt"))
    with torch.inference_mode():
        expected = DeviceGraph(network, 1.3).eval()(torch.from_numpy(crops)).numpy()
    np.testing.assert_allclose(model.probabilities(crops), expected, atol=1e-6)
    row = np.full((1, len(CLASSES)), 0.07, np.float32)
    row[0, :2] = 0.31, 0.06
    assert model.calls(row).classes.tolist() == [0]  # its own threshold is 0.3
    row[0, :2] = 0.29, 0.4
    assert model.calls(row).classes.tolist() == [1]


def test_the_table_names_everything(
    run: Path, deepapl: Callable[..., Path], make_bundle: Callable[..., Path]
) -> None:
    # the same files as if another laboratory's
    sources = [dataset("deepapl"), named("folder:deepapl", Own(um_per_px=0.1))]
    sources[1] = replace(sources[1], name="elsewhere")
    found = compare([run, make_bundle()], sources, deepapl(), rounds=20, limit=9, notice=lambda _: None)
    lines = list(report.of_comparison(found))
    assert lines[0] == f"A: {run}, torch-fp32"
    starts = [line.split("  ")[0] for line in lines]
    for wanted in ("ROC area", "sensitivity", "specificity", "balanced accuracy", "parameters", "elsewhere"):
        assert wanted in starts
    assert sum(line.startswith("  minus A") for line in lines) == 3 * len(SHOWN)
    assert max(len(line) for line in lines[3:]) < 100


def test_without_rounds_of_its_own_a_difference_has_no_interval() -> None:
    """One contestant's counted cells are all of one group, the other's are not."""
    alone, drawn = np.array([0.5]), np.array([0.75, 0.7, 0.8])
    for found, value in ((_minus(drawn, alone), 0.25), (_minus(alone, drawn), -0.25)):
        assert found.tolist() == [value]


def test_what_cannot_be_compared_is_named(
    run: Path, deepapl: Callable[..., Path], make_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    data, sources = deepapl(2, 1), [dataset("deepapl")]
    with pytest.raises(ContestantError, match="nowhere"):
        compare([run, tmp_path / "nowhere"], sources, data, notice=pytest.fail)
    with pytest.raises(FitError, match=r"settings\.json"):
        compare([data], sources, data, notice=pytest.fail)
    classes = [*CLASSES[:-1], "dirt"]
    other = make_bundle(classes=classes, leukocytes=classes[:7])
    with pytest.raises(ContestantError, match="dirt"):
        compare([run, other], sources, data, notice=pytest.fail)
    (tmp_path / "no.bundle").write_text("no bundle")
    with pytest.raises(BundleError, match=r"no\.bundle"):
        compare([tmp_path / "no.bundle"], sources, data, notice=pytest.fail)


def test_a_run_that_is_not_whole_is_named(run: Path) -> None:
    weights = (run / "model.pt").read_bytes()
    (run / "model.pt").write_bytes(weights[:100])
    with pytest.raises(ContestantError, match="cannot be read"):
        contestant(run)
    (run / "model.pt").unlink()
    with pytest.raises(FitError, match="not finished"):
        contestant(run)
    settings = json.loads((run / "settings.json").read_text())
    (run / "settings.json").write_text(json.dumps(settings | {"classes": ["cat", "dog"]}))
    with pytest.raises(ContestantError, match="other classes"):
        contestant(run)


def test_a_graph_of_other_size_is_counted(make_bundle: Callable[..., Path]) -> None:
    model = contestant(make_bundle(graph=graph(size=96, seed=3)))
    assert (model.runtime, model.model_input.size_px, model.parameters) == ("ort-fp32", 96, 33)
    model.close()
