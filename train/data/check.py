"""What is on the disk of the data sets, and whether anything of one part shows up in another.

Every picture is decoded once. Counted are pictures and cells by part and class; told are files that are no
pictures, groups that lie in two parts, and pictures that show the same (`train.data.duplicates`), within
one data set and between them.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from edge.types import U8
from train.data.bar import followed
from train.data.classes import admitted
from train.data.dataset import SPLITS, DataError, DataSet, Picture, Split
from train.data.duplicates import near_duplicates, thumbnail
from train.data.pictures import SUFFIXES


@dataclass(frozen=True)
class Shown:
    """A picture, as far as it matters for finding it again."""

    dataset: str
    name: str
    group: str
    split: Split


@dataclass(frozen=True)
class Repeat:
    """Two pictures that show the same; `correlation` of their texture, 1 for copies of every pixel."""

    first: Shown
    second: Shown
    correlation: float

    @property
    def leaks(self) -> bool:
        """Whether they lie in different parts."""
        return self.first.split != self.second.split


@dataclass
class Inventory:
    """One data set.

    Attributes
    ----------
    found : whether its folder is there. files, pictures : picture files on the disk; those that were read.
    cells : part -> class -> count. groups : part -> count.
    odd : what was left out, and why. divided : groups that lie in more than one part.
    unknown : labels that training does not understand.
    """

    name: str
    laboratory: str
    found: bool = False
    files: int = 0
    pictures: int = 0
    cells: dict[str, dict[str, int]] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    divided: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Check:
    """All that was looked at."""

    inventories: tuple[Inventory, ...]
    repeats: tuple[Repeat, ...]

    @property
    def leaks(self) -> tuple[Repeat, ...]:
        """Pictures that show the same in different parts."""
        return tuple(r for r in self.repeats if r.leaks)

    @property
    def passed(self) -> bool:
        """Nothing leaks from one part into another, and what is there can be read and trained on."""
        wrong = (i.divided or i.unknown or not i.pictures for i in self.inventories if i.found)
        return not self.leaks and not any(wrong)

    def as_json(self) -> dict[str, Any]:
        """Everything, and whether it passed."""
        return {"passed": self.passed, "leaks": len(self.leaks), **asdict(self)}


def check(sources: Sequence[DataSet], data: Path) -> Check:
    """Read all of what is there of data sets, and compare it with itself.

    Raises
    ------
    DataError
        When nothing is there.
    """
    survey = _Survey()
    inventories = tuple(survey.read(source, data) for source in sources)
    if not any(i.found for i in inventories):
        raise DataError(f"{data}: holds none of the data sets {', '.join(s.name for s in sources)}")
    return Check(inventories, tuple(survey.repeats()))


class _Survey:
    """The pictures of all data sets, kept small."""

    def __init__(self) -> None:
        self._shown: list[Shown] = []
        self._thumbnails: list[U8] = []
        self._digests: dict[bytes, list[int]] = defaultdict(list)
        self._fields: dict[str, list[int]] = defaultdict(list)  # folder -> pictures that may overlap
        self._known: set[tuple[str | None, str, Split]] = set()

    def read(self, source: DataSet, data: Path) -> Inventory:
        """Take in a data set."""
        inventory = Inventory(source.name, source.laboratory)
        if not source.there(data):
            return inventory
        inventory.found = True
        root = source.root(data)
        if source.folder is not None:
            inventory.files = sum(p.suffix.lower() in SUFFIXES for p in root.rglob("*"))
        try:
            pictures = list(source.read(root, inventory.odd.append))
        except DataError as error:
            inventory.odd.append(str(error))
            return inventory
        cells: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
        parts: dict[str, set[str]] = defaultdict(set)
        for picture in followed(pictures, source.name, "picture"):
            opened = self._take(source, picture, inventory)
            for spot in opened.spots if opened else ():
                cells[spot.split][spot.label] += 1
                parts[spot.group].add(spot.split)
        inventory.cells = {split: dict(sorted(counts.items())) for split, counts in cells.items() if counts}
        inventory.groups = {s: sum(s in where for where in parts.values()) for s in inventory.cells}
        inventory.divided = sorted(group for group, where in parts.items() if len(where) > 1)
        labels = {label for counts in cells.values() for label in counts}
        inventory.unknown = sorted(label for label in labels if not _understood(label, source))
        return inventory

    def _take(self, source: DataSet, picture: Picture, inventory: Inventory) -> Picture | None:
        """The picture with its spots, None where it, or its mask where it has one, cannot be decoded."""
        try:
            pixels, opened = picture.opened()
            if picture.load_mask is not None:
                picture.load_mask()
        except DataError as error:
            inventory.odd.append(str(error))
            return None
        inventory.pictures += 1
        spot = picture.spots[0]
        place = (source.folder, picture.name, spot.split)
        if source.folder is not None and place in self._known:
            return opened  # two data sets read this file, and agree on its part
        self._known.add(place)
        index = len(self._shown)
        self._shown.append(Shown(source.name, picture.name, spot.group, spot.split))
        self._thumbnails.append(thumbnail(pixels))
        self._digests[hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).digest()].append(index)
        if source.overlapping:
            self._fields[str(source.folder)].append(index)
        return opened

    def repeats(self) -> list[Repeat]:
        """Copies first, then what looks the same, best agreement first."""
        found = {pair: 1.0 for same in self._digests.values() for pair in combinations(same, 2)}
        for alike in near_duplicates(self._thumbnails, list(self._fields.values())):
            found.setdefault((alike.first, alike.second), alike.correlation)
        return [Repeat(self._shown[i], self._shown[j], value) for (i, j), value in found.items()]


def _understood(label: str, source: DataSet) -> bool:
    if label in source.labels:
        return True
    try:
        return bool(admitted(label))
    except ValueError:
        return False


_NAMED = 10  # pairs, and odd files of a data set, that are written out


def report(found: Check) -> Iterator[str]:
    """A check in lines."""
    for inventory in found.inventories:
        yield from _of_data_set(inventory, found)
    leaks = found.leaks
    if leaks:
        yield f"{len(leaks)} pairs of pictures show the same in different parts:"
        for pair in leaks[:_NAMED]:
            yield f"  {_place(pair.first)} and {_place(pair.second)}: {_likeness(pair)}"
        if len(leaks) > _NAMED:
            yield f"  and {len(leaks) - _NAMED} more; --json OUT lists all"
    yield "passed: nothing of one part shows up in another" if found.passed else "failed"


def _of_data_set(inventory: Inventory, found: Check) -> Iterator[str]:
    name = inventory.name
    if not inventory.found:
        yield f"{name}: not there"
    else:
        counted = f"{inventory.pictures} pictures read, {inventory.files} on the disk"
        yield f"{name}: {counted}; {inventory.laboratory}"
        for split, counts in inventory.cells.items():
            labels = ", ".join(f"{label} {count}" for label, count in counts.items())
            yield f"  {split:<10} {sum(counts.values())} cells in {inventory.groups[split]} groups: {labels}"
        inside = [r for r in found.repeats if r.first.dataset == name and not r.leaks]
        copies = sum(r.correlation == 1 for r in inside)
        yield f"  shown twice within a part: {len(inside)} pairs, {copies} of them copies of every pixel"
    if inventory.divided:
        yield f"  groups in two parts: {', '.join(inventory.divided[:_NAMED])}"
    if inventory.unknown:
        yield f"  labels that training does not understand: {', '.join(inventory.unknown)}"
    for line in inventory.odd[:_NAMED]:
        yield f"  odd: {line}"
    if len(inventory.odd) > _NAMED:
        yield f"  and {len(inventory.odd) - _NAMED} more; --json OUT lists all"


def _place(shown: Shown) -> str:
    return f"{shown.dataset} {shown.name} ({shown.split})"


def _likeness(pair: Repeat) -> str:
    return "copies" if pair.correlation == 1 else f"correlation {pair.correlation:.2f}"
