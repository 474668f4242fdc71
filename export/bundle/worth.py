"""Whether a model is good enough to be made for a device, and what is said of one that is made even so.

A run says itself how good it was (`train.statistics.worth`). One that an older program made is asked again:
by the figures that it left, or on cells that are at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from edge.bundle import caveats
from export.bundle.source import Source
from export.graph.calibration import USUAL
from export.graph.graph import ExportError
from export.graph.precisions import Precisions
from train.data.windows import Windows
from train.fitting.finish import kind_of, worth_of
from train.fitting.validation import logits_of, typed
from train.recipes.recipe import Recipe
from train.statistics.worth import BY_CELL, ENOUGH, Side, Worth, by_cells

WORTH = "worth"
"""Key of a run's metrics."""

_FOUND = 0.5
"""Mean average precision that a detector's interval must lie above (by convention)."""


def gate(metrics: Mapping[str, Any], *, even_so: bool, what: str) -> tuple[str, ...]:
    """The caveats of a model with these metrics: none of a good one.

    Parameters
    ----------
    metrics : of a run, or of a network from elsewhere; `worth` in it is `Worth.as_json`.
    even_so : make it whatever it is worth. what : names it in an error: 'run runs/a'.

    Raises
    ------
    ExportError : it is not good enough, or does not say how good it is, and is not to be made even so.
    """
    try:
        short = Worth.read(metrics[WORTH]).shortcomings
    except (KeyError, TypeError):
        short = ("nobody knows what it is worth on validation cells",)
    return judged(short, even_so=even_so, what=what)


def judged(short: tuple[str, ...], *, even_so: bool, what: str) -> tuple[str, ...]:
    """The caveats that these shortcomings make; see `gate`."""
    if short and not even_so:
        unknown = "nobody knows" in short[0]
        do = (
            "fit it again, or have it judged: data sets under [shares], their folder with --calibrate"
            if unknown
            else "fit it on more data (no --limit), or longer, or give all its data with --calibrate"
        )
        even = "To make a bundle all the same, marked in every record: --even-so"
        raise ExportError(f"{what}: {'; '.join(short)}; {do}. {even}")
    return tuple(f"exported even so: {text}"[: caveats.LONGEST] for text in short)


def settled(metrics: Mapping[str, Any], limit: int) -> bool:
    """Whether a network's worth stands in its metrics, and no cells at hand would be asked anew.

    Parameters
    ----------
    limit : how many pictures of each data set it saw at most; 0 for all.
    """
    return WORTH in metrics and not limit


def brought_up(source: Source, windows: Windows | None) -> dict[str, Any]:
    """The metrics with what the network is worth.

    Parameters
    ----------
    windows : cells at hand, None for none; they are asked where a run does not say, or saw fewer of them.
    """
    metrics, recipe = source.metrics, source.recipe
    if windows is not None and source.network is not None and not settled(metrics, source.limit):
        cells = typed(windows.of("validation"), recipe)
        logits = logits_of(source.network, cells, recipe, torch.device("cpu"))
        return {**metrics, WORTH: worth_of(logits, cells, recipe).as_json()}
    return {WORTH: found.as_json(), **metrics} if (found := _told(metrics, recipe)) else dict(metrics)


def _told(metrics: Mapping[str, Any], recipe: Recipe) -> Worth | None:
    """What the figures of an older program say; None where they do not."""
    kept = [metrics["data"].get(name, {}).get("validation", {}) for name in recipe.deciding]
    area = metrics["validation"].get("all", {}).get("roc_area", float("nan"))
    if not any(isinstance(part, Mapping) and "cells" in part for part in kept):
        return None
    sides = []
    for positive in (True, False):
        cells = [
            sum(n for label, n in part.get("cells", {}).items() if label in recipe.classes
                and (label in recipe.positive) is positive)
            for part in kept
        ]  # fmt: skip
        groups = sum(len(part.get("groups", ())) for part, n in zip(kept, cells, strict=True) if n)
        sides.append(Side(sum(cells), groups))
    positives, others = sides
    interval = by_cells(area, positives.cells, others.cells)
    return Worth(*kind_of(recipe), positives, others, interval, BY_CELL)


def detector_gate(metrics: Mapping[str, Any], *, even_so: bool, what: str) -> tuple[str, ...]:
    """`gate` of what finds cells itself: by how many cells it was judged, and what it finds of them."""
    found = metrics.get("validation", {})
    try:
        cells = sum(found["cells"].values())
        precision = found["figures"]["mean"]["average_precision"]
        low = precision["value"] if precision["low"] is None else precision["low"]
    except (KeyError, TypeError, AttributeError):
        return judged(("nobody knows what it is worth on validation fields",), even_so=even_so, what=what)
    short = [f"{cells} cells in its validation fields, {ENOUGH} are wanted"] if cells < ENOUGH else []
    if low is None or low <= _FOUND:
        told = "unknown" if low is None else f"may be {low:.3f}, more than {_FOUND} is wanted"
        short.append(f"mean average precision on its validation fields {told}")
    return judged(tuple(short), even_so=even_so, what=what)


def of_calibration(precisions: Precisions) -> tuple[str, ...]:
    """The caveat of INT8 graphs that few cells were at hand for."""
    cells = [found["calibration_cells"] for name, found in precisions.figures.items()
             if name in precisions.graphs and found.get("calibration_cells")]  # fmt: skip
    if not cells or min(cells) >= USUAL:
        return ()
    return (f"calibrated on {min(cells)} cells, {USUAL:,} are usual",)


def in_card(card: str, told: tuple[str, ...]) -> str:
    """A model card that tells these caveats first."""
    if not told:
        return card
    head, heading, rest = card.partition("## What goes in")
    lines = "\n".join(f"- {caveat}" for caveat in told)
    return (
        f"{head}## Caveats\n\nThey stay in sight of every slide. The model was\n\n{lines}\n\n{heading}{rest}"
    )
