"""The pictures of an animated PNG or WebP: each is a frame."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from edge.files.formats import DAMAGED, limits, opencv
from edge.files.formats.upright import upright
from edge.types import U8


def frames(data: bytes, count: int, width: int, height: int, orientation: int) -> Iterator[U8 | str]:
    """Every picture of an animation of `count`; where that takes too much, the first, and what was left out.

    OpenCV (4.11 and later) decodes all at once, so together they may have as many pixels as one picture.
    """
    decoder = getattr(cv2, "imdecodeanimation", None)
    if decoder is not None and count * width * height <= limits.MEGAPIXELS * 1_000_000:
        try:
            opencv.silence()
            ok, animation = decoder(np.frombuffer(data, np.uint8))
        except cv2.error:
            ok = False
        if ok and len(animation.frames) == count:
            for pixels in animation.frames:
                yield upright(_rgb(pixels), orientation)
            return
    first = opencv.decode(data, opencv.COLOUR)
    if first is None:
        raise ValueError(f"{DAMAGED}: its pictures cannot be decoded")
    yield upright(_rgb(first), orientation)
    yield f"of {count} pictures in the file only the first could be read: save each as a file of its own"


def _rgb(pixels: U8) -> U8:
    code = cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, code), np.uint8)
