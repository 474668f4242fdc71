"""What the ruler learns from: laboratories' pictures of known scale, and pictures that show no red cells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from edge.optics.stops import BLACK
from edge.types import U8
from train.data.dataset import DataError, spread
from train.data.pictures import SUFFIXES, load_picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS
from train.ruler.samples import Laboratory

LABORATORIES = {
    "bccd": 150, "chula": 110, "txl-pbc": 160, "deepapl": 500, "pbc": 400, "aria-fields": 500, "zheng-2": 60,
}  # fmt: skip
"""Data sets whose red cells can be measured, and how many of their pictures are enough."""

WITHOUT = {"cnmc": 200, "zheng-1": 200}
"""Those that show no red cells, or ghosts that are no measure."""

_GROUND = (180, 250)  # grey levels of the glass that cells cut out on black are laid on


def pictures(data: Path, name: str, limit: int) -> Iterator[U8]:
    """Up to `limit` pictures spread evenly over a data set, (H, W, 3) RGB; none where it is not there."""
    source = dataset(name)
    if not source.there(data):
        return
    root = source.root(data)
    load: dict[str, Callable[[], U8]]
    if name in FIELDS:  # quicker than with all that can be cut from them
        paths = [field.path for field in FIELDS[name](root, _quiet)]
        load = {str(path.relative_to(root)): partial(load_picture, path) for path in paths}
    else:
        load = {picture.name: picture.load for picture in source.read(root, _quiet)}
    for name in spread(sorted(load, key=lambda name: Path(name).parts), limit):
        try:
            yield load[name]()
        except DataError:
            continue


def laboratories(data: Path, without: Collection[str]) -> dict[str, Laboratory]:
    """Those of the data sets that are there, without some."""
    found = {}
    for name, limit in LABORATORIES.items():
        scale = dataset(name).scale
        assert scale is not None
        kept = [] if name in without else list(pictures(data, name, limit))
        if kept:
            found[name] = Laboratory(kept, scale.um_per_px)
    return found


def negatives(data: Path, photographs: Path | None, without: Collection[str]) -> list[list[U8]]:
    """Groups of pictures without red cells: data sets, and every picture in a folder of photographs.

    Every other cell that was cut out on black is laid on glass.
    """
    groups = [list(pictures(data, name, limit)) for name, limit in WITHOUT.items() if name not in without]
    rng = np.random.default_rng(0)
    for picture in (picture for group in groups for picture in group[::2]):
        picture[picture.max(axis=2) <= BLACK] = rng.uniform(*_GROUND, 3)
    if photographs is not None:
        paths = sorted(path for path in photographs.iterdir() if path.suffix.lower() in SUFFIXES)
        groups += [[load_picture(path) for path in paths]] * 2  # as often as both data sets
    return [group for group in groups if group]


def _quiet(line: str) -> None:
    """`edge-train datasets --check` tells what is odd."""
