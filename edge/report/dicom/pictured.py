"""Which pictures of a slide become images: kept fields, and what lies round suspicious cells of others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from edge.records.rows import CONTEXT_UM, CONTEXT_UM_PER_PX, Row
from edge.report.dicom.image import Picture
from edge.report.dicom.jpeg import JpegHeader
from edge.report.report import Report, Reported

_OF_FIELD = "The whole field."
_OF_CELL = (
    f"The whole field was not kept. This is cut out of it, {CONTEXT_UM:g} µm wide, with cell {{}} in the "
    "middle; white is beyond the field."
)


def pictured(report: Report) -> Iterator[tuple[Picture, bytes]]:
    """The pictures with their JPEG, one after the other.

    Raises
    ------
    LeukoscopeError : one is no JPEG that can be handed on.
    """
    frames = set()
    for row in report.pictures.fields():
        frames.add(row["frame"])
        yield _field(report, row), row["jpeg"]
    for cell in report.gallery:
        if cell.seen.frame not in frames:
            for jpeg in report.pictures.surroundings([cell.seen.id]).values():
                yield _cell(report, cell, jpeg), jpeg


def _field(report: Report, row: Row) -> Picture:
    header = JpegHeader.of(row["jpeg"])
    size_um = row["width"] * row["um_per_px"], row["height"] * row["um_per_px"]
    corner = report.map.corner_um().get(row["frame"]) if report.map else None
    return Picture(
        kind="field",
        number=row["frame"],
        header=header,
        um_per_px=size_um[0] / header.width,
        middle_um=corner and (corner[0] + size_um[0] / 2, corner[1] + size_um[1] / 2),
        source=row["source"],
        # what a clock showed that was put right later is no time to go by
        taken_at=datetime.fromisoformat(row["captured_at"]) if report.clock == "set" else None,
        about=_OF_FIELD,
        scale=header.width / row["width"],
    )


def _cell(report: Report, cell: Reported, jpeg: bytes) -> Picture:
    return Picture(
        kind="cell",
        number=cell.seen.id,
        header=JpegHeader.of(jpeg),
        um_per_px=max(cell.seen.um_per_px, CONTEXT_UM_PER_PX),
        middle_um=cell.place_um,
        source=cell.seen.source,
        taken_at=None,
        about=_OF_CELL.format(cell.seen.id),
    )
