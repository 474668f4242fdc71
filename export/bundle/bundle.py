"""A finished run → a bundle: graphs, parity, precisions, golden cases, model card, licence, manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.cells.segment import segment, whole_field
from edge.types import U8
from export.bundle import card, comparison, golden, worth
from export.bundle.archive import Signer, pack
from export.bundle.golden import DrawnField
from export.bundle.manifest import manifest_of
from export.graph import segmenter
from export.graph.folded import Folded
from export.graph.graph import PARITY, ExportError, deployed, parity, to_onnx
from export.graph.precisions import MEMBERS, Bench, Precisions, float_only, measured, without_cells
from train.data.dataset import Notice
from train.data.windows import Windows
from train.fitting.fit import load_network, settings_of
from train.fitting.gather import gather
from train.fitting.task import at
from train.judging import speed
from train.network.lite import Lite
from train.network.model import Network
from train.recipes.recipe import Recipe

MAKERS = {"detector": "export.published.detector_bundle:build"}
"""Task of a recipe -> 'module:function' that makes its bundle, a `Maker`; else it is `build`."""

Maker = Callable[[Path, Signer | None, bool, bool], bytes]
"""(run, signer, large, even_so) → the bundle's bytes."""

_GRAPH = MEMBERS["ort-fp32"]


@dataclass(frozen=True)
class Options:
    """What goes into a bundle beside FP32.

    Attributes
    ----------
    int8 : make the INT8 graphs too. data : folder with the run's data sets, None where it is not at hand.
    cache : folder of cut cells, None for the run's own. calibration_cells : how many to calibrate on.
    finetune : fine-tune for INT8 in any case, not only where it does not pass the gate otherwise.
    large : make a bundle of more than 64 MiB too. signer : signs the manifest.
    segmenter : finished run of `train.segmentation`; None leaves cells to the classical way.
    even_so : make it whatever it is worth, with caveats; see `export.bundle.worth.gate`.
    """

    int8: bool = False
    data: Path | None = None
    cache: Path | None = None
    calibration_cells: int = 2048
    finetune: bool = False
    large: bool = False
    signer: Signer | None = None
    segmenter: Path | None = None
    even_so: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """A bundle's bytes, what is known of its precisions, and milliseconds a cell of those that run here."""

    content: bytes
    precisions: Precisions
    milliseconds: Mapping[str, float]

    def lines(self) -> Iterator[str]:
        """A line for each precision: what it loses, whether it may be used, how fast it is here."""
        times = self.milliseconds
        for variant, found in self.precisions.figures.items():
            verdict = "usable" if found["usable"] else "not usable"
            if "sensitivity" not in found:
                yield f"{variant}: {verdict}, {found['why']}"
                continue
            line = (
                f"{variant}: {verdict}, {found['why']}; on {found['cells']} cells sensitivity "
                f"{found['sensitivity_change']:+.4f}, ROC area {found['roc_area_change']:+.4f}, worst recall "
                f"{found['worst_recall_change']:+.4f} ({found['worst_recall_class']}), in floating point: "
                f"{', '.join(found['float_layers']) or 'no layer'}"
            )
            if variant in times:
                line += f", {times['ort-fp32'] / times[variant]:.2f} x as fast as FP32 here"
            yield line

    def as_json(self) -> dict[str, Any]:
        """Everything that was measured, speeds of this machine included."""
        return {
            "precisions": dict(self.precisions.figures),
            "measured": dict(self.precisions.measured),
            "milliseconds_per_cell": dict(self.milliseconds),
            "bytes": {variant: len(graph) for variant, graph in self.precisions.graphs.items()},
            "bundle_bytes": len(self.content),
        }


def build(run: Path, options: Options | None = None, *, notice: Notice = print) -> Built:
    """The bundle of a finished run; the same run and options give the same bytes.

    What `edge-train evaluate --json RUN_DIR/evaluation-NAME.json` found goes into the model card, and
    RUN_DIR/notes.md as it is.

    Raises
    ------
    FitError
        The run is not finished. ExportError : it is not good enough, a graph does not compute what the
        network does, or INT8 is wanted and there is too little to calibrate or judge it on.
        SegmenterError : its run is not finished. DataError : a data set is absent.
    """
    options = options or Options()
    if options.int8 and options.data is None:
        raise ExportError(
            "--quantize int8: needs calibration cells; give the folder of the data sets with --calibrate"
        )
    recipe, settings = settings_of(run)
    if recipe.method != "network":
        raise ExportError(
            f"run {run}: {recipe.method} is no network, and the device runs nothing else; judge it here"
        )
    if recipe.task in MAKERS:
        if options.int8 or options.segmenter:
            raise ExportError(
                f"run {run}: a {recipe.task} stays FP32 and needs no segmenter; leave the flag out"
            )
        maker: Maker = at(MAKERS[recipe.task])
        return Built(maker(run, options.signer, options.large, options.even_so), Precisions({}, {}), {})
    network, metrics = load_network(run)
    if options.int8 and not isinstance(network, Network | Lite):
        raise ExportError(
            f"--quantize int8: run {run} has {recipe.architecture.backbone}, which stays FP32; leave it out"
        )
    if options.segmenter and recipe.task == "field":
        raise ExportError(f"--segmenter: run {run} names whole fields and needs no cells; leave it out")
    metrics["test"] = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob("evaluation-*.json"))
    ]
    temperature, model_input = metrics["operating_point"]["temperature"], recipe.model_input
    device = deployed(network, temperature)
    windows = _windows(run, options, notice) if isinstance(device, Folded) else None
    metrics = worth.brought_up(metrics, recipe, network, windows, settings["limit"])
    caveats = worth.gate(metrics, even_so=options.even_so, what=f"run {run}")
    graph = to_onnx(device, model_input.size_px)
    finder = segmenter.read(options.segmenter, model_input.pitch_um) if options.segmenter else None
    find = finder.find if finder else whole_field if model_input.whole else segment
    drawn = golden.draw_fields(model_input, find)
    examples = _examples(drawn, model_input.size_px)
    difference = _one_digit(parity(network, temperature, graph, examples))
    metrics["parity"] = {"limit": PARITY, "largest_difference": difference, "cells": len(examples)}
    draft = _draft(recipe, metrics, graph, options.large)
    precisions = _precisions(options, draft, device, windows, recipe, notice)
    added = comparison.of_windows(draft, recipe, windows) if windows is not None else comparison.Additions()
    graphs = {MEMBERS[variant]: content for variant, content in precisions.graphs.items()}
    caveats += worth.of_calibration(precisions)
    manifest = {**manifest_of(recipe, metrics, precisions, finder), **added.tables}
    manifest |= {"caveats": list(caveats)} if caveats else {}
    notes = [path.read_text(encoding="utf-8") for path in run.glob("notes.md")]
    described = worth.in_card(card.model_card(manifest, recipe.sources, metrics, notes), caveats)
    if "references" in manifest:
        described = card.with_references(described, manifest["references"])
    members = {
        **graphs,
        **(finder.members if finder else {}),
        **golden.expected(drawn, draft, graphs),
        **added.members,
        card.MEMBER: described.encode(),
        "LICENSE": card.LICENCE.encode(),
    }
    content = pack(manifest, members, options.signer, large=options.large)
    return Built(content, precisions, _milliseconds(content, examples))


def _windows(run: Path, options: Options, notice: Notice) -> Windows | None:
    """The cells of the run's data sets, test parts excepted, if these are at hand: all of them."""
    if options.data is None:
        return None
    recipe, settings = settings_of(run)
    if limit := settings["limit"]:
        notice(f"run {run}: saw {limit} pictures of each data set; --calibrate takes all in {options.data}")
    return gather(recipe, options.data, 0, options.cache or run / "cache", notice)


def _precisions(
    options: Options,
    draft: Bundle,
    network: nn.Module,
    windows: Windows | None,
    recipe: Recipe,
    notice: Notice,
) -> Precisions:
    """Every precision that the options ask for, measured if there are cells to measure on."""
    graph = draft.graph()
    if not isinstance(network, Folded):
        return float_only(graph)
    if windows is None:
        return without_cells(graph)
    bench = Bench(draft, graph, windows, recipe)
    try:
        return measured(
            bench,
            network,
            int8=options.int8,
            cells=options.calibration_cells,
            tune=options.finetune,
            notice=notice,
        )
    finally:
        bench.close()


def _examples(drawn: list[list[DrawnField]], size_px: int) -> U8:
    """Crops to compare on: drawn cells, and noise that reaches every corner of the graph."""
    noise = np.random.default_rng(0).integers(0, 256, (8, size_px, size_px, 3), np.uint8)
    return np.concatenate([*(field.crops for fields in drawn for field in fields), noise])


def _one_digit(value: float) -> float:
    """Rounded up to one digit: what is below does not come out the same everywhere."""
    if not value:
        return 0.0
    unit = 10.0 ** np.floor(np.log10(value))
    return float(f"{np.ceil(value / unit) * unit:.0e}")


def _draft(recipe: Recipe, metrics: Mapping[str, Any], graph: bytes, large: bool) -> Bundle:
    """A bundle of FP32 alone, without golden cases, opened by the device's own code."""
    manifest = manifest_of(recipe, metrics, Precisions({"ort-fp32": graph}, {}))
    content = pack(manifest, {_GRAPH: graph}, large=large)
    return bundle.opened(Path("draft"), content, allow_unsigned=True, large=large)


def _milliseconds(content: bytes, examples: U8) -> dict[str, float]:
    """Milliseconds a cell of every variant that ONNX Runtime is to run, on one thread of this machine."""
    opened = bundle.opened(Path("built"), content, allow_unsigned=True, large=True)
    variants = [name for name in opened.manifest.graphs if name.startswith("ort")]
    classifiers = [Classifier(opened, variant=name) for name in variants]
    found = speed.per_cell(classifiers, [examples] * len(classifiers))
    for classifier in classifiers:
        classifier.close()
    return dict(zip(variants, found, strict=True))
