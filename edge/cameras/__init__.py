"""Cameras: one protocol, one file a kind, chosen by a `--camera` specification.

A new kind is one file with a class that keeps `Camera`'s promises, one line in
`selection.KINDS`, and a row in the contract suite (`tests/edge/cameras/test_contract.py`).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edge.types import FilesRead, Frame, LeukoscopeError, Light


class CameraError(LeukoscopeError):
    """The camera does not exist, is busy, or stopped delivering. Says which; what to do after a semicolon."""


@runtime_checkable
class Camera(Protocol):
    """A source of frames, used by one thread at a time.

    A live camera promises to come back: `read` gives a picture newer than any before, or raises CameraError
    after about a second without one. A damaged picture is left out. After a CameraError the camera is
    closed and may be opened again, for hours if need be; a device that was unplugged is then known by its
    serial number or port, whatever number the system gives it now.

    Attributes
    ----------
    name : what the records and the screen call it.
    serial : what tells two of one model apart, empty where nothing does.
    live : True when frames that nobody took in time are lost (a real camera): the line then takes the
        newest only. False for files and the simulated microscope: every frame is taken.
    um_per_px : nominal physical pixel size if the source knows it, else None.
    """

    name: str
    serial: str
    live: bool
    um_per_px: float | None

    def open(self) -> None:
        """Get ready to deliver; raises CameraError. Opening an open camera does nothing."""

    def read(self) -> Frame | None:
        """The next frame, None when there are no more.

        A file that cannot be decoded comes as a Frame with a `fault`. Raises CameraError when the camera is
        gone, is silent or was not opened.
        """

    def close(self) -> None:
        """Let go of the device. Closing a closed camera does nothing."""


@runtime_checkable
class OfFiles(Protocol):
    """A camera that reads files, and knows which of them it did not read."""

    def files(self, frames: int) -> FilesRead:
        """What its first `frames` frames came from, and what was left out; also after closing."""


@runtime_checkable
class Reducing(Protocol):
    """A camera whose pictures take less time to decode at half their size.

    Attributes
    ----------
    reduction : of the pictures that are read next: 2 for half of their pixels each way where their code
        allows it, else 1, which is what a camera begins with.
    """

    reduction: int


@runtime_checkable
class Adjustable(Protocol):
    """A camera whose exposure and white balance can be fixed."""

    def light(self) -> Light | None:
        """How it takes pictures now, None where it does not tell."""

    def fix_light(self, light: Light | None) -> None:
        """Take pictures like this from now on, also after opening again.

        None lets the camera find its own, which is locked after the profile's `settle_s` seconds.
        """
