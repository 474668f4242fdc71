"""Small screens that lie over the review: who is reading, which class, questions, help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from edge.tui.wording import title
from edge.types import LeukoscopeError

if TYPE_CHECKING:
    from edge.review.review import Review

ALL = ""
"""Of the filter: every class."""

_HELP = """\
[b]Go through the cells[/b]
Most suspicious first. For each: enter if it is what the machine says, else the letter of its class. \
Each key is kept at once: nothing is lost if the power goes.

 [b]enter[/b]         it is what the machine says; next cell
 [b]b, l, n ..[/b]    it is of this class; next cell
 [b]u[/b]             undo, as often as you like
 [b]arrows[/b]        move; page up, page down, home, end
 [b]space[/b] [b]x[/b]       select; then one key names them all
 [b]shift+arrows[/b]  select on the way; [b]ctrl+a[/b] the whole page
 [b]f[/b]             show one class; [b]tab[/b] the next one
 [b]v[/b]             larger; the field round it; all cells
 [b]w[/b]             why the machine says so, on and off
 [b]d[/b]             I am done: compare with the other reader
 [b]![/b]             sign: nobody can change the slide then
 [b]q[/b] [b]escape[/b]      back

[b]Before a cell's number[/b]
 √ you agree with the machine   → you say another class
 • others have named it         ↔ you and others differ
 ? the machine is unsure        ■ selected
"""


class InitialsScreen(ModalScreen["Review | None"]):
    """Asks who is reading, and opens the slide for them; what cannot be opened is said here."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]
    DEFAULT_CSS = """
    InitialsScreen { align: center middle; }
    InitialsScreen Vertical {
        width: 56; max-width: 100%; height: auto; background: $surface; padding: 1 2; border: heavy $accent;
    }
    InitialsScreen Input { width: 24; margin: 1 0; }
    InitialsScreen Static { height: auto; }
    """

    def __init__(self, open_review: Callable[[str], Review]) -> None:
        super().__init__()
        self._open = open_review

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Who is looking at this slide? Type your initials.", markup=False)
            yield Input(max_length=8, placeholder="such as AB")
            yield Static("enter  go on     escape  back", id="told", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            review = self._open(event.value)
        except LeukoscopeError as error:
            self.query_one("#told", Static).update(f"▲ {error}")
        else:
            self.dismiss(review)


class Question(ModalScreen[bool]):
    """Asks before something that cannot be taken back; enter, which is pressed all the time, is no answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape,q", "dismiss(False)", "No"),
    ]
    DEFAULT_CSS = """
    Question { align: center middle; }
    Question Static {
        width: 58; max-width: 100%; height: auto; background: $surface; padding: 1 2; border: heavy $accent;
    }
    """

    def __init__(self, question: str, yes: str, no: str = "no, go on") -> None:
        super().__init__()
        self._text = f"{question}\n\ny  {yes}     n  {no}"

    def compose(self) -> ComposeResult:
        yield Static(self._text, markup=False)


class FilterScreen(ModalScreen["str | None"]):
    """Which class to show: its letter; enter for all, escape for no change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space,f", f"dismiss('{ALL}')", "All"),
        Binding("escape,q", "dismiss(None)", "As before"),
    ]
    DEFAULT_CSS = """
    FilterScreen { align: center middle; }
    FilterScreen VerticalScroll {
        width: 44; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; padding: 0 2; border: heavy $accent;
    }
    """

    def __init__(self, letters: Mapping[str, str], cells: Mapping[str, int]) -> None:
        super().__init__()
        self._letters, self._cells = letters, cells

    def compose(self) -> ComposeResult:
        rows = [
            f"{letter}  {title(name, 24):<24} {self._cells.get(name, 0):>6}"
            for name, letter in self._letters.items()
        ]
        with VerticalScroll():
            yield Static("\n".join(["Show which cells?", *rows, "enter  all of them"]), markup=False)

    def on_key(self, event: events.Key) -> None:
        named = {letter: name for name, letter in self._letters.items()}
        pressed = (event.character or "").lower()
        if pressed in named:
            event.stop()
            self.dismiss(named[pressed])


class ReviewHelp(ModalScreen[None]):
    """Keys and how to read the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,question_mark,escape,enter,space,q", "dismiss", "Close")
    ]
    DEFAULT_CSS = """
    ReviewHelp { align: center middle; }
    ReviewHelp VerticalScroll {
        width: 72; max-width: 100%; height: auto; max-height: 100%; background: $surface; padding: 0 1;
    }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(_HELP)
