"""Which slides workers died over: a picture that ends whoever reads it must not hold up an archive for ever.

A worker marks the task that it begins. Who finds the mark of one that never came back is careful: it notes
each slide before it is read. A slide that was noted by two that did not come back is not read again in this
run. A run is one start of the driver, so that workers which somebody ended count for nothing in the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from edge.archive.entry import Task
from edge.archive.place import Place

MOST = 3
"""Workers that may end over a slide: the first, of which nobody knows where it was, and two careful ones."""


class Attempt:
    """One worker's go at a task.

    Attributes
    ----------
    given_up : slides that are not to be read.
    """

    def __init__(self, place: Place, task: Task, run: str) -> None:
        self._place = place
        folder, _, number = task.name.partition("/")
        begin = f"{number}.attempt-{run}-"
        before = [name for name in sorted(place.names(f"work/{folder}")) if name.startswith(begin)]
        noted = Counter(self._noted(f"work/{folder}/{name}") for name in before)
        self.given_up = frozenset(
            slide for slide, deaths in noted.items() if slide is not None and deaths >= MOST - 1
        )
        self._careful = bool(before)
        self._mark = f"work/{folder}/{begin}{uuid4().hex[:12]}"
        place.write(self._mark, b"")

    def begins(self, slide: str) -> None:
        """This slide is read now."""
        if self._careful:
            self._place.write(self._mark, slide.encode("utf-8", "surrogatepass"))

    def came_back(self) -> None:
        """The worker is alive, whatever came of the task."""
        with suppress(Exception):  # it is one of those that stay, no more
            self._place.remove(self._mark)

    def _noted(self, name: str) -> str | None:
        try:
            return self._place.read(name).decode("utf-8", "surrogatepass") or None
        except FileNotFoundError:
            return None


@contextmanager
def attempt(place: Place, task: Task, run: str | None) -> Iterator[Attempt | None]:
    """A go at a task of a run; None keeps no marks."""
    if run is None:
        yield None
        return
    mine = Attempt(place, task, run)
    try:
        yield mine
    finally:
        mine.came_back()
