"""The precision gate: what a faster graph may lose against FP32 on held-out cells, and what it does lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edge.bundle.bundle import Bundle, Manifest
from edge.cells.classify import Classifier, decide
from edge.types import F32, I32, U8, Bools
from export.graph.graph import ExportError
from train.data.windows import Windows, middle
from train.fitting.validation import truth_of, typed
from train.recipes.recipe import Recipe
from train.statistics.metrics import roc_area, two_sided

REFERENCE = "ort-fp32"
SENSITIVITY, ROC_AREA, RECALL = 0.005, 0.005, 0.02
"""Largest fall of blast sensitivity at the operating point, of the ROC area, and of any class's recall."""

ENOUGH = round(1 / RECALL)
"""Cells of a class whose recall is judged: among fewer, a single cell is more than `RECALL`."""

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Cells that no weight was fitted to: the validation parts of a recipe's data sets.

    Attributes
    ----------
    crops : (n, S, S, 3) uint8. truth : (n,) int32, index of the class.
    deciding : (n,) bool, of the data sets that the operating point was chosen on. Sensitivity and ROC area
        are taken from these alone: drawn cells and bare fields are easy and would water a loss down.
    data : where they come from, in words.
    """

    crops: U8
    truth: I32
    deciding: Bools
    data: str


@dataclass(frozen=True)
class Verdict:
    """What a graph loses; the attributes are the manifest's `precisions`.

    Attributes
    ----------
    usable : it passed. why : the reason in one line.
    cells, data : what it was judged on. against : what it was compared with.
    sensitivity, roc_area : with their change. worst_recall_change : of the class that lost most.
    """

    usable: bool
    why: str
    cells: int
    data: str
    against: str
    sensitivity: float
    sensitivity_change: float
    roc_area: float
    roc_area_change: float
    worst_recall_change: float
    worst_recall_class: str
    largest_difference: float

    def figures(self) -> dict[str, Any]:
        """For the manifest; rounded, so that the last bit of a sum does not change a bundle's bytes."""
        return {k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(self).items()}


def held_out(windows: Windows, recipe: Recipe) -> HeldOut:
    """The cells that judge a run's precisions.

    Raises
    ------
    ExportError
        There are no blasts or nothing else among them.
    """
    cells = typed(windows.of("validation"), recipe, tuple(recipe.shares))
    deciding = np.isin(cells.datasets, recipe.deciding)
    positive = np.isin(cells.labels[deciding], recipe.positive)
    if not positive.any() or positive.all():
        raise ExportError(
            f"precision gate: {int(positive.sum())} positive ones among {len(positive)} validation cells of "
            f"{', '.join(recipe.deciding)}; both kinds are needed, give more data with --calibrate"
        )
    names = ", ".join(dict.fromkeys(cells.datasets.tolist()))
    chosen = ", ".join(recipe.deciding)
    return HeldOut(
        crops=np.ascontiguousarray(middle(cells.pixels, recipe.input.size_px)),
        truth=truth_of(cells, recipe.classes),
        deciding=deciding,
        data=f"validation part of {names}; sensitivity and ROC area of {chosen}",
    )


def answers(draft: Bundle, graph: bytes, crops: U8) -> F32:
    """(n, C) probabilities by the device's own classifier, with this graph in the bundle's place of FP32.

    Of TensorRT's graphs ONNX Runtime rounds what they round and computes every layer in floating point, since
    their biases are real numbers: no processor's whole-number arithmetic has a say in what passes.
    """
    member = draft.manifest.graphs[REFERENCE]
    classifier = Classifier(replace(draft, members={member: graph}))
    found = classifier.probabilities(crops)
    classifier.close()
    return found


def judge(held: HeldOut, reference: F32, given: F32, manifest: Manifest) -> Verdict:
    """Compare the answers of a graph with those of FP32, both (n, C) for the same held-out cells."""
    before, after = (_figures(held, answer, manifest) for answer in (reference, given))
    recalls = {name: after[1][name] - before[1][name] for name in before[1]}
    worst = min(recalls, key=lambda name: recalls[name], default="")
    verdict = Verdict(
        usable=True,
        why="",
        cells=len(held.truth),
        data=held.data,
        against=REFERENCE,
        sensitivity=after[0]["sensitivity"],
        sensitivity_change=after[0]["sensitivity"] - before[0]["sensitivity"],
        roc_area=after[0]["roc_area"],
        roc_area_change=after[0]["roc_area"] - before[0]["roc_area"],
        worst_recall_change=recalls.get(worst, 0.0),
        worst_recall_class=worst,
        largest_difference=float(np.abs(reference - given).max()),
    )
    faults = list(_faults(verdict))
    return replace(verdict, usable=not faults, why="; ".join(faults) or "within the gate")


def _faults(verdict: Verdict) -> list[str]:
    limits = (
        ("sensitivity", verdict.sensitivity_change, SENSITIVITY),
        ("ROC area", verdict.roc_area_change, ROC_AREA),
        (f"recall of {verdict.worst_recall_class}", verdict.worst_recall_change, RECALL),
    )
    return [
        f"{name} falls by {-change:.4f}, at most {most} is allowed"
        for name, change, most in limits
        if not change >= -most - _ROUNDING
    ]


def _figures(
    held: HeldOut, answer: F32, manifest: Manifest
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Sensitivity and ROC area of the deciding cells, and recall of each class with enough cells.

    Both of all cells, those that are not counted as lost: no graph passes by abstaining.
    """
    calls = decide(answer, manifest)
    called = np.where(calls.uncertain, -1, calls.classes)  # what is not counted is not found
    columns = list(manifest.positive_indices)
    inside = held.deciding
    positive = np.isin(held.truth, columns)
    scores = answer[:, columns].sum(axis=1)
    overall = {
        "sensitivity": two_sided(np.isin(called, columns)[inside], positive[inside])["sensitivity"],
        "roc_area": roc_area(scores[inside], positive[inside]),
    }
    recalls = {
        name: float((called == i)[held.truth == i].mean())
        for i, name in enumerate(manifest.classes)
        if (held.truth == i).sum() >= ENOUGH
    }
    return overall, recalls
