"""Readings to put into a record store. As a program, it adds them for ever and prints what is committed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import numpy as np

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.rules import Rules
from edge.records.store import Store
from edge.types import Cells, Finding, Frame, Reading, SlideHeader, Tally

CLASSES = ("blast", "lymphocyte", "artefact")

RULES = Rules(
    classes=CLASSES,
    leukocytes=("blast", "lymphocyte"),
    positive=("blast",),
    unit="leukocyte",
    sign="blast",
    rule=FindingRule(refer_fraction=0.05, interval_level=0.95, rejected_fraction=0.5, source="a test"),
    rates=ErrorRates(Spread(0.85, 0.8, 0.9), Spread(0.003, 0.0, 0.01), "a test"),
)

HEADER = SlideHeader(
    version="1.2.3",
    profile="generic-x86-64",
    camera="demo",
    runtime="ort-fp32",
    bundle="leukocytes 4",
    bundle_sha256="ab" * 32,
    trusted=True,
    classes=CLASSES,
    rules=RULES.record(),
)

FINDING = Finding(
    kind="refer",
    headline="REFER",
    reason="many blasts",
    advice="tell the doctor",
    blast_fraction=0.43,
    interval=(0.35, 0.51),
    level=0.95,
    corrected=0.5,
    corrected_interval=(0.3, 0.7),
)
TALLY = Tally(counts={"blast": 3, "lymphocyte": 4, "artefact": 1}, leukocytes=7, positives=3, frames=9)


def reading(
    index: int, cells: int = 3, *, problems: tuple[str, ...] = (), fault: str | None = None
) -> Reading:
    """A reading of `cells` cells whose numbers are drawn from its index; the second cell is not new."""
    rng = np.random.default_rng(index)
    corners = rng.integers(0, 500, (cells, 2))
    probabilities = rng.random((cells, len(CLASSES)), np.float32) + 0.01
    smooth = np.linspace(40, 200, 96 * 96 * 3).reshape(96, 96, 3)
    return Reading(
        frame=Frame(
            pixels=np.zeros((0 if fault else 48, 0 if fault else 64, 3), np.uint8),
            index=index,
            source=f"Im{index}.jpg",
            captured_at=datetime(2026, 11, 20, 18, 3, tzinfo=UTC),
            monotonic_s=float(index),
            fault=fault,
        ),
        cells=Cells(
            labels=np.zeros((12, 12), np.int32),
            nuclei=np.zeros((12, 12), np.bool_),
            boxes=(np.hstack([corners, corners + 60]) / 50).astype(np.float32),
            centres=(corners + 30) / 50,
            area_um2=rng.uniform(80, 200, cells).astype(np.float32),
            nucleus_area_um2=rng.uniform(40, 80, cells).astype(np.float32),
            cut=np.zeros(cells, np.bool_),
        ).in_frame(600, 600),
        um_per_px=0.1,
        um_per_px_from="nominal",
        crops=np.stack([smooth + i for i in range(cells)]).astype(np.uint8)
        if cells
        else np.zeros((0, 96, 96, 3), np.uint8),
        probabilities=probabilities / probabilities.sum(1, keepdims=True),
        classes=probabilities.argmax(1).astype(np.int32),
        uncertain=np.zeros(cells, np.bool_),
        certain=np.ones(cells, np.bool_),
        ids=np.arange(cells, dtype=np.int32) + index * cells,
        new=np.arange(cells) != 1,
        counted=np.arange(cells) == 0,
        problems=problems,
        repeated=False,
        sharpness=0.8,
        brightness=0.6,
        tally=TALLY,
        finding=FINDING,
        ms={"total": 8.1},
        t_s=index + 0.5,
    )


def add_for_ever(path: str) -> None:
    """What a screening does with its readings, printing instead of showing."""
    store = Store(path)
    store.begin_slide("killed", HEADER)
    index = 0
    while True:
        store.add(reading(index))
        index += 1
        for stored in store.committed():
            print(stored.frame.index, flush=True)


if __name__ == "__main__":
    add_for_ever(sys.argv[1])
