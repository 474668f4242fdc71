"""Reports to a stick: where to, how far it is, and when it is safe to pull out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import get_current_worker

from edge.files import mounts
from edge.files.delivery import Delivery
from edge.files.text import printable
from edge.records.identifiers import isolated
from edge.report.crew import export
from edge.report.export import Order
from edge.types import LeukoscopeError

FOLDER = "leukoscope"
"""On the stick: what lies there is not mixed with what else it holds."""

_LOOK_S = 1.0
_SHOWN = 6  # sticks; a box has fewer sockets
_BAR = 40  # characters


@dataclass(frozen=True)
class Stick:
    """A medium that people carry away: where it is mounted, and how many bytes are free."""

    place: Path
    free: int | None

    def __str__(self) -> str:
        room = "cannot be read" if self.free is None else f"{self.free / 1e6:,.0f} MB free"
        return f"{printable(str(self.place))}  ({room})"


def sticks(records: Path) -> list[Stick]:
    """Those that are there now and can be written; not what the records lie on."""
    own = mounts.mount_of(records.parent)
    return [
        Stick(place := Path(mount.point), _free(place))
        for mount in mounts.carried()
        if not mount.read_only and (own is None or mount.device != own.device)
    ]


def _free(place: Path) -> int | None:
    with suppress(OSError):  # pulled out a moment ago, or another user's
        return shutil.disk_usage(place).free
    return None


class CarryScreen(ModalScreen[None]):
    """Writes reports of these slides, as HTML and PDF, to a stick that a person chooses.

    Parameters
    ----------
    path : the record store's file. slides : identifiers.
    places : tells the sticks that are there, given that file.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up"),
        Binding("down", "move(1)", "Down"),
        Binding("enter", "write", "Write"),
        Binding("escape,q", "leave", "Close"),
    ]
    DEFAULT_CSS = """
    CarryScreen { align: center middle; }
    CarryScreen Static {
        width: 72; max-width: 100%; height: auto; background: $surface; padding: 1 2; border: heavy $accent;
    }
    """

    class Moved(Message):
        """So many of the slides are written."""

        def __init__(self, done: int) -> None:
            super().__init__()
            self.done = done

    class Ended(Message):
        """All are written, or not; the words that say so."""

        def __init__(self, told: str) -> None:
            super().__init__()
            self.told = told

    def __init__(
        self, path: Path, slides: Sequence[str], places: Callable[[Path], Sequence[Stick]] = sticks
    ) -> None:
        super().__init__()
        self._path, self._slides, self._places = path, slides, places
        self._sticks: Sequence[Stick] = ()
        self._here = 0
        self._done: int | None = None  # slides written, None before the first
        self._told = ""

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def on_mount(self) -> None:
        self._look()
        self.set_interval(_LOOK_S, self._look)

    def _look(self) -> None:
        """Sticks come and go while the screen is open."""
        if self._done is None:
            self._sticks = self._places(self._path)
            self._here = min(self._here, max(len(self._sticks) - 1, 0))
            self._show()

    def _show(self) -> None:
        self.query_one(Static).update("\n".join(self._lines()))

    def _lines(self) -> list[str]:
        one = len(self._slides) == 1
        what = f"slide {isolated(self._slides[0])}" if one else f"{len(self._slides)} slides"
        head = [f"Report of {what}, to print or to hand over", ""]
        if self._told:
            return [*head, self._told, "", "esc  close"]
        if self._done is not None:
            filled = self._done * _BAR // len(self._slides)
            bar = "█" * filled + "░" * (_BAR - filled)
            return [*head, f"{bar} {self._done} of {len(self._slides)}", "", "Leave the stick in.  esc  stop"]
        if not self._sticks:
            return [*head, "Plug in a USB stick; it shows here within seconds.", "", "esc  close"]
        listed = [f"{'▶' if i == self._here else ' '} {stick}" for i, stick in enumerate(self._sticks)]
        return [*head, *listed[:_SHOWN], "", "enter  write to it     esc  close"]

    def action_move(self, by: int) -> None:
        self._here = min(max(self._here + by, 0), max(len(self._sticks) - 1, 0))
        self._show()

    def action_write(self) -> None:
        if self._done is None and self._sticks:
            self._done = 0
            self._show()
            self._write(self._sticks[self._here].place / FOLDER)

    def action_leave(self) -> None:
        """Close; what is being written stops after the file in hand, which is whole."""
        self.workers.cancel_node(self)
        self.dismiss()

    @work(thread=True, exclusive=True)
    def _write(self, folder: Path) -> None:
        worker = get_current_worker()
        try:
            files = 0
            with Delivery(folder) as delivery:
                for i, one in enumerate(
                    export(Order(("html", "pdf")), self._path, self._slides, delivery), 1
                ):
                    files += len(one.files)
                    self.post_message(self.Moved(i))
                    if worker.is_cancelled:
                        return
            safe = delivery.safe_to_pull_out or "everything is written"
            self.post_message(self.Ended(f"{files} files in {printable(str(folder))}.\n\n{safe}."))
        except LeukoscopeError as error:
            self.post_message(self.Ended(str(error)))

    def on_carry_screen_moved(self, moved: Moved) -> None:
        self._done = moved.done
        self._show()

    def on_carry_screen_ended(self, ended: Ended) -> None:
        self._told = ended.told
        self._show()
