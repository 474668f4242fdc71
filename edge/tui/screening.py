"""What the screen asks of the line behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from edge.types import Reading, Waiting


class Screening(Protocol):
    """A slide being screened.

    `readings` runs in a thread of its own; the other methods are called from the screen's thread while it
    runs, must be safe to call then, and return soon enough for a key press (a tenth of a second).

    Attributes
    ----------
    slide : identifier of the slide being screened.
    classes : class names in the order of `Reading.probabilities`' columns.
    positives : those that count as positive (blasts).
    leukocytes : those in the differential's denominator, positives included.
    referral_fraction : the blast fraction, 0 to 1, that the interval is held against.
    camera, runtime, bundle : what to call them on the screen.
    warning : something to keep in sight (an unsigned bundle), or None.
    recorded : False when nothing is written down.
    waiting : what keeps the camera from giving pictures, None while it does.
    """

    @property
    def slide(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def positives(self) -> tuple[str, ...]: ...
    @property
    def leukocytes(self) -> tuple[str, ...]: ...
    @property
    def referral_fraction(self) -> float: ...
    @property
    def camera(self) -> str: ...
    @property
    def runtime(self) -> str: ...
    @property
    def bundle(self) -> str: ...
    @property
    def warning(self) -> str | None: ...
    @property
    def recorded(self) -> bool: ...
    @property
    def waiting(self) -> Waiting | None: ...

    def readings(self) -> Iterator[Reading]:
        """Readings as they come, each already recorded.

        Ends with the source or after `stop`. Raises LeukoscopeError when the source is lost.
        """

    def stop(self) -> None:
        """Let `readings` end after the frame in hand. Stopping twice does nothing more."""

    def pause(self, on: bool) -> None:
        """Hold the line (True) or let it go on (False)."""

    def new_slide(self) -> str:
        """Close the slide in the records and start another with an empty tally; its identifier.

        `slide` changes before the first reading of the new slide is given.
        """
