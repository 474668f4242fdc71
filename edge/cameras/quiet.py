"""Keeps OpenCV and FFmpeg from writing into the middle of the terminal screen."""

from __future__ import annotations

import os

from edge.files.formats import opencv


def quiet() -> None:
    """Silence both; what goes wrong is told by frames with a fault and by CameraError."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; FFmpeg reads it at its first use
    opencv.silence()
