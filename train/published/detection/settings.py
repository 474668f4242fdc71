"""What fields have boxes of, and which data sets have one for every cell."""

from __future__ import annotations

from edge.types import LeukoscopeError

LEUKOCYTE, RED_CELL, PLATELET = "leukocyte", "red-cell", "platelet"
CLASSES = (LEUKOCYTE, RED_CELL, PLATELET)
"""All that fields have boxes of."""

SOURCES = ("bccd", "txl-pbc")
"""Data sets whose fields have a box for every cell."""


class DetectionError(LeukoscopeError):
    """A detector cannot be trained or judged as asked. Names the setting or the folder, and what to do."""
