"""Keeps OpenCV and FFmpeg from writing into the middle of the terminal screen."""

from __future__ import annotations

import os

import cv2


def quiet() -> None:
    """Silence both; what goes wrong is told by frames with a fault and by CameraError."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; FFmpeg reads it at its first use
    # OpenCV 4 has it at the top, OpenCV 5 below utils
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    set_level(0)
