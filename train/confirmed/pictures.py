"""Pictures of cells out of the records: with what lies round them where the field was kept, else the crop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from edge.bundle.model_input import crops
from edge.optics import litfield
from edge.optics.specimen import Specimen, specimen
from edge.records.book import Book
from edge.records.rows import Row, picture
from edge.review.cells import Cell
from edge.types import U8
from train.confirmed.words import NamedSlide

WIDE_UM = 48.0
"""Side of what is cut out of a kept field: a training window of 34 µm, and room for a wider one."""

_PITCH_UM = 0.25  # of what is cut where no crop says another
_ALIKE = 16.0
"""Mean difference in grey levels up to which the middle of what is cut shows what the crop shows. On a drawn
slide the same place differs by 1.4 to 1.6, one 3 µm beside it by 33 to 37; on photographs of BCCD the same
place by 0.9 to 1.4. A flat field that the device corrected by adds to it."""


@dataclass(frozen=True, eq=False)
class CellPicture:
    """A picture of one cell, which is in its middle.

    Attributes
    ----------
    content : of the file. suffix : of its name. origin : 'field' or 'crop'.
    um_per_px : size of a pixel. side_px : width and height.
    """

    content: bytes
    suffix: str
    origin: str
    um_per_px: float
    side_px: int


def pictures(book: Book, slide: NamedSlide) -> Iterator[tuple[int, CellPicture | str]]:
    """Each named cell of a slide that is settled: its picture, or in a word why there is none."""
    name = slide.about["slide"]
    wanted = {cell.seen.id: cell.seen for cell in slide.cells if cell.people is not None}
    kept = {row["frame"]: row for row in book.kept_fields(name)} if wanted else {}
    jpegs = book.jpegs("crop", name, wanted.keys()) if wanted else {}
    wide = dict(
        _wide(
            book, name, [cell for cell in wanted.values() if cell.frame in kept], kept, slide.crop_um, jpegs
        )
    )
    for number in wanted:
        yield number, wide.get(number) or _crop(jpegs.get(number), slide.crop_um)


def _crop(jpeg: bytes | None, crop_um: float | None) -> CellPicture | str:
    """The crop as it lies in the records, the bytes unchanged."""
    pixels = _pixels(jpeg)
    if pixels is None:
        return "no-picture" if jpeg is None else "unreadable"
    if crop_um is None:
        return "no-scale"
    assert jpeg is not None
    return CellPicture(bytes(jpeg), ".jpg", "crop", crop_um / pixels.shape[1], pixels.shape[1])


def _wide(
    book: Book,
    slide: str,
    cells: Iterable[Cell],
    kept: Mapping[int, Row],
    crop_um: float | None,
    jpegs: Mapping[int, bytes],
) -> Iterator[tuple[int, CellPicture]]:
    """What lies round these cells, cut out of the fields that show them, each opened once."""
    by_frame: dict[int, list[Cell]] = {}
    for cell in cells:
        by_frame.setdefault(cell.frame, []).append(cell)
    if not by_frame:
        return
    centres = _centres(book, slide)
    for frame, inside in by_frame.items():
        field = _pixels(book.field(kept[frame]["reading"]))
        if field is None:
            continue
        views: dict[float, Specimen] = {}
        for cell in inside:
            crop = _pixels(jpegs.get(cell.id))
            pitch = _PITCH_UM if crop is None or crop_um is None else crop_um / crop.shape[1]
            if pitch not in views:
                views[pitch] = specimen(field, kept[frame]["um_per_px"], pitch, lit=litfield.find(field))
            centre = np.array([centres.get((frame, cell.id)) or _middle(cell)], np.float64)
            side = round(WIDE_UM / pitch)
            (cut,) = crops(views[pitch], centre * views[pitch].scale, side)
            if crop is None or _alike(cut, crop):
                yield cell.id, CellPicture(_png(cut), ".png", "field", pitch, side)


def _centres(book: Book, slide: str) -> dict[tuple[int, int], tuple[float, float]]:
    """Frame and cell -> where its middle lies in the field, px; of older versions unknown."""
    return {
        (field["frame"], cell["cell"]): (cell["x"], cell["y"])
        for field in book.placed(slide)
        for cell in field["cells"]
        if cell["x"] is not None
    }


def _middle(cell: Cell) -> tuple[float, float]:
    x0, y0, x1, y1 = cell.box_px
    return (x0 + x1) / 2, (y0 + y1) / 2


def _alike(cut: U8, crop: U8) -> bool:
    """Whether the middle of a picture shows what the crop shows."""
    side = crop.shape[0]
    start = cut.shape[0] // 2 - side // 2
    if start < 0:
        return False
    middle = cut[start : start + side, start : start + side]
    return float(np.abs(middle.astype(np.int16) - crop).mean()) < _ALIKE


def _pixels(jpeg: bytes | None) -> U8 | None:
    try:
        return picture(jpeg) if jpeg else None
    except (ValueError, cv2.error):
        return None


def _png(pixels: U8) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()
