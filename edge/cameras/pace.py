"""How fast a camera gives pictures, and so how long it may be silent before something is the matter."""

from __future__ import annotations

from collections import deque

FIRST_S = 10.0
"""Longest wait for the second picture, before anything is known of a camera's rate, seconds. Network cameras
that answer with an exposure of several seconds are sold, and one that dies in its first seconds is rare."""

LONGEST_S = 30.0
"""Longest silence that is a camera's own rate, seconds: whoever moves the slide would not wait for more."""

LATE = 3.0
"""So many times its longest interval of late a camera may be silent: networks delay and exposures change."""

KEPT = 8
"""Intervals that are 'of late': a camera that was slow, or hung, and is fast again is known after so many."""


class Pace:
    """The intervals between a camera's last pictures. One thread notes them, any may ask.

    Attributes
    ----------
    longest_s : the longest of them, 0 while none is known.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._intervals_s: deque[float] = deque(maxlen=KEPT)

    def note(self, seconds: float) -> None:
        """So long no picture came: between two, or without one in the end, for it may only be slow."""
        self._intervals_s.append(seconds)
        self.longest_s = max(self._intervals_s)

    def patience_s(self, least_s: float, first_s: float | None = None) -> float:
        """How long to wait for the next picture, seconds.

        Parameters
        ----------
        least_s : of a fast camera. first_s : while no interval is known; None takes `FIRST_S`.
        """
        if not self.longest_s:
            return max(least_s, FIRST_S if first_s is None else first_s)
        return max(least_s, min(LATE * self.longest_s, LONGEST_S))
