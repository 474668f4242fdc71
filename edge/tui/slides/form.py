"""A form to fill in by keys alone: enter goes on, ctrl+s saves, a code under the camera fills in a blank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import ClassVar, TypeVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from edge.records.identifiers import isolated
from edge.records.scanned import Scanned, scanned
from edge.tui.slides.columns import Entry, Hints
from edge.tui.slides.picture import PictureScreen
from edge.tui.wording import fit
from edge.types import U8, LeukoscopeError

LOOK_S = 0.5
"""Seconds between two looks for a code under the camera."""

MOST = 6
"""Codes that are offered at once, each by a function key."""

_SHOWN = 24  # characters of a code that is offered

Result = TypeVar("Result")


@dataclass(frozen=True)
class Blank:
    """A blank of a form: its `name`, a hint in it while it is empty, and whether a code may fill it in."""

    name: str
    hint: str = ""
    scanned: bool = False


class Form(ModalScreen[Result]):
    """A form over the screen; `save`, which a subclass provides, takes what was filled in.

    Parameters
    ----------
    title : what it is about.
    blanks : in their order.
    newest : gives the camera's newest picture, (H, W, 3) uint8 RGB, None where there is none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("ctrl+s", "save", "Save"),
        Binding("ctrl+o", "picture", "Code in a picture file"),
        Binding("up", "app.focus_previous", "Up"),
        Binding("down", "app.focus_next", "Down"),
        *(Binding(f"f{i + 1}", f"take({i})", "Take the code") for i in range(MOST)),
    ]
    DONE = "save"
    """What ctrl+s does, in a word or two."""
    DEFAULT_CSS = """
    Form { align: center middle; }
    Form > Vertical {
        width: 72; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; padding: 0 1; border: heavy $accent;
    }
    Form Horizontal { height: 1; }
    Form Horizontal Static { width: 10; }
    Form Input { width: 1fr; background: $panel; }
    Form Input:focus { background: $primary-muted; }
    Form #title { text-style: bold; }
    Form #told { height: auto; max-height: 4; }
    Form Hints { height: 2; }
    """

    class Seen(Message):
        """Codes were looked for under the camera."""

        def __init__(self, found: Scanned) -> None:
            super().__init__()
            self.found = found

    def __init__(
        self, title: str, blanks: Sequence[Blank], newest: Callable[[], U8 | None] | None = None
    ) -> None:
        super().__init__()
        self._heading, self._blanks, self._newest = title, blanks, newest
        self._inputs = {blank.name: Entry(blank.hint) for blank in blanks}
        self._hints = Hints(
            ("enter", "next"),
            ("ctrl+s", self.DONE),
            ("esc", "back"),
            ("ctrl+o", "code in a picture file"),
        )
        self._notes = Static(markup=False)
        self._codes = Static(markup=False)
        self._told = Static(id="told", markup=False)
        self._inviting = self._shown = ""
        self._found: tuple[str, ...] = ()
        self._filled: set[str] = set()  # codes that were filled in once: who takes one out does not want it
        self._ended = Event()

    def save(self, given: dict[str, str]) -> None:
        """Take what was filled in, by blank, without space round it; ends with `dismiss` or raises.

        Raises
        ------
        LeukoscopeError : it cannot be so; the form says why and stays.
        """
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._heading, id="title", markup=False)
            for blank in self._blanks:
                with Horizontal():
                    yield Static(blank.name, markup=False)
                    yield self._inputs[blank.name]
            yield self._notes
            yield self._codes
            yield self._told
            yield self._hints

    def on_mount(self) -> None:
        if self._newest is not None and any(blank.scanned for blank in self._blanks):
            self._inviting = "A code held under the camera is filled in by itself."
            self._show_codes(self._inviting)
            self._look()

    def on_unmount(self) -> None:
        self._ended.set()

    def fill(self, **values: str) -> None:
        """Put values into blanks."""
        for name, value in values.items():
            self._inputs[name].value = value

    def tell(self, what: str) -> None:
        """Something that the person must know; empty for nothing."""
        self._told.update(Content.styled(f"▲ {what}" if what else "", "bold"))

    def remind(self, lines: Sequence[str]) -> None:
        """Lines that stay in sight above the codes."""
        self._notes.update("\n".join(lines))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the last blank saves; a barcode reader that types ends with it too, in whichever blank."""
        if event.input is list(self._inputs.values())[-1]:
            self.action_save()
        else:
            self.focus_next()

    def action_save(self) -> None:
        """Save what was filled in."""
        try:
            self.save({name: shown.value.strip() for name, shown in self._inputs.items()})
        except LeukoscopeError as error:
            self.tell(str(error))

    def action_take(self, number: int) -> None:
        """Put the code of this number into the blank under the cursor, else into an empty one."""
        places = self._places()
        if number < len(self._found) and places:
            places[0].value = self._found[number]

    def action_picture(self) -> None:
        """Read a code from a picture file."""
        self.app.push_screen(PictureScreen(), lambda found: None if found is None else self._offer(found))

    @work(thread=True)
    def _look(self) -> None:
        """Look for codes under the camera, away from the line, until the form is closed."""
        before = None
        while self._newest is not None and not self._ended.is_set():
            pixels = self._newest()
            if pixels is not None and pixels is not before:
                try:
                    self.post_message(self.Seen(scanned(pixels)))
                except LeukoscopeError as error:  # nothing here can read codes
                    self.post_message(self.Seen(Scanned(refused=str(error))))
                    return
            before = pixels
            self._ended.wait(LOOK_S)

    def on_form_seen(self, seen: Seen) -> None:
        self._offer(seen.found)

    def _offer(self, found: Scanned) -> None:
        """Show codes; one that is alone goes into an empty blank at once, of several a person chooses."""
        self._found = found.identifiers[:MOST] or self._found
        if len(found.identifiers) == 1:
            self._fill_in(found.identifiers[0])
        offered = [f"F{i + 1} {isolated(fit(code, _SHOWN))}" for i, code in enumerate(self._found)]
        which = "Which code?  " if len(offered) > 1 else "Code  "
        lines = [which + "   ".join(offered) if offered else self._inviting]
        if found.refused:
            lines.append(f"▲ {found.refused}")
        self._show_codes("\n".join(lines).strip())

    def _fill_in(self, code: str) -> None:
        used = self._filled | {shown.value for shown in self._inputs.values()}
        empty = [place for place in self._places() if not place.value]
        if code not in used and empty:
            self._filled.add(code)
            empty[0].value = code

    def _show_codes(self, text: str) -> None:
        if text != self._shown:
            self._shown = text
            self._codes.update(text)

    def _places(self) -> list[Entry]:
        """Blanks that a code may go into, the one to be filled in next first."""
        places = [self._inputs[blank.name] for blank in self._blanks if blank.scanned]
        return sorted(places, key=lambda place: (not place.has_focus, bool(place.value)))
