"""The live screen: where each panel stands, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from edge.tui.colours import class_colours
from edge.tui.counts import Counts
from edge.tui.finding import FindingPanel
from edge.tui.gallery import Gallery
from edge.tui.latest import SeenCell
from edge.tui.live import LiveView
from edge.tui.meters import Meters
from edge.tui.status import Keys, Notes, StatusLine, TitleBar, Trouble
from edge.types import LeukoscopeError, Reading, Tally, Waiting

if TYPE_CHECKING:  # the screen shows what it is given, and can be tried without what gives it
    from edge.line.screening import Screening

_NARROW = 72  # columns, below which two meters have no room beside each other


class MainScreen(Screen[None]):
    """The field and the last cells on the left, what they come to on the right, keys below."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_NARROW, "-wide")]  # noqa: RUF012 (Textual's own annotation)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-medium"), (46, "-tall")]  # noqa: RUF012
    DEFAULT_CSS = """
    MainScreen {
        layout: vertical;
        TitleBar, Keys { height: 1; background: $panel; }
        #body { height: 1fr; }
        #left { width: 1fr; margin-right: 1; }
        #right { width: 30%; min-width: 35; max-width: 60; }
        Notes { color: black; background: yellow; }
        LiveView, FindingPanel { height: 1fr; }
        StatusLine, Meters { height: 1; }
        &.-narrow StatusLine, &.-narrow Meters { height: 2; }
        Counts { height: 11; }
        &.-low Counts { height: 4; }
        &.-tall Counts { height: 22; }
    }
    """

    def __init__(self, screening: Screening, keys: Sequence[Binding]) -> None:
        super().__init__()
        self._recorded = screening.recorded
        self._aspect = 0.625  # height / width of a frame; the true one comes with the first
        self._crowded = False  # the notes take the room of the small pictures
        colours = class_colours(screening.classes, screening.positives, screening.leukocytes)
        self._title = TitleBar()
        self._live = LiveView(colours)
        self._notes = Notes()
        self._status = StatusLine()
        self._meters = Meters()
        self._gallery = Gallery(colours)
        self._trouble = Trouble()
        self._finding = FindingPanel(
            screening.positives, screening.referral_fraction, recorded=screening.recorded
        )
        self._counts = Counts(colours, screening.leukocytes)
        self._keys = Keys(keys)

    def compose(self) -> ComposeResult:
        yield self._title
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self._live
                yield self._notes
                yield self._status
                yield self._meters
                yield self._gallery
                yield self._trouble
            with Vertical(id="right"):
                yield self._finding
                yield self._counts
        yield self._keys

    def on_resize(self, event: events.Resize) -> None:
        self._share_left(event.size.width, event.size.height)

    def show_reading(self, reading: Reading | None, cells: Sequence[SeenCell]) -> None:
        """Everything that a reading tells; None for a slide that has none yet."""
        tally = reading.tally if reading else Tally(counts={})
        if reading is not None and reading.frame.pixels.size:
            aspect = reading.frame.height / reading.frame.width
            if abs(aspect - self._aspect) > 0.01:
                self._aspect = aspect
                self._share_left(*self.size)
        self._live.show_reading(reading)
        self._gallery.show_cells(cells)
        self._finding.show(reading.finding if reading else None, tally)
        self._counts.show(tally)
        self._meters.show(reading)

    def show_slide(self, slide: str) -> None:
        self._title.show(f"slide {slide}")

    def show_notes(self, notes: Sequence[str]) -> None:
        """What must stay in sight while this slide is read; the first are cut last."""
        self._notes.show(notes)
        self._share_left(*self.size)

    def show_state(
        self,
        reading: Reading | None,
        *,
        paused: bool,
        ended: bool,
        failure: LeukoscopeError | None,
        waiting: Waiting | None,
    ) -> None:
        """How it goes on, or why it does not."""
        failed, away = failure is not None, waiting is not None
        self._status.show(reading, paused=paused, ended=ended, failed=failed, waiting=away)
        self._trouble.display = failed or (away and not ended)
        self._gallery.display = not self._trouble.display and not self._crowded
        recorded = "All cells counted so far are recorded. " if self._recorded else ""
        if failure is not None:
            self._trouble.show(str(failure), f"{recorded}Press q to finish, then start again.")
        elif waiting is not None:
            advice = f"{waiting.advice[:1].upper()}{waiting.advice[1:]}."
            then = "Then press space to go on." if paused else "The slide goes on by itself."
            self._trouble.show(waiting.reason, f"{advice} {then}")

    def _share_left(self, width: int, height: int) -> None:
        """Give the picture the height its width asks for, and the small pictures the rest.

        Notes come before the small pictures where there is room for one of them only.
        """
        narrow = width < _NARROW
        left = width - min(max(width * 30 // 100, 35), 60) - 1
        notes = self._notes.rows(left, 4 if narrow else max(3, height // 10))
        self._notes.styles.height, self._notes.display = notes, notes > 0
        self._crowded = narrow and notes > 0
        self._gallery.display = not self._trouble.display and not self._crowded
        lines = 6 if narrow else 4  # title, status, meters and keys
        rows = height - lines - notes - round(left * self._aspect / 2)
        for widget in (self._gallery, self._trouble):
            widget.styles.height = min(max(rows, 6), 16)
