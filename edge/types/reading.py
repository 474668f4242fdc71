"""What the line says of a frame and of the slide so far, and who follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edge.types.arrays import F32, I32, U8, Bools, check
from edge.types.cells import Cells, CellsInFrame
from edge.types.files import FilesRead
from edge.types.taken import Frame, Waiting

ScaleSource = Literal["given", "calibration", "red-cells", "red-cells-of-others", "nominal"]
FindingKind = Literal["refer", "read-film", "no-blasts-seen", "keep-scanning", "not-readable"]
Positive = Literal["refer", "read-film"]
"""The findings that, once given, stand for a slide until a person says otherwise."""


@dataclass(frozen=True)
class SlideHeader:
    """What a slide is read with.

    Attributes
    ----------
    version : of the program.
    profile, camera, runtime : names, as the user knows them.
    bundle, bundle_sha256 : the model bundle's name and version, and its hash.
    trusted : False for a bundle that is neither shipped nor signed by a trusted key.
    classes : the bundle's classes, in the order of `Reading.probabilities`.
    rules : what its finding reckons with, as JSON keeps it, so that it can be judged again.
    crop_um : side of a cell's crop on the slide, µm; None where nobody says.
    site : which site's threshold and correction it was read with (`edge.bundle.site.Site.record`); None for
        the bundle's own.
    gone_on : the slide was begun before and cut off, and is gone on with now.
    caveats : what must stay in sight of the model, a short text each.
    """

    version: str
    profile: str
    camera: str
    runtime: str
    bundle: str
    bundle_sha256: str
    trusted: bool
    classes: tuple[str, ...]
    rules: Mapping[str, object] = field(default_factory=dict)
    site: Mapping[str, object] | None = None
    crop_um: float | None = None
    gone_on: bool = False
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Apl:
    """Whether a slide's blasts look like those of acute promyelocytic leukemia.

    Attributes
    ----------
    score : by the bundle's table; see `edge.bundle.apl`. alert : it reaches the table's threshold.
    false_alarms : share of patients with another acute leukemia, 0 to 1, who at the most raise an alert too:
        the upper end of its interval, for it was measured on few.
    """

    score: float
    alert: bool
    false_alarms: float


@dataclass(frozen=True)
class Finding:
    """What the slide says so far.

    Attributes
    ----------
    kind : one of `FindingKind`.
    headline : the same in a few words that never contradict the counts: 'REFER', '1 suspicious cell among
        384: look at it'.
    reason : why, in words for a health worker.
    advice : what to do, whom to tell and how soon; empty while there is nothing to do but scan.
    blast_fraction : counted blasts / counted leukocytes, None before the first leukocyte.
    interval : lower and upper end of the Wilson interval of it, None before the first leukocyte.
    level : confidence level of both intervals.
    cells_needed : how many more leukocytes would decide, None when decided or unknown.
    corrected : `blast_fraction` corrected for the network's errors; None where these are not known.
    corrected_interval : of it, valid at any look while the slide is scanned.
    apl : of a positive finding, what its blasts look like; None where nobody knows.
    """

    kind: FindingKind
    headline: str
    reason: str
    advice: str
    blast_fraction: float | None
    interval: tuple[float, float] | None
    level: float
    cells_needed: int | None = None
    corrected: float | None = None
    corrected_interval: tuple[float, float] | None = None
    apl: Apl | None = None


@dataclass(frozen=True)
class Tally:
    """Counts over a slide. Immutable: the line makes a new one for every reading.

    What a person said of a cell stands above what the machine called it, everywhere in here.

    Attributes
    ----------
    counts : class name -> counted cells of that class, every class of the bundle present.
    leukocytes : counted cells of leukocyte classes, the denominator of the differential.
    positives : counted cells of positive classes (blasts).
    candidates : those of them that no person has looked at yet.
    confirmed : class name -> cells of that class by the word of people who do not differ; only classes with
        any.
    overruled : cells that the machine called positive and people did not.
    standing : the strongest positive finding that the evidence has reached at any moment, None without one.
    uncertain : cells seen and left out because the classifier abstained and no person has named them.
    frames : frames read. rejected : frames turned down. repeated : frames that showed nothing new.
    trouble : what was the matter with most of the frames turned down (see `edge.types.problems`), None
        without any.
    unit, sign : what is counted, and what one of a positive class is called; no sign where the bundle knows
        none. A bundle that names whole fields counts fields.
    apl : what the cells look like that may be blasts, whatever the finding; None where nobody knows.
    """

    counts: Mapping[str, int]
    leukocytes: int = 0
    positives: int = 0
    candidates: int = 0
    confirmed: Mapping[str, int] = field(default_factory=dict)
    overruled: int = 0
    standing: Positive | None = None
    uncertain: int = 0
    frames: int = 0
    rejected: int = 0
    repeated: int = 0
    trouble: str | None = None
    unit: str = "leukocyte"
    sign: str = "blast"
    apl: Apl | None = None

    @property
    def summary(self) -> str:
        """What was counted, in words."""
        counted = f"{self.leukocytes} {self.unit}s"
        return f"{counted}, {self.positives} {self.sign}s" if self.sign else counted


@dataclass(frozen=True, eq=False)
class Reading:
    """Everything the line learned from one frame, and the slide's tally after it.

    Attributes
    ----------
    frame, cells : what was looked at and found.
    um_per_px, um_per_px_from : scale used for this frame, and where it came from.
    crops : (n, S, S, 3) uint8 RGB, corrected for illumination and stain, what the classifier saw.
    probabilities : (n, C) float32, rows sum to 1, calibrated.
    classes : (n,) int32, index of the decided class at the bundle's operating point.
    uncertain, certain : (n,) bool, the classifier abstains; the call is beyond doubt.
    ids : (n,) int32, identity of the cell on the slide, the same in every frame that shows it.
    new, counted : (n,) bool, first seen in this frame; entered the differential in this frame.
    settled : (n,) bool, entered the tally in this frame, of whatever class; None where nobody says.
    abstained : (n,) bool, would have, had the classifier been sure; None where nobody says.
    problems : why the frame was rejected, empty for an accepted one.
    repeated : the frame shows a place already counted and nothing beyond.
    sharpness, brightness : focus and exposure measures of `edge.line.quality`, 0 to 1.
    focus : sharpness by the best seen on this slide, 0 to 1; None before there was an edge to judge by.
    focus_needed : the focus that a field which can be read has at the least.
    tally, finding : of the slide, this frame included.
    ms : milliseconds by stage ('quality', 'segment', 'classify', 'total', ...).
    t_s : monotonic seconds at the end of the reading.
    note : something the user should be told once, such as a calibration that no longer fits.
    overlaps : earlier fields of the slide that this one overlaps: the index of their frame, and where in it
        this one's corner lies, x and y in µm.
    thumb : (h, w) uint8, a small grey picture of a field that the slide map keeps, else None; see
        `edge.line.thumbnail`.
    """

    frame: Frame
    cells: CellsInFrame
    um_per_px: float
    um_per_px_from: ScaleSource
    crops: U8
    probabilities: F32
    classes: I32
    uncertain: Bools
    certain: Bools
    ids: I32
    new: Bools
    counted: Bools
    problems: tuple[str, ...]
    repeated: bool
    sharpness: float
    brightness: float
    tally: Tally
    finding: Finding
    ms: Mapping[str, float] = field(default_factory=dict)
    t_s: float = 0.0
    note: str | None = None
    focus: float | None = None
    focus_needed: float = 1.0
    settled: Bools | None = None
    abstained: Bools | None = None
    overlaps: tuple[tuple[int, float, float], ...] = ()
    thumb: U8 | None = None

    def __post_init__(self) -> None:
        n = len(self.cells)
        check("Reading.crops", self.crops, (n, None, None, 3), np.uint8)
        check("Reading.probabilities", self.probabilities, (n, None), np.float32)
        check("Reading.classes", self.classes, (n,), np.int32)
        check("Reading.ids", self.ids, (n,), np.int32)
        for name in ("uncertain", "certain", "new", "counted"):
            check(f"Reading.{name}", getattr(self, name), (n,), np.bool_)
        for name in ("settled", "abstained"):
            if getattr(self, name) is not None:
                check(f"Reading.{name}", getattr(self, name), (n,), np.bool_)

    @classmethod
    def none(cls, frame: Frame, tally: Tally, finding: Finding) -> Reading:
        """Of a frame that is not read, by which no more is told than what the slide says."""
        nobody = np.zeros(0, np.bool_)
        return cls(
            frame=frame,
            cells=Cells.none().in_frame(frame.height, frame.width),
            um_per_px=1.0,
            um_per_px_from="nominal",
            crops=np.zeros((0, 1, 1, 3), np.uint8),
            probabilities=np.zeros((0, 1), np.float32),
            classes=np.zeros(0, np.int32),
            uncertain=nobody,
            certain=nobody,
            ids=np.zeros(0, np.int32),
            new=nobody,
            counted=nobody,
            problems=(),
            repeated=True,
            sharpness=0.0,
            brightness=0.0,
            tally=tally,
            finding=finding,
        )


class Sink:
    """Something that follows a screening, such as JSON lines; it overrides what it wants to hear of."""

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        """A slide begins; `um_per_px` is given, or assumed until something better is known."""

    def reading(self, reading: Reading) -> None:
        """A reading was stored."""

    def waiting(self, trouble: Waiting | None) -> None:
        """The line goes on without a reading: each second or sooner while there is none, and after trouble.

        `trouble` is what keeps the camera from giving pictures, None where it does and the line rests.
        """

    def finding(self, last: Reading) -> None:
        """The slide ended with this reading."""

    def files(self, files: FilesRead) -> None:
        """The screening of files ended, after the last finding: what was read of them, and what was not."""
