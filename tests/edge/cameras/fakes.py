"""Cameras and files that tests make up."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from edge.cameras import CameraError
from edge.machine.profile import CameraSettings
from edge.types import U8, Frame

SETTINGS = CameraSettings(width=640, height=480, fps=30, nominal_um_per_px=0.1, settle_s=0.5)


def picture(number: int, height: int = 48, width: int = 64) -> U8:
    """A smooth RGB picture whose mean red is about 10 × number; survives lossy coding."""
    ramp = np.linspace(0, 8, width)[None, :, None]
    return (np.array([10 * number, 120, 60]) + ramp + np.zeros((height, 1, 1))).astype(np.uint8)


def number_in(pixels: U8) -> int:
    """Which `picture` these pixels are."""
    return round((float(pixels[..., 0].mean()) - 4) / 10)


def write_image(path: Path, number: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(picture(number), cv2.COLOR_RGB2BGR))
    return path


def write_video(path: Path, frames: int = 12) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(cv2.cvtColor(picture(number % 12), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


class ScriptedCamera:
    """A camera whose `read` is given: called with the frame's index, it may wait, end or raise."""

    name = "scripted"
    serial = ""
    um_per_px: float | None = None

    def __init__(self, live: bool, step: Callable[[int], bool]) -> None:
        self.live = live
        self.reads = 0
        self.opened = self.closed = 0
        self._step = step

    def open(self) -> None:
        self.opened += 1

    def read(self) -> Frame | None:
        if self.closed:
            raise CameraError("camera scripted: is not open")
        if not self._step(self.reads):
            return None
        frame = Frame(picture(1), self.reads, self.name, datetime.now(UTC), time.monotonic())
        self.reads += 1
        return frame

    def close(self) -> None:
        self.closed += 1
