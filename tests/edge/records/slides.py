"""Slides in a record store, read by nobody: cells whose classes a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.records.store import Store
from edge.types import Reading, SlideHeader
from tests.edge.records.example import CLASSES, HEADER, RULES, reading

FIELD = 10
"""Cells of a field."""

PIXELS = np.random.default_rng(0).integers(180, 250, (600, 600, 3)).astype(np.uint8)


def field(
    index: int, named: Sequence[str], *, uncertain: Sequence[int] = (), cut: Sequence[int] = ()
) -> Reading:
    """A field of cells of these classes, all new: identities go on from `index * FIELD + 1`.

    The likelier a cell is what it is called, the later it comes in the field; uncertain or cut ones, by their
    place in the field, are not counted.
    """
    n = len(named)
    plain = reading(index, n)
    classes = np.array([CLASSES.index(name) for name in named], np.int32)
    probabilities = np.full((n, len(CLASSES)), 0.02, np.float32)
    probabilities[np.arange(n), classes] = 1
    probabilities[:, 0] += np.linspace(0.2, 0, n) * (classes != 0)
    whole = ~np.isin(np.arange(n), [*uncertain, *cut])
    found = replace(plain.cells.found, cut=np.isin(np.arange(n), cut))
    return replace(
        plain,
        frame=replace(plain.frame, pixels=PIXELS),
        cells=found.in_frame(600, 600),
        classes=classes,
        probabilities=probabilities / probabilities.sum(axis=1, keepdims=True),
        uncertain=np.isin(np.arange(n), uncertain),
        ids=np.arange(n, dtype=np.int32) + index * FIELD + 1,
        new=np.ones(n, np.bool_),
        counted=whole & RULES.in_differential(classes),
        settled=whole,
    )


def screened(
    path: Path,
    named: Sequence[str],
    slide: str = "s",
    *,
    header: SlideHeader = HEADER,
    finish: bool = True,
    uncertain: Sequence[int] = (),
    cut: Sequence[int] = (),
) -> str:
    """A slide of cells of these classes; those left out are named by their place in the first field."""
    ledger = Ledger(RULES)
    with Store(path) as store:
        store.begin_slide(slide, header)
        for index, first in enumerate(range(0, len(named), FIELD)):
            left_out = {} if index else {"uncertain": uncertain, "cut": cut}
            one = field(index, named[first : first + FIELD], **left_out)
            assert one.settled is not None
            ledger.count(one.ids[one.settled], one.classes[one.settled])
            store.add(one)
        store.flush()
        if finish:
            tally = ledger.tally(frames=len(range(0, len(named), FIELD)))
            store.finish_slide(judge(tally, RULES), tally)
    return slide
