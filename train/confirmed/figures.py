"""Where machine and people differ: counts over a data set of confirmed cells, as JSON has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from edge.line.evidence import wilson_interval
from train.confirmed.folder import DIFFER, cells

LEVEL = 0.95

Entry = dict[str, Any]
"""A slide, or a cell, as `train.confirmed.folder.Folder` keeps it."""


def figures(slides: Sequence[Entry]) -> dict[str, Any]:
    """Everything that the report says, in numbers.

    Shares are of cells that people looked at, who begin with the most suspicious: they are no error rates of
    the machine over a slide. Intervals take cells for independent, which those of one slide are not.
    """
    found = list(cells(slides))
    looked = [slide for slide in slides if slide["cells"]]
    classes = list(dict.fromkeys(name for slide in looked for name in slide["classes"]))
    unsettled = [_named(slide, cell) for slide, cell in _left(looked, DIFFER)]
    return {
        "cells": len(found),
        "slides": len({(slide["store"], slide["slide"]) for slide, _ in found}),
        "patients": len({slide["patient"] for slide, _ in found}),
        "stores": sorted({slide["store"] for slide in looked}),
        "by_class": dict(Counter(cell["class"] for _, cell in found).most_common()),
        "pictures": {
            origin: dict(Counter(c["class"] for _, c in found if c["picture"] == origin).most_common())
            for origin in ("field", "crop")
        },
        "confusion": _confusion(found, classes),
        **_calls(found),
        "differing": [
            _named(slide, cell) | {"class": cell["class"], "path": cell["path"]}
            for slide, cell in _loudest(found)
        ],
        "left_out": dict(Counter(why for slide in looked for c in slide["cells"] if (why := c["left_out"]))),
        "unsettled": unsettled,
        "by_slide": [_of_slide(slide) for slide in looked],
        "by_reader": _by_reader(looked),
        "bundles": _made_with(found, "bundle", "bundle_sha256"),
        "versions": _made_with(found, "version"),
        "specimens": _made_with(found, "specimen"),
        **_dates(looked),
    }


def share(part: int, whole: int) -> dict[str, Any]:
    """A share with its Wilson interval; None where there is nothing to divide by."""
    if not whole:
        return {"cells": 0, "of_these": 0, "share": None, "interval": None}
    interval = [round(end, 4) for end in wilson_interval(part, whole, LEVEL)]
    return {"cells": whole, "of_these": part, "share": round(part / whole, 4), "interval": interval}


def _calls(found: Iterable[tuple[Entry, Entry]]) -> dict[str, Any]:
    """How often people said otherwise: of the machine's blasts, of its other cells, and of all."""
    sides = [(c["machine"] in s["positive"], c["class"] in s["positive"], c) for s, c in found]
    called = [people for machine, people, _ in sides if machine]
    others = [people for machine, people, _ in sides if not machine]
    return {
        "blasts_denied": share(called.count(False), len(called)),
        "blasts_missed": share(others.count(True), len(others)),
        "named_otherwise": share(sum(c["machine"] != c["class"] for _, _, c in sides), len(sides)),
    }


def _confusion(found: Iterable[tuple[Entry, Entry]], classes: Sequence[str]) -> dict[str, Any]:
    counts = Counter((cell["class"], cell["machine"]) for _, cell in found)
    table = [[counts[people, machine] for machine in classes] for people in classes]
    return {"classes": list(classes), "people_by_machine": table}


def _loudest(found: Iterable[tuple[Entry, Entry]]) -> list[tuple[Entry, Entry]]:
    """Cells that they name differently: about blasts first, those that the machine was surest of first."""
    differing = [(slide, cell) for slide, cell in found if cell["machine"] != cell["class"]]

    def order(one: tuple[Entry, Entry]) -> tuple[bool, float]:
        slide, cell = one
        of_blasts = (cell["machine"] in slide["positive"]) != (cell["class"] in slide["positive"])
        return not of_blasts, -cell["machine_p"]

    return sorted(differing, key=order)


def _left(slides: Iterable[Entry], why: str) -> list[tuple[Entry, Entry]]:
    return [(slide, cell) for slide in slides for cell in slide["cells"] if cell["left_out"] == why]


def _named(slide: Entry, cell: Entry) -> Entry:
    told = {key: slide[key] for key in ("store", "slide", "patient")}
    return told | {key: cell[key] for key in ("cell", "machine", "machine_p", "words")}


def _of_slide(slide: Entry) -> Entry:
    inside = list(cells([slide]))
    told = {
        key: slide[key] for key in ("store", "slide", "patient", "started_at", "clock", "state", "bundle")
    }
    return told | {"left_out": len(slide["cells"]) - len(inside)} | _calls(inside)


def _by_reader(slides: Iterable[Entry]) -> list[Entry]:
    """What each reader said by himself, of cells too that were left out."""
    said: dict[str, list[tuple[Entry, Entry]]] = {}
    for slide in slides:
        for cell in slide["cells"]:
            for by, word in cell["words"].items():
                said.setdefault(by, []).append((slide, cell | {"class": word}))
    return [{"by": by, "cells": len(words), **_calls(words)} for by, words in sorted(said.items())]


def _made_with(found: Iterable[tuple[Entry, Entry]], *keys: str) -> list[Entry]:
    """What cells were read with, and how many."""
    counts = Counter(tuple(slide[key] for key in keys) for slide, _ in found)
    return [dict(zip(keys, what, strict=True)) | {"cells": n} for what, n in sorted(counts.items())]


def _dates(slides: Sequence[Entry]) -> Entry:
    """When the first and the last slide were begun, of those whose clock somebody vouches for."""
    known = sorted(slide["started_at"][:10] for slide in slides if slide["clock"] in ("set", "corrected"))
    ends = {"from": known[0], "to": known[-1]} if known else {"from": None, "to": None}
    return ends | {"undated": len(slides) - len(known)}
