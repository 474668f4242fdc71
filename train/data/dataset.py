"""What a data set is: where it comes from, its pictures, and the labelled places in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from edge.types import U8, LeukoscopeError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Notice = Callable[[str], None]

CYTOPLASM, NUCLEUS = 1, 2
"""Values of a drawn mask."""


OF_ONE_PERSON = ("patient", "subject", "slide")
"""Of `DataSet.groups`: those that are of one person, and do not only keep pictures together."""

T = TypeVar("T")


class DataError(LeukoscopeError):
    """A data set is absent or holds nothing that can be used."""


@dataclass(frozen=True)
class Spot:
    """A labelled place in a picture.

    Attributes
    ----------
    label : a class name or 'leukocyte' (see `train.data.classes.admitted`).
    group : whatever must not be divided between training and test: a patient, a slide, a block of files.
    split : the part of the data set that the group belongs to.
    centre_px : x and y in pixels of the picture, None for its middle.
    """

    label: str
    group: str
    split: Split
    centre_px: tuple[float, float] | None = None


Place = tuple[str, tuple[float, float] | None]
"""A label, and the place that it is about: x and y in pixels of the picture, None for its middle."""


@dataclass(frozen=True)
class Picture:
    """A picture with labelled spots, all of one group and split.

    Listing a data set opens no picture: what takes its pixels waits for `opened`.

    Attributes
    ----------
    name : of its file inside the data set.
    spots : what is labelled; with `look`, as far as is known unseen: one at least, for the group and split.
    load : gives (H, W, 3) uint8 RGB or raises DataError.
    load_mask : the same of a drawing of the cell in the middle: (H, W) uint8 of 0, CYTOPLASM and NUCLEUS.
    look : pixels -> what is labelled in them, where they have a say in it; it takes the place of the spots.
    """

    name: str
    um_per_px: float
    spots: tuple[Spot, ...]
    load: Callable[[], U8]
    load_mask: Callable[[], U8] | None = None
    look: Callable[[U8], Iterable[Place]] | None = None

    def opened(self) -> tuple[U8, Picture]:
        """Its pixels, (H, W, 3) uint8 RGB, and the picture with the spots that they show, perhaps none.

        Raises
        ------
        DataError : it cannot be read.
        """
        pixels = self.load()
        if self.look is None:
            return pixels, self
        found = (replace(self.spots[0], label=label, centre_px=at) for label, at in self.look(pixels))
        return pixels, replace(self, spots=tuple(found), look=None)


@dataclass(frozen=True)
class Scale:
    """The physical scale of a data set's pictures.

    Attributes
    ----------
    um_per_px : µm per pixel.
    source : who says so, or how it was measured; and whether it is only taken where red cells tell nothing.
    """

    um_per_px: float
    source: str


@dataclass(frozen=True)
class DataSet:
    """What a data set is, where it comes from, and how to read it.

    Attributes
    ----------
    name : what the command line calls it.
    folder : the name of its folder inside the data folder, None when it needs no files.
    groups : what one `Spot.group` is, in words: 'patient', 'slide', ...
    split : how it is split, in words.
    read : (root, notice) -> its pictures.
    laboratory : whose stain and microscope it shows; data sets of one laboratory share the text.
    labels : what its spots may be labelled, where that is not what `train.data.classes.admitted` knows.
    overlapping : its pictures are fields of slides, and two may show the same place in part.
    also : other names that its folder goes by.
    own : pattern of a path in that folder without which it is not there, where others share the folder.
    scale : of all its pictures, the one place where it stands; None where each picture has its own.
    reading : root -> all that reading it hangs on: settings, modules and files (`train.data.fingerprint`);
        None where its folder and its reader tell it.
    """

    name: str
    title: str
    folder: str | None
    home: str
    licence: str
    citation: str
    layout: str
    groups: str
    split: str
    read: Callable[[Path, Notice], Iterable[Picture]]
    laboratory: str = "not stated"
    labels: tuple[str, ...] = ()
    overlapping: bool = False
    also: tuple[str, ...] = ()
    own: str = ""
    scale: Scale | None = None
    reading: Callable[[Path], Iterable[object]] | None = None

    def root(self, data: Path) -> Path:
        """Its folder: inside `data`, or `data` itself when that is the data set."""
        if self.folder is None:
            return data
        names = (self.folder, *self.also)
        for inside in (data / name for name in names):
            if inside.is_dir():
                return inside
        if data.name in names and data.is_dir():
            return data
        raise DataError(
            f"data set {self.name}: no folder {data / self.folder}; get it from {self.home}, laid out as "
            f"{self.layout}"
        )

    def there(self, data: Path) -> bool:
        """Whether its folder is in `data`, and in it what is its own."""
        try:
            root = self.root(data)
        except DataError:
            return False
        return not self.own or any(root.glob(self.own))


def spread(listed: list[T], most: int) -> list[T]:
    """At most so many of them, evenly over all; 0 for all."""
    if not 0 < most < len(listed):
        return listed
    return [listed[round(i)] for i in np.linspace(0, len(listed) - 1, most).tolist()]
