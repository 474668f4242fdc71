"""Figures to read from across the room."""

from __future__ import annotations

_FONT = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": (" # ", "## ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", " ##", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", " # ", " # "),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    ".": (" ", " ", " ", " ", "#"),
    "<": ("  #", " # ", "#  ", " # ", "  #"),
    "%": ("#  #", "  # ", " #  ", "#  #", "    "),
}


def large(text: str) -> list[str]:
    """`text` of digits, '<', '.' and '%' in five lines, each character two columns a dot."""
    return [
        "  ".join("".join(dot.replace("#", "█") * 2 for dot in _FONT[character][row]) for character in text)
        for row in range(5)
    ]
