"""Pictures of one stream, in the size that they really have."""

from __future__ import annotations

from collections.abc import Sequence

from edge.cameras.attached import Format
from edge.cameras.v4l2.layout import Layout, row_bytes, size_bytes
from edge.cameras.v4l2.pixels import rgb
from edge.types import U8, Reduced

_ACCIDENTS = 2
"""Pictures in a row whose size in bytes may be wrong before the agreed format is."""


class Decoder:
    """Decodes what a camera sends, which is not always what its driver agreed to.

    Parameters
    ----------
    layout : what was agreed. offered : what else the camera might send.

    Attributes
    ----------
    layout : what it sends. note : how that differs from what was agreed, None if it does not.
    """

    def __init__(self, layout: Layout, offered: Sequence[Format]) -> None:
        self.layout = self._agreed = layout
        self.note: str | None = None
        natural = [Layout(f.pixels, f.width, f.height, row_bytes(f.pixels, f.width)) for f in offered]
        self._by_size = {size_bytes(other): other for other in natural if other.pixels == layout.pixels}
        self._odd = 0

    def decode(self, data: bytes, reduction: int = 1) -> U8 | Reduced:
        """(H, W, 3) uint8 RGB, or half of a JPEG for a `reduction` of 2; ValueError if it is no picture."""
        self._judge_size(len(data))
        picture = rgb(data, self.layout, reduction)
        width, height = picture.size if isinstance(picture, Reduced) else picture.shape[1::-1]
        if (width, height) != (self._agreed.width, self._agreed.height) and self.note is None:
            self.note = f"sends {width}×{height} pixels though {self._agreed} was agreed"
        return picture

    def _judge_size(self, length: int) -> None:
        """Take the layout whose pictures have this many bytes, once it is no accident."""
        other = self._by_size.get(length)
        if length == size_bytes(self.layout) or other is None:
            self._odd = 0
            return
        self._odd += 1
        if self._odd > _ACCIDENTS:
            self.layout, self._odd = other, 0
