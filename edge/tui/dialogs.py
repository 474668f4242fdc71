"""Screens that lie over the main one: help, and the questions before a slide is left."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from edge.tui.colours import css, ink_on
from edge.tui.finding import BANDS
from edge.tui.wording import CONFIRMED
from edge.types import FindingKind

_KEYS = """\
[b]Keys[/b]  (arrow keys: the rest of this page)
 [b]space[/b]  pause, go on
 [b]r[/b]      look at the cells: confirm what the machine says, or correct it
 [b]n[/b]      new slide: close this one, name the next, count from zero
 [b]i[/b]      whose slide this is: patient, age, sex, notes
 [b]l[/b]      every slide: search, review, compare two, reports to a stick
 [b]s[/b]      save a picture of the screen (SVG) beside the records
 [b]d[/b]      details for engineers
 [b]h[/b] [b]?[/b]    this help; once more to close it
 [b]q[/b]      quit

[b]The finding[/b]"""

_OUTCOMES: dict[FindingKind, tuple[str, str]] = {
    "refer": ("refer", "Many blasts. Tell the doctor in charge now."),
    "read-film": ("read the film", "More blasts than errors explain: an expert looks today."),
    "no-blasts-seen": ("none seen", "Enough cells, hardly a blast. Leukemia is not ruled out."),
    "keep-scanning": ("keep scanning", "Too early to say. Move on to unseen fields."),
    "not-readable": ("not readable", "Blurred or dark fields. Mend that, then start again."),
}

_READING = f"""\

 Once given, the first two stand for the slide until people say otherwise.
 Suspicious cells are looked at with [b]r[/b]: a person's word counts above the
 machine's. {CONFIRMED}3 beside a count: people confirmed three of these cells.
 The percentage is corrected for the machine's errors where these are known.
 The bar shows between what percentages the true value lies; the yellow mark
 is the referral limit.

[b]APL? Say so in the call[/b]
 The blasts look like those of acute promyelocytic leukemia. It is treated
 within hours, on suspicion: say the word when you call. Some other leukemias
 look so too, and without this line it may still be APL.

[b]The picture[/b]
 A whole box in its class's colour, with the class's name: counted.
 A broken grey box with "unsure" or "?": the machine is not sure.
 Only the corners of a box, with "cut": the edge cuts the cell.
 Neither of these two is counted.

[b]Focus and light[/b]
 Keep both marks between the brackets: there fields can be read.

[b]The count[/b]
 Each field is counted once; move the stage to an unseen field. What stands
 below the line (platelets, smudge cells, ..) is not in the percentage.
"""

_RECORDED = """
Everything was recorded before it was shown: closing the terminal loses
nothing. """
_UNRECORDED = "\nNothing is recorded (--no-records). "
_NOTICE = "For research use only; it does not replace a haematologist."


class HelpScreen(ModalScreen[None]):
    """Keys, what each finding means, and how to read the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,question_mark,escape,enter,space,q", "dismiss", "Close")
    ]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll {
        width: 80; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; padding: 0 1;
    }
    """

    def __init__(self, *, recorded: bool) -> None:
        super().__init__()
        self._recorded = recorded

    def compose(self) -> ComposeResult:
        recorded = _RECORDED if self._recorded else _UNRECORDED
        with VerticalScroll():
            yield Static(
                Content("\n").join(
                    [Content.from_markup(_KEYS), *map(_outcome, _OUTCOMES), Content.from_markup(_READING)]
                )
                + Content(recorded + _NOTICE)
            )


def _outcome(kind: FindingKind) -> Content:
    """A finding's band in small, and what it means."""
    symbol, colour = BANDS[kind]
    name, meaning = _OUTCOMES[kind]
    return Content.assemble(
        " ", (f" {symbol} {name:<13} ", f"bold {css(ink_on(colour))} on {css(colour)}"), f" {meaning}"
    )


class QuitScreen(ModalScreen[bool]):
    """Asks before a slide under way is left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
    ]
    DEFAULT_CSS = """
    QuitScreen { align: center middle; }
    QuitScreen Static {
        width: 52; max-width: 100%; height: auto; background: $surface; padding: 1 2;
        border: heavy $accent;
    }
    """

    def __init__(self, slide: str, counted: str, *, recorded: bool) -> None:
        super().__init__()
        records = "Its records are kept." if recorded else "It is not recorded (--no-records)."
        question = f"Finish slide {slide} with {counted} and quit?"
        self._text = f"{question}\n\n{records}\n\ny  yes, quit     n  no, go on"

    def compose(self) -> ComposeResult:
        yield Static(self._text, markup=False)
