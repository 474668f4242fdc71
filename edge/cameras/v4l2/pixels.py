"""Bytes of a Video4Linux buffer to RGB pixels.

Formats as in the kernel's Video4Linux manual, "Image Formats". YUV is BT.601 in its limited range, the
manual's default for what a UVC camera sends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from edge.cameras.v4l2.layout import Layout, size_bytes
from edge.files.formats import jpeg
from edge.types import U8, Reduced

_START_OF_SCAN = 0xDA
_AFTER_A_SCAN = (0xD9, 0xC4, _START_OF_SCAN)
"""The picture's end, or in files of several scans their tables and beginning."""


def _interleaved(code: int | None, channels: int) -> Callable[[U8, Layout], U8]:
    def convert(data: U8, layout: Layout) -> U8:
        rows = data[: layout.height * layout.row_bytes].reshape(layout.height, layout.row_bytes)
        shape = (layout.height, layout.width, channels)
        picture = np.ascontiguousarray(rows[:, : layout.width * channels]).reshape(shape)
        return picture.copy() if code is None else np.asarray(cv2.cvtColor(picture, code), np.uint8)

    return convert


def _nv12(data: U8, layout: Layout) -> U8:
    luma, chroma = _planes(data, layout)
    rows = np.vstack([luma, chroma.reshape(-1, layout.row_bytes)])[:, : layout.width]
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rows), cv2.COLOR_YUV2RGB_NV12), np.uint8)


def _yu12(data: U8, layout: Layout) -> U8:
    luma, chroma = _planes(data, layout)
    chroma = chroma.reshape(-1, layout.row_bytes // 2)[:, : layout.width // 2]
    whole = np.concatenate([luma[:, : layout.width].ravel(), chroma.ravel()])
    picture = whole.reshape(layout.height * 3 // 2, layout.width)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_I420), np.uint8)


def _planes(data: U8, layout: Layout) -> tuple[U8, U8]:
    """The luma's rows, and the bytes of the chroma, which has half as many in either format."""
    luma = layout.height * layout.row_bytes
    return data[:luma].reshape(layout.height, layout.row_bytes), data[luma : luma * 3 // 2]


def _jpeg(data: bytes, reduction: int) -> U8 | Reduced:
    # what libjpeg warns of, some cameras do in every picture; what is torn shows between its markers
    if not _jpeg_is_whole(data):
        raise ValueError("the JPEG is torn")
    return jpeg.picture(data, replace(jpeg.header(data), orientation=1), reduction, strict=False)


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether nothing but coded data lies between its headers and its end (ITU T.81, annex B)."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker = data[at + 1]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _START_OF_SCAN:
            after = jpeg.MARKER.search(data, at)
            return after is not None and data[after.end() - 1] in _AFTER_A_SCAN
    return False


_CONVERT: dict[str, Callable[[U8, Layout], U8]] = {
    "RGB3": _interleaved(None, 3),
    "BGR3": _interleaved(cv2.COLOR_BGR2RGB, 3),
    "YUYV": _interleaved(cv2.COLOR_YUV2RGB_YUY2, 2),
    "UYVY": _interleaved(cv2.COLOR_YUV2RGB_UYVY, 2),
    "NV12": _nv12,
    "YU12": _yu12,
    "GREY": _interleaved(cv2.COLOR_GRAY2RGB, 1),
}


def rgb(data: bytes, layout: Layout, reduction: int = 1) -> U8 | Reduced:
    """The picture in a buffer, (H, W, 3) uint8 RGB, in memory of its own.

    `reduction` : 2 gives half of a JPEG's pixels each way (see `edge.files.formats.jpeg.picture`).

    Raises
    ------
    ValueError : the buffer holds less than a picture, or nothing that can be decoded; says which.
    """
    if len(data) < max(size_bytes(layout), 2):
        raise ValueError(f"{len(data)} bytes are no {layout}")
    if layout.pixels in ("MJPG", "JPEG"):
        return _jpeg(data, reduction)
    try:
        return _CONVERT[layout.pixels](np.frombuffer(data, np.uint8), layout)
    except cv2.error as error:
        raise ValueError(f"the picture cannot be decoded: {error.err}") from error
