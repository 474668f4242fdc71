"""The screen of `edge-run`: shows Readings as they come and passes keys on."""

from __future__ import annotations

import asyncio
import signal
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Static

from edge.files import atomic
from edge.tui.colours import class_colours
from edge.tui.counts import Counts
from edge.tui.dialogs import HelpScreen, NewSlideScreen
from edge.tui.finding import FindingPanel
from edge.tui.gallery import Gallery
from edge.tui.latest import Latest
from edge.tui.live import LiveView
from edge.tui.meters import Details, Meters
from edge.tui.snapshot import svg
from edge.tui.status import StatusLine, TitleBar, Trouble
from edge.types import LeukoscopeError, Reading, Tally, Waiting

if TYPE_CHECKING:  # the screen shows what it is given, and can be tried without what gives it
    from edge.line.screening import Screening

# The eye follows a stage that moves at this rate, and a small computer keeps its time for the line.
REFRESHES_PER_S = 15


class ScreeningApp(App[Reading]):
    """Shows a screening until q is pressed; `run` returns the slide's last Reading, or None without one.

    What ended the screening before its time is in `failure`. When nothing was shown yet the screen closes
    at once, else it stays until q.

    A thread of its own takes the readings; a clock shows the newest. Readings that come faster than the
    screen is painted are dropped from the view only.
    """

    TITLE = "Leukoscope"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause"),
        Binding("n", "new_slide", "New slide"),
        Binding("s", "save_picture", "Save picture"),
        Binding("h,question_mark", "help", "Help", key_display="h"),
        Binding("q,ctrl+c", "finish", "Quit", key_display="q", priority=False),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 (Textual's own annotation stands)
        (0, "-short"),
        (29, "-medium"),
        (37, "-tall"),
        (56, "-huge"),
    ]
    CSS = """
    Screen { layout: vertical; }
    TitleBar { height: 1; background: $panel; }
    #body { height: 1fr; }
    #left { width: 1fr; margin-right: 1; }
    #right { width: 30%; min-width: 35; max-width: 60; }
    #warning { height: auto; max-height: 2; color: black; background: yellow; }
    LiveView { height: 1fr; }
    StatusLine, Meters { height: 1; }
    Gallery, Trouble { height: 6; }
    FindingPanel { height: 1fr; }
    Counts { height: 13; }
    Details { height: 2; }
    .-medium Details { height: 6; }
    .-tall FindingPanel { height: 16; }
    .-tall Details, .-huge Details { height: 1fr; }
    .-huge FindingPanel { height: 18; }
    .-huge Counts { height: 26; }
    #foot { height: 1; background: $panel; }
    Footer { dock: none; width: 1fr; background: $panel; }
    #notice { width: auto; padding: 0 1; }
    """

    def __init__(self, screening: Screening) -> None:
        super().__init__()
        self.screening = screening
        self._latest = Latest()
        self._paused = False
        self._ended = False
        self.failure: LeukoscopeError | None = None
        self._waiting: Waiting | None = None
        self._left_slide: str | None = None  # the slide that readings may still come of
        self._aspect = 0.625  # height / width of a frame; the true one comes with the first

        colours = class_colours(screening.classes, screening.positives, screening.leukocytes)
        self._title = TitleBar()
        self._live = LiveView(colours)
        self._status = StatusLine()
        self._meters = Meters()
        self._gallery = Gallery(colours)
        self._trouble = Trouble()
        self._finding = FindingPanel(screening.positives, screening.referral_fraction)
        self._counts = Counts(colours, screening.leukocytes)
        self._details = Details(
            {"camera": screening.camera, "bundle": screening.bundle, "runtime": screening.runtime}
        )

    def compose(self) -> ComposeResult:
        yield self._title
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self._live
                if self.screening.warning:
                    yield Static(f"! {self.screening.warning}", id="warning", markup=False)
                yield self._status
                yield self._meters
                yield self._gallery
                yield self._trouble
            with Vertical(id="right"):
                yield self._finding
                yield self._counts
                yield self._details
        with Horizontal(id="foot"):
            yield Footer(show_command_palette=False)
            yield Static("research use only", id="notice")

    def on_mount(self) -> None:
        self._trouble.display = False
        self._show(None)
        self.set_interval(1 / REFRESHES_PER_S, self._tick)
        for ending in (signal.SIGTERM, signal.SIGHUP):  # the second comes when the terminal is closed
            asyncio.get_running_loop().add_signal_handler(ending, self.action_finish)
        self._take_readings()

    def on_unmount(self) -> None:
        self.screening.stop()

    def on_resize(self, event: events.Resize) -> None:
        self._share_left(event.size.width, event.size.height)

    @work(thread=True)
    def _take_readings(self) -> None:
        reading = None
        try:
            for reading in self.screening.readings():
                if self.screening.slide != self._left_slide:
                    self._latest.reading(reading)
                if reading.note:
                    self.call_from_thread(self.notify, reading.note, severity="warning", timeout=30)
        except LeukoscopeError as error:
            self.failure = error
            if reading is None:
                self.call_from_thread(self.exit)
        self._ended = True

    def _tick(self) -> None:
        reading = self._latest.take()
        if reading is not None:
            self._show(reading)
        if self._ended or self.screening.waiting is not self._waiting:
            self._waiting = self.screening.waiting
            self._show_state(self._latest.newest)

    def _show(self, reading: Reading | None) -> None:
        tally = reading.tally if reading else Tally(counts={})
        self._show_title(self.screening.slide)
        if reading is not None and reading.frame.pixels.size:
            aspect = reading.frame.height / reading.frame.width
            if abs(aspect - self._aspect) > 0.01:
                self._aspect = aspect
                self._share_left(*self.size)
        self._live.show_reading(reading)
        self._gallery.show_cells(self._latest.cells)
        self._finding.show(reading.finding if reading else None, tally)
        self._counts.show(tally)
        self._meters.show(reading)
        self._details.show(reading, self._latest.frames_per_s)
        self._show_state(reading)

    def _show_state(self, reading: Reading | None) -> None:
        failed, waiting = self.failure is not None, self._waiting is not None
        self._status.show(reading, paused=self._paused, ended=self._ended, failed=failed, waiting=waiting)
        in_trouble = failed or (waiting and not self._ended)
        self._gallery.display, self._trouble.display = not in_trouble, in_trouble
        recorded = "All cells counted so far are recorded. " if self.screening.recorded else ""
        if self.failure is not None:
            self._trouble.show(str(self.failure), f"{recorded}Press q to finish, then start again.")
        elif self._waiting is not None:
            advice = f"{self._waiting.advice[:1].upper()}{self._waiting.advice[1:]}."
            then = "Then press space to go on." if self._paused else "The slide goes on by itself."
            self._trouble.show(self._waiting.reason, f"{advice} {then}")

    def _show_title(self, slide: str) -> None:
        screening = self.screening
        self._title.show(f"slide {slide}", screening.camera, screening.bundle, screening.runtime)

    def _share_left(self, width: int, height: int) -> None:
        """Give the picture the height its width asks for, and the small pictures the rest."""
        left = width - min(max(width * 30 // 100, 35), 60) - 1
        rows = height - 4 - round(left * self._aspect / 2)
        for widget in (self._gallery, self._trouble):
            widget.styles.height = min(max(rows, 6), 16)

    def action_pause(self) -> None:
        """Hold the line or let it go on."""
        if self._ended:
            return
        self._paused = not self._paused
        self.screening.pause(self._paused)
        self._latest.restart_clock()
        self._show_state(self._latest.newest)

    def action_new_slide(self) -> None:
        """Start another slide, after a question when something was counted on this one."""
        reading = self._latest.newest
        if self._ended:
            self.notify("no more fields for a new slide: press q to finish, then start again", timeout=4)
        elif reading is None or not any(reading.tally.counts.values()):
            self._start_slide(True)
        else:
            counted = f"{reading.tally.leukocytes} {reading.tally.unit}s"
            question = NewSlideScreen(self.screening.slide, counted, recorded=self.screening.recorded)
            self.push_screen(question, self._start_slide)

    def _start_slide(self, confirmed: bool | None) -> None:
        if not confirmed or self._ended:  # the last field may have come while the question stood
            return
        self._left_slide = self.screening.slide
        slide = self.screening.new_slide()
        self._latest.clear()
        self._show(None)
        self._show_title(slide)
        self.notify(f"new slide {slide}", timeout=2)

    def action_save_picture(self) -> None:
        """Write the screen as SVG into the current folder."""
        name = f"leukoscope-{datetime.now():%Y%m%d-%H%M%S}.svg"
        try:
            with open(name, "w", encoding="utf-8", opener=atomic.opener) as file:
                file.write(svg(self))
        except OSError as error:
            self.notify(f"could not save {name}: {error.strerror}", severity="error")
        else:
            self.notify(f"saved {name}", timeout=2)

    def action_help(self) -> None:
        """Show the keys and how to read the screen."""
        self.push_screen(HelpScreen(recorded=self.screening.recorded))

    def action_finish(self) -> None:
        """Stop the line and leave, with the last Reading as the result."""
        self.screening.stop()
        self.exit(self._latest.newest)
