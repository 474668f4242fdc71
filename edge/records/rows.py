"""Readings and cells to rows of the record store, and rows back."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.machine import clock
from edge.optics.illumination import resample
from edge.records.outlines import outlines
from edge.types import U8, Apl, Bools, Finding, Reading, Tally

Row = dict[str, Any]

JPEG = (
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)
"""Crops: a tenth of the time and a third of the room of PNG. Colour is kept at full resolution, for it is
what tells granules apart."""

CONTEXT_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)
CONTEXT_UM = 56.0
"""Side of the field that is kept round a cell worth a second look: what a person sees of its neighbours."""
CONTEXT_UM_PER_PX = 0.25
"""The finest that it is kept at."""

_FEW = 3  # cells: the surroundings of more are cut from the whole frame at `CONTEXT_UM_PER_PX`

KeepFields = Literal["none", "suspicious", "all"]
"""Of which fields that are counted the whole picture is kept: of those with a cell that is called positive or
is not far from it, or of all."""

FIELD_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 90)
THUMB_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95)
"""Of what a slide is put together again from: at 85 some cells were not recognised by their surroundings."""

_POSITIVE = ("refer", "read-film")

SUSPICIOUS = 0.05
"""Probability of the positive classes together from which a cell is worth a second look."""


def insert(database: sqlite3.Connection, table: str, row: Mapping[str, object]) -> int:
    """Insert the row, its keys being columns, and return its number."""
    return int(database.execute(_inserting(table, row), row).lastrowid or 0)


def insert_all(database: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows of the same columns, in order."""
    if rows:
        database.executemany(_inserting(table, rows[0]), rows)


def _inserting(table: str, columns: Iterable[str]) -> str:
    columns = [*columns]
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})"


def reading_row(reading: Reading) -> Row:
    """The columns of table `readings`, all but the slide."""
    frame = reading.frame
    return {
        "frame": frame.index,
        "source": frame.source,
        "captured_at": frame.captured_at.isoformat(),
        "captured_s": frame.monotonic_s + clock.asleep_s(),
        "t_s": reading.t_s,
        "width": frame.width,
        "height": frame.height,
        "exposure_ms": frame.exposure_ms,
        "um_per_px": reading.um_per_px,
        "um_per_px_from": reading.um_per_px_from,
        "sharpness": reading.sharpness,
        "brightness": reading.brightness,
        "focus": reading.focus,
        "problems": json.dumps(reading.problems),
        "repeated": bool(reading.repeated),
        "overlaps": json.dumps([[frame, round(x, 2), round(y, 2)] for frame, x, y in reading.overlaps]),
        "thumb": None if reading.thumb is None else _grey(reading.thumb),
        "fault": frame.fault,
        "ms": json.dumps(dict(reading.ms)),
    }


def cell_rows(reading: Reading, classes: Sequence[str], positive: Sequence[str]) -> Iterator[Row]:
    """The columns of table `cells` for each cell, all but the reading.

    The crop is kept where a cell is first seen and where it is counted, not each time it is seen again; so is
    the field round a cell that a person may want to look at.
    """
    cells = reading.cells
    which = [classes.index(name) for name in positive]
    suspicion = reading.probabilities[:, which].sum(axis=1)
    doubtful = (suspicion >= SUSPICIOUS) | reading.uncertain | np.isin(reading.classes, which)
    fresh = reading.new | reading.counted
    x0, y0, x1, y1 = cells.boxes_px.T.tolist()
    x, y = ([round(at, 2) for at in along] for along in cells.centres_px.T.tolist())
    columns: dict[str, Sequence[object]] = {
        "cell": reading.ids.tolist(),
        **{"x0": x0, "y0": y0, "x1": x1, "y1": y1},
        "area_um2": cells.area_um2.tolist(),
        "nucleus_area_um2": cells.nucleus_area_um2.tolist(),
        "class": [classes[one] for one in reading.classes.tolist()],
        "probabilities": [of_one.tobytes() for of_one in reading.probabilities.astype("<f4")],
        "cut": cells.cut.tolist(),
        **{flag: getattr(reading, flag).tolist() for flag in ("uncertain", "certain", "new", "counted")},
        "suspicion": suspicion.tolist(),
        **{"x": x, "y": y},
        **{flag: _told(getattr(reading, flag), len(cells)) for flag in ("settled", "abstained")},
        **_pictures(reading, fresh, doubtful),
    }
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def _told(flags: Bools | None, cells: int) -> Sequence[object]:
    return [None] * cells if flags is None else flags.tolist()


def _pictures(reading: Reading, fresh: Bools, doubtful: Bools) -> dict[str, list[bytes | None]]:
    """Crops and outlines of `fresh` cells, and the field round those that are `doubtful` too, by column."""
    cells, kept = reading.cells, np.flatnonzero(fresh)
    names = ("crop", "outline", "nucleus", "context")
    columns: dict[str, list[bytes | None]] = {name: [None] * len(cells) for name in names}
    for i, (outline, nucleus) in zip(kept, outlines(cells, kept), strict=True):
        columns["crop"][i] = _jpeg(reading.crops[i], JPEG)
        columns["outline"][i], columns["nucleus"][i] = outline, nucleus
    if around := int(np.count_nonzero(fresh & doubtful)):
        shown = Shown.of(reading, around)
        for i in np.flatnonzero(fresh & doubtful):
            columns["context"][i] = _jpeg(shown.around(cells.centres_px[i]), CONTEXT_JPEG)
    return columns


def keeps(asked: KeepFields, reading: Reading, cells: Iterable[Row], positive: Sequence[str]) -> bool:
    """Whether a reading's whole picture is kept, by the rows of its cells; of what is not counted, never."""
    if asked == "none" or reading.problems or reading.repeated:
        return False
    return asked == "all" or any(
        cell["class"] in positive or cell["suspicion"] >= SUSPICIOUS for cell in cells
    )


def field_row(reading: Reading) -> Row:
    """The columns of table `fields`, all but the reading."""
    jpeg = _jpeg(reading.frame.whole, FIELD_JPEG)
    return {"jpeg": jpeg, "sha256": hashlib.sha256(jpeg).digest()}


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame as the surroundings of its cells are cut from it.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 RGB, as the camera gave it. um_per_px : of them.
    across : pixels of the frame as it was taken along one of them.
    """

    pixels: U8
    um_per_px: float
    across: float

    @classmethod
    def of(cls, reading: Reading, cells: int = 1) -> Shown:
        """A reading's frame, for so many cells: of many the whole is scaled once, not a part for each."""
        frame = reading.frame.at_least(reading.um_per_px, CONTEXT_UM_PER_PX)
        um_per_px, scale = reading.um_per_px * frame.reduction, 1.0
        if cells > _FEW:
            scale = min(um_per_px / CONTEXT_UM_PER_PX, 1.0)
        return cls(resample(frame.pixels, scale), um_per_px / scale, frame.reduction / scale)

    def around(self, centre_px: NDArray[Any]) -> U8:
        """(224, 224, 3) uint8 RGB or smaller, the field round a place of the frame, which is in its middle.

        As the camera gave it, white where the field ends.
        """
        wide, scale = CONTEXT_UM / self.um_per_px, min(self.um_per_px / CONTEXT_UM_PER_PX, 1.0)
        side = max(round(wide * scale), 1)
        low = [round(at / self.across - wide / 2) for at in centre_px.tolist()]
        x, y = (slice(max(at, 0), max(round(at + wide), 0)) for at in low)
        inside = self.pixels[y, x]
        small = resample(inside, scale) if inside.size else inside
        if small.shape[:2] == (side, side):
            return small
        field = np.full((side, side, 3), 255, np.uint8)
        left, top = (min(round(max(-at, 0) * scale), side - 1) for at in low)
        part = field[top : top + small.shape[0], left : left + small.shape[1]]
        part[:] = small[: part.shape[0], : part.shape[1]]
        return field


def finding_row(finding: Finding, tally: Tally) -> Row:
    """The columns of a finding and what it rests on, in tables `slides` and `findings`."""
    low, high = finding.interval or (None, None)
    tallied = vars(tally) | {
        "counts": dict(tally.counts),
        "confirmed": dict(tally.confirmed),
        "apl": tally.apl and vars(tally.apl),
    }
    corrected_low, corrected_high = finding.corrected_interval or (None, None)
    return {
        "finding": finding.kind,
        "headline": finding.headline,
        "reason": finding.reason,
        "advice": finding.advice,
        "blast_fraction": finding.blast_fraction,
        "interval_low": low,
        "interval_high": high,
        "interval_level": finding.level,
        "corrected": finding.corrected,
        "corrected_low": corrected_low,
        "corrected_high": corrected_high,
        "cells_needed": finding.cells_needed,
        "tally": json.dumps(tallied),
    }


def finding_of(row: Row) -> Finding | None:
    """The finding in such columns; None where there is none yet. Older ones have no words but the reason."""
    if row["finding"] is None:
        return None
    return Finding(
        kind=row["finding"],
        headline=row["headline"] or row["finding"].replace("-", " ").upper(),
        reason=row["reason"],
        advice=row["advice"] or "",
        blast_fraction=row["blast_fraction"],
        interval=_ends(row, "interval"),
        level=row["interval_level"],
        cells_needed=row["cells_needed"],
        corrected=row["corrected"],
        corrected_interval=_ends(row, "corrected"),
        apl=apl_of(row["tally"]) if row["finding"] in _POSITIVE else None,
    )


def apl_of(tally: Mapping[str, Any] | None) -> Apl | None:
    """What a slide's blasts look like, from its tally as the records keep it; None where nobody knows."""
    kept = (tally or {}).get("apl")
    return Apl(**kept) if kept else None


def tally_of(kept: Mapping[str, Any] | None) -> Tally | None:
    """The tally that the records keep, without what only older versions had in it; None without one."""
    if not kept:
        return None
    known = {one.name for one in fields(Tally)} & kept.keys()
    return Tally(**{name: kept[name] for name in known} | {"apl": apl_of(kept)})


def _ends(row: Row, name: str) -> tuple[float, float] | None:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return None if low is None or high is None else (low, high)


def decoded(row: Row, *columns: str) -> Row:
    """The row with these JSON columns decoded."""
    return row | {name: json.loads(row[name] or "null") for name in columns}


def decoded_cell(row: Row) -> Row:
    """A row of table `cells` with probabilities (C,) float32; its pictures (S, S, 3) uint8 RGB or None."""
    flags = {name: bool(row[name]) for name in ("uncertain", "certain", "cut", "new", "counted")}
    pictures = {name: picture(row[name]) for name in ("crop", "context") if row.get(name) is not None}
    probabilities = np.frombuffer(row["probabilities"], "<f4").astype(np.float32)
    return row | flags | {"probabilities": probabilities} | pictures


def picture(jpeg: bytes) -> U8:
    """A picture as it was kept, (S, S, 3) uint8 RGB."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("a stored picture cannot be decoded")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _grey(pixels: U8) -> bytes:
    return cv2.imencode(".jpg", pixels, THUMB_JPEG)[1].tobytes()


def _jpeg(pixels: U8, settings: Sequence[int]) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1].tobytes()
