"""Asks for a picture file and reads the codes in it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from edge.files import pictures
from edge.records.scanned import Scanned, scanned
from edge.tui.slides.columns import Entry
from edge.types import LeukoscopeError


class PictureScreen(ModalScreen["Scanned | None"]):
    """Gives what the codes in a picture say; what cannot be read is said here."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]
    DEFAULT_CSS = """
    PictureScreen { align: center middle; }
    PictureScreen Vertical {
        width: 60; max-width: 100%; height: auto; background: $surface; padding: 0 1; border: heavy $accent;
    }
    PictureScreen Input { margin: 1 0; }
    PictureScreen Static { height: auto; }
    """

    class Read(Message):
        """What became of a picture: its codes, or why there are none."""

        def __init__(self, outcome: Scanned | LeukoscopeError) -> None:
            super().__init__()
            self.outcome = outcome

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Picture of a label with a code: which file?", markup=False)
            yield Entry("such as /media/stick/label.jpg")
            yield Static("enter  read it     esc  back", id="told", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._tell("reading ..")
            self._read(event.value.strip())

    @work(thread=True, exclusive=True)
    def _read(self, name: str) -> None:
        try:
            self.post_message(self.Read(codes_in(name)))
        except LeukoscopeError as error:
            self.post_message(self.Read(error))

    def on_picture_screen_read(self, read: Read) -> None:
        if isinstance(read.outcome, Scanned):
            self.dismiss(read.outcome)
        else:
            self._tell(f"▲ {read.outcome}")

    def _tell(self, what: str) -> None:
        self.query_one("#told", Static).update(what)


def codes_in(name: str) -> Scanned:
    """What the codes in a picture file say.

    Raises
    ------
    LeukoscopeError : the file cannot be read, is no picture, or has no code.
    """
    try:
        found = scanned(pictures.decode(Path(name).expanduser().read_bytes()))
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LeukoscopeError(f"picture {name}: {reason}; choose another file") from None
    if found == Scanned():
        raise LeukoscopeError(f"picture {name}: no code was found in it; take it sharper, from nearer")
    return found
