"""A review of drawn cells in memory, with the face of the real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.types import Finding, LeukoscopeError, Tally
from tests.conftest import CLASSES

LEUKOCYTES = CLASSES[:7]


@dataclass(frozen=True)
class Cell:
    id: int
    named: str
    probabilities: np.ndarray
    suspicion: float
    doubt: float
    uncertain: bool
    counted: bool
    cut: bool
    area_um2: float
    nucleus_area_um2: float
    source: str
    frame: int
    box_px: tuple[int, int, int, int]


@dataclass(frozen=True)
class Signature:
    by: str


@dataclass(frozen=True)
class Agreement:
    other: str
    both: int
    kappa: float | None
    differing: tuple[tuple[int, str, str], ...]


def drawn(cell: Cell, side: int = 96, radius: int = 30) -> np.ndarray:
    rng = np.random.default_rng(cell.id)
    image = np.full((side, side, 3), (236, 228, 230), np.uint8)
    for x, y in rng.integers(0, side, (4, 2)):
        cv2.circle(image, (int(x), int(y)), 15, (222, 160, 162), -1)
    middle = side // 2
    k = CLASSES.index(cell.named)
    cv2.circle(image, (middle, middle), radius, (180 + 4 * k, 182, 214), -1)
    inner = int(radius * np.sqrt(cell.nucleus_area_um2 / cell.area_um2))
    cv2.circle(image, (middle - 2, middle + 2), inner, (92 + 12 * k, 52, 138), -1)
    return image


def cells(count: int, suspicious: int) -> tuple[Cell, ...]:
    rng = np.random.default_rng(5)
    made = []
    for i in range(count):
        k = 0 if i < suspicious else int(rng.choice([2, 2, 4, 4, 4, 3, 5, 1, 8, 9]))
        largest = 0.97 - 0.04 * (i % 10) if k == 0 else 0.9
        p = np.full(len(CLASSES), (1 - largest) / (len(CLASSES) - 1), np.float32)
        p[k] = largest
        if i % 7 == 5:
            p[k] -= 0.25
            p[2 if k != 2 else 4] += 0.25
        made.append(Cell(
            i * 3 + 1, CLASSES[k], p, float(p[0]), 1 - float(p.max()), i % 7 == 5, i % 7 != 5, False,
            130.0 - k * 4, 100.0 - k * 6, "demo", i // 3, (100, 100, 148, 148),
        ))
    return tuple(made)


@dataclass
class FakeReview:
    count: int = 60
    suspicious: int = 12
    by: str = "AB"
    reading: int = 1
    slide: str = "S-0042"
    others: tuple[str, ...] = ()
    words: dict[str, dict[int, str]] = field(default_factory=dict)
    classes = CLASSES
    positives = ("blast",)
    leukocytes = LEUKOCYTES
    finished = False
    signature: Signature | None = None

    def __post_init__(self) -> None:
        self.cells = cells(self.count, self.suspicious)
        self._by_id = {cell.id: cell for cell in self.cells}
        self._steps: list[dict[int, str | None]] = []

    def only(self, klass: str | None) -> list[Cell]:
        return [cell for cell in self.cells if klass in (None, self.mine(cell.id) or cell.named)]

    def mine(self, cell: int) -> str | None:
        return next((step[cell] for step in reversed(self._steps) if cell in step), None)

    def theirs(self, cell: int) -> dict[str, str]:
        return {by: said[cell] for by, said in self.words.items() if cell in said} if self.finished else {}

    def say(self, cells: Sequence[int], named: str | None) -> None:
        if self.signature:
            raise LeukoscopeError(f"slide {self.slide}: is signed by {self.by}; nothing can be added to it")
        self._steps.append(dict.fromkeys(cells, named))

    def confirm(self, cells: Sequence[int]) -> None:
        self._steps.append({cell: self._by_id[cell].named for cell in cells})

    def undo(self) -> str | None:
        if not self._steps:
            return None
        return ", ".join(f"cell {cell}" for cell in self._steps.pop())

    def finish(self) -> None:
        self.finished = True

    def agreement(self) -> Agreement | None:
        if not self.finished or not self.words:
            return None
        ((other, said),) = self.words.items()
        both = [cell for cell in said if self.mine(cell)]
        differing = tuple((c, str(self.mine(c)), said[c]) for c in both if self.mine(c) != said[c])
        return Agreement(other, len(both), 0.73, differing)

    @property
    def counted_left(self) -> int:
        return sum(cell.named == "blast" and self.mine(cell.id) is None for cell in self.cells)

    @property
    def tally(self) -> Tally:
        counts = Counter({name: 0 for name in CLASSES})
        confirmed: Counter[str] = Counter()
        for cell in self.cells:
            mine = self.mine(cell.id)
            if mine:
                confirmed[mine] += 1
            if mine or cell.counted:
                counts[mine or cell.named] += 1
        return Tally(counts=counts, leukocytes=sum(counts[n] for n in LEUKOCYTES), positives=counts["blast"], confirmed=confirmed)

    @property
    def finding(self) -> Finding:
        tally = self.tally
        return Finding(
            "read-film", f"{tally.positives} suspicious cells among {tally.leukocytes}: have the film read today",
            "More cells look like blasts than the machine takes for blasts on healthy slides.",
            "Tell the doctor today and keep the slide; it is to be read by an expert.",
            tally.positives / tally.leukocytes, (0.02, 0.09), 0.95, None, 0.036, (0.01, 0.08),
        )

    def sign(self) -> None:
        self.signature = Signature(self.by)

    def crop(self, cell: int) -> np.ndarray | None:
        return drawn(self._by_id[cell])

    def crops(self, cells: Sequence[int]) -> dict[int, np.ndarray]:
        return {cell: drawn(self._by_id[cell]) for cell in cells}

    def surroundings(self, cell: int) -> np.ndarray | None:
        found = self._by_id[cell]
        return drawn(found, 224, 26) if found.suspicion > 0.05 else None


@dataclass(frozen=True)
class Why:
    heat: np.ndarray
    decided: str
    nucleus_um2: float
    nucleus_share: float
    roundness: float
    likest: list[tuple[str, np.ndarray, str]]


class Whys:
    """Explains every cell by its middle."""

    def of(self, cell: Cell) -> Why:
        y, x = np.mgrid[-1:1:96j, -1:1:96j]
        known = cells(60, 12)
        return Why(
            np.exp(-4 * (x * x + y * y)).astype(np.float32),
            f"the middle of the nucleus of {cell.id}",
            98.0,
            0.76,
            0.93,
            [(known[i].named, drawn(known[i]), "drawn") for i in (0, 14, 18)],
        )
