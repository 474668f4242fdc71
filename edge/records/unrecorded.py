"""What stands for the record store where nothing is recorded."""

from __future__ import annotations

from dataclasses import dataclass

from edge.records.entries import without_pictures
from edge.records.identifiers import new_slide_id
from edge.records.people import UNKNOWN, About
from edge.types import Finding, Reading, SlideHeader, Tally


@dataclass
class Entered:
    """A slide on its way to the disk; `id` is what it is called once its reading was handed back."""

    id: str


class Unrecorded:
    """Keeps nothing, and hands every reading back at once. What `--no-records` asks for.

    Parameters
    ----------
    pictures : as of `edge.records.store.Store`.
    """

    def __init__(self, *, pictures: bool = True) -> None:
        self._pictures = pictures
        self._readings: list[Reading] = []

    def new_slide_id(self) -> str:
        return new_slide_id()

    def begin_slide(
        self, slide: str | None, header: SlideHeader, *, generated: bool = False, about: About = UNKNOWN
    ) -> str:
        return slide or new_slide_id()

    def add_slide(
        self, header: SlideHeader, reading: Reading, finding: Finding, tally: Tally, about: About = UNKNOWN
    ) -> Entered:
        self.add(reading)
        return Entered(new_slide_id())

    def add(self, reading: Reading) -> None:
        self._readings.append(reading if self._pictures else without_pictures(reading))

    def cut_off(self, days: float) -> None:
        return None

    def committed(self) -> list[Reading]:
        readings, self._readings = self._readings, []
        return readings

    def flush(self) -> list[Reading]:
        return self.committed()

    def finish_slide(self, finding: Finding, tally: Tally) -> None:
        return

    def close(self) -> None:
        return
