"""A model that is to be put in use, against the one that is: what each names, and which cells each knows.

The cells are labelled: drawn here by the simulated microscope, of slides that no recipe learns from, and
those that bundles bring (`edge.bundle.references`). A bundle brings cells that its own network knows, which
favours it; so of those as many are taken of either, and nobody's where one brings none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import comb
from typing import Protocol

import numpy as np

from edge.bundle.bundle import Bundle
from edge.bundle.model_input import ModelInput
from edge.cameras.demo.scope import scope_of
from edge.cameras.demo.sensor import Sensor
from edge.cameras.demo.smear import Smear
from edge.cells.classify import Classifier
from edge.optics.specimen import specimen
from edge.types import U8

ALPHA = 0.05
"""One-sided: how often a model that is as good is called worse, and one that guesses better than guessing."""

DRAWN = 44
"""Cells drawn, shared out evenly among the classes: they take most of the comparison's time."""

_SEEDS = (2001, 2002)  # slides with all the classes that the simulated microscope draws
_WINDOW_UM = 36.0
_DEFOCUS_UM = 0.1
_NAMED = 3  # classes in a text
_IN_USE, _AFTERWARDS, _SHIPPED = "the one in use", "the model before", "the shipped one"

_DOES = {"cell": "names cells", "field": "names whole fields", "detector": "finds cells itself"}


@dataclass(frozen=True)
class Verdict:
    """What was found of the model that is to be put in use.

    Attributes
    ----------
    reasons : why it should not be, a short text each; empty for a good one.
    told : which cells each knows, in words; why that cannot be said, where it cannot.
    """

    reasons: tuple[str, ...]
    told: str

    @property
    def afterwards(self) -> tuple[str, ...]:
        """The reasons as they are told once it is in use."""
        return tuple(reason.replace(_IN_USE, _AFTERWARDS) for reason in self.reasons)


class Labelled(Protocol):
    """A cell whose class is known."""

    @property
    def named(self) -> str:
        """Its class."""
        ...

    def shown(self, to: ModelInput) -> U8 | None:
        """(S, S, 3) uint8 RGB, as a model is shown it; None where it cannot be cut so."""
        ...


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawn cell in the middle of `pixels`, (H, W, 3) uint8 RGB."""

    named: str
    pixels: U8
    um_per_px: float

    def shown(self, to: ModelInput) -> U8 | None:
        """See `Labelled`."""
        if to.whole:
            return None
        view = specimen(self.pixels, self.um_per_px, to.pitch_um)
        middle = np.array([self.pixels.shape[1::-1]], np.float32) / 2
        (crop,) = to.of(view, middle * view.scale, self.pixels)
        return np.asarray(crop, np.uint8)


@dataclass(frozen=True, eq=False)
class Brought:
    """A bundle's cell: its crop, and how that was cut."""

    named: str
    crop: U8
    cut: ModelInput

    def shown(self, to: ModelInput) -> U8 | None:
        """See `Labelled`."""
        if to == self.cut:
            return self.crop
        alike = to.plain and self.cut.plain and (to.pitch_um, to.steps) == (self.cut.pitch_um, self.cut.steps)
        if not alike or to.size_px > self.cut.size_px:
            return None
        first = self.cut.size_px // 2 - to.size_px // 2
        return self.crop[first : first + to.size_px, first : first + to.size_px]


def judge_both(new: Bundle, old: Bundle, shipped: Bundle) -> Verdict:
    """Hold a model against the one in use, and where that was installed even so against the shipped one too.

    Else one that is no better would shed the caveat of the one in use.
    """
    verdict = judge(new, old)
    if verdict.reasons or not old.installed_with or unlike(new, shipped):
        return verdict
    return judge(new, shipped, _SHIPPED)


def judge(new: Bundle, old: Bundle | None, called: str = _IN_USE) -> Verdict:
    """Hold a model against another, `called` so; None where there is none that could be read.

    Raises
    ------
    BundleError, GraphError : one of them does not run here, or its cells are not what it says.
    """
    reasons = unlike(new, old, called) if old is not None else ()
    if new.manifest.task != "cell":
        return Verdict(reasons, f"{_DOES[new.manifest.task]}: not judged by labelled cells")
    both = old if old is not None and old.manifest.task == "cell" else None
    ours, others = _brought(new), _brought(both) if both else {}
    drawn = drawn_cells(new.manifest.classes)
    mine = _known(new, [*drawn, *ours.values(), *others.values()])
    reasons += tuple(_guessing(mine))
    if both is None:
        return Verdict(reasons, f"knows {sum(mine.values())} of {len(mine)} labelled cells")
    theirs = _known(both, [cell for cell in mine if cell.named in both.manifest.classes])
    fair, words = _fair(drawn, ours, others, theirs)
    if not fair:
        return Verdict(reasons, "no labelled cell can be shown to both: not compared by cells")
    lost = sum(theirs[cell] and not mine[cell] for cell in fair)
    won = sum(mine[cell] and not theirs[cell] for cell in fair)
    known, before = (sum(right[cell] for cell in fair) for right in (mine, theirs))
    counts = f"knows {known} of {len(fair)} labelled cells, {called} {before}"
    if tail(lost, lost + won, 0.5) < ALPHA:
        reasons += (counts,)
    return Verdict(reasons, f"{counts} ({words})")


def unlike(new: Bundle, old: Bundle, called: str = _IN_USE) -> tuple[str, ...]:
    """In what a model is of another kind than another, a short text each."""
    mine, theirs = new.manifest, old.manifest
    if mine.task != theirs.task:
        return (f"{_DOES[mine.task]}, {called} {_DOES[theirs.task]}",)
    shared = set(mine.classes) & set(theirs.classes)
    out = []
    for what, ours, others in (
        ("names other classes", mine.classes, theirs.classes),
        ("counts other classes", _among(mine.leukocytes, shared), _among(theirs.leukocytes, shared)),
        ("calls other classes positive", _among(mine.positive, shared), _among(theirs.positive, shared)),
    ):
        without, more = _among(others, set(others) - set(ours)), _among(ours, set(ours) - set(others))
        parts = [f"{word} {_list(names)}" for word, names in (("without", without), ("with", more)) if names]
        if parts:
            out.append(f"{what} than {called} ({', '.join(parts)})")
    return tuple(out)


def tail(hits: int, of: int, chance: float) -> float:
    """Probability of so many hits or more among `of`, each of which comes by chance.

    With 0.5 and the cells that only one of two knows, this is the exact one-sided test of McNemar
    (Psychometrika 1947;12:153).
    """
    return sum(comb(of, n) * chance**n * (1 - chance) ** (of - n) for n in range(hits, of + 1))


@cache
def drawn_cells(names: tuple[str, ...]) -> tuple[Drawn, ...]:
    """Drawn cells of these classes, those that the simulated microscope draws; the same every time."""
    out = []
    for seed in _SEEDS:
        smear = Smear(scope_of(seed))
        layout, um = smear.layout, smear.scope.um_per_px
        side = round(_WINDOW_UM / um)
        sensor = Sensor(replace(smear.scope, field_px=(side, side)))
        inside = (layout.centres_um > _WINDOW_UM) & (
            layout.centres_um < np.asarray(smear.scope.slide_um) - _WINDOW_UM
        )
        there = {name: np.flatnonzero((layout.names == name) & inside.all(axis=1)) for name in names}
        there = {name: places for name, places in there.items() if len(places)}
        for name, places in there.items():
            for i in places[: max(DRAWN // len(_SEEDS) // len(there), 1)]:
                x, y = (int(at / um) - side // 2 for at in layout.centres_um[i])
                pixels = sensor.expose(smear.window(x, y, side, side), _DEFOCUS_UM, 1.0, (0, 0))
                out.append(Drawn(name, pixels, um))
    return tuple(out)


Place = tuple[str, str]
"""Where a cell comes from: a data set's short name, and its own name there."""


def _brought(bundle: Bundle) -> dict[Place, Labelled]:
    """The cells that a bundle brings."""
    cut = bundle.manifest.model_input
    return {(cell.source, cell.name): Brought(cell.named, cell.crop, cut) for cell in bundle.references()}


def _fair(
    drawn: Sequence[Labelled],
    ours: Mapping[Place, Labelled],
    theirs: Mapping[Place, Labelled],
    asked: Mapping[Labelled, bool],
) -> tuple[list[Labelled], str]:
    """Cells that favour neither of two models, of those that both were asked of, and in words which."""
    seen = [cell for cell in drawn if cell in asked]
    shared = [cell for place, cell in theirs.items() if place in ours and cell in asked]
    own = [
        [cell for place, cell in one.items() if place not in other and cell in asked]
        for one, other in ((ours, theirs), (theirs, ours))
    ]
    many = min(map(len, own))
    some = [cells[round(i)] for cells in own for i in np.linspace(0, len(cells) - 1, many).tolist()]
    words = [f"{len(seen)} drawn here"]
    words += [f"{len(shared)} that both bring"] if shared else []
    words += [f"{many} of those that either brings, for it knows them"] if many else []
    return [*seen, *shared, *some], ", ".join(words)


def _known(model: Bundle, cells: Sequence[Labelled]) -> dict[Labelled, bool]:
    """Of the cells of its classes that can be shown to a model: whether it names them rightly.

    What it leaves undecided it does not know.
    """
    about = model.manifest
    shown = {cell: cell.shown(about.model_input) for cell in cells if cell.named in about.classes}
    crops = {cell: crop for cell, crop in shown.items() if crop is not None}
    if not crops:
        return {}
    classifier = Classifier(model)
    try:
        calls = classifier(np.stack(list(crops.values())))
    finally:
        classifier.close()
    called = np.array(about.classes)[calls.classes]
    right = (called == [cell.named for cell in crops]) & ~calls.uncertain
    return dict(zip(crops, right.tolist(), strict=True))


def _guessing(right: Mapping[Labelled, bool]) -> list[str]:
    """Words for a model that knows hardly more cells than one that always says the same."""
    counts = Counter(cell.named for cell in right)
    if len(counts) < 2:
        return []
    most, known, asked = max(counts.values()), sum(right.values()), len(right)
    if tail(known, asked, most / asked) < ALPHA:
        return []
    return [
        f"is hardly better than chance: it knows {known} of {asked} labelled cells, always to say the same "
        f"would get {most}"
    ]


def _among(names: Sequence[str], chosen: Collection[str]) -> list[str]:
    return [name for name in names if name in chosen]


def _list(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
