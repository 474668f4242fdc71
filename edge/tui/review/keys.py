"""The keys of the review: a letter for each class, and the line that shows the others."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase, digits

from textual.content import Content

from edge.tui.panel import Panel

COMMANDS = "dfhquvwx"
"""Letters that do something else, and name no class."""

_LETTERS = {
    "blast": "b",
    "immature-granulocyte": "i",
    "lymphocyte": "l",
    "monocyte": "m",
    "neutrophil": "n",
    "eosinophil": "e",
    "basophil": "o",
    "erythroblast": "r",
    "platelet": "p",
    "smudge-cell": "s",
    "artefact": "a",
}
_SHOWN = (
    ("enter", "as the machine says", "agree"),
    ("letter", "another class", "class"),
    ("space", "select", "select"),
    ("u", "undo", "undo"),
    ("f", "filter", "filter"),
    ("v", "larger", "larger"),
    ("w", "why", "why"),
    ("d", "done", "done"),
    ("!", "sign", "sign"),
    ("?", "help", "help"),
    ("q", "back", "back"),
)
"""Key, what it does, and the same where there is little room."""


def letters(classes: Sequence[str]) -> dict[str, str]:
    """Class name -> the key that names it: in every bundle the same letter, a digit where there is none."""
    free = [key for key in digits[1:] + "0" + ascii_lowercase if key not in COMMANDS]
    others = iter(key for key in free if key not in _LETTERS.values())
    return {name: _LETTERS.get(name) or next(others, "") for name in classes}


class KeyLine(Panel):
    """The keys, always in sight."""

    def lay_out(self, width: int, height: int) -> list[Content]:
        long = _lines([(key, text) for key, text, _ in _SHOWN], width)
        return long if len(long) <= height else _lines([(key, text) for key, _, text in _SHOWN], width)


def _lines(entries: Sequence[tuple[str, str]], width: int) -> list[Content]:
    lines: list[list[Content]] = [[]]
    left = width
    for key, text in entries:
        entry = Content.assemble((f" {key}", "bold"), f" {text} ")
        if len(entry) > left:
            lines.append([])
            left = width
        lines[-1].append(entry)
        left -= len(entry)
    return [Content.assemble(*line) for line in lines]
