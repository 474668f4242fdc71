"""A simulated box of the fleet: its own records, a clock that is wrong, and the real sender."""

from __future__ import annotations

import random
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from edge.custody.backup import backup
from edge.custody.merge import merge, opened
from edge.custody.restore import restore
from edge.machine import clock
from edge.machine.clock import Moment, Voucher
from edge.records.book import Book
from edge.records.identifiers import new_slide_id
from edge.records.outbox import Outbox
from edge.report.fhir.entries import Entries
from edge.sync.pace import Pace
from edge.sync.sending import Sender
from edge.sync.server import Server

sys.path.append(str(Path(__file__).resolve().parents[1]))
from tests.edge.records.slides import screened

BEGAN = datetime(2026, 11, 20, 8, tzinfo=UTC)
_OFF_DAYS = (0, 0, 0, 0.02, -0.02, 1, -1, 30, -30, 365, -365, 3650)
_UNSET_DAYS = -365 * 56.9
"""To the 1st of January 1970: a clock that nobody set."""

_TIMEOUT_S = 5.0
_acting = threading.local()


@dataclass
class Slide:
    """A slide as its box left it: known on the server by `name`; signed or not."""

    name: str
    signed: bool = False


@dataclass
class Box:
    """A box; acts in whatever thread, one action at a time.

    Attributes
    ----------
    folder : of its own. url : of the server. now_s : simulated seconds since all began.
    speed : simulated seconds a second. slides : what it finished, by the identifier that its people know.
    """

    folder: Path
    url: str
    seed: int
    now_s: Callable[[], float]
    speed: float
    slides: dict[str, Slide] = field(default_factory=dict)
    _runs: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.records = self.folder / "records.db"
        self.drawn = random.Random(self.seed)
        self._aside: Path | None = None
        self._merged: list[Box] = []
        self._todo: deque[Callable[[Box], None]] = deque()
        self._lock, self._busy = threading.Lock(), False
        self.boots()

    def moment(self) -> Moment:
        """What the box takes for now."""
        s = self.now_s()
        boot_s = s - self._booted_s + 60
        utc = BEGAN + timedelta(days=self._off_days, seconds=s)
        return Moment(utc, boot_s, boot_s, self._boot_id, self._voucher)

    def is_to(self, what: Callable[[Box], None]) -> bool:
        """Have it do something after all that it has to do already; whether somebody must call `acts`."""
        with self._lock:
            self._todo.append(what)
            was_busy, self._busy = self._busy, True
        return not was_busy

    def acts(self) -> None:
        """Do all that is to do, in order, by this box's clock."""
        while True:
            with self._lock:
                if not self._todo:
                    self._busy = False
                    return
                what = self._todo.popleft()
            _acting.box = self
            try:
                what(self)
            finally:
                del _acting.box

    # -- what happens to it ----------------------------------------------------------------------------------

    def boots(self) -> None:
        """Start with a clock that is right, wrong or not set."""
        self._booted_s = self.now_s()
        self._boot_id = str(UUID(int=self.drawn.getrandbits(128)))
        self._off_days = self.drawn.choice((*_OFF_DAYS, _UNSET_DAYS, _UNSET_DAYS))
        self._voucher: Voucher = "ntp" if self._off_days == 0 else ""

    def is_set(self) -> None:
        """The clock jumps: to what is right, or somebody typed what is not."""
        self._off_days = self.drawn.choice((0, 0, *_OFF_DAYS))
        self._voucher = "ntp" if self._off_days == 0 else ""

    def finishes(self) -> None:
        """Screen a slide; every third has a number of its laboratory's, as other laboratories have them."""
        number = len(self.slides) + 1
        typed = number % 3 == 0 and not self._merged
        slide = f"S-{number}" if typed else new_slide_id()
        blasts = self.drawn.choice((0, 0, 1, 4))
        screened(self.records, ["blast"] * blasts + ["lymphocyte"] * (8 - blasts), slide)
        if number % 2:
            with Book(self.records) as book:
                book.note(slide, "AB", patient=f"P-{number}")
        self.slides[slide] = Slide(f"{Entries(self._origin()).system('slides')}|{slide}")

    def signs(self) -> None:
        """Sign a slide that is not signed."""
        open_ones = [name for name, slide in self.slides.items() if not slide.signed]
        if not open_ones:
            return
        name = self.drawn.choice(open_ones)
        with Book(self.records) as book:
            if name not in {glance.slide for glance in book.glances()}:
                return  # on the disk that is gone, until it is merged
            book.sign(name, "AB")
        self.slides[name].signed = True

    def backs_up(self) -> None:
        if self.records.exists() and not (self.folder / "backup").exists():
            backup(self.records, self.folder, self.folder / "backup", _nothing, _nothing)

    def is_restored(self) -> None:
        """Go back to the backup; what came after it lies aside."""
        if (self.folder / "backup").exists() and self._aside is None:
            done = restore(self.folder / "backup", self.records, None, _nothing, replace=True)
            self._aside = done.aside and done.aside / self.records.name

    def merges(self, other: Box | None = None) -> None:
        """Bring in what lay aside, or another box's records."""
        path = other.records if other else self._aside
        if path is None or not path.exists():
            return
        with opened(path, self.records) as found:
            refused = merge(found, self.records, _nothing).refused
        if other:
            self._merged.append(other)  # slides of the same number stay where they are
        elif refused:
            raise AssertionError(f"{self.folder.name}: {refused}")

    def sends(self) -> None:
        """What the timer starts; now and then somebody has what was refused tried again."""
        if not self.records.exists():
            return
        self._runs += 1
        pace = Pace(0, None, now=self.now_s, sleep=lambda s: time.sleep(min(s / self.speed, 0.2)))
        server = Server.of(self.url)
        Sender(self.records, server, pace, again=self._runs % 4 == 0, timeout_s=_TIMEOUT_S).run()

    def due(self) -> int:
        """Slides that the server has yet to get."""
        if not self.records.exists():
            return 0
        with Outbox(self.records) as book:
            return len(book.due(Server.of(self.url).address))

    def _origin(self) -> str:
        with closing(sqlite3.connect(self.records)) as database:
            return str(database.execute("SELECT id FROM origin").fetchone()[0])


@contextmanager
def own_clocks() -> Iterator[None]:
    """Within, `edge.machine.clock.now` is that of the box that acts in the thread."""
    real = clock.now

    def now(*arguments: Path) -> Moment:
        box: Box | None = getattr(_acting, "box", None)
        return box.moment() if box else real(*arguments)

    clock.now = now
    try:
        yield
    finally:
        clock.now = real


def _nothing(*_: object) -> None:
    return
