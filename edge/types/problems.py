"""What may be the matter with a field, in a few words, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

UNREADABLE = "unreadable"
TOO_SMALL = "too small"
NO_PICTURE = "no picture of a field"
TOO_DARK = "too dark"
TOO_BRIGHT = "too bright"
NO_CONTRAST = "no contrast"
OUT_OF_FOCUS = "out of focus"
NO_COLOUR = "no colour"
COLOUR_MISSING = "a colour is missing"
EXCHANGED = "red and blue are exchanged"
STAIN = "not the colours of a blood stain"
SCALE_UNKNOWN = "scale unknown"

MEND: Mapping[str, tuple[str, str]] = MappingProxyType({
    UNREADABLE: ("", "Check the files: copy them again from where they were made, or save them as TIFF."),
    TOO_SMALL: ("show a whole field", "Use whole fields; pictures of single cells need --single-cell."),
    NO_PICTURE: ("show a field", "Leave out label images, masks and drawings, then start again."),
    TOO_DARK: ("turn up the lamp", "Turn up the lamp or open the condenser, then start again."),
    TOO_BRIGHT: ("turn down the lamp", "Turn down the lamp or shorten the exposure, then start again."),
    NO_CONTRAST: ("move onto the smear", "Put the smear under the lens and focus, then start again."),
    OUT_OF_FOCUS: ("turn the fine focus", "Focus on the red cells, clean the lens, then start again."),
    NO_COLOUR: (
        "set the camera to colour",
        "Set the camera to colour (its setting may be called monochrome, greyscale or saturation); if it is, "
        "look whether the smear is stained. Then start again.",
    ),
    COLOUR_MISSING: (
        "check camera and lamp",
        "Check the camera's cable and its settings of colour and white balance, and take filters out of the "
        "light, then start again.",
    ),
    EXCHANGED: (
        "set its colour order",
        "Set the camera, or the program that saved the pictures, to the colour order RGB (it gives BGR), "
        "then start again.",
    ),
    STAIN: (
        "check stain and white balance",
        "This reads blood smears in a Romanowsky stain (Giemsa, Wright, Leishman, May-Grünwald): check "
        "stain, filters and white balance, then start again.",
    ),
    SCALE_UNKNOWN: (
        "move to where red cells lie",
        "Go where red cells lie side by side; or calibrate with `edge-device calibrate`, or give "
        "--um-per-px.",
    ),
})  # fmt: skip
"""Problem -> what to do at once, in a few words for the screen, and about a whole slide of such fields."""


ABOUT_THE_SLIDE = frozenset(
    {TOO_SMALL, NO_PICTURE, NO_COLOUR, COLOUR_MISSING, EXCHANGED, STAIN, SCALE_UNKNOWN}
)
"""What moving the stage does not mend: the user is told once a slide, whoever watches."""


def kind_of(problem: str) -> str:
    """Which of the problems it is, without the particulars behind a colon."""
    return problem.partition(":")[0]


def commonest(problems: Mapping[str, int]) -> str | None:
    """The kind that most of so many problems are of, the first of equals; None where there are none."""
    kinds: Counter[str] = Counter()
    for problem, times in problems.items():
        kinds[kind_of(problem)] += times
    return max(kinds, key=kinds.__getitem__, default=None)
