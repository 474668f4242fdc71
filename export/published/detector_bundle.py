"""A finished run of a detector → a bundle: graph, golden fields, model card, licence, manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.cells.detector import Detector
from edge.optics.specimen import specimen
from edge.types import F32, U8, Bools
from export.bundle import card, golden, worth
from export.bundle.archive import Signer, pack
from export.bundle.golden import DrawnField
from export.bundle.manifest import manifest_of
from export.graph.graph import PARITY, ExportError
from export.graph.precisions import Precisions
from export.published import detector
from train.recipes.recipe import Recipe

_SURE = 0.05  # above the threshold that a golden cell's confidence must be: no rounding takes it below
_NEAR_PX = 3.0


def build(run: Path, signer: Signer | None = None, large: bool = False, even_so: bool = False) -> bytes:
    """The bundle's bytes; the same run gives the same ones. `large` as in `export.bundle.archive.pack`.

    Raises
    ------
    DetectionError : the run is not finished. ExportError : it is not good enough, the graph computes
        something else, or finds nothing in the drawn fields.
    """
    made = detector.read(run)
    caveats = worth.detector_gate(made.metrics, even_so=even_so, what=f"run {run}")
    metrics = _metrics(made.metrics, made.threshold)
    precisions = Precisions({"ort-fp32": made.graph}, {})
    manifest = manifest_of(made.recipe, metrics, precisions)
    manifest["graphs"] = {"detector": {"ort-fp32": detector.MEMBER}}
    manifest |= {"caveats": list(caveats)} if caveats else {}
    notes = [path.read_text(encoding="utf-8") for path in run.glob("notes.md")]
    members = {
        detector.MEMBER: made.graph,
        **_golden(made.recipe, made.find),
        card.MEMBER: worth.in_card(
            card.detector_card(manifest, made.recipe.sources, made.metrics, notes), caveats
        ).encode(),
        "LICENSE": card.LICENCE.encode(),
    }
    return pack(manifest, members, signer, large=large)


def _metrics(found: Mapping[str, Any], threshold: float) -> dict[str, Any]:
    """A detector's metrics as a manifest has them: the threshold of a find is the least confidence."""
    point = {"positive": 1.0, "confidence": threshold, "certain": 1.0}
    return {
        **found,
        "operating_point": {**point, "temperature": 1.0, "calibration_error": None},
        "test": [],
        "parity": {"limit": PARITY, "largest_difference": PARITY, "cells": 0},
    }


def _golden(recipe: Recipe, find: Detector) -> dict[str, bytes]:
    """Drawn fields with the cells that are surely found in them."""
    chosen = []
    for fields in golden.draw_fields(recipe.model_input, find):
        kept = [_steady(field, find, recipe.input.pitch_um) for field in fields]
        best = int(np.argmax([keep.sum() for keep, _ in kept]))
        field, (keep, told) = fields[best], kept[best]
        if not keep.any():
            raise ExportError(f"golden cases: no cell of {field.name} is found for sure")
        called = [recipe.classes[i] for i in told[keep].argmax(axis=1).tolist()]
        chosen.append((field.pick(keep), called, {detector.MEMBER: told[keep]}))
    return golden.members_of(chosen)


def _steady(field: DrawnField, find: Detector, pitch_um: float) -> tuple[Bools, F32]:
    """Which cells of a field are found again, and told alike, however its grey levels round."""
    told = _told(field, field.pixels, find, pitch_um)
    limit = golden.PROBABILITY_TOLERANCE["ort"] / 2
    keep = np.asarray(np.isfinite(told).all(axis=1))
    for other in golden.other_roundings(field.pixels):
        again = _told(field, other, find, pitch_um)
        with np.errstate(invalid="ignore"):
            keep &= np.abs(again - told).max(axis=1) <= limit
    return keep, told


def _told(field: DrawnField, pixels: U8, find: Detector, pitch_um: float) -> F32:
    """(n, C) what the finds nearest to a field's cells are told to be; NaN where none is near or sure."""
    view = specimen(pixels, field.um_per_px, pitch_um)
    finds = find.finds(view)
    finds = finds.pick(finds.confidence >= find.threshold + _SURE)
    told = np.full((len(field.centres_px), finds.probabilities.shape[1]), np.nan, np.float32)
    if not len(finds):
        return told
    middles = (finds.boxes[:, :2] + finds.boxes[:, 2:]) / 2 / view.scale
    apart = np.linalg.norm(field.centres_px[:, None] - middles[None], axis=2)
    near = apart.argmin(axis=1)
    there = apart.min(axis=1) <= _NEAR_PX
    told[there] = finds.probabilities[near[there]]
    return told
