"""Pictures as half blocks: two pixels a character, written as ready-made escape sequences by NumPy.

Textual makes an object per character of a line. For video that is too slow by an order of magnitude, so a
`PictureStrip` keeps its pixels in arrays and writes its escape sequences itself; it makes Textual's segments
only for those who ask for them, which are screenshots and windows that lie over the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from edge.types import U8

RGB = tuple[int, int, int]

_HALF_BLOCK = np.frombuffer("▀".encode(), np.uint8)
# A number in an escape sequence may carry leading zeros (ECMA-48, 5.4), so every number gets three digits
# and every character of a picture the same count of bytes.
_DIGITS = np.frombuffer(b"".join(b"%03d" % i for i in range(256)), np.uint8).reshape(256, 3)
_TEMPLATES = {
    "truecolor": b"\x1b[38;2;000;000;000;48;2;000;000;000m",
    "256": b"\x1b[38;5;000;48;5;000m",
    "standard": b"\x1b[000;000m",
}
# The 16 colours of the VGA text mode, as the Linux console shows them.
_VGA = [(r, g, b) for b in (0, 170) for g in (0, 170) for r in (0, 170)]
_VGA[3] = (170, 85, 0)
_VGA += [(r, g, b) for b in (85, 255) for g in (85, 255) for r in (85, 255)]


@dataclass(frozen=True, eq=False)
class Blocks:
    """A picture as characters.

    Attributes
    ----------
    colours : (h, w, 6) uint8, ink RGB then paper RGB. Of a half block ink is the upper pixel.
    glyphs : (h, w, 3) uint8, the character in UTF-8, padded with zero bytes.
    """

    colours: U8
    glyphs: U8

    @classmethod
    def of(cls, image: U8) -> Blocks:
        """Half blocks of an RGB image, (2 h, w, 3) uint8."""
        h, w = image.shape[0] // 2, image.shape[1]
        colours = image[: 2 * h].reshape(h, 2, w, 3).transpose(0, 2, 1, 3).reshape(h, w, 6)
        return cls(np.ascontiguousarray(colours), np.broadcast_to(_HALF_BLOCK, (h, w, 3)).copy())

    def write(self, text: str, row: int, column: int, ink: RGB, paper: RGB) -> None:
        """Put `text` over the picture; what lies outside is cut."""
        h, w, _ = self.glyphs.shape
        if not 0 <= row < h:
            return
        for x, character in enumerate(text, column):
            if 0 <= x < w:
                self.glyphs[row, x] = np.frombuffer(character.encode().ljust(3, b"\0"), np.uint8)
                self.colours[row, x] = ink + paper

    def lines(self, colour_system: str | None) -> list[str]:
        """Escape sequences, one string a row.

        `colour_system` is Rich's name for what the terminal can show: 'truecolor', '256', else 16 colours.
        """
        system = colour_system if colour_system in ("truecolor", "256") else "standard"
        template = _TEMPLATES[system]
        numbers = self.colours if system == "truecolor" else _indices(self.colours, system)
        h, w, _ = numbers.shape
        n = len(template)
        out = np.empty((h, w, n + 3), np.uint8)
        out[:, :, :n] = np.frombuffer(template, np.uint8)
        out[:, :, n:] = self.glyphs
        for i, at in enumerate(_slots(template)):
            out[:, :, at : at + 3] = _DIGITS[numbers[:, :, i]]
        keep = np.ones((h, w, n + 3), np.bool_)
        # a character in the colours of its left neighbour needs no sequence of its own
        keep[:, 1:, :n] = (numbers[:, 1:] != numbers[:, :-1]).any(-1)[:, :, None]
        keep[:, :, n:] = self.glyphs != 0
        ends = np.cumsum(keep.sum((1, 2))).tolist()
        data = out[keep].tobytes()
        return [data[start:end].decode() + "\x1b[0m" for start, end in pairwise([0, *ends])]

    def strips(self, colour_system: str | None) -> list[Strip]:
        """The same as lines for Textual."""
        return [
            PictureStrip(Blocks(self.colours[y : y + 1], self.glyphs[y : y + 1]), line)
            for y, line in enumerate(self.lines(colour_system))
        ]

    def pixels(self) -> U8:
        """The image again, (2 h, w, 3) uint8; a character other than a half block is as its paper."""
        h, w, _ = self.colours.shape
        pairs = self.colours.reshape(h, w, 2, 3).copy()
        other = (self.glyphs != _HALF_BLOCK).any(-1)
        pairs[other, 0] = pairs[other, 1]
        return pairs.transpose(0, 2, 1, 3).reshape(2 * h, w, 3)

    def words(self, y: int) -> list[Segment]:
        """Row `y` with blanks for half blocks: what was written over the picture, and where."""
        text = self.glyphs[y].tobytes().replace(_HALF_BLOCK.tobytes(), b" ").replace(b"\0", b"").decode()
        blank = (self.glyphs[y] == _HALF_BLOCK).all(-1)
        return [
            Segment(" ") if blank[x] else Segment(text[x], _style(*self.colours[y, x].tolist()))
            for x in range(len(text))
        ]

    def segments(self) -> list[Segment]:
        """The first row as Rich's segments, one for each run of equal colours."""
        colours = self.colours[0]
        changes = np.flatnonzero((colours[1:] != colours[:-1]).any(-1)) + 1
        runs = pairwise([0, *changes.tolist(), len(colours)])
        return [
            Segment(self.glyphs[0, a:b].tobytes().replace(b"\0", b"").decode(), _style(*colours[a].tolist()))
            for a, b in runs
        ]

    def columns(self, start: int, end: int) -> Blocks:
        return Blocks(self.colours[:, start:end], self.glyphs[:, start:end])


def _slots(template: bytes) -> list[int]:
    return [i for i in range(len(template)) if template[i : i + 3] == b"000" and template[i - 1 : i] in b"[;"]


@cache
def _palette(system: str) -> tuple[U8, U8]:
    """Colours of a terminal's palette, (k, 3) uint8, and the number each goes by.

    The first 16 of the 256 are left out: terminals let their users change them.
    """
    if system == "standard":
        return np.array(_VGA, np.uint8), np.arange(16, dtype=np.uint8)
    levels = (0, 95, 135, 175, 215, 255)  # xterm's colour cube
    cube = [(r, g, b) for r in levels for g in levels for b in levels]
    greys = [(v, v, v) for v in range(8, 248, 10)]
    return np.array(cube + greys, np.uint8), np.arange(16, 256, dtype=np.uint8)


@cache
def _nearest(system: str) -> U8:
    """Number of the nearest palette colour by the top 5 bits of red, green and blue: (32768,) uint8."""
    colours, numbers = _palette(system)
    steps = np.arange(4, 256, 8, dtype=np.int32)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    best = np.full(len(grid), np.iinfo(np.int32).max, np.int32)
    found = np.zeros(len(grid), np.uint8)
    for colour, number in zip(colours.astype(np.int32), numbers, strict=True):
        distance = ((grid - colour) ** 2).sum(-1, dtype=np.int32)
        closer = distance < best
        best[closer], found[closer] = distance[closer], number
    return found


def _indices(colours: U8, system: str) -> U8:
    """(h, w, 6) colours to (h, w, 2) numbers for the palette's escape sequence: ink, paper."""
    five = (colours >> 3).astype(np.intp)
    keys = five[..., 0::3] << 10 | five[..., 1::3] << 5 | five[..., 2::3]
    numbers: U8 = _nearest(system)[keys]
    if system == "256":
        return numbers
    # SGR 30 to 37 and 90 to 97 are the inks, the same plus 10 the papers
    codes: U8 = (numbers + np.where(numbers < 8, 30, 82) + np.array([0, 10])).astype(np.uint8)
    return codes


@cache
def _style(*rgb: int) -> Style:
    return Style.from_color(Color.from_rgb(*rgb[:3]), Color.from_rgb(*rgb[3:]))


class PictureStrip(Strip):
    """One line of a picture. Cut where another widget lies over it, it stays a picture."""

    def __init__(self, row: Blocks, line: str | None = None) -> None:
        super().__init__((), row.colours.shape[1])
        self._row = row
        self._line = line

    # Strip reads this attribute wherever it needs segments; made on demand it costs video nothing.
    @property
    def _segments(self) -> list[Segment]:
        return self._row.segments()

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None: ...

    def render(self, console: Console) -> str:
        if self._line is None:
            (self._line,) = self._row.lines(console.color_system)
        return self._line

    def crop(self, start: int, end: int | None = None) -> Strip:
        width = self.cell_length
        end = width if end is None else min(end, width)
        if (start, end) == (0, width):
            return self
        return PictureStrip(self._row.columns(start, end))

    def divide(self, cuts: Iterable[int]) -> list[Strip]:
        inside = [cut for cut in cuts if cut <= self.cell_length]
        return [self.crop(start, end) for start, end in pairwise([0, *inside])]
