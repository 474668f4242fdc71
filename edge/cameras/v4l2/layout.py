"""How the pixels of a Video4Linux buffer lie, as in the kernel's Video4Linux manual, "Image Formats"."""

from __future__ import annotations

from dataclasses import dataclass

BITS = {
    "RGB3": 24,
    "BGR3": 24,
    "YUYV": 16,
    "UYVY": 16,
    "NV12": 12,
    "YU12": 12,
    "MJPG": 0,
    "JPEG": 0,
    "GREY": 8,
}
"""Formats that can be decoded, the best first, and their bits in a pixel; 0 for compressed ones.

By what is left of the colours: all, half or a quarter of them, then what compression leaves, then none.
"""


@dataclass(frozen=True)
class Layout:
    """How the pixels of a buffer lie.

    Attributes
    ----------
    pixels : the four letters of the format. width, height : in pixels.
    row_bytes : from the beginning of one row (of the luma plane) to that of the next.
    """

    pixels: str
    width: int
    height: int
    row_bytes: int

    def __str__(self) -> str:
        return f"{self.width}×{self.height} {self.pixels}"


def row_bytes(pixels: str, width: int) -> int:
    """Bytes of a row without padding, of the luma's where planes are apart; 0 for compressed formats."""
    return {24: 3, 16: 2, 12: 1, 8: 1, 0: 0}[BITS[pixels]] * width


def size_bytes(layout: Layout) -> int:
    """Bytes of a whole picture, 0 where that depends on what it shows."""
    planes = 3 if layout.pixels in ("NV12", "YU12") else 2
    return 0 if not BITS[layout.pixels] else layout.height * layout.row_bytes * planes // 2
