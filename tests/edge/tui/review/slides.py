"""Slides of drawn cells in a record store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.line.rules import Rules
from edge.records.store import Store
from edge.types import U8, Reading, SlideHeader
from tests.conftest import CLASSES
from tests.edge.records.example import HEADER, reading

SLIDE = "S-0042"
FIELD = 8
"""Cells of a field."""

RULES = Rules(
    classes=tuple(CLASSES),
    leukocytes=tuple(CLASSES[:7]),
    positive=("blast",),
    unit="leukocyte",
    sign="blast",
    rule=FindingRule(refer_fraction=0.05, interval_level=0.95, rejected_fraction=0.5, source="a test"),
    rates=ErrorRates(Spread(0.85, 0.8, 0.9), Spread(0.003, 0.0, 0.01), "a test"),
)
_COMMON = ("lymphocyte", "neutrophil", "neutrophil", "monocyte", "eosinophil", "smudge-cell", "platelet")


def drawn(klass: str, seed: int) -> U8:
    """A cell of that class in the middle of a square, (96, 96, 3) uint8."""
    image = np.full((96, 96, 3), (236, 228, 230), np.uint8)
    for x, y in np.random.default_rng(seed).integers(0, 96, (5, 2)).tolist():
        cv2.circle(image, (x, y), 18, (222, 160, 162), -1)
    paint(image, klass, 48, 48)
    return image


def paint(image: U8, klass: str, x: int, y: int) -> None:
    """Draw a cell of that class there."""
    shade = 12 * CLASSES.index(klass)
    cv2.circle(image, (x, y), 30, (180 + shade // 3, 182, 214), -1)
    cv2.circle(image, (x - 2, y + 2), 26 - shade // 8, (92 + shade, 52, 138), -1)


def screened(path: Path, cells: int = 60, suspicious: int = 12) -> None:
    """A slide whose first cells the machine calls blasts, less and less surely."""
    ledger = Ledger(RULES)
    header: SlideHeader = replace(HEADER, classes=RULES.classes, rules=RULES.record())
    with Store(path) as store:
        store.begin_slide(SLIDE, header)
        for index, first in enumerate(range(1, cells + 1, FIELD)):
            one = _field(index, range(first, min(first + FIELD, cells + 1)), suspicious)
            assert one.settled is not None
            ledger.count(one.ids[one.settled], one.classes[one.settled])
            store.add(one)
            store.committed()
        store.flush()
        tally = ledger.tally(frames=-(-cells // FIELD))
        store.finish_slide(judge(tally, RULES), tally)


def _field(index: int, ids: range, suspicious: int) -> Reading:
    named = ["blast" if i <= suspicious else _COMMON[i % len(_COMMON)] for i in ids]
    likely = np.array([0.98 - 0.5 * i / suspicious if i <= suspicious else 0.9 for i in ids], np.float32)
    classes = np.array([CLASSES.index(name) for name in named], np.int32)
    probabilities = np.full((len(ids), len(CLASSES)), 0.0, np.float32)
    probabilities[:, 2] = 1 - likely  # else it is a lymphocyte
    probabilities[:, 4] += (1 - likely) * (classes == 2)  # and a lymphocyte a neutrophil
    probabilities[:, 2] *= classes != 2
    probabilities[np.arange(len(ids)), classes] += likely
    plain = reading(index, len(ids))
    pixels = np.full((600, 600, 3), (236, 228, 230), np.uint8)
    for name, (x, y) in zip(named, plain.cells.centres_px.astype(int), strict=True):
        paint(pixels, name, x, y)
    uncertain = likely < 0.55
    return replace(
        plain,
        frame=replace(plain.frame, pixels=pixels),
        crops=np.stack([drawn(name, i) for name, i in zip(named, ids, strict=True)]),
        classes=classes,
        probabilities=probabilities,
        uncertain=uncertain,
        ids=np.array(ids, np.int32),
        new=np.ones(len(ids), np.bool_),
        counted=~uncertain & RULES.in_differential(classes),
        settled=~uncertain,
    )
