"""Which colour stands for which class, wherever it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from edge.tui.halfblock import RGB

_POSITIVE: list[RGB] = [(240, 60, 50), (255, 60, 150), (255, 110, 0)]
_LEUKOCYTE: list[RGB] = [
    (250, 165, 30),
    (70, 145, 255),
    (0, 185, 175),
    (70, 190, 80),
    (225, 210, 50),
    (185, 115, 255),
    (255, 150, 210),
]
_OTHER: list[RGB] = [(190, 140, 100), (140, 165, 180), (135, 135, 165), (130, 130, 130)]
UNCERTAIN: RGB = (150, 150, 150)
GOOD: RGB = (95, 215, 95)
"""All is as it should be, and nothing more: no finding."""


def class_colours(
    classes: Sequence[str], positives: Sequence[str], leukocytes: Sequence[str]
) -> dict[str, RGB]:
    """Warm and bright for positives, a hue each for the other leukocytes, dull for what is not counted."""
    positive, leukocyte, other = cycle(_POSITIVE), cycle(_LEUKOCYTE), cycle(_OTHER)
    return {
        name: next(positive if name in positives else leukocyte if name in leukocytes else other)
        for name in classes
    }


def mix(colour: RGB, other: RGB, share: float) -> RGB:
    """`colour` with `share` of `other` in it."""
    r, g, b = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return r, g, b


def ink_on(paper: RGB) -> RGB:
    """Black or white, whichever reads better on `paper` (luma of ITU-R BT.601)."""
    r, g, b = paper
    return (0, 0, 0) if 0.299 * r + 0.587 * g + 0.114 * b > 125 else (255, 255, 255)


def css(colour: RGB) -> str:
    """The colour as Textual's markup writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
