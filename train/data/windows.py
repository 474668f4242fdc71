"""Windows round labelled cells, cut by the device's own preprocessing, and their cache.

A window is a crop with a margin: the augmentation turns, shifts and zooms inside it, so that what comes in
from the side is real blood and not padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import cache as remembered
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.model_input import ModelInput
from edge.types import U8
from train.data import drawn
from train.data.bar import followed
from train.data.crew import Crew
from train.data.cut import Cut
from train.data.dataset import DataError, DataSet, Notice, Split, spread
from train.data.fingerprint import digest, of_source
from train.data.registry import dataset
from train.data.stains import Stains

Texts = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Windows:
    """n labelled windows of one or more data sets.

    Attributes
    ----------
    pixels : (n, S, S, 3) uint8 RGB, on the specimen grid, the cell in the middle.
    masks : (n, S, S) uint8, 1 where the cell in the middle is, 2 where its nucleus is, else 0; all 0
        where the label says that there is no nucleated cell, or the window is no plain crop round one.
    labels, groups, splits, files, datasets : (n,) str; see `train.data.dataset.Spot`.
    """

    pixels: U8
    masks: U8
    labels: Texts
    groups: Texts
    splits: Texts
    files: Texts
    datasets: Texts

    def __len__(self) -> int:
        return len(self.pixels)

    def pick(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Windows:
        """Some of them."""
        return Windows(*(getattr(self, f.name)[index] for f in fields(self)))

    @cached_property
    def stains(self) -> Stains:
        """What they can lend each other."""
        return Stains.of(self.pixels, self.masks, self.datasets, self.labels)

    def of(self, split: Split) -> Windows:
        """Those of one part."""
        return self.pick(self.splits == split)

    @classmethod
    def join(cls, parts: Sequence[Windows]) -> Windows:
        """All of several."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


def middle(pixels: U8, size: int) -> U8:
    """(n, S, S, 3) windows -> their (n, size, size, 3) middles: what the device cuts at the same place."""
    start = pixels.shape[1] // 2 - size // 2
    return pixels[:, start : start + size, start : start + size]


def read(
    source: DataSet,
    data: Path,
    model_input: ModelInput,
    notice: Notice,
    limit: int = 0,
    parts: Sequence[Split] = ("train", "validation"),
    crew: Crew | None = None,
) -> Windows:
    """Cut every labelled cell of a data set that training may look at: test cells are not opened.

    Parameters
    ----------
    data : folder with the data sets. limit : at most so many pictures, spread evenly; 0 takes all.
    parts : which parts; the others are not opened. crew : who cuts; None finds somebody.

    Raises
    ------
    DataError
        When the data set is absent or holds no readable picture.
    """
    listed = [p for p in source.read(source.root(data), notice) if p.spots[0].split in parts]
    kept: list[Cut] = []
    with ExitStack() as stack:
        hands = crew or stack.enter_context(Crew())
        pictures = spread(listed, limit)
        coming = hands.cut(pictures, model_input)
        for found in followed(coming, f"cutting {source.name}", "picture", total=len(pictures)):
            if isinstance(found, DataError):
                notice(str(found))
            else:
                kept.append(found)
    spots = [(spot, each.name) for each in kept for spot in each.spots]
    if not spots:
        raise DataError(
            f"data set {source.name}: no readable picture in {data}; the layout is {source.layout}"
        )
    return Windows(
        pixels=np.concatenate([each.pixels for each in kept]),
        masks=np.concatenate([each.masks for each in kept]),
        labels=np.array([s.label for s, _ in spots]),
        groups=np.array([s.group for s, _ in spots]),
        splits=np.array([s.split for s, _ in spots]),
        files=np.array([name for _, name in spots]),
        datasets=np.full(len(spots), source.name),
    )


def cached(
    source: DataSet,
    data: Path,
    model_input: ModelInput,
    notice: Notice,
    limit: int,
    cache: Path,
    crew: Crew | None = None,
) -> Windows:
    """`read`, kept in `cache` until the pictures, the reader or the preprocessing change."""
    key = fingerprint(source, data, model_input, limit)
    path = cache / f"{source.name.replace('/', '-of-')}-{key}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return Windows(**{f.name: kept[f.name] for f in fields(Windows)})
    windows = read(source, data, model_input, notice, limit, crew=crew)
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.npz")
    np.savez(partial, **{f.name: getattr(windows, f.name) for f in fields(Windows)})
    partial.replace(path)
    return windows


def fingerprint(source: DataSet, data: Path, model_input: ModelInput, limit: int) -> str:
    """16 hexadecimal digits that change with the pictures, how they are read, and what becomes of them."""
    return digest([of_source(source, data), model_input, limit, made_of_drawn(model_input)])


@remembered
def made_of_drawn(model_input: ModelInput) -> str:
    """Of the windows that are made of a few drawn fields: changes with any behaviour on the way."""
    source = replace(dataset("simulated"), name="drawn", read=lambda root, notice: drawn.pictures())
    windows = read(source, Path(), model_input, print)
    return digest(getattr(windows, field.name) for field in fields(Windows))
