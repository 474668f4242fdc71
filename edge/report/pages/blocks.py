"""What a report's pages are made of, whatever they are written as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.report.pages.drawing import Drawing

Tone = Literal["plain", "strong", "small", "warning", "headline", "digits"]
"""How text is to look: as text, heavy, a footnote, to be heeded, the finding, a row of digits."""


@dataclass(frozen=True)
class Text:
    """A paragraph; line breaks in it stand."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Facts:
    """What is known, each under what it is called."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows under a header: `wide` has the share of each column, `heavy` rows to be seen first."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | Drawing, ...], ...]
    wide: tuple[float, ...]
    heavy: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Figure:
    """A drawing as wide as the page, or as it is."""

    drawing: Drawing
    full: bool = True


@dataclass(frozen=True)
class Key:
    """What marks in a figure mean."""

    items: tuple[tuple[Drawing, str], ...]


@dataclass(frozen=True)
class Shown:
    """A picture with lines below, the first of them its name."""

    drawing: Drawing
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side; `wide` ones are charts, two or three to a row."""

    items: tuple[Shown, ...]
    wide: bool = False


Block = Text | Facts | Table | Figure | Key | Gallery


@dataclass(frozen=True)
class Section:
    """Blocks under a title; `name` is what a link calls it. `together`: on one page where that can be."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    together: bool = False


@dataclass(frozen=True)
class Pages:
    """A report as pages.

    Attributes
    ----------
    title : of the document. about : its slide and patient, in a line for the head of every page.
    standing : whether it is signed and by whom, in words for there too.
    made_at : UTC, ISO 8601. made_by : which program.
    essentials : what stands before all sections, on the first page.
    """

    title: str
    about: str
    standing: str
    made_at: str
    made_by: str
    essentials: tuple[Block, ...]
    sections: tuple[Section, ...]
