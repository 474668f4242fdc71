"""The N-th camera of all, which may be any, and may not be there yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edge.cameras import Adjustable, Camera, CameraError, Reducing
from edge.types import Frame, Light


class AdjustableCamera(Camera, Adjustable, Protocol):
    """What every camera is that can be attached to this machine."""


class NumberedCamera:
    """A live camera of which no more than its number is known until it was opened. Adjustable.

    A machine that has just started may not tell of the cameras on its board, which are counted first. So
    each time that there was no camera to open, they are counted again: `find` gives the one that the number
    means now.
    """

    live = True
    um_per_px: float | None = None

    def __init__(self, find: Callable[[], AdjustableCamera]) -> None:
        self._find, self._known = find, False
        self._fixed: Light | None = None
        self.reduction = 1
        self._take(find())

    def open(self) -> None:
        """Open it; raises CameraError."""
        try:
            self._camera.open()
        except CameraError:
            if not self._known:
                self._take(self._find())
                self._camera.fix_light(self._fixed)
            raise
        self._known = True
        self._take(self._camera)

    def read(self) -> Frame | None:
        """As the camera's own."""
        if isinstance(self._camera, Reducing):
            self._camera.reduction = self.reduction
        return self._camera.read()

    def close(self) -> None:
        """As the camera's own."""
        self._camera.close()

    def light(self) -> Light | None:
        """As the camera's own."""
        return self._camera.light()

    def fix_light(self, light: Light | None) -> None:
        """As the camera's own; kept for the one that is found."""
        self._fixed = light
        self._camera.fix_light(light)

    def _take(self, camera: AdjustableCamera) -> None:
        self._camera = camera
        self.name, self.serial = camera.name, camera.serial
