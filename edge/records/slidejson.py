"""Slides as JSON objects: what `edge-slides list` and `show` promise to other programs.

Fields may be added; those that are here stay. Fractions are rounded to four decimals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edge.records.jsonl import apl_record, caveats_record, probabilities_record
from edge.records.people import About, Finished, Signature, Word
from edge.records.rows import Row, finding_of


def slide_record(slide: Row) -> dict[str, Any]:
    """A slide, from its row as `edge.records.slidelist.SlideList.listed` gives it.

    The finding is the one after people's words; `machine_finding` is what the screening ended with. `clock`
    says whether anybody vouches for the times (`edge.records.boots.ClockState`).
    """
    finding = finding_of(slide)
    return {
        "slide": slide["id"],
        "patient": slide["patient"],
        "age": slide["age"],
        "sex": slide["sex"],
        "state": slide["state"],
        "started_at": slide["started_at"],
        "finished_at": slide["finished_at"],
        "clock": slide["clock"],
        "gone_on": slide["gone_on"] or [],
        "finding": slide["finding"],
        "headline": slide["headline"],
        "reason": slide["reason"],
        "advice": slide["advice"],
        "machine_finding": slide["machine"]["finding"],
        "cells_counted": slide["cells_counted"],
        "counts": slide["counts"],
        "confirmed": slide["confirmed"],
        "blast_fraction": _rounded(slide["blast_fraction"]),
        "blast_interval": _interval(slide["interval_low"], slide["interval_high"]),
        "interval_level": slide["interval_level"],
        "blast_fraction_corrected": _rounded(slide["corrected"]),
        "blast_interval_corrected": _interval(slide["corrected_low"], slide["corrected_high"]),
        "apl": apl_record(finding.apl if finding else None),
        "readers": slide["readers"],
        "signed_by": slide["signed_by"],
        "signed_at": slide["signed_at"],
        "bundle": {
            "name": slide["bundle"],
            "sha256": slide["bundle_sha256"],
            "trusted": bool(slide["trusted"]),
            "classes": slide["classes"],
            **caveats_record(slide["caveats"] or ()),
        },
        "site": slide["site"],
        "device": slide["profile"],
        "camera": slide["camera"],
        "runtime": slide["runtime"],
        "version": slide["version"],
    }


def people_record(
    about: About, finished: Iterable[Finished], signatures: Sequence[Signature]
) -> dict[str, Any]:
    """What people left of a slide beside words on its cells."""
    standing = [one for one in signatures if one.reopened is None]
    signature = standing[-1] if standing else None
    return {
        "notes": [{"by": note.by, "at": note.at, "text": note.text} for note in about.notes],
        "finished": [{"by": one.by, "at": one.at} for one in finished],
        "signatures": [signature_record(one) for one in signatures],
        "agreement": {
            "readers": list(signature.readers),
            "kappa": _rounded(signature.kappa),
            "both": signature.both,
        }
        if signature and signature.readers
        else None,
    }


def signature_record(one: Signature) -> dict[str, Any]:
    """A signature, and who took it back, when and why; null while it stands."""
    back = one.reopened
    reopened = None if back is None else {"by": back.by, "at": back.at, "reason": back.text}
    return {"by": one.by, "at": one.at, "finding": one.finding, "reopened": reopened}


def cell_records(views: Iterable[Row], classes: Sequence[str], said: Iterable[Word]) -> list[dict[str, Any]]:
    """A slide's cells, from rows of `edge.records.views.Views.views`, each with what people said."""
    words: dict[int, list[dict[str, Any]]] = {}
    for word in said:
        words.setdefault(word.cell, []).append({"by": word.by, "as": word.named, "at": word.at})
    return [
        {
            "id": view["cell"],
            "counted": view["counted"],
            "uncertain": view["uncertain"],
            "cut": view["cut"],
            "class": view["class"],
            "probabilities": probabilities_record(view["probabilities"].tolist(), classes),
            "box_px": [view["x0"], view["y0"], view["x1"], view["y1"]],
            "area_um2": round(view["area_um2"], 1),
            "nucleus_area_um2": round(view["nucleus_area_um2"], 1),
            "source": view["source"],
            "index": view["frame"],
            "said": words.get(view["cell"], []),
        }
        for view in views
    ]


def rounded(interval: Sequence[float] | None) -> list[float] | None:
    """An interval as JSON has it."""
    return None if interval is None else [round(end, 4) for end in interval]


def _interval(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else rounded((low, high))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
