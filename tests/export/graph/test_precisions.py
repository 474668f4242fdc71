from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.selftest.golden import Golden
from export.bundle.bundle import Built, Options, build
from export.cli import main
from export.graph import calibration, precisions, quantize
from export.graph.folded import Folded
from export.graph.gate import Verdict
from export.graph.graph import ExportError
from export.graph.precisions import MEMBERS, Bench, Precisions, checked, measured, within
from export.graph.saturation import saturating
from tests.export.conftest import MadeOnce
from train.data.windows import Windows
from train.recipes.recipe import Recipe

WITH_INT8 = Options(int8=True, data=Path("nowhere"), calibration_cells=1000)


def _silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture(scope="module", autouse=True)
def at_hand(windows: Windows) -> Iterator[None]:
    """The data sets without their files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.bundle.bundle.gather", lambda *given: windows)
        yield


@pytest.fixture(scope="module")
def made(blob_run: Path, at_hand: None, made_once: MadeOnce) -> Built:
    def make(folder: Path) -> None:
        (folder / "built").write_bytes(pickle.dumps(build(blob_run, WITH_INT8, notice=_silent)))

    built: Built = pickle.loads((made_once("made", make) / "built").read_bytes())
    return built


@pytest.fixture
def bench(draft: Bundle, graph: bytes, windows: Windows, recipe: Recipe) -> Bench:
    return Bench(draft, graph, windows, recipe)


def _opened(built: Built) -> Bundle:
    return bundle.opened(Path("x.bundle"), built.content, allow_unsigned=True)


def _verdicts(
    monkeypatch: pytest.MonkeyPatch, passes: Callable[[str, tuple[str, ...]], bool]
) -> list[tuple[str, tuple[str, ...]]]:
    """Let `passes` decide, told which layers a graph leaves in floating point; returns what was asked."""
    asked: list[tuple[str, tuple[str, ...]]] = []
    real = Bench.judged
    made: dict[bytes, tuple[str, tuple[str, ...]]] = {}
    for variant, make in list(precisions._INT8.items()):

        def noted(
            graph: bytes, ranges: object, floating: tuple[str, ...] = (), _made: object = (variant, make)
        ) -> bytes:
            variant, make = cast(tuple[str, Callable[..., bytes]], _made)
            content = make(graph, ranges, floating)
            made[content] = (variant, tuple(floating))
            return content

        monkeypatch.setitem(precisions._INT8, variant, noted)

    def judged(self: Bench, graph: bytes) -> Verdict:
        verdict = real(self, graph)
        if graph not in made:
            return replace(verdict, usable=True)
        asked.append(made[graph])
        return replace(verdict, usable=passes(*made[graph]), why="as the test says")

    monkeypatch.setattr(Bench, "judged", judged)
    return asked


def test_the_same_run_gives_the_same_bytes_int8_included(blob_run: Path, made: Built) -> None:
    assert build(blob_run, WITH_INT8, notice=_silent).content == made.content


def test_every_precision_is_in_the_bundle_with_its_figures(made: Built) -> None:
    opened = _opened(made)
    found = opened.manifest.everything["precisions"]
    assert set(found) == {"trt-fp16", "ort-int8", "trt-int8"}
    for variant, figures in found.items():
        assert figures["cells"] == 900
        assert figures["against"] == "ort-fp32"
        assert figures["speed"] is None
        assert (variant in opened.manifest.graphs) is figures["usable"]
    assert found["ort-int8"]["calibration_cells"] == 1000
    assert set(opened.manifest.usable) == {"ort-fp32", "trt-fp32"} | {
        variant for variant, figures in found.items() if figures["usable"]
    }
    assert "| ort-int8 |" in opened.members["MODEL_CARD.md"].decode()
    assert made.milliseconds["ort-fp32"] > 0
    assert opened.manifest.everything["metrics"]["parity"]["largest_difference"] <= 1e-4


def test_no_processor_saturates_what_onnx_runtime_is_to_run(
    made: Built, graph: bytes, windows: Windows
) -> None:
    opened = _opened(made)
    assert saturating(opened.members[MEMBERS["ort-int8"]]) == ()
    seen = calibration.observe(graph, calibration.choose_cells(windows, 1000, 32))
    eight = quantize.asymmetric(graph, calibration.ranges(seen, "minmax"), bits=8)
    with pytest.raises(ExportError, match=r"ort-int8: weights of layer stem\.0 have more than 7 bits"):
        checked("ort-int8", eight)


def test_golden_cases_know_every_graph(made: Built) -> None:
    opened = _opened(made)
    cases_here = Golden(opened)
    cases = json.loads(opened.members["golden.json"])["cases"]
    for case in cases:
        for cell in case["cells"]:
            assert set(cell["probabilities"]) == set(opened.manifest.graphs.values())
    assert cases_here.unlike() == []
    for variant in opened.manifest.graphs:
        if variant.startswith("ort"):
            classifier = Classifier(opened, variant=variant)
            assert cases_here.differences(classifier) == []
            classifier.close()


def test_without_cells_only_fp32_is_usable(blob_run: Path) -> None:
    opened = _opened(build(blob_run, notice=_silent))
    assert opened.manifest.usable == {"ort-fp32", "trt-fp32"}
    assert "not measured" in opened.manifest.everything["precisions"]["trt-fp16"]["why"]


def test_int8_without_cells_is_refused(
    blob_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.bundle"
    assert main(["bundle", "--run", str(blob_run), "--out", str(out), "--quantize", "int8"]) == 1
    line = capsys.readouterr().err
    assert "--calibrate" in line
    assert line.count("\n") == 1
    assert not out.exists()


def test_too_few_cells_are_refused(blob_run: Path) -> None:
    with pytest.raises(ExportError, match="--cells 500, at least 1000"):
        build(blob_run, replace(WITH_INT8, calibration_cells=500), notice=_silent)


def test_sensitive_layers_stay_in_floating_point_until_it_passes(
    bench: Bench, folded: Folded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _verdicts(monkeypatch, lambda variant, floating: variant == "trt-int8" or len(floating) >= 2)
    found = measured(bench, folded, int8=True, cells=1000, tune=False, notice=_silent)
    assert found.figures["trt-int8"]["float_layers"] == []
    left = found.figures["ort-int8"]["float_layers"]
    alone = found.measured["layers"]["ort-int8"]
    assert left == sorted(alone, key=lambda name: -alone[name])[:2]
    assert set(alone) == set(quantize.layers(bench.graph))
    assert [floating for variant, floating in asked if variant == "ort-int8"] == [(), (left[0],), tuple(left)]


def test_what_passes_only_after_fine_tuning_is_fine_tuned(
    bench: Bench, folded: Folded, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(bench.recipe, training=replace(bench.recipe.training, samples=64))
    monkeypatch.setattr(bench, "recipe", short)
    tuned: list[int] = []

    def once(*given: object, **options: object) -> Folded:
        tuned.append(1)
        return folded

    monkeypatch.setattr(precisions, "finetune", once)
    _verdicts(monkeypatch, lambda variant, floating: variant == "ort-int8" or bool(tuned))
    lines: list[str] = []
    found = measured(bench, folded, int8=True, cells=1000, tune=False, notice=lines.append)
    assert tuned == [1]
    assert found.figures["trt-int8"]["finetuned"]
    assert not found.figures["ort-int8"]["finetuned"]
    assert any("trt-int8 did not pass" in line for line in lines)


def test_what_never_passes_is_left_out(bench: Bench, folded: Folded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precisions, "finetune", lambda *given, **options: folded)
    _verdicts(monkeypatch, lambda variant, floating: variant == "ort-int8")
    found = measured(bench, folded, int8=True, cells=1000, tune=False, notice=_silent)
    assert set(found.graphs) == {"ort-fp32", "trt-fp32", "trt-fp16", "ort-int8"}
    assert found.figures["trt-int8"]["usable"] is False
    assert found.figures["trt-int8"]["why"] == "as the test says"


def test_what_is_too_large_goes_but_full_precision() -> None:
    sizes = {"ort-fp32": 50, "trt-fp32": 50, "trt-fp16": 25, "ort-int8": 13, "trt-int8": 14}
    full = bytes(sizes["ort-fp32"])
    made = {name: full if name.endswith("fp32") else bytes(size) for name, size in sizes.items()}
    figures = {
        name: {"usable": True, "why": "within the gate"} for name in ("trt-fp16", "ort-int8", "trt-int8")
    }
    whole = Precisions(made, figures)
    for limit, gone in (
        (102, []),
        (101, ["trt-fp16"]),
        (63, ["trt-fp16", "trt-int8"]),
        (62, ["trt-fp16", "trt-int8", "ort-int8"]),
    ):
        lines: list[str] = []
        found = within(whole, limit, lines.append)
        assert [line.split(":")[0] for line in lines] == gone
        assert set(made) - set(found.graphs) == set(gone)
        assert {name for name, told in found.figures.items() if not told["usable"]} == set(gone)


def test_a_signed_bundle_is_signed(blob_run: Path, tmp_path: Path) -> None:
    assert main(["keygen", "--out", str(tmp_path), "--name", "me"]) == 0
    out = tmp_path / "x.bundle"
    arguments = ["bundle", "--run", str(blob_run), "--out", str(out), "--sign", str(tmp_path / "me.key")]
    figures = tmp_path / "figures.json"
    assert main([*arguments, "--json", str(figures)]) == 0
    assert "signature.json" in bundle.load(out, allow_unsigned=True).members
    assert json.loads(figures.read_text())["bundle_bytes"] == out.stat().st_size
