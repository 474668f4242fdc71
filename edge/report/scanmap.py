"""What was scanned, as a map: where each field lay beside those that it overlapped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.records.rows import Row

_GAP_UM = 60.0  # between parts of a slide of which nobody knows how they lie to each other
_GRID_UM = 10.0  # of the area covered
_WIDE = 1.6  # the map's width by its height, about


@dataclass(frozen=True)
class Field:
    """A field on the map.

    Attributes
    ----------
    frame : index of its frame. x_um, y_um : its upper left corner. width_um, height_um : its size.
    kept : there is a small picture of it (see `edge.report.pictures.Pictures.thumbs`); the others showed
        nothing new.
    """

    frame: int
    x_um: float
    y_um: float
    width_um: float
    height_um: float
    kept: bool


@dataclass(frozen=True)
class ScanMap:
    """Where the accepted fields of a slide lie.

    Attributes
    ----------
    fields : in the order in which they were read. width_um, height_um : of all of it.
    parts : groups of overlapping fields; how these lie to each other nobody knows.
    area_mm2 : of the fields, what lies in several counted once, to 10 µm.
    """

    fields: tuple[Field, ...]
    width_um: float
    height_um: float
    parts: int
    area_mm2: float

    @classmethod
    def of(cls, rows: Sequence[Row]) -> ScanMap | None:
        """From `edge.records.kept.Kept.places`; None where no field was kept."""
        parts = [part for part in _parts(rows) if any(field.kept for field in part)]
        if not parts:
            return None
        laid = [*_beside_each_other(parts)]
        fields = sorted((field for part in laid for field in part), key=lambda field: field.frame)
        return cls(
            fields=tuple(fields),
            width_um=max(field.x_um + field.width_um for field in fields),
            height_um=max(field.y_um + field.height_um for field in fields),
            parts=len(parts),
            area_mm2=_area_mm2(fields),
        )

    def corner_um(self) -> dict[int, tuple[float, float]]:
        """Frame -> where its upper left corner lies."""
        return {field.frame: (field.x_um, field.y_um) for field in self.fields}


def _parts(rows: Iterable[Row]) -> list[list[Field]]:
    """Groups of overlapping fields, each with the corner of its first field as origin.

    A field lies where the one that it overlaps most has it; one that overlaps two groups joins them.
    """
    part_of: dict[int, int] = {}
    parts: dict[int, dict[int, Field]] = {}
    for number, row in enumerate(rows):
        links = [(earlier, x, y) for earlier, x, y in row["overlaps"] if earlier in part_of]
        links.sort(key=lambda link: abs(link[1]) + abs(link[2]))
        size = row["width"] * row["um_per_px"], row["height"] * row["um_per_px"]
        here, corner = number, (0.0, 0.0)
        if links:
            here, corner = _seen_from(links[0], part_of, parts)
        for link in links[1:]:
            there, seen = _seen_from(link, part_of, parts)
            if there != here:
                _join(here, there, (corner[0] - seen[0], corner[1] - seen[1]), part_of, parts)
        parts.setdefault(here, {})[row["frame"]] = Field(row["frame"], *corner, *size, bool(row["kept"]))
        part_of[row["frame"]] = here
    return [[*part.values()] for part in parts.values()]


def _seen_from(
    link: tuple[int, float, float], part_of: dict[int, int], parts: dict[int, dict[int, Field]]
) -> tuple[int, tuple[float, float]]:
    """The part of an earlier field, and where in it a corner lies that is so far from that field's."""
    earlier, x, y = link
    part = part_of[earlier]
    field = parts[part][earlier]
    return part, (field.x_um + x, field.y_um + y)


def _join(
    here: int,
    there: int,
    by: tuple[float, float],
    part_of: dict[int, int],
    parts: dict[int, dict[int, Field]],
) -> None:
    """Make another part one with this one, moved by so much."""
    for frame, field in parts.pop(there).items():
        parts[here][frame] = _moved(field, *by)
        part_of[frame] = here


def _beside_each_other(parts: list[list[Field]]) -> Iterable[list[Field]]:
    """The parts laid in rows, the largest first, so that they fill a page."""
    boxes = [(part, *_extent(part)) for part in parts]
    boxes.sort(key=lambda box: (-(box[4] - box[2]), min(field.frame for field in box[0])))
    area = sum((x1 - x0 + _GAP_UM) * (y1 - y0 + _GAP_UM) for _, x0, y0, x1, y1 in boxes)
    widest = max(max(x1 - x0 for _, x0, _, x1, _ in boxes), (area * _WIDE) ** 0.5)
    x = y = tall = 0.0
    for part, x0, y0, x1, y1 in boxes:
        if x and x + (x1 - x0) > widest:
            x, y, tall = 0.0, y + tall + _GAP_UM, 0.0
        yield [_moved(field, x - x0, y - y0) for field in part]
        x, tall = x + (x1 - x0) + _GAP_UM, max(tall, y1 - y0)


def _extent(part: list[Field]) -> tuple[float, float, float, float]:
    return (
        min(field.x_um for field in part),
        min(field.y_um for field in part),
        max(field.x_um + field.width_um for field in part),
        max(field.y_um + field.height_um for field in part),
    )


def _moved(field: Field, x_um: float, y_um: float) -> Field:
    return Field(
        field.frame, field.x_um + x_um, field.y_um + y_um, field.width_um, field.height_um, field.kept
    )


def _area_mm2(fields: list[Field]) -> float:
    """What the fields cover together, on a grid of 10 µm."""
    sides = [
        (round(field.x_um / _GRID_UM), round(field.y_um / _GRID_UM),
         round((field.x_um + field.width_um) / _GRID_UM), round((field.y_um + field.height_um) / _GRID_UM))
        for field in fields
    ]  # fmt: skip
    covered = np.zeros((max(y1 for *_, y1 in sides), max(x1 for _, _, x1, _ in sides)), np.bool_)
    for x0, y0, x1, y1 in sides:
        covered[y0:y1, x0:x1] = True
    return int(covered.sum()) * (_GRID_UM * 1e-3) ** 2
