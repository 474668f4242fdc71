"""Labelled cells of data sets, put to one or several models: every model sees the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from edge.bundle.model_input import ModelInput
from edge.types import F32, I32, U8, Bools
from train.data.bar import followed
from train.data.cut import cut
from train.data.dataset import DataError, DataSet, Notice, Picture, spread


class Model(Protocol):
    """What can be asked about crops."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def model_input(self) -> ModelInput: ...

    def probabilities(self, crops: U8) -> F32:
        """(n, S, S, 3) uint8 RGB, as its model input says → (n, C) float32 calibrated probabilities."""
        ...


@dataclass(frozen=True)
class Cell:
    """A labelled cell: its data set, and the picture with this one spot."""

    dataset: str
    picture: Picture

    @property
    def label(self) -> str:
        return self.picture.spots[0].label

    @property
    def group(self) -> str:
        return self.picture.spots[0].group

    def crop(self, model_input: ModelInput) -> U8:
        """(S, S, 3) uint8 RGB, as a model sees it; DataError if the picture cannot be read."""
        return np.asarray(cut(self.picture, model_input)[0])


@dataclass(frozen=True, eq=False)
class Judged:
    """What one model says of n labelled cells.

    Attributes
    ----------
    cells : n of them. truth : (n,) int32, index of each one's class.
    probabilities : (n, C) float32.
    """

    cells: tuple[Cell, ...]
    truth: I32
    probabilities: F32

    @property
    def groups(self) -> list[str]:
        return [cell.group for cell in self.cells]

    @property
    def datasets(self) -> list[str]:
        return [cell.dataset for cell in self.cells]

    def pick(self, keep: Bools) -> Judged:
        """Some of them."""
        kept = tuple(self.cells[i] for i in np.flatnonzero(keep))
        return Judged(kept, self.truth[keep], self.probabilities[keep])


def judge(
    models: Sequence[Model],
    sources: Sequence[DataSet],
    data: Path,
    split: str,
    notice: Notice,
    limit: int = 0,
) -> list[Judged]:
    """Ask every model about the cells of data sets whose class is known.

    Parameters
    ----------
    models : which name the same classes. limit : at most so many pictures of each data set; 0 takes all.

    Returns
    -------
    What each says, of the same cells in the same order.

    Raises
    ------
    DataError
        A data set has nothing readable in that part, or no class in common with the models.
    """
    classes = models[0].classes
    cells: list[Cell] = []
    answers: list[list[F32]] = [[] for _ in models]
    for source in sources:
        before = len(cells)
        for pixels, picture in _opened(source, data, classes, split, notice, limit):
            cells += [Cell(source.name, replace(picture, spots=(spot,))) for spot in picture.spots]
            for answer, given in zip(answers, _asked(models, pixels, picture), strict=True):
                answer.append(given)
        if len(cells) == before:
            raise DataError(
                f"data set {source.name}: no readable cell of the model's classes in part {split!r} of {data}"
            )
    truth = np.array([classes.index(cell.label) for cell in cells], np.int32)
    return [Judged(tuple(cells), truth, np.concatenate(answer)) for answer in answers]


def _opened(
    source: DataSet, data: Path, classes: tuple[str, ...], split: str, notice: Notice, limit: int
) -> Iterator[tuple[U8, Picture]]:
    """Pixels of the pictures of a part, and the pictures with the spots whose class is known."""
    listed = [p for p in source.read(source.root(data), notice) if split in (p.spots[0].split, "all")]
    strange: Counter[str] = Counter()

    def known(picture: Picture) -> Picture:
        strange.update(s.label for s in picture.spots if s.label not in classes)
        return replace(picture, spots=tuple(s for s in picture.spots if s.label in classes))

    listed = [p if p.look else known(p) for p in listed]
    listed = spread([p for p in listed if p.spots], limit)
    for picture in followed(listed, source.name, "picture", leave=False):
        try:
            pixels, opened = picture.opened()
        except DataError as error:
            notice(str(error))
            continue
        opened = known(opened) if picture.look else opened
        if opened.spots:
            yield pixels, opened
    if strange:
        left = ", ".join(f"{count} {label}" for label, count in strange.items())
        notice(f"{source.name}: {left} left out; the model names {', '.join(classes)}")


def _asked(models: Sequence[Model], pixels: U8, picture: Picture) -> list[F32]:
    """What each model says of a picture's cells; those that want the same crops share them."""
    crops = {
        model_input: cut(picture, model_input, pixels)
        for model_input in dict.fromkeys(model.model_input for model in models)
    }
    return [model.probabilities(crops[model.model_input]) for model in models]
