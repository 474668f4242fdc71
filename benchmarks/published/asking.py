"""Labelled cells and fields put to a model, and figures of what it says, round by round of a bootstrap."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.cells.classify import Calls
from edge.cells.segment import Segmenter
from edge.optics.specimen import specimen
from edge.types import U8, Bools
from train.data.classes import LEUKOCYTES, POSITIVE
from train.data.cut import cut
from train.data.dataset import DataError, DataSet, Notice, Picture
from train.data.registry import dataset
from train.judging import estimates
from train.judging.contestants import Contestant
from train.statistics.bootstrap import Draws, Figure, draw
from train.statistics.metrics import Floats, ratio

Texts = NDArray[np.str_]

FIELD = ("no blasts", "blasts")
"""What a field is called by who names its cells."""


@dataclass(frozen=True)
class Asked:
    """Pictures of one data set, each with the spots that models are asked about."""

    source: DataSet
    pictures: tuple[Picture, ...]

    @cached_property
    def labels(self) -> Texts:
        """(n,), of all spots."""
        return np.array([spot.label for picture in self.pictures for spot in picture.spots])

    @cached_property
    def groups(self) -> Texts:
        """(n,), with the data set, whatever its split is called."""
        name = self.source.name.partition("@")[0]
        return np.array([f"{name}/{spot.group}" for picture in self.pictures for spot in picture.spots])

    @cached_property
    def places(self) -> Texts:
        """(n,), file and number of the spot."""
        return np.array([f"{p.name}#{i}" for p in self.pictures for i in range(len(p.spots))])

    def only(self, places: Collection[str]) -> Asked:
        """The pictures whose first spot is one of these."""
        return replace(self, pictures=tuple(p for p in self.pictures if f"{p.name}#0" in places))


def asked(
    name: str,
    data: Path,
    parts: Sequence[str],
    labels: Sequence[str],
    say: Notice,
    *,
    most: int = 0,
    as_field: str = "",
) -> Asked:
    """Those of a data set in some of its parts, with some of its labels.

    Parameters
    ----------
    most : at most so many pictures, spread evenly; 0 takes all.
    as_field : take every picture, whatever it shows, as one field of this label.

    Raises
    ------
    DataError : there are none.
    """
    source = dataset(name)
    pictures = []
    for listed in source.read(source.root(data), say):
        picture = listed if as_field or listed.spots[0].split not in parts else listed.opened()[1]
        spots = tuple(s for s in picture.spots if s.split in parts and (as_field or s.label in labels))
        if spots and as_field:
            spots = (replace(spots[0], label=as_field, centre_px=None),)
        if spots:
            pictures.append(replace(picture, spots=spots))
    if not pictures:
        raise DataError(
            f"data set {name}: no {', '.join(labels) or 'picture'} in {', '.join(parts)} of {data}"
        )
    if 0 < most < len(pictures):
        pictures = [pictures[i] for i in np.linspace(0, len(pictures) - 1, most).round().astype(int)]
    return Asked(source, tuple(pictures))


@dataclass(frozen=True, eq=False)
class Said:
    """What a model says of n labelled cells or fields.

    Attributes
    ----------
    labels, groups, places : (n,) str; see `Asked`.
    classes : of the model. positive : those of them that a finding is about.
    calls : of all n, at the model's operating point.
    """

    labels: Texts
    groups: Texts
    places: Texts
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    calls: Calls

    def pick(self, keep: Bools | NDArray[np.int64]) -> Said:
        """Some of them."""
        return replace(
            self,
            labels=self.labels[keep],
            groups=self.groups[keep],
            places=self.places[keep],
            calls=self.calls.of(keep),
        )

    def draws(self, seed: int = 0) -> Draws:
        """Rounds of a bootstrap over their groups."""
        return draw(self.groups.tolist(), seed=seed)


def together(parts: Sequence[Said]) -> Said:
    """Answers of models that name the same classes, such as of the folds of a cross-validation."""
    calls = {name: np.concatenate([vars(p.calls)[name] for p in parts]) for name in vars(parts[0].calls)}
    labels, groups, places = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "groups", "places")
    )
    return replace(parts[0], labels=labels, groups=groups, places=places, calls=Calls(**calls))


def said(model: Contestant, about: Asked) -> Said:
    """What a model says of cells, or of fields that it names whole."""
    answers = [model.probabilities(cut(picture, model.model_input)) for picture in about.pictures]
    calls = model.calls(np.concatenate(answers))
    return Said(about.labels, about.groups, about.places, model.classes, model.positive, calls)


def said_by_cells(model: Contestant, find: Segmenter, limit: float, about: Asked) -> Said:
    """What a model that names cells makes of fields.

    A field is called one with blasts where at least `limit` of the leukocytes are, of those that the edge
    does not cut and on which the model does not abstain. Its score is the share of blasts among leukocytes in
    the probabilities of all cells that the edge does not cut.
    """
    rows = np.array([_of_field(model, find, limit, picture) for picture in about.pictures], np.float64)
    scores, called = rows[:, 0].astype(np.float32), rows[:, 1].astype(np.int32)
    nothing = np.zeros(len(rows), np.bool_)
    calls = Calls(np.stack([1 - scores, scores], axis=1), called, nothing, nothing)
    return Said(about.labels, about.groups, about.places, FIELD, FIELD[1:], calls)


def _of_field(model: Contestant, find: Segmenter, limit: float, picture: Picture) -> tuple[float, bool]:
    """The score of a field, and whether it is called one with blasts."""
    pixels: U8 = picture.load()
    view = specimen(pixels, picture.um_per_px, model.model_input.pitch_um)
    cells = find(view)
    whole = view.in_pitches(cells.centres[~cells.cut])
    if not len(whole):
        return 0.0, False
    calls = model.calls(model.probabilities(model.model_input.of(view, whole, pixels)))
    leukocytes, blasts = (np.isin(model.classes, names) for names in (LEUKOCYTES, POSITIVE))
    among, of_blasts = (calls.probabilities[:, kind].sum() for kind in (leukocytes, blasts))
    sure = calls.classes[~calls.uncertain]
    count, positive = int(leukocytes[sure].sum()), int(blasts[sure].sum())
    return float(of_blasts / max(float(among), 1e-9)), positive > 0 and positive >= limit * count


def judged(found: Said, draws: Draws, positive: Sequence[str], types: Sequence[str]) -> dict[str, Floats]:
    """(R + 1,) of each figure that these cells have.

    Parameters
    ----------
    draws : of the same cells.
    positive : labels of what ought to be called positive; none where no finding is asked.
    types : labels of the cells that the accuracy is over; none where types are not asked.

    Returns
    -------
    roc_area, sensitivity and specificity of positive against the rest, as far as there are both;
    accuracy, of calls at the operating point or, where no finding is asked, of the likeliest class; and
    accuracy_among, of the likeliest of `types` alone.
    """
    named = _named(found, draws, types, at_point=bool(positive)) if types else {}
    return (_sided(found, draws, positive) if positive else {}) | named


def _sided(found: Said, draws: Draws, positive: Sequence[str]) -> dict[str, Floats]:
    """Positive against the rest."""
    truth = np.isin(found.labels, positive)
    columns = [found.classes.index(name) for name in found.positive]
    score = np.minimum(found.calls.probabilities[:, columns].sum(axis=1), 1)
    called = np.isin(found.calls.classes, columns).astype(np.int32)
    two = replace(found.calls, probabilities=np.stack([1 - score, score], axis=1), classes=called)
    is_positive = truth.astype(np.int32)
    sides = estimates.decided(draws, is_positive, two, ("rest", "positive"), [1])
    sides |= estimates.ranked(draws, is_positive, two.probabilities, [1])
    there = {"sensitivity": truth.any(), "specificity": not truth.all()}
    there["roc_area"] = all(there.values())
    return {name: sides[name] for name in ("roc_area", "sensitivity", "specificity") if there[name]}


def _named(found: Said, draws: Draws, types: Sequence[str], *, at_point: bool) -> dict[str, Floats]:
    """How many of the cells of some types are called by their name."""
    inside = np.isin(found.labels, types)
    few, names = found.pick(inside), np.array(found.classes)
    among = [i for i, name in enumerate(found.classes) if name in types]
    said = few.calls.probabilities
    likeliest = np.array(among)[said[:, among].argmax(axis=1)]
    called = few.calls.classes if at_point else said.argmax(axis=1)
    right = [names[index] == few.labels for index in (called, likeliest)]
    sums = draws.of(inside).sums(np.stack([*right, np.ones(len(few.labels), bool)], axis=1))
    return {
        "accuracy": ratio(sums[:, 0], sums[:, 2]),
        "accuracy_among": ratio(sums[:, 1], sums[:, 2]),
    }


def minus(one: Mapping[str, Floats], other: Mapping[str, Floats]) -> dict[str, Figure]:
    """Differences of the figures that both have, with intervals where both have rounds."""
    out = {}
    for name in one.keys() & other.keys():
        rounds = min(len(one[name]), len(other[name]))
        out[name] = Figure.of(one[name][:rounds] - other[name][:rounds])
    return out


def told(found: Mapping[str, Floats]) -> dict[str, Figure]:
    """Figures with their intervals."""
    return {name: Figure.of(values) for name, values in found.items()}
