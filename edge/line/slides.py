"""The slides of a screening: begun in the records, or gone on with where they were cut off."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from edge.line.past import Past
from edge.line.pipeline import Line
from edge.records.database import RecordsError
from edge.records.entries import Slide
from edge.records.people import UNKNOWN, About
from edge.records.store import Entered, Store, Unrecorded
from edge.types import Reading, SlideHeader

_NO_APL = "whether its blasts look like APL is not said"


@dataclass(frozen=True)
class Wish:
    """A slide that somebody asked for.

    Attributes
    ----------
    slide : its identifier. about : what is known of it.
    generated : another may be taken instead. goes_on : it was begun before, and cut off.
    """

    slide: str
    about: About = UNKNOWN
    generated: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class Begun:
    """A slide under way.

    Attributes
    ----------
    slide : its identifier. header : what it is read with.
    past : what it had come to before; None where it begins. note : what the user must know of it.
    """

    slide: str
    header: SlideHeader
    past: Past | None = None
    note: str | None = None


@dataclass(frozen=True)
class Whole:
    """A slide of one frame on its way to the disk: what is told of it once it is there."""

    slide: Slide | Entered
    header: SlideHeader
    line: Line
    last: Reading


class Slides:
    """Begins slides and goes on with them, each when its first frame is there.

    Parameters
    ----------
    store : where they are written down.
    mapped : their fields are laid on a map; see `edge.line.pipeline.Line`.
    apl : of the blasts of a slide that begins it is said whether they look like APL.

    Attributes
    ----------
    asked : a slide is to begin with the next frame.
    """

    def __init__(self, store: Store | Unrecorded, *, mapped: bool, apl: bool) -> None:
        self._store, self._mapped, self._apl = store, mapped, apl
        self._wishes: deque[Wish] = deque(maxlen=1)  # who asks twice means the second

    @property
    def asked(self) -> bool:
        return bool(self._wishes)

    def ask(self, wish: Wish) -> None:
        """Let this slide begin, or go on, with the next frame."""
        self._wishes.append(wish)

    def begin(self, header: SlideHeader) -> Begun:
        """Begin the slide that was asked for, or go on with it.

        Raises
        ------
        RecordsError : it cannot be, or the records cannot be written.
        """
        wish = self._wishes.pop()
        if wish.goes_on:
            return self._go_on(wish.slide, header)
        slide = self._store.begin_slide(wish.slide, header, generated=wish.generated, about=wish.about)
        taken = f"slide {wish.slide}: another program took that name; this slide is called {slide}"
        return Begun(slide, header, note=None if slide == wish.slide else taken)

    def past(self, slide: str, header: SlideHeader) -> Past:
        """What a slide had come to that is to go on with this.

        Raises
        ------
        RecordsError : it was not cut off, was begun with something else, or nothing is recorded.
        """
        if not isinstance(self._store, Store):
            raise RecordsError(f"slide {slide}: nothing is recorded (--no-records), so none can go on")
        from edge.records.book import Book

        with Book(self._store.path, reads_only=True) as book:
            past = Past.of(book, slide)
        past.check(header, mapped=self._mapped)
        return past

    def _go_on(self, slide: str, header: SlideHeader) -> Begun:
        past = self.past(slide, header)
        assert isinstance(self._store, Store)
        name = self._store.go_on(past.slide, header)
        told = f"slide {name}: goes on after {past.frames} fields"
        note = f"{told}; {_NO_APL}" if self._apl else told
        return Begun(name, replace(header, gone_on=True), past, note)
