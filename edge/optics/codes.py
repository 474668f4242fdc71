"""Codes in a picture: QR codes, Data Matrix, and the barcodes that laboratories print on labels."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from edge.types import U8, LeukoscopeError

FORMATS = (
    "QRCode", "MicroQRCode", "DataMatrix",
    "Code128", "Code39", "Code93", "Codabar", "ITF", "EANUPC",
)  # fmt: skip
"""As zxing-cpp names them."""


def read(pixels: U8) -> list[str]:
    """The texts of the codes in a picture, from the top down, each once: whatever somebody wrote into them.

    The picture is tried as it is, then for a dark one, then for a blurred one, until there is a code in it.
    A barcode is found where it lies along the picture or across, give or take 20 degrees; the others however
    they lie.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 RGB.

    Raises
    ------
    LeukoscopeError : the library that reads codes is not installed.
    """
    try:
        import zxingcpp
    except ImportError:
        raise LeukoscopeError(
            "codes: their reader is not installed; type the identifier, or pip install zxing-cpp"
        ) from None
    formats = zxingcpp.BarcodeFormats([getattr(zxingcpp.BarcodeFormat, name) for name in FORMATS])
    for view in _views(pixels) if pixels.size else ():
        found = zxingcpp.read_barcodes(view, formats, text_mode=zxingcpp.TextMode.Plain)
        if found:
            found.sort(key=lambda code: (code.position.top_left.y, code.position.top_left.x))
            return list(dict.fromkeys(code.text for code in found))
    return []


def _views(pixels: U8) -> Iterator[U8]:
    """The picture in grey; with its darkest and brightest parts apart and its noise smoothed; sharpened."""
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    yield grey
    low, high = np.percentile(grey[::4, ::4], (0.5, 99.5))
    stretched = cv2.convertScaleAbs(
        cv2.subtract(cv2.GaussianBlur(grey, (0, 0), 1.0), low), alpha=255 / max(high - low, 1)
    )
    yield np.asarray(stretched, np.uint8)
    sharp = cv2.addWeighted(grey, 2.5, cv2.GaussianBlur(grey, (0, 0), 3.0), -1.5, 0)
    yield np.asarray(sharp, np.uint8)
