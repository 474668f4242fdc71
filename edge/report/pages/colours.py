"""Which colour stands for which class on paper."""

from __future__ import annotations

from itertools import cycle

from edge.line.rules import Rules

_POSITIVE = ("#c4001d", "#c2007a", "#d15400")
_LEUKOCYTE = ("#8c4a00", "#0a5fd1", "#00a09a", "#2b8a2b", "#c9a200", "#7b2fd0", "#b0478f")
_OTHER = ("#7a5a3c", "#4f7286", "#5d5d80", "#5c5c5c")


def class_colours(rules: Rules) -> dict[str, str]:
    """Reds for what is positive, a hue each for the other leukocytes, dull ones for what is not counted.

    Dark enough for white paper; those of the screen are for black.
    """
    positive, leukocyte, other = cycle(_POSITIVE), cycle(_LEUKOCYTE), cycle(_OTHER)
    return {
        name: next(positive if name in rules.positive else leukocyte if name in rules.leukocytes else other)
        for name in rules.classes
    }
