"""The letters of PDF pages: a font that is embedded, and what it cannot draw.

`fonts/` holds the Latin, Greek and Cyrillic letters of DejaVu Sans 2.37 (its licence beside it), cut out with
fontTools: `pyftsubset DejaVuSans.ttf --unicodes=… --no-hinting --layout-features=`. Other scripts need
shaping, which is not done here: their letters are written by number rather than wrong or as black boxes.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import as_file
from importlib.resources import files as resources

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

PLAIN, HEAVY = "LeukoscopeSans", "LeukoscopeSansHeavy"
_FILES = {PLAIN: "DejaVuSans.ttf", HEAVY: "DejaVuSans-Bold.ttf"}
_ISOLATES = "\u2068\u2069"


@cache
def letters() -> frozenset[int]:
    """Make the fonts known to reportlab; the code points that both of them draw."""
    known = []
    for name, file in _FILES.items():
        with as_file(resources("edge.report.pages") / "fonts" / file) as path:
            pdfmetrics.registerFont(TTFont(name, str(path)))
        known.append(frozenset(pdfmetrics.getFont(name).face.charToGlyph))
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=HEAVY, italic=PLAIN, boldItalic=HEAVY)
    return known[0] & known[1]


class Writing:
    """Text as the fonts can draw it.

    Attributes
    ----------
    lacking : whether a letter had to be written by its number.
    """

    def __init__(self) -> None:
        self._letters = letters()
        self.lacking = False

    def drawn(self, text: str) -> str:
        r"""The text with letters that the fonts lack as `\u0930`; marks of direction are left out."""
        text = unicodedata.normalize("NFC", text)
        return "".join(map(self._one, text.translate(dict.fromkeys(map(ord, _ISOLATES)))))

    def _one(self, letter: str) -> str:
        if ord(letter) in self._letters or letter == "\n":
            return letter
        self.lacking = True
        code = ord(letter)
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
