"""The screen of `edge-run`: takes Readings as they come, shows the newest and passes keys on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType

from edge.files import atomic
from edge.records.identifiers import isolated
from edge.tui.details import DetailsScreen
from edge.tui.dialogs import HelpScreen, QuitScreen
from edge.tui.latest import Latest
from edge.tui.main import MainScreen
from edge.tui.snapshot import svg
from edge.tui.terminal import Colours
from edge.types import U8, LeukoscopeError, Reading, Said, Waiting

if TYPE_CHECKING:  # the screen shows what it is given, and can be tried without what gives it
    from edge.line.screening import Screening
    from edge.records.book import Book
    from edge.tui.slides.about import Beginning

# The eye follows a stage that moves at this rate, and a small computer keeps its time for the line.
REFRESHES_PER_S = 15

_FEW_COLOURS = "16 colours only: look at cells on another screen"


class ScreeningApp(App[Reading]):
    """Shows a screening until somebody quits; `run` returns the slide's last Reading, or None without one.

    What ended the screening before its time is in `failure`. When nothing was shown yet the screen closes
    at once, else it stays until q.

    A thread of its own takes the readings; a clock shows the newest. Readings that come faster than the
    screen is painted are dropped from the view only.

    Parameters
    ----------
    colours : that the terminal has; see `edge.tui.terminal.colours`.
    """

    TITLE = "Leukoscope"
    ENABLE_COMMAND_PALETTE = False
    KEYS: ClassVar[list[Binding]] = [  # the most important first
        Binding("space", "pause", "Pause"),
        Binding("r", "review", "Review"),
        Binding("n", "new_slide", "New"),
        Binding("h,question_mark", "help", "Help", key_display="h"),
        Binding("q,ctrl+c", "finish", "Quit", key_display="q", priority=False),
        Binding("s", "save_picture", "Save"),
        Binding("d", "details", "Details"),
        Binding("i", "about", "Patient"),
        Binding("l", "slides", "Slides"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [*KEYS]

    def __init__(self, screening: Screening, colours: Colours = "true") -> None:
        super().__init__()
        self._few_colours = colours == "16"
        self.screening = screening
        self._latest = Latest()
        self._paused = False
        self._ended = False
        self.failure: LeukoscopeError | None = None
        self._waiting: Waiting | None = None
        self._opened: Book | None = None
        self._left_slide: str | None = None  # the slide that readings may still come of
        self._told: list[str] = []  # notes of the slide `_told_of`, the newest first
        self._told_of = screening.slide
        self._main = MainScreen(screening, self.KEYS)

    def get_default_screen(self) -> MainScreen:
        return self._main

    def on_mount(self) -> None:
        self._show(None)
        self._main.show_notes(self._notes)
        self.set_interval(1 / REFRESHES_PER_S, self._tick)
        for ending in (signal.SIGTERM, signal.SIGHUP):  # the second comes when the terminal is closed
            asyncio.get_running_loop().add_signal_handler(ending, self._leave)
        self._take_readings()

    def on_unmount(self) -> None:
        self.screening.stop()
        if self._opened is not None:
            self._opened.close()

    @work(thread=True)
    def _take_readings(self) -> None:
        reading = None
        try:
            for reading in self.screening.readings():
                if self.screening.slide != self._left_slide:
                    self._latest.reading(reading)
                if reading.note:
                    self.call_from_thread(self._tell, reading.note)
            if self.screening.files is not None and self.screening.files.note:
                self.call_from_thread(self._tell, self.screening.files.note)
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
            self._show_state()

    def _show(self, reading: Reading | None) -> None:
        self._main.show_slide(self.screening.slide)
        self._main.show_reading(reading, self._latest.cells)
        if self.screening.slide != self._told_of:
            self._forget()
        if isinstance(self.screen, DetailsScreen):
            self.screen.show(reading, self._latest.frames_per_s, self._notes)
        self._show_state()

    def _show_state(self) -> None:
        self._main.show_state(
            self._latest.newest,
            paused=self._paused,
            ended=self._ended,
            failure=self.failure,
            waiting=self._waiting,
        )

    @property
    def _notes(self) -> list[str]:
        """What must stay in sight while this slide is read."""
        standing = [self.screening.warning, _FEW_COLOURS if self._few_colours else None]
        return [*(note for note in standing if note), *self._told]

    def _tell(self, note: str) -> None:
        """Keep a note in sight until the slide ends."""
        before = self._told if self.screening.slide == self._told_of else []
        self._told, self._told_of = [note, *(told for told in before if told != note)], self.screening.slide
        self._main.show_notes(self._notes)

    def _forget(self) -> None:
        """Another slide, of which nothing was told yet."""
        self._told, self._told_of = [], self.screening.slide
        self._main.show_notes(self._notes)

    def _counted(self) -> str | None:
        """What was counted on this slide, in words; None where nothing was."""
        reading = self._latest.newest
        if reading is None or not any(reading.tally.counts.values()):
            return None
        return f"{reading.tally.leukocytes} {reading.tally.unit}s"

    def action_pause(self) -> None:
        """Hold the line or let it go on."""
        if self._ended:
            return
        self._paused = not self._paused
        self.screening.pause(self._paused)
        self._latest.restart_clock()
        self._show_state()

    def action_new_slide(self) -> None:
        """Start another slide, once its identifier and patient were asked for; both may stay empty."""
        if self._ended:
            self.notify("no more fields for a new slide: press q to finish, then start again", timeout=4)
            return
        from edge.tui.slides.about import BeginScreen

        counted, closing = self._counted(), ""
        if counted is not None:
            kept = "its records are kept" if self.screening.recorded else "it is not recorded (--no-records)"
            closing = f"This closes slide {isolated(self.screening.slide)} with {counted}; {kept}."
        self.push_screen(BeginScreen(self.screening.records, self._newest, closing), self._start_slide)

    def _start_slide(self, beginning: Beginning | None) -> None:
        if beginning is None or self._ended:  # the last field may have come while the question stood
            return
        left = self.screening.slide
        slide = self.screening.new_slide(beginning.slide, beginning.about)
        self._turn_to(slide, left)
        self.notify(f"new slide {isolated(slide)}", timeout=2, markup=False)

    def _go_on(self, slide: str) -> None:
        """Close the slide under way and go on with one that was cut off."""
        if self._ended:
            raise LeukoscopeError("no more fields to go on with: press q to finish, then start again")
        left = self.screening.slide
        self.screening.go_on(slide)
        self._turn_to(slide, left)

    def _turn_to(self, slide: str, left: str) -> None:
        """Show another slide, which begins with the next field."""
        self._left_slide = left
        self._latest.clear()
        self._forget()
        self._show(None)
        self._main.show_slide(slide)

    def _newest(self) -> U8 | None:
        """The newest picture."""
        reading = self._latest.newest
        return reading.frame.whole if reading is not None and reading.frame.pixels.size else None

    def action_about(self) -> None:
        """Write down whose slide it is, and notes."""
        if (records := self._records("nothing can be written down")) is not None:
            from edge.tui.slides.about import SlideScreen

            self.push_screen(SlideScreen(records, self.screening.slide, self._newest))

    def action_slides(self) -> None:
        """Show every slide in the records."""
        if (records := self._records("there are no slides to look at")) is not None:
            from edge.tui.slides.slides import SlidesScreen

            self.push_screen(SlidesScreen(records, self._review, None if self._ended else self._go_on))

    def _records(self, otherwise: str) -> Path | None:
        """The records' file; without one it is said what cannot be done then."""
        if self.screening.records is None:
            self.notify(f"nothing is recorded (--no-records), so {otherwise}", timeout=6)
        return self.screening.records

    def action_save_picture(self) -> None:
        """Write the screen as SVG into the records' folder."""
        path = self._pictures() / f"leukoscope-{datetime.now():%Y%m%d-%H%M%S}.svg"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "w", encoding="utf-8", opener=atomic.opener) as file:
                file.write(svg(self))
        except OSError as error:
            self.notify(f"could not save {path}: {error.strerror}", severity="error", markup=False)
        else:
            self.notify(f"saved {path}", timeout=6, markup=False)

    def _pictures(self) -> Path:
        """Where pictures go: to the records, or where these would be."""
        from edge.machine.profile import data_folder

        return self.screening.records_folder or data_folder()

    def action_review(self) -> None:
        """Hold the line while a person looks at the slide's cells."""
        if self._records("there are no cells to look at") is None:
            return
        if self._counted() is None:
            self.notify("no cells on this slide yet", timeout=4)
            return
        self._review(self.screening.slide)

    @work
    async def _review(self, slide: str) -> None:
        """Hold the line while a person looks at a slide's cells; of the one under way it hears each word."""
        from edge.review.review import Review
        from edge.tui.review.dialogs import InitialsScreen
        from edge.tui.review.screen import ReviewScreen

        records = self.screening.records
        assert records is not None
        hear, why = None, None
        if slide == self.screening.slide:
            hear, explainer = self._hear, self.screening.explainer
            why = (lambda: explainer) if explainer else None
        self.screening.pause(True)
        try:
            review = await self.push_screen_wait(
                InitialsScreen(partial(Review, self._book(records), slide, hear=hear))
            )
            if review is not None:
                await self.push_screen_wait(ReviewScreen(review, why))
        except LeukoscopeError as error:
            self.notify(str(error), severity="error", timeout=10, markup=False)
        self._hear(())  # a frame that was in hand may have come late, counted as before the first word
        self.screening.pause(self._paused)
        self._latest.restart_clock()

    def _book(self, records: Path) -> Book:
        """The records as people read them; open to the end, for a review writes when its screen is gone."""
        from edge.records.book import Book

        if self._opened is None:
            self._opened = Book(records)
        return self._opened

    def _hear(self, said: Sequence[Said]) -> None:
        """What people say holds for the slide under way at once."""
        heard = self.screening.hear(said)
        if heard is not None:
            self._latest.revise(*heard)

    def action_details(self) -> None:
        """Show what engineers ask for."""
        page = DetailsScreen(self.screening)
        page.show(self._latest.newest, self._latest.frames_per_s, self._notes)
        self.push_screen(page)

    def action_help(self) -> None:
        """Show the keys and how to read the screen."""
        self.push_screen(HelpScreen(recorded=self.screening.recorded))

    def action_finish(self) -> None:
        """Leave, after a question when a slide with cells is under way."""
        counted = None if self._ended else self._counted()
        if counted is None:
            self._leave()
        else:
            question = QuitScreen(self.screening.slide, counted, recorded=self.screening.recorded)
            self.push_screen(question, lambda quits: self._leave() if quits else None)

    def _leave(self) -> None:
        """Stop the line and leave, with the last Reading as the result."""
        self.screening.stop()
        self.exit(self._latest.newest)
