"""Readings and cells to rows of the record store, and rows back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from edge.machine import clock
from edge.types import U8, Reading

Row = dict[str, Any]

JPEG = (
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)
"""Crops: a tenth of the time and a third of the room of PNG. Colour is kept at full resolution, for it is
what tells granules apart."""


def insert(database: sqlite3.Connection, table: str, row: Mapping[str, object]) -> int:
    """Insert the row, its keys being columns, and return its number."""
    marks = ", ".join(f":{column}" for column in row)
    cursor = database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)
    return int(cursor.lastrowid or 0)


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
        "fault": frame.fault,
        "ms": json.dumps(dict(reading.ms)),
    }


def cell_rows(reading: Reading, classes: Sequence[str]) -> Iterator[Row]:
    """The columns of table `cells` for each cell, all but the reading.

    The crop is kept where a cell is first seen and where it is counted, not each time it is seen again.
    """
    cells = reading.cells
    for i, (x0, y0, x1, y1) in enumerate(cells.boxes_px.tolist()):
        row: Row = {"cell": int(reading.ids[i]), "x0": x0, "y0": y0, "x1": x1, "y1": y1}
        row["area_um2"] = float(cells.area_um2[i])
        row["nucleus_area_um2"] = float(cells.nucleus_area_um2[i])
        row["class"] = classes[reading.classes[i]]
        row["probabilities"] = reading.probabilities[i].astype("<f4").tobytes()
        row["cut"] = bool(cells.cut[i])
        for flag in ("uncertain", "certain", "new", "counted"):
            row[flag] = bool(getattr(reading, flag)[i])
        row["crop"] = _jpeg(reading.crops[i]) if row["new"] or row["counted"] else None
        yield row


def decoded(row: Row, *columns: str) -> Row:
    """The row with these JSON columns decoded."""
    return row | {name: json.loads(row[name] or "null") for name in columns}


def decoded_cell(row: Row) -> Row:
    """A row of table `cells` with probabilities (C,) float32 and crop (S, S, 3) uint8 RGB or None."""
    flags = {name: bool(row[name]) for name in ("uncertain", "certain", "cut", "new", "counted")}
    probabilities = np.frombuffer(row["probabilities"], "<f4").astype(np.float32)
    crop = None if row["crop"] is None else _pixels(row["crop"])
    return row | flags | {"probabilities": probabilities, "crop": crop}


def _jpeg(crop: U8) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), JPEG)[1].tobytes()


def _pixels(jpeg: bytes) -> U8:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("a stored crop cannot be decoded")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
