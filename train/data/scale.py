"""The scale of somebody's pictures where nobody says it: by their red cells, as the device measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from edge.optics import redcells
from edge.types import U8
from train.data.dataset import DataError, Notice, Scale, spread
from train.data.pictures import load_picture

_SAMPLED = 48  # pictures: a laboratory has one scale
_SURE = 30  # red cells, for a scale that holds within some 5%


def measured(pictures: Iterable[U8]) -> redcells.Measured | None:
    """What the red cells of pictures of one scale say, (H, W, 3) uint8 RGB each; None for too few of them."""
    found = redcells.estimate([redcells.find(pixels, thorough=True) for pixels in pictures])
    return None if found is None or found.cells < _SURE else found


def measured_or(scale: Scale, paths: Sequence[Path], where: Path, notice: Notice) -> float:
    """µm per pixel of picture files by their red cells, or `scale` with a notice where these are too few."""
    found = measured(sample(paths))
    if paths and found is None:
        taken = f"taken as {scale.um_per_px} µm per pixel"
        notice(f"{where}: too few red cells to measure the scale, {taken}")
    return found.um_per_px if found else scale.um_per_px


def sample(paths: Sequence[Path]) -> Iterator[U8]:
    """Some of many pictures, spread evenly over them; without those that cannot be read."""
    for path in spread(list(paths), _SAMPLED):
        try:
            yield load_picture(path)
        except DataError:
            continue  # told when its own turn comes
