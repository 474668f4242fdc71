"""What a command asks of a screening, and what may slow it down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Throttle(Protocol):
    """What slows the line down where it would heat the machine too much; see `edge.machine.heat`."""

    @property
    def note(self) -> str | None:
        """What the user should know, told once, when it has changed."""

    def pause_s(self, took_s: float) -> float:
        """Seconds to rest after a frame that took so long."""


@dataclass(frozen=True)
class ScreeningOptions:
    """What the command asks of a screening.

    Attributes
    ----------
    slide : identifier of the first slide, None for a generated one.
    go_on : it was begun before and cut off, and is gone on with.
    patient : whose it is, and every slide where each frame is one; None where nobody said.
    single_cell : each frame is one leukocyte in its middle.
    independent : each frame is a slide of its own.
    specimen : what the slides are smears of, 'blood' or 'marrow'.
    max_frames, max_seconds : stop after so much, None without a limit.
    note : something to be told with the first reading, None without it.
    """

    slide: str | None = None
    go_on: bool = False
    patient: str | None = None
    single_cell: bool = False
    independent: bool = False
    specimen: str = "blood"
    max_frames: int | None = None
    max_seconds: float | None = None
    note: str | None = None
