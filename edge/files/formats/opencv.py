"""OpenCV as a decoder that says nothing on standard error, which belongs to the terminal screen."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

STORED = cv2.IMREAD_UNCHANGED
"""Channels and depth as in the file, unturned."""
COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
"""Eight bits and three channels (blue, green, red), unturned."""


def decode(data: bytes, flags: int) -> NDArray[Any] | None:
    """What OpenCV makes of a file's bytes, None where it can make nothing of them."""
    silence()
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None


def silence() -> None:
    """Shut OpenCV's log, which libtiff and libpng write into as well."""
    # OpenCV 4 has it at the top, OpenCV 5 below utils
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    set_level(0)
