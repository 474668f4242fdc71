"""What travels along the line of a frame: frames, cells, readings and the running tally.

Every array has one documented shape and dtype, checked where the object is made, so that a mistake is
reported at its source and not three modules further on.
"""

from edge.types.arrays import F32, F64, I32, U8, Bools
from edge.types.cells import Cells, CellsInFrame
from edge.types.error import LeukoscopeError
from edge.types.files import FilesRead, LeftOut
from edge.types.reading import (
    Apl,
    Finding,
    FindingKind,
    Positive,
    Reading,
    ScaleSource,
    Sink,
    SlideHeader,
    Tally,
)
from edge.types.said import Said
from edge.types.taken import Content, Frame, Light, Reduced, Waiting

__all__ = [
    "F32", "F64", "I32", "U8", "Apl", "Bools", "Cells", "CellsInFrame", "Content", "FilesRead", "Finding",
    "FindingKind", "Frame", "LeftOut", "LeukoscopeError", "Light", "Positive", "Reading", "Reduced", "Said",
    "ScaleSource", "Sink", "SlideHeader", "Tally", "Waiting",
]  # fmt: skip
