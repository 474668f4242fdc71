from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.bundle import Bundle
from edge.types import U8
from export.bundle.archive import pack
from export.cli import main
from export.compare import compare
from export.graph.half import half
from tests.export.conftest import blobs
from train.data.dataset import DataSet, Notice, Picture, Spot
from train.judging.compare import Agreement
from train.judging.contestants import ContestantError


def _silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(autouse=True)
def source(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = blobs(40, 9)

    def load(i: int) -> U8:
        return np.pad(pixels[i], ((20, 20), (20, 20), (0, 0)), constant_values=215)

    def read(root: Path, notice: Notice) -> Iterable[Picture]:
        for i, label in enumerate(labels):
            spot = Spot(label, "g", "validation" if i % 4 else "test")
            yield Picture(f"{i}.png", 0.25, (spot,), lambda i=i: load(i))  # type: ignore[misc]

    words = dict.fromkeys(("title", "home", "licence", "citation", "layout", "groups", "split"), "drawn")
    drawn = DataSet(name="deepapl", folder=None, read=read, **words)
    monkeypatch.setattr("export.compare.dataset", lambda name: drawn)


@pytest.fixture
def pair(draft: Bundle, graph: bytes, tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "a.bundle", tmp_path / "b.bundle"
    about = dict(draft.manifest.everything)
    for path, content in zip(paths, (graph, half(graph)), strict=True):
        path.write_bytes(pack(about, {"classifier.onnx": content}))
    return paths


def test_a_bundle_agrees_with_itself_and_nearly_with_its_half(pair: tuple[Path, Path]) -> None:
    fp32 = ("ort-fp32", "ort-fp32")
    same = compare((pair[0], pair[0]), fp32, Path("."), _silent)
    assert same.cells == 30  # no test cell
    assert same.sides[1].agreement == Agreement(1, 0, 0)
    other = compare(pair, fp32, Path("."), _silent)
    assert 0 < other.sides[1].agreement.largest_difference < 0.01
    assert all(side.milliseconds > 0 for side in other.sides)
    assert compare(pair, fp32, Path("."), _silent, limit=5).cells == 5


def test_the_command_prints_the_table_of_edge_train_compare(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    assert main(["compare", str(pair[0]), str(pair[1]), "--json", str(out)]) == 0
    table = capsys.readouterr().out
    for row in ("accuracy", "sensitivity", "ROC area", "calibration error", "ms a cell", "MB", "same class"):
        assert row in table
    found = json.loads(out.read_text())
    assert found["cells"] == 30
    assert found["data"] == "validation part of deepapl"
    assert found["agreement"] == 1
    assert 0 <= found["mean_difference"] <= found["largest_difference"] < 0.01
    first, second = found["sides"]
    assert second["variant"] == "ort-fp32"
    assert second["bytes"] == pair[1].stat().st_size
    assert second["milliseconds"] > 0
    assert {"accuracy", "sensitivity", "specificity", "roc_area", "calibration_error"} <= set(
        second["figures"]
    )
    assert first["figures"]["accuracy"] == found["contestants"][0]["figures"]["accuracy"]["value"]
    assert main(["compare", str(pair[0]), str(pair[1]), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["cells"] == 30


def test_a_missing_variant_is_told(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(pair[0]), str(pair[1]), "--variant", "ort-fp32,ort-int8"]) == 1
    assert "ort-int8" in capsys.readouterr().err


def test_a_bundle_that_does_not_tell_its_data_sets_is_named(
    pair: tuple[Path, Path], graph: bytes, draft: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {name: value for name, value in draft.manifest.everything.items() if name != "training"}
    pair[0].write_bytes(pack(about, {"classifier.onnx": graph}))
    assert main(["compare", str(pair[0]), str(pair[1])]) == 1
    assert f"{pair[0]}: does not tell" in capsys.readouterr().err


def test_other_classes_cannot_be_compared(pair: tuple[Path, Path], draft: Bundle, graph: bytes) -> None:
    about = dict(draft.manifest.everything)
    about["classes"] = about["classes"][::-1]
    pair[1].write_bytes(pack(about, {"classifier.onnx": graph}))
    with pytest.raises(ContestantError, match="other classes"):
        compare(pair, ("ort-fp32", "ort-fp32"), Path("."), _silent)
