"""Screens that lie over the main one: help, and the question before a new slide."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

_HELP = """\
[b]Keys[/b]
 [b]space[/b]   pause, go on
 [b]n[/b]       new slide: close this one and count from zero
 [b]s[/b]       save a picture of the screen (SVG) in the current folder
 [b]h[/b] [b]?[/b]     this help; once more to close it
 [b]q[/b]       quit

[b]The picture[/b]
 A box in its class's colour, with a tag, is a cell that was recognised.
 A broken grey box with "?" is uncertain; a faint one is cut by the edge.
 Neither is counted.

[b]The count[/b]
 Each field is counted once; move the stage to an unseen field. Cells under
 the line (platelets, smudge cells, ..) are not part of the percentage.
 The bar shows between what percentages the slide's true value lies; the
 yellow mark is the referral limit.

"""

_RECORDED = """\
Everything was recorded before it was shown: closing the terminal loses
nothing. """
_UNRECORDED = "Nothing is recorded (--no-records). "
_NOTICE = "For research use only; it does not replace a haematologist."


class HelpScreen(ModalScreen[None]):
    """Keys and how to read the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,question_mark,escape,enter,space,q", "dismiss", "Close")
    ]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll {
        width: 78; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; padding: 0 1;
    }
    """

    def __init__(self, *, recorded: bool) -> None:
        super().__init__()
        self._recorded = recorded

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(_HELP + (_RECORDED if self._recorded else _UNRECORDED) + _NOTICE)


class NewSlideScreen(ModalScreen[bool]):
    """Asks before the count starts from zero."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
    ]
    DEFAULT_CSS = """
    NewSlideScreen { align: center middle; }
    NewSlideScreen Static {
        width: 52; max-width: 100%; height: auto; background: $surface; padding: 1 2;
        border: heavy $accent;
    }
    """

    def __init__(self, slide: str, counted: str, *, recorded: bool) -> None:
        super().__init__()
        self._records = "Its records are kept." if recorded else "It is not recorded (--no-records)."
        self._slide = slide
        self._counted = counted

    def compose(self) -> ComposeResult:
        question = f"Close slide {self._slide} with {self._counted} and start a new one?"
        keys = "y  yes, new slide     n  no, go on"
        yield Static(f"{question}\n\n{self._records}\n\n{keys}", markup=False)
