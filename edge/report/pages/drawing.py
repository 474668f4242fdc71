"""Drawings of a report as shapes, which every form of page paints alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

INK = "#1b1f24"
FAINT = "#8b939c"
PAPER = "#ffffff"
ALARM = "#b3122b"


@dataclass(frozen=True)
class Box:
    """A rectangle: its upper left corner, width and height; filled, outlined or both."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    line: str | None = None
    thick: float = 0.5


@dataclass(frozen=True)
class Stroke:
    """A straight line."""

    x0: float
    y0: float
    x1: float
    y1: float
    line: str = INK
    thick: float = 0.75


@dataclass(frozen=True)
class Dot:
    """A disc round a middle, filled, outlined or both."""

    x: float
    y: float
    radius: float
    fill: str | None = None
    line: str | None = None
    thick: float = 0.5


@dataclass(frozen=True)
class Letters:
    """A line of text: where its baseline begins, has its middle or ends."""

    x: float
    y: float
    text: str
    size: float
    at: Literal["start", "middle", "end"] = "start"
    fill: str = INK


@dataclass(frozen=True)
class Tiles:
    """Many filled rectangles: x, y, width and height of each."""

    boxes: tuple[tuple[int, int, int, int], ...]
    fill: str = INK


@dataclass(frozen=True)
class Picture:
    """A JPEG, its bytes as they are, in a rectangle."""

    x: float
    y: float
    width: float
    height: float
    jpeg: bytes


Shape = Box | Stroke | Dot | Letters | Tiles | Picture


@dataclass(frozen=True)
class Drawing:
    """Shapes, the later above the earlier.

    Attributes
    ----------
    width, height : in points, 1/72 inch; x goes right and y down.
    alt : what it shows, in words.
    """

    width: float
    height: float
    shapes: tuple[Shape, ...]
    alt: str


def plain(number: float) -> str:
    """A coordinate with two decimals at most, the same on every machine."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
