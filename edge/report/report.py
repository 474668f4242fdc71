"""The report of a slide: what every writer writes, in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge.line.rules import Rules
from edge.records.people import Finished, Note, Signature, Word
from edge.records.rows import Row
from edge.report.pictures import Pictures
from edge.report.scanmap import ScanMap
from edge.review.cells import Cell
from edge.types import Finding, Tally

Status = Literal["preliminary", "final", "appended", "corrected"]
"""What a report is to whoever receives it, in the words of FHIR R4 (http://hl7.org/fhir/R4/codesystem-
diagnostic-report-status.html): not signed; signed; signed, and a note added since; signed again after it was
reopened."""

RESEARCH_USE = "For research use only. It is not a medical device and does not replace a haematologist."


@dataclass(frozen=True, eq=False)
class Reported:
    """A cell with what people said of it.

    Attributes
    ----------
    seen : as the machine saw it.
    words : the last word of each person, in order.
    people : the class by people who do not differ, None where they do or nobody spoke.
    named : by people, else by the machine.
    place_um : x and y of its middle on the report's map, None where the map does not have its field.
    """

    seen: Cell
    words: tuple[Word, ...]
    people: str | None
    place_um: tuple[float, float] | None

    @property
    def named(self) -> str:
        return self.people or self.seen.named


@dataclass(frozen=True)
class Share:
    """A class of the differential.

    Attributes
    ----------
    name : of the class. count : its counted cells, those that people named included.
    share, interval : of the counted leukocytes, and its 95% Wilson interval; None without any.
    confirmed : cells of it by the word of people.
    reference : lower and upper end of what is usual in adults' blood, 0 to 1; None where nothing is known.
    """

    name: str
    count: int
    share: float | None
    interval: tuple[float, float] | None
    confirmed: int
    reference: tuple[float, float] | None

    @property
    def outside(self) -> bool:
        """Whether the whole interval lies outside of what is usual."""
        if self.interval is None or self.reference is None:
            return False
        return self.interval[0] > self.reference[1] or self.interval[1] < self.reference[0]


@dataclass(frozen=True)
class Quality:
    """What the slide's fields were like.

    Attributes
    ----------
    fields, rejected, repeated : fields read, turned down, and that showed nothing new.
    problems : why they were turned down -> how many, the commonest first.
    uncertain : cells left out because the machine abstained and nobody named them.
    um_per_px : the usual size of a pixel, None without an accepted field. um_per_px_from : where from.
    focus : the usual focus of the accepted fields by the best one, 0 to 1, None where nobody measured it.
    """

    fields: int
    rejected: int
    repeated: int
    problems: Mapping[str, int]
    uncertain: int
    um_per_px: float | None
    um_per_px_from: tuple[str, ...]
    focus: float | None


@dataclass(frozen=True, eq=False)
class Report:
    """One slide as it leaves the device.

    Attributes
    ----------
    slide, origin : its identifier, and that of the store that it was screened into (32 hexadecimal digits).
    made_at : when the report was made, UTC, ISO 8601.
    status : see `Status`. state : see `edge.records.people.State`.
    patient, age, sex, notes : as noted last; None where nobody said.
    started_at, finished_at, clock : of the screening; see `edge.records.queries.Queries.slides`.
    finding : what the slide says, people's words included; None while there is none.
    interval_at_end : of the corrected blast fraction, valid once; None without.
    tally : counts behind it, None while there is none. rules : what it reckons with.
    differential : the leukocytes' classes in the bundle's order. beside : the others with any cells.
    cells : all cells, the suspicious first.
    gallery : those to be shown: confirmed or suspicious, in that order of `cells`; left_out : how many more.
    map : where fields and cells lie; None where that was not kept.
    quality : of the fields.
    made_with : `bundle`, `bundle_sha256`, `trusted`, `caveats` (texts), `site` (in words or None), `profile`,
        `camera`, `runtime`, `version`.
    crop_um : side of a cell's crop, µm; None where nobody knows.
    readers : initials of those who named cells. finished : who read it to the end.
    signatures : in order; see `edge.records.people.Signature`.
    checksum : see `edge.records.seals.Seals.checksum`.
    record : the slide as `edge-slides show --json -` gives it, without its cells.
    views, said : the cells' rows (see `edge.records.views.Views.views`) and all words, in order.
    pictures : the kept pictures, each read when it is asked for.
    """

    slide: str
    origin: str
    made_at: str
    status: Status
    state: str
    patient: str | None
    age: int | None
    sex: str | None
    notes: tuple[Note, ...]
    started_at: str
    finished_at: str | None
    clock: str
    finding: Finding | None
    interval_at_end: tuple[float, float] | None
    tally: Tally | None
    rules: Rules
    differential: tuple[Share, ...]
    beside: tuple[Share, ...]
    cells: tuple[Reported, ...]
    gallery: tuple[Reported, ...]
    left_out: int
    map: ScanMap | None
    quality: Quality
    made_with: Row
    crop_um: float | None
    readers: tuple[str, ...]
    finished: tuple[Finished, ...]
    signatures: tuple[Signature, ...]
    checksum: str
    record: dict[str, Any]
    views: list[Row]
    said: list[Word]
    pictures: Pictures

    @property
    def signature(self) -> Signature | None:
        """The one that stands."""
        last = self.signatures[-1] if self.signatures else None
        return last if last and last.reopened is None else None
