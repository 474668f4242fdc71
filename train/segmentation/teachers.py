"""Who says where the cells of a training picture are.

Outlines drawn by hand are few (`zheng-1`; its second part is left for the end). The
simulated microscope knows its own. Of the rest the classical path draws them, and what somebody labelled
says which of them are leukocytes: what it finds beside the labels is no cell where all are labelled, and left
open elsewhere; labelled cells that it does not find are known by their middle alone.

Every picture is shown at several scales and under several lamps; how it is corrected is left to
`edge.optics.specimen`, as on the device.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from edge.cells.segment import segment
from edge.optics.specimen import specimen
from edge.types import U8, Bools
from train.data import drawn as drawn_fields
from train.data.classes import LEUKOCYTES
from train.data.dataset import NUCLEUS, DataError, Notice, Picture, Split, spread
from train.data.fingerprint import digest, of_source
from train.data.registry import dataset
from train.segmentation.scenes import CENTRE, MASK, Known, Scene, Truth
from train.segmentation.simulated import drawn

VIEWS = 3  # of each picture: at other scales and under other lamps
SCALES = (0.8, 1.25)
_NEAR_UM = 2.5  # from a labelled middle to the cell that is meant
_EDGE_UM = 2.0  # what lies nearer to the picture's edge may be labelled or not
_MISSED_UM = 5.0  # radius of a cell of which only the middle is known
_OPEN_UM = 1.0  # round what is left open
_CELLS = frozenset({*LEUKOCYTES, "erythroblast", "leukocyte", "nucleated"})


@dataclass(frozen=True)
class _Kind:
    """How far the labels of a data set go.

    Attributes
    ----------
    most : pictures taken. complete : every leukocyte of a picture is labelled. single : one cell each, in
    the middle. unlabelled : nobody labelled anything, and what the classical path finds is believed.
    """

    most: int
    complete: bool = False
    single: bool = False
    unlabelled: bool = False


_KINDS: Mapping[str, _Kind] = {
    "zheng-1": _Kind(200),
    "deepapl": _Kind(1600, single=True),
    "pbc": _Kind(900, single=True),
    "bccd": _Kind(400, complete=True),
    "txl-pbc": _Kind(400, complete=True),
    "chula": _Kind(400),
    "aria": _Kind(300, unlabelled=True),
}


def scenes(
    source: str, data: Path, pitch_um: float, limit: int, notice: Notice
) -> Iterator[tuple[Split, Scene]]:
    """The scenes of a source, each with its part; test pictures are not opened.

    Raises
    ------
    DataError : the source is not in `data`.
    """
    if source == "simulated":
        pictures = drawn(limit)
    else:
        kind = _KINDS[source]
        pictures = _taught(_pictures(source, data, limit, notice), kind, pitch_um, notice)
    yield from _views(pictures, pitch_um)


def fingerprint(source: str, data: Path, pitch_um: float, limit: int) -> str:
    """16 hexadecimal digits that change with a source's pictures, how they are read, and what is taught.

    Raises
    ------
    DataError : the source is not in `data`.
    """
    kind = _KINDS.get(source)
    made = _made_of_drawn(kind, pitch_um) if kind else digest(_arrays(_views(islice(drawn(0), 2), pitch_um)))
    return digest([of_source(dataset(source), data), kind, pitch_um, limit, made])


@cache
def _made_of_drawn(kind: _Kind, pitch_um: float) -> str:
    """Of the scenes that are made of a few drawn fields: changes with any behaviour on the way."""
    return digest(_arrays(_views(_taught(drawn_fields.pictures(), kind, pitch_um, print), pitch_um)))


def _arrays(made: Iterable[tuple[Split, Scene]]) -> Iterator[object]:
    return (part for split, scene in made for part in (split, *vars(scene).values()))


def _views(pictures: Iterable[Known], pitch_um: float) -> Iterator[tuple[Split, Scene]]:
    """Each picture at several scales and under several lamps."""
    for picture in pictures:
        split, group, _, pixels, _ = picture
        rng = np.random.default_rng([zlib.crc32(group.encode()), int(pixels[::16, ::16].sum())])
        for number in range(VIEWS):
            yield split, _view(picture, pitch_um, rng, plain=number == 0)


def _view(known: Known, pitch_um: float, rng: np.random.Generator, plain: bool) -> Scene:
    _, group, um_per_px, pixels, truth = known
    low, high = (0.95, 1.05) if plain else SCALES
    scale = low * (high / low) ** float(rng.random())
    if not plain:
        pixels = vignetted(pixels, rng, 0.65 if min(pixels.shape[:2]) * um_per_px > 60 else 0.3)
    half = specimen(pixels, um_per_px * scale, pitch_um).half
    size = (half.shape[1], half.shape[0])
    labels, _, bits = truth
    # not INTER_NEAREST, which takes a corner of a pixel for its middle: a sixth of a µm beside the truth
    names = (cv2.resize(part, size, interpolation=cv2.INTER_NEAREST_EXACT) for part in (labels, bits))
    numbers, sure = (np.asarray(part, np.uint8) for part in names)
    shares = (
        cv2.resize(np.asarray(p > 0, np.uint8) * 255, size, interpolation=cv2.INTER_AREA) for p in truth[:2]
    )
    cells, nuclear = (np.asarray(part, np.uint8) for part in shares)
    return Scene(half, numbers, nuclear, cells, sure, group)


def vignetted(pixels: U8, rng: np.random.Generator, most: float) -> U8:
    """A picture under a lamp that loses up to `most` of its light towards the corners, unevenly by colour."""
    height, width = pixels.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] - np.float32(rng.uniform(-0.3, 0.3))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] - np.float32(rng.uniform(-0.3, 0.3))
    fall = np.clip((x**2 + y**2) / 2, 0, 1) ** np.float32(rng.uniform(0.7, 1.6))
    lost = rng.uniform(0, most) * rng.uniform(0.75, 1, 3)
    return np.asarray(pixels * (1 - fall[..., None] * lost.astype(np.float32)), np.uint8)


def _pictures(source: str, data: Path, limit: int, notice: Notice) -> list[Picture]:
    """What is taken of a data set, evenly over all but its test pictures."""
    kind, found = _KINDS[source], dataset(source)
    listed = [p for p in found.read(found.root(data), notice) if p.spots[0].split != "test"]
    return spread(listed, min(limit or kind.most, kind.most))


def _taught(pictures: Iterable[Picture], kind: _Kind, pitch_um: float, notice: Notice) -> Iterator[Known]:
    for picture in pictures:
        try:
            pixels, picture = picture.opened()
            drawn_by_hand = picture.load_mask() if picture.load_mask else None
        except DataError as error:
            notice(str(error))
            continue
        if drawn_by_hand is not None:
            truth: Truth | None = _by_hand(drawn_by_hand)
        else:
            truth = _truth(picture, pixels, pitch_um, kind)
        if truth is not None:
            yield picture.spots[0].split, picture.spots[0].group, picture.um_per_px, pixels, truth


def _by_hand(mask: U8) -> Truth:
    return (mask > 0).view(np.uint8), (mask == NUCLEUS).view(np.uint8), np.full_like(mask, MASK | CENTRE)


def _truth(picture: Picture, pixels: U8, pitch_um: float, kind: _Kind) -> Truth | None:
    """What the classical path draws, as far as the picture's labels confirm it; None where they do not."""
    view = specimen(pixels, picture.um_per_px, pitch_um)
    cells = segment(view)
    labels = np.minimum(cells.labels, 255).astype(np.uint8)
    known = np.full(labels.shape, MASK | CENTRE, np.uint8)
    meant: dict[int, bool] = {}  # cells that somebody labelled, and whether as one to be found
    for spot in () if kind.unlabelled else picture.spots:
        if spot.label == "artefact" or (kind.complete and spot.label == "platelet"):
            continue
        x, y = spot.centre_px or (pixels.shape[1] / 2, pixels.shape[0] / 2)
        at = x * view.scale, y * view.scale
        number = _nearest(labels, at, _NEAR_UM / pitch_um)
        if number:
            meant[number] = spot.label in _CELLS
        elif kind.single:
            return None
        elif spot.label in _CELLS:
            _add_missed(labels, known, at, pitch_um)
    for i in range(1, len(cells) + 1):
        believed = kind.unlabelled or kind.single
        if meant.get(i, believed):
            continue
        inside = cells.labels == i
        labels[inside] = 0
        if i in meant or not kind.complete or _at_edge(inside, round(_EDGE_UM / pitch_um)):
            known[_wider(inside.astype(np.uint8), _OPEN_UM / pitch_um)] = 0
    return labels, (cells.nuclei & (labels > 0)).astype(np.uint8), known


def _add_missed(labels: U8, known: U8, at: tuple[float, float], pitch_um: float) -> None:
    """A labelled cell that was not found: its middle is known, its outline is not."""
    centre, radius = (round(at[0]), round(at[1])), round(_MISSED_UM / pitch_um)
    disc = np.asarray(cv2.circle(np.zeros_like(labels), centre, radius, 1, -1), np.uint8)
    disc[labels > 0] = 0
    labels[disc > 0] = min(int(labels.max()) + 1, 255)
    known[_wider(disc, _OPEN_UM / pitch_um)] &= ~np.uint8(MASK)


def _at_edge(inside: Bools, edge: int) -> bool:
    rim = inside.copy()
    rim[edge:-edge, edge:-edge] = False
    return bool(rim.any())


def _wider(mask: U8, by: float) -> Bools:
    width = 2 * round(by) + 1
    return np.asarray(cv2.dilate(mask, np.ones((width, width), np.uint8)) > 0, np.bool_)


def _nearest(labels: U8, at: tuple[float, float], reach: float) -> int:
    """The cell at a place (x, y) or nearest to it within reach, 0 for none."""
    left, top = (max(int(v - reach), 0) for v in at)
    there = labels[top : int(at[1] + reach) + 1, left : int(at[0] + reach) + 1]
    y, x = np.nonzero(there)
    if not len(y):
        return 0
    nearest = int(np.argmin(np.hypot(x + left - at[0], y + top - at[1])))
    return int(there[y[nearest], x[nearest]])
