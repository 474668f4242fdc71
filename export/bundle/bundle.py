"""A run or a network from elsewhere → a bundle: graphs, parity, precisions, golden cases, card, licence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import archive, bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.cells.segment import segment, whole_field
from edge.types import U8
from export.bundle import card, comparison, golden, worth
from export.bundle.archive import Signer, pack
from export.bundle.golden import DrawnField
from export.bundle.manifest import manifest_of
from export.bundle.source import Source
from export.graph import metadata
from export.graph.folded import Folded
from export.graph.graph import PARITY, ExportError, by_torch, deployed, parity, to_onnx
from export.graph.precisions import (
    MEMBERS,
    Bench,
    Precisions,
    float_only,
    measured,
    within,
    without_cells,
)
from train.data.dataset import Notice
from train.data.windows import Windows
from train.fitting.fit import load_network, settings_of
from train.fitting.gather import gather
from train.fitting.task import at
from train.judging import speed
from train.recipes.recipe import Recipe

MAKERS = {"detector": "export.published.detector_bundle:build"}
"""Task of a recipe -> 'module:function' that makes its bundle, a `Maker`; else it is `build`."""

Maker = Callable[[Path, Signer | None, bool, bool], bytes]
"""(run, signer, large, even_so) → the bundle's bytes."""

_GRAPH = MEMBERS["ort-fp32"]
_BESIDE = 2 * 2**20  # bytes of a bundle at most that are no classifier's graphs


@dataclass(frozen=True)
class Options:
    """What goes into a bundle beside FP32.

    Attributes
    ----------
    int8 : make the INT8 graphs too. data : folder with the run's data sets, None where it is not at hand.
    limit : at most so many pictures of each of them; 0 takes all, however many the run saw.
    cache : folder of cut cells, None for the run's own. calibration_cells : how many to calibrate on.
    finetune : fine-tune for INT8 in any case, not only where it does not pass the gate otherwise.
    large : make a bundle of more than 64 MiB too. signer : signs the manifest.
    even_so : make it whatever it is worth, with caveats; see `export.bundle.worth.gate`.
    """

    int8: bool = False
    data: Path | None = None
    limit: int = 0
    cache: Path | None = None
    calibration_cells: int = 2048
    finetune: bool = False
    large: bool = False
    signer: Signer | None = None
    even_so: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """A bundle's bytes, what is known of its precisions, milliseconds a cell of those that run here, and how
    near the graph comes to the network, in words."""

    content: bytes
    precisions: Precisions
    milliseconds: Mapping[str, float]
    parity: str = ""

    def lines(self) -> Iterator[str]:
        """A line for each precision: what it loses, whether it may be used, how fast it is here."""
        times = self.milliseconds
        if self.parity:
            yield self.parity
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


def build(given: Path | Source, options: Options | None = None, *, notice: Notice = print) -> Built:
    """The bundle of a finished run or of a network from elsewhere; the same and options give the same bytes.

    What `edge-train evaluate --json RUN_DIR/evaluation-NAME.json` found of a run goes into the model card,
    and RUN_DIR/notes.md as it is.

    Parameters
    ----------
    given : the run's folder, or what `export.foreign` makes of a network from elsewhere.

    Raises
    ------
    FitError
        The run is not finished. ExportError : it is not good enough, a graph does not compute what the
        network does, or INT8 is wanted and there is too little to calibrate or judge it on.
        DataError : a data set is absent.
    """
    options = options or Options()
    if options.int8 and options.data is None:
        raise ExportError(
            "--quantize int8: needs calibration cells; give the folder of the data sets with --calibrate"
        )
    if isinstance(given, Path) and (recipe := _recipe_of(given)).task in MAKERS:
        return _by_maker(given, recipe.task, options)
    source = given if isinstance(given, Source) else of_run(given, even_so=options.even_so)
    recipe, model_input = source.recipe, source.recipe.model_input
    if worth.settled(source.metrics, source.limit):  # before cells are cut, which takes minutes
        worth.gate(source.metrics, even_so=options.even_so, what=source.what)
    windows = source.windows or _windows(source, options, notice)
    metrics = worth.brought_up(source, windows)
    caveats = worth.gate(metrics, even_so=options.even_so, what=source.what)
    drawn = golden.draw_fields(model_input, whole_field if model_input.whole else segment)
    examples = _examples(drawn, model_input.size_px)
    difference = _one_digit(parity(source.reference, source.graph, examples))
    metrics |= {
        "parity": {"limit": PARITY, "largest_difference": difference, "cells": len(examples)}
        | ({"against": source.framework} if source.framework else {})
    }
    draft = _draft(source, metrics, options.large)
    precisions = _fitting(_precisions(options, draft, source, windows, notice), source, options, notice)
    caveats += worth.of_calibration(precisions)
    added = comparison.of_windows(draft, recipe, windows) if windows is not None else comparison.Additions()
    manifest = {
        **_manifest(source, metrics, precisions),
        "network": metadata.network(source.graph),
        **added.tables,
        **({"caveats": list(caveats)} if caveats else {}),
    }
    about = metadata.told(manifest)
    graphs = {
        MEMBERS[variant]: metadata.with_metadata(content, about)
        for variant, content in precisions.graphs.items()
    }
    members = {
        **graphs,
        **golden.expected(drawn, draft, graphs),
        **added.members,
        card.MEMBER: _card(source, manifest, metrics).encode(),
        "LICENSE": source.licence.encode(),
    }
    content = pack(manifest, members, options.signer, large=options.large)
    near = f"ort-fp32: within {difference:g} of {source.framework or 'PyTorch'} on {len(examples)} crops"
    return Built(content, precisions, _milliseconds(content, examples), near)


def _by_maker(run: Path, task: str, options: Options) -> Built:
    """The bundle of a run whose task has a maker of its own."""
    if options.int8:
        raise ExportError(f"run {run}: a {task} stays FP32; leave --quantize out")
    maker: Maker = at(MAKERS[task])
    return Built(maker(run, options.signer, options.large, options.even_so), Precisions({}, {}), {})


def _fitting(made: Precisions, source: Source, options: Options, notice: Notice) -> Precisions:
    """Those of the precisions that a device's bundle has room for; of a large one all."""
    room = archive.LARGEST - _BESIDE
    return made if options.large or len(source.graph) > room else within(made, room, notice)


def _card(source: Source, manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The model card, with the caveats and the reference cells of the manifest."""
    described = card.model_card(manifest, source.recipe.sources, metrics, source.notes)
    described = worth.in_card(described, tuple(manifest.get("caveats", ())))
    return card.with_references(described, manifest["references"]) if "references" in manifest else described


def _recipe_of(run: Path) -> Recipe:
    recipe, _ = settings_of(run)
    if recipe.method != "network":
        raise ExportError(
            f"run {run}: {recipe.method} is no network, and the device runs nothing else; judge it here"
        )
    return recipe


def of_run(run: Path, *, even_so: bool = True) -> Source:
    """What a finished run's bundle is made of; FitError where it is not finished.

    Parameters
    ----------
    even_so : whatever it is worth; without it ExportError where that is known to be too little.
    """
    recipe, settings = settings_of(run)
    network, metrics = load_network(run)
    if worth.settled(metrics, settings["limit"]):  # before its graph is made, which takes long
        worth.gate(metrics, even_so=even_so, what=f"run {run}")
    metrics["test"] = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob("evaluation-*.json"))
    ]
    temperature = metrics["operating_point"]["temperature"]
    device = deployed(network, temperature)
    return Source(
        what=f"run {run}",
        recipe=recipe,
        metrics=metrics,
        graph=to_onnx(device, recipe.model_input.size_px),
        reference=by_torch(network, temperature),
        network=network,
        folded=device if isinstance(device, Folded) else None,
        notes=tuple(path.read_text(encoding="utf-8") for path in run.glob("notes.md")),
        limit=settings["limit"],
        cache=run / "cache",
    )


def _windows(source: Source, options: Options, notice: Notice) -> Windows | None:
    """The cells of its data sets, test parts excepted, if these are at hand: all of them."""
    if options.data is None or not source.recipe.shares:
        return None
    if source.limit and not options.limit:
        seen = f"saw {source.limit} pictures of each data set"
        notice(f"{source.what}: {seen}; --calibrate takes all in {options.data}")
    return gather(source.recipe, options.data, options.limit, options.cache or source.cache, notice)


def _precisions(
    options: Options, draft: Bundle, source: Source, windows: Windows | None, notice: Notice
) -> Precisions:
    """Every precision that the options ask for, measured if there are cells to measure on."""
    if windows is None:
        return without_cells(source.graph) if source.folded else float_only(source.graph)
    bench = Bench(draft, source.graph, windows, source.recipe)
    try:
        return measured(
            bench,
            source.folded,
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


def _manifest(source: Source, metrics: Mapping[str, Any], precisions: Precisions) -> dict[str, Any]:
    """The manifest of a run, with what a network from elsewhere says in its place."""
    about = manifest_of(source.recipe, metrics, precisions)
    return {**about, **source.says, "training": {**about["training"], **source.training}}


def _draft(source: Source, metrics: Mapping[str, Any], large: bool) -> Bundle:
    """A bundle of FP32 alone, without golden cases, opened by the device's own code."""
    manifest = _manifest(source, metrics, Precisions({"ort-fp32": source.graph}, {}))
    content = pack(manifest, {_GRAPH: source.graph}, large=large)
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
