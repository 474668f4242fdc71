"""Windows round the labelled cells of one picture, cut by the device's own preprocessing.

Nothing here needs PyTorch: the processes that cut pictures (`train.data.crew`) begin in a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.bundle.model_input import ModelInput
from edge.cells.segment import single
from edge.optics.specimen import BACKGROUND, Specimen, specimen
from edge.types import U8
from train.data.classes import WITHOUT_NUCLEUS
from train.data.dataset import Picture, Spot


@dataclass(frozen=True, eq=False)
class Cut:
    """What was cut of a picture: (n, S, S, 3) uint8 `pixels` and (n, S, S) uint8 `masks` of its n `spots`."""

    name: str
    spots: tuple[Spot, ...]
    pixels: U8
    masks: U8


def cut(picture: Picture, model_input: ModelInput, pixels: U8 | None = None) -> U8:
    """(spots, S, S, 3) uint8 RGB, what the model is shown of each; DataError for an unreadable picture.

    `pixels` are the picture's, where it is open already.
    """
    pixels = picture.load() if pixels is None else pixels
    height, width = pixels.shape[:2]
    centres = [spot.centre_px or (width / 2, height / 2) for spot in picture.spots]
    view = specimen(pixels, picture.um_per_px, model_input.pitch_um)
    return model_input.of(view, np.asarray(centres, np.float32).reshape(-1, 2) * view.scale, pixels)


def outlined(window: U8, pitch_um: float) -> U8:
    """(S, S) uint8 mask of the cell in the middle of a window, by the device's own outline."""
    white = np.full(3, BACKGROUND, np.float32)
    cells = single(Specimen(window, pitch_um, 1.0, white, 1.0))
    cell = cells.labels == 1
    mask: U8 = cell.astype(np.uint8) + (cell & cells.nuclei)
    return mask


def cut_all(picture: Picture, model_input: ModelInput) -> Cut:
    """Every labelled cell of a picture, with its mask where it has one; DataError for an unreadable one."""
    pixels, seen = picture.opened()
    if not seen.spots:
        size = model_input.size_px
        return Cut(
            picture.name, (), np.zeros((0, size, size, 3), np.uint8), np.zeros((0, size, size), np.uint8)
        )
    windows = cut(seen, model_input, pixels)
    masks = np.zeros(windows.shape[:3], np.uint8)
    for window, mask, spot in zip(windows, masks, seen.spots, strict=True):
        if model_input.plain and spot.label not in WITHOUT_NUCLEUS:
            mask[:] = outlined(window, model_input.pitch_um)
    return Cut(picture.name, seen.spots, windows, masks)
