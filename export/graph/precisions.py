"""Every precision of a bundle: made, measured against FP32 on held-out cells, kept if it passes the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.bundle.bundle import Bundle
from edge.types import F32, U8
from export.graph import calibration, quantize
from export.graph.calibration import Ranges
from export.graph.finetune import finetune
from export.graph.folded import Folded
from export.graph.gate import HeldOut, Verdict, answers, held_out, judge
from export.graph.graph import ExportError, to_onnx
from export.graph.half import half
from export.graph.saturation import saturating
from export.graph.to_tensorrt import check_for_tensorrt
from train.data.bar import Bar
from train.data.dataset import Notice
from train.data.windows import Windows
from train.recipes.recipe import Recipe

MEMBERS = {
    "ort-fp32": "classifier.onnx",
    "trt-fp32": "classifier.onnx",
    "trt-fp16": "classifier-fp16.onnx",
    "ort-int8": "classifier-int8-ort.onnx",
    "trt-int8": "classifier-int8-trt.onnx",
}
"""Runtime and precision -> the graph's name in the bundle."""

_MOST_FLOATING = 0.5
"""Share of the layers that may stay in floating point: beyond, INT8 gains nothing."""

_TRIALS = 40  # at most about half as many graphs are judged: of larger networks several layers go at a time
_RANKED = 600  # held-out cells, spread evenly, that layers and methods are compared on
_UNMEASURED = "not measured: no held-out cells were given (--calibrate)"

_INT8: Mapping[str, Callable[..., bytes]] = {
    "ort-int8": quantize.asymmetric,
    "trt-int8": quantize.symmetric,
}


@dataclass(frozen=True, eq=False)
class Precisions:
    """What was made.

    Attributes
    ----------
    graphs : variant -> content, FP32 among them; without those that failed the gate, which no device may use.
    figures : variant -> what the manifest's `precisions` says.
    measured : what led there, for whoever exports: calibration methods and layers by the change they make.
    """

    graphs: Mapping[str, bytes]
    figures: Mapping[str, dict[str, Any]]
    measured: Mapping[str, Any] = field(default_factory=dict)


class Bench:
    """The cells that precisions of one FP32 graph are measured on, and FP32's own answers."""

    def __init__(self, draft: Bundle, graph: bytes, windows: Windows, recipe: Recipe) -> None:
        self.draft, self.graph, self.recipe, self.windows = draft, graph, recipe, windows
        self.held: HeldOut = held_out(windows, recipe)
        self.reference: F32 = answers(draft, graph, self.held.crops)
        some = np.unique(np.linspace(0, len(self.held.crops) - 1, _RANKED).round().astype(int))
        self._few: U8 = self.held.crops[some]
        self._wanted: F32 = self.reference[some]
        self._bar = Bar(None, "measuring precisions", "graph", leave=False)

    def judged(self, graph: bytes) -> Verdict:
        """The gate's verdict on a graph."""
        self._bar.update()
        return judge(
            self.held, self.reference, answers(self.draft, graph, self.held.crops), self.draft.manifest
        )

    def change(self, graph: bytes) -> float:
        """Mean change of a probability against FP32, over some of the held-out cells."""
        self._bar.update()
        return float(np.abs(answers(self.draft, graph, self._few) - self._wanted).mean())

    def close(self) -> None:
        """Take the progress bar away."""
        self._bar.close()


def float_only(graph: bytes) -> Precisions:
    """FP32 alone, of a network that nothing here makes faster; on TensorRT too where that would take it."""
    graphs = {"ort-fp32": graph}
    if not check_for_tensorrt(graph):
        graphs["trt-fp32"] = graph
    return Precisions(graphs, {})


def without_cells(graph: bytes) -> Precisions:
    """FP32, and FP16 that nothing is known of."""
    figures = {"usable": False, "why": _UNMEASURED, "cells": 0, "data": "", "against": "ort-fp32"}
    graphs = {"ort-fp32": graph, "trt-fp32": graph, "trt-fp16": checked("trt-fp16", half(graph))}
    return Precisions(
        graphs, {"trt-fp16": figures | {"float_layers": [], "calibration_cells": 0, "speed": None}}
    )


def measured(
    bench: Bench, network: Folded | None, *, int8: bool, cells: int, tune: bool, notice: Notice
) -> Precisions:
    """FP32 and FP16, and with `int8` the INT8 graphs, each with its figures on held-out cells.

    What TensorRT would not take is left out with a notice, unless the network is ours: then it is a fault.

    Parameters
    ----------
    network : what `bench.graph` was exported from, fine-tuned where INT8 does not pass otherwise; None for
        another network than ours, which is never fine-tuned.
    cells : how many to calibrate on. tune : fine-tune in any case.

    Raises
    ------
    ExportError : INT8 is wanted and there is no layer to quantize, or a graph of ours is at fault.
    """
    graphs = dict(float_only(bench.graph).graphs)
    figures: dict[str, dict[str, Any]] = {}
    trials: dict[str, _Trial] = {}
    seen: dict[str, Any] = {}
    variants = list(_INT8)
    try:
        narrow = checked("trt-fp16", half(bench.graph))
        trials["trt-fp16"] = _Trial(narrow, bench.judged(narrow))
    except ExportError as error:
        if network is not None:
            raise
        notice(f"no FP16 for TensorRT: {error}")
    if int8:
        if network is None:
            variants = _quantizable(bench.graph, notice)
        found, seen = _int8(bench, network, variants, cells, tune, notice)
        trials |= found
    for variant, trial in trials.items():
        if trial.verdict.usable:
            graphs[variant] = trial.graph
        figures[variant] = trial.verdict.figures() | {
            "float_layers": list(trial.floating),
            "calibration_cells": seen["cells"] if variant in _INT8 else 0,
            "finetuned": trial.tuned,
            "speed": None,  # would change the bundle's bytes from run to run; the device measures it
        }
    return Precisions(graphs, figures, seen)


def within(found: Precisions, limit: int, notice: Notice) -> Precisions:
    """The precisions whose graphs have at most so many bytes together: those for TensorRT go first.

    The manifest tells what was left out, and why; FP32 always stays.
    """
    graphs, figures = dict(found.graphs), dict(found.figures)
    for variant in ("trt-fp16", "trt-int8", "ort-int8"):
        size = sum(map(len, {MEMBERS[name]: graph for name, graph in graphs.items()}.values()))
        if size > limit and variant in graphs:
            del graphs[variant]
            why = "left out, for the bundle would be too large for a device"
            figures[variant] = figures[variant] | {"usable": False, "why": why}
            notice(f"{variant}: {why}; --large keeps it")
    return Precisions(graphs, figures, found.measured)


def checked(variant: str, graph: bytes) -> bytes:
    """The graph, if its runtime takes it and computes the same on every processor.

    Raises
    ------
    ExportError
        TensorRT would not take it, or ONNX Runtime would compute something else on some processors.
    """
    if variant.startswith("ort") and (large := saturating(graph)):
        raise ExportError(
            f"{variant}: weights of layer {large[0]} have more than {quantize.SAFE_BITS} bits, which "
            "saturate on processors without VNNI; give them fewer"
        )
    if variant.startswith("trt") and (wrong := check_for_tensorrt(graph)):
        raise ExportError(f"{variant}: {wrong[0]}")
    return graph


@dataclass(frozen=True, eq=False)
class _Trial:
    """A graph and what became of it."""

    graph: bytes
    verdict: Verdict
    floating: tuple[str, ...] = ()
    tuned: bool = False
    change: float = 0.0


def _quantizable(graph: bytes, notice: Notice) -> list[str]:
    """The INT8 variants that a graph which is not ours can have."""
    if not quantize.layers(graph):
        raise ExportError("--quantize int8: the network has no convolution to quantize; leave it out")
    if wrong := check_for_tensorrt(graph):
        notice(f"nothing for TensorRT: {wrong[0]}")
        return ["ort-int8"]
    return list(_INT8)


def _int8(
    bench: Bench, network: Folded | None, variants: Sequence[str], cells: int, tune: bool, notice: Notice
) -> tuple[dict[str, _Trial], dict[str, Any]]:
    """The INT8 graphs from one calibration, fine-tuned where that is needed or asked for."""
    crops = calibration.choose_cells(bench.windows, cells, bench.recipe.input.size_px)
    histograms = calibration.observe(bench.graph, crops)
    found = {name: calibration.ranges(histograms, name) for name in calibration.METHODS}
    methods = {
        name: sum(bench.change(_INT8[variant](bench.graph, ranges)) for variant in variants)
        for name, ranges in found.items()
    }
    method = min(methods, key=lambda name: methods[name])
    notice(
        f"calibrated on {len(crops)} cells by {method}; mean change of a probability, {', '.join(variants)}: "
        + ", ".join(f"{name} {change:.5f}" for name, change in methods.items())
    )
    ranges = found[method]
    seen: dict[str, Any] = {"cells": len(crops), "method": method, "methods": methods, "layers": {}}
    trials = {}
    for variant in variants:
        trials[variant], seen["layers"][variant] = _searched(variant, bench, bench.graph, ranges)
    failed = [variant for variant, trial in trials.items() if not trial.verdict.usable]
    if network is not None and (failed or tune):
        notice(f"fine-tuning: {', '.join(failed) + ' did not pass' if failed else 'asked for'}")
        student = finetune(
            network, quantize.layer_tensors(bench.graph), ranges, bench.windows.of("train"), bench.recipe
        )
        graph = to_onnx(student, bench.recipe.input.size_px)
        for variant, before in trials.items():
            after, _ = _searched(variant, bench, graph, ranges, tuned=True)
            trials[variant] = _better(before, after)
    return trials, seen


def _better(before: _Trial, after: _Trial) -> _Trial:
    """The one that passes; of two, that with fewer layers in floating point, then the one nearer to FP32."""
    return min(before, after, key=lambda t: (not t.verdict.usable, len(t.floating), t.change))


def _searched(
    variant: str, bench: Bench, graph: bytes, ranges: Ranges, tuned: bool = False
) -> tuple[_Trial, dict[str, float]]:
    """The INT8 graph with the fewest layers in floating point that passes, and the layers' sensitivity.

    A layer's sensitivity is the mean change of a probability when it alone is quantized; it is measured only
    where not every layer can be. The most sensitive stay in floating point.
    """
    names = quantize.layers(graph)

    def trial(floating: tuple[str, ...]) -> _Trial:
        made = checked(variant, _INT8[variant](graph, ranges, floating))
        return _Trial(made, bench.judged(made), floating, tuned, bench.change(made))

    best = trial(())
    if best.verdict.usable:
        return best, {}
    alone = {name: bench.change(_INT8[variant](graph, ranges, set(names) - {name})) for name in names}
    ranked = sorted(names, key=lambda name: -alone[name])
    step = max(len(names) // _TRIALS, 1)
    while not best.verdict.usable and len(best.floating) < int(len(names) * _MOST_FLOATING):
        best = trial(tuple(ranked[: len(best.floating) + step]))
    return best, alone
