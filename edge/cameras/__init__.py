"""Cameras: one protocol, one file a kind, chosen by a `--camera` specification.

A new kind is one file with a class that keeps `Camera`'s promises, one line in
`selection.KINDS`, and a row in the contract suite (`tests/edge/cameras/test_contract.py`).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edge.types import Frame, LeukoscopeError


class CameraError(LeukoscopeError):
    """The camera does not exist, is busy, or stopped delivering. Says which and what to do."""


@runtime_checkable
class Camera(Protocol):
    """A source of frames, used as a context manager by one thread.

    Attributes
    ----------
    name : what the records and the screen call it.
    live : True when frames that nobody took in time are lost (a real camera): the line then takes the
        newest only. False for files and the simulated microscope: every frame is taken.
    um_per_px : nominal physical pixel size if the source knows it, else None.
    """

    name: str
    live: bool
    um_per_px: float | None

    def open(self) -> None:
        """Get ready to deliver; raises CameraError. Opening an open camera does nothing."""

    def read(self) -> Frame | None:
        """The next frame, None when there are no more.

        A picture that cannot be decoded comes as a Frame with a `fault`. Raises CameraError when the
        camera is gone or was not opened.
        """

    def close(self) -> None:
        """Let go of the device. Closing a closed camera does nothing."""
