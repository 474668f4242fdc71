"""A screening made of drawn discs: fixed pictures, times and counts, for tests of the screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.line.rules import Rules
from edge.line.weighing import reached
from edge.records.people import UNKNOWN, About
from edge.types import Cells, FilesRead, Finding, Frame, LeukoscopeError, Reading, Said, Tally, Waiting

CLASSES = (
    "blast",
    "immature-granulocyte",
    "lymphocyte",
    "monocyte",
    "neutrophil",
    "eosinophil",
    "basophil",
    "erythroblast",
    "platelet",
    "smudge-cell",
    "artefact",
)
LEUKOCYTES = CLASSES[:7]
COUNTS = (61, 4, 38, 9, 27, 3, 1, 2, 31, 6, 1)
NEGATIVE = (0, 4, 238, 29, 127, 3, 1, 2, 31, 6, 1)
NOTHING = tuple(0 for _ in COUNTS)
RULE = FindingRule(0.05, 0.95, 0.5, "tests")
RATES = ErrorRates(Spread(0.85, 0.7, 0.95), Spread(0.003, 0.0, 0.01), "slides of nine laboratories")
RULES = Rules(CLASSES, LEUKOCYTES, ("blast",), "leukocyte", "blast", RULE, RATES)
NO_PROBLEMS: tuple[str, ...] = ()
NOBODY: Mapping[str, int] = MappingProxyType({})


def field(width: int = 720, height: int = 450) -> np.ndarray:
    """Flat red discs on a light ground, (height, width, 3) uint8."""
    image = np.full((height, width, 3), (236, 228, 230), np.uint8)
    rng = np.random.default_rng(4)
    for x, y in rng.integers(0, (width, height), (40, 2)):
        cv2.circle(image, (int(x), int(y)), 19, (222, 160, 162), -1)
        cv2.circle(image, (int(x), int(y)), 8, (232, 190, 190), -1)
    return image


def reading(
    index: int = 0,
    *,
    problems: tuple[str, ...] = NO_PROBLEMS,
    counts: tuple[int, ...] = COUNTS,
    finding: Finding | None = None,
    confirmed: Mapping[str, int] = NOBODY,
    size: tuple[int, int] = (720, 450),
    repeated: bool = False,
) -> Reading:
    """Six cells on a field: four sure ones, one uncertain, one cut by the edge; `size` is width, height.

    The finding is what the line would say of the counts and of what people `confirmed`.
    """
    width, height = size
    pixels = field(width, height)
    centres = [(110, 120), (290, 80), (480, 150), (220, 320), (420, 330), (width - 12, 380)]
    classes = np.array([0, 2, 4, 5, 3, 0], np.int32)
    boxes, crops = [], []
    for (x, y), klass in zip(centres, classes, strict=True):
        radius = 38 if klass in (0, 3) else 30
        cv2.circle(pixels, (x, y), radius, (196, 182, 214), -1)
        cv2.circle(pixels, (x - 4, y + 3), int(radius * 0.75), (92 + 8 * int(klass), 52, 138), -1)
        boxes.append((x - radius, y - radius, min(x + radius, width), y + radius))
        padded = cv2.copyMakeBorder(pixels, 48, 48, 48, 48, cv2.BORDER_REPLICATE)
        crops.append(padded[y : y + 96, x : x + 96].copy())
    n = len(boxes)
    probabilities = np.full((n, len(CLASSES)), 0.01, np.float32)
    probabilities[np.arange(n), classes] = 0.90
    uncertain = np.arange(n) == 4
    cut = np.arange(n) == 5
    seen = ~cut & (index > 0 or not repeated)
    leukocytes = sum(counts[: len(LEUKOCYTES)])
    tally = Tally(
        counts=dict(zip(CLASSES, counts, strict=True)),
        leukocytes=leukocytes,
        positives=counts[0],
        candidates=counts[0] - confirmed.get("blast", 0),
        confirmed=confirmed,
        standing=reached(np.array([counts[0]]), np.array([max(leukocytes, 1)]), RULE, RATES),
        uncertain=5 if leukocytes else 0,
        frames=80 + index,
        rejected=6,
        repeated=2,
    )
    cells = replace(
        Cells.none(height, width),
        boxes=np.array(boxes, np.float32),
        centres=np.array(centres, np.float64),
        area_um2=np.full(n, 120, np.float32),
        nucleus_area_um2=np.full(n, 70, np.float32),
        cut=cut,
    )
    return Reading(
        frame=Frame(pixels, index, "demo", datetime(2026, 1, 2, tzinfo=UTC), index / 12.0),
        cells=cells.in_frame(height, width),
        um_per_px=0.102,
        um_per_px_from="red-cells",
        crops=np.array(crops, np.uint8),
        probabilities=probabilities,
        classes=classes,
        uncertain=uncertain,
        certain=~uncertain,
        ids=np.arange(n, dtype=np.int32),
        new=seen if not repeated else np.zeros(n, np.bool_),
        counted=seen & ~uncertain if not (problems or repeated) else np.zeros(n, np.bool_),
        problems=problems,
        repeated=repeated,
        sharpness=0.31 if problems else 0.82,
        focus=0.31 if problems else 0.82,
        focus_needed=0.6,
        brightness=0.57,
        tally=tally,
        finding=finding or judge(tally, RULES),
        ms={"scale": 0.0, "preprocess": 2.1, "quality": 0.6, "segment": 3.9, "classify": 2.2, "total": 8.8},
        t_s=index / 12.0,
    )


class FakeScreening:
    """Gives its readings at once, then waits like a live camera until it is stopped.

    Parameters
    ----------
    readings : what to give.
    ends : end after the last reading, as a folder does.
    failure : raise LeukoscopeError with this message after the last reading.
    waiting : what keeps the camera from giving pictures.
    """

    classes = CLASSES
    positives = ("blast",)
    leukocytes = LEUKOCYTES
    referral_fraction = 0.05
    rules = RULES
    site: Mapping[str, Any] | None = None
    camera = "demo:1"
    runtime = "ort-int8"
    bundle = "leukocytes-1"
    bundle_sha256 = 64 * "b"
    recorded = True
    records: Path | None = None
    explainer = None
    records_folder: Path | None = None

    def __init__(
        self,
        readings: list[Reading],
        *,
        ends: bool = False,
        failure: str | None = None,
        warning: str | None = None,
        slide: str = "S-0042",
        waiting: Waiting | None = None,
    ) -> None:
        self.waiting = waiting
        self.given = readings
        self.ends = ends
        self.failure = failure
        self.warning = warning
        self.files: FilesRead | None = None
        self.slide = slide
        self.pauses: list[bool] = []
        self.said: list[Said] = []
        self.stopped = False
        self.next: str | None = None
        self.changed = Condition()

    def readings(self) -> Iterator[Reading]:
        yield from self.given
        if self.failure is not None:
            raise LeukoscopeError(self.failure)
        with self.changed:
            self.changed.wait_for(lambda: self.stopped or self.ends)

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()

    def pause(self, on: bool) -> None:
        with self.changed:
            self.pauses.append(on)
            self.changed.notify_all()

    def hear(self, said: Sequence[Said]) -> tuple[Tally, Finding] | None:
        self.said += said
        ledger = Ledger(self.rules)
        ledger.count(np.arange(6, dtype=np.int32), self.given[-1].classes)
        ledger.hear(self.said)
        tally = ledger.tally(frames=81)
        return tally, judge(tally, self.rules)

    def go_on(self, slide: str) -> None:
        with self.changed:
            self.next = slide
            self.changed.notify_all()

    def new_slide(self, slide: str | None = None, about: About = UNKNOWN) -> str:
        with self.changed:
            self.next, self.about = slide or "S-0043", about
            self.changed.notify_all()
        return self.next
