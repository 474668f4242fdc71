"""The checksum of a slide's record as a QR code."""

from __future__ import annotations

import numpy as np

from edge.report.pages.drawing import Drawing, Tiles
from edge.types import Bools

_QUIET = 4
"""Modules of white round the code (ISO/IEC 18004)."""


def modules(text: str) -> Bools:
    """(n, n) bool, which modules of the QR code of this text are dark, without the white round it."""
    import zxingcpp

    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    dark: Bools = np.asarray(code.to_image(scale=1, add_quiet_zones=False)) == 0
    return dark


def qr_code(text: str) -> Drawing:
    """The code as rectangles, one a run of dark modules."""
    dark = modules(text)
    side = dark.shape[0] + 2 * _QUIET
    tiles = Tiles(tuple(_runs(dark)))
    return Drawing(side, side, (tiles,), f"QR code of {text}")


def _runs(dark: Bools) -> list[tuple[int, int, int, int]]:
    runs = []
    for y, row in enumerate(np.pad(dark, ((0, 0), (1, 1)))):
        (ends,) = np.nonzero(row[1:] != row[:-1])
        runs += [
            (first + _QUIET, y + _QUIET, end - first, 1)
            for first, end in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True)
        ]
    return runs
