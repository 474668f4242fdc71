"""What travels along the line of a frame: frames, cells, readings and the running tally.

Every array has one documented shape and dtype, checked where the object is made, so that a mistake is
reported at its source and not three modules further on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

ScaleSource = Literal["given", "calibration", "red-cells", "nominal"]
FindingKind = Literal["refer", "no-blasts-seen", "keep-scanning", "not-readable"]


class LeukoscopeError(Exception):
    """Something the user can mend. The message names the thing, its value and what to do.

    Commands print it as one line on standard error and end with exit status 1.
    """


def _check(name: str, array: NDArray[Any], shape: tuple[int | None, ...], dtype: type) -> None:
    """Raise ValueError unless `array` has this dtype and shape (None stands for any length)."""
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        want = tuple("any" if n is None else n for n in shape)
        raise ValueError(f"{name}: shape {array.shape} {array.dtype}, expected {want} {np.dtype(dtype)}")


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture as the camera gave it.

    Attributes
    ----------
    pixels : (H, W, 3) uint8, RGB. (0, 0, 3) when `fault` says why there is no picture.
    index : number of the frame, counted from 0 over everything the camera delivered to the line.
    source : file name inside the given folder, or the camera's name.
    captured_at : UTC wall clock.
    monotonic_s : the same moment on the monotonic clock, seconds.
    exposure_ms : exposure time in milliseconds, None where the camera does not tell.
    fault : why the picture could not be read (a truncated file), None for a good frame.
    note : what the user should know of this camera's pictures, such as a size that nobody asked for.
    """

    pixels: U8
    index: int
    source: str
    captured_at: datetime
    monotonic_s: float
    exposure_ms: float | None = None
    fault: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        _check("Frame.pixels", self.pixels, (None, None, 3), np.uint8)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


@dataclass(frozen=True)
class Light:
    """How a camera takes pictures, so that one field looks the same twice.

    Attributes
    ----------
    exposure_ms : exposure time, None where the camera chooses.
    gain : in the units of the camera's kind, None where the camera chooses.
    white : white balance in the units of the camera's kind: of a UVC camera its colour temperature in
        kelvin; of a CSI camera the gains of red and blue. Empty where the camera chooses.
    """

    exposure_ms: float | None = None
    gain: float | None = None
    white: tuple[float, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """A live camera gives no pictures.

    Attributes
    ----------
    reason : what is the matter, in words for a health worker.
    advice : what to do about it.
    since_s : monotonic seconds of the last picture, or of the first attempt where there was none.
    """

    reason: str
    advice: str
    since_s: float


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
    """

    version: str
    profile: str
    camera: str
    runtime: str
    bundle: str
    bundle_sha256: str
    trusted: bool
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Cells:
    """The leukocytes (and what looks like one) found in a specimen, in no particular order.

    All of it lies on the specimen grid (see `edge.optics.specimen.Specimen`), counted in its pixels;
    `in_frame` brings it into the camera's.

    Attributes
    ----------
    labels : (h, w) int32: 0 background, i + 1 the i-th cell (nucleus and cytoplasm).
    nuclei : (h, w) bool, the nuclear part of the labelled cells.
    boxes : (n, 4) float32, xyxy half-open, the whole cell.
    centres : (n, 2) float64, x and y of the cell's centroid.
    area_um2, nucleus_area_um2 : (n,) float32.
    cut : (n,) bool, the cell touches the frame's edge.
    probabilities : (n, C) float32, of the bundle's classes, where who found the cells says what they are;
        None where that is asked of a classifier.
    """

    labels: I32
    nuclei: Bools
    boxes: F32
    centres: F64
    area_um2: F32
    nucleus_area_um2: F32
    cut: Bools
    probabilities: F32 | None = None

    def __post_init__(self) -> None:
        n = len(self.boxes)
        _check("Cells.labels", self.labels, (None, None), np.int32)
        _check("Cells.nuclei", self.nuclei, self.labels.shape, np.bool_)
        _check("Cells.boxes", self.boxes, (n, 4), np.float32)
        _check("Cells.centres", self.centres, (n, 2), np.float64)
        _check("Cells.area_um2", self.area_um2, (n,), np.float32)
        _check("Cells.nucleus_area_um2", self.nucleus_area_um2, (n,), np.float32)
        _check("Cells.cut", self.cut, (n,), np.bool_)
        if self.probabilities is not None:
            _check("Cells.probabilities", self.probabilities, (n, None), np.float32)

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls, height: int = 0, width: int = 0) -> Cells:
        """No cells, on a specimen grid of `height` × `width`."""
        return cls(
            labels=np.zeros((height, width), np.int32),
            nuclei=np.zeros((height, width), np.bool_),
            boxes=np.zeros((0, 4), np.float32),
            centres=np.zeros((0, 2), np.float64),
            area_um2=np.zeros(0, np.float32),
            nucleus_area_um2=np.zeros(0, np.float32),
            cut=np.zeros(0, np.bool_),
        )

    def in_frame(self, height: int, width: int) -> CellsInFrame:
        """The cells as they lie in the frame that the specimen was made of, `height` × `width` pixels."""
        down, across = self.labels.shape
        scale = np.array([width / max(across, 1), height / max(down, 1)])
        low, high = np.floor(self.boxes[:, :2] * scale), np.ceil(self.boxes[:, 2:] * scale)
        edges = np.concatenate([low, high], axis=1).clip(0, np.array([width, height] * 2))
        return CellsInFrame(
            boxes_px=edges.astype(np.int32),
            centres_px=(self.centres * scale).astype(np.float32),
            height=height,
            width=width,
            found=self,
        )


@dataclass(frozen=True, eq=False)
class CellsInFrame:
    """A frame's cells, where they lie in its own pixels.

    Attributes
    ----------
    boxes_px : (n, 4) int32, xyxy half-open, the whole cell.
    centres_px : (n, 2) float32, x and y of the cell's centroid.
    height, width : of the frame.
    found : the cells on the specimen grid, with their outlines.
    """

    boxes_px: I32
    centres_px: F32
    height: int
    width: int
    found: Cells

    def __post_init__(self) -> None:
        n = len(self.found)
        _check("CellsInFrame.boxes_px", self.boxes_px, (n, 4), np.int32)
        _check("CellsInFrame.centres_px", self.centres_px, (n, 2), np.float32)

    def __len__(self) -> int:
        return len(self.boxes_px)

    @property
    def area_um2(self) -> F32:
        """(n,) float32."""
        return self.found.area_um2

    @property
    def nucleus_area_um2(self) -> F32:
        """(n,) float32."""
        return self.found.nucleus_area_um2

    @property
    def cut(self) -> Bools:
        """(n,) bool, the cell touches the frame's edge."""
        return self.found.cut


@dataclass(frozen=True)
class Finding:
    """What the slide says so far.

    Attributes
    ----------
    kind : 'refer', 'no-blasts-seen', 'keep-scanning' or 'not-readable'.
    reason : the same in words for a health worker.
    blast_fraction : counted blasts / counted leukocytes, None before the first leukocyte.
    interval : lower and upper end of the Wilson interval, None before the first leukocyte.
    level : confidence level of `interval`.
    cells_needed : how many more leukocytes would decide, None when decided or unknown.
    """

    kind: FindingKind
    reason: str
    blast_fraction: float | None
    interval: tuple[float, float] | None
    level: float
    cells_needed: int | None = None


@dataclass(frozen=True)
class Tally:
    """Counts over a slide. Immutable: the line makes a new one for every reading.

    Attributes
    ----------
    counts : class name -> counted cells of that class, every class of the bundle present.
    leukocytes : counted cells of leukocyte classes, the denominator of the differential.
    positives : counted cells of positive classes (blasts).
    certain_positives : those of them that the bundle's `certain` threshold calls beyond doubt.
    uncertain : cells seen and left out because the classifier abstained.
    frames : frames read. rejected : frames turned down. repeated : frames that showed nothing new.
    unit, sign : what is counted, and what one of a positive class is called; no sign where the bundle knows
        none. A bundle that names whole fields counts fields.
    """

    counts: Mapping[str, int]
    leukocytes: int = 0
    positives: int = 0
    certain_positives: int = 0
    uncertain: int = 0
    frames: int = 0
    rejected: int = 0
    repeated: int = 0
    unit: str = "leukocyte"
    sign: str = "blast"

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
    new, counted : (n,) bool, first seen in this frame; entered the tally in this frame.
    problems : why the frame was rejected, empty for an accepted one.
    repeated : the frame shows a place already counted and nothing beyond.
    sharpness, brightness : focus and exposure measures of `edge.line.quality`, 0 to 1.
    focus : sharpness by the best seen on this slide, 0 to 1; None before there was an edge to judge by.
    tally, finding : of the slide, this frame included.
    ms : milliseconds by stage ('quality', 'segment', 'classify', 'total', ...).
    t_s : monotonic seconds at the end of the reading.
    note : something the user should be told once, such as a calibration that no longer fits.
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

    def __post_init__(self) -> None:
        n = len(self.cells)
        _check("Reading.crops", self.crops, (n, None, None, 3), np.uint8)
        _check("Reading.probabilities", self.probabilities, (n, None), np.float32)
        _check("Reading.classes", self.classes, (n,), np.int32)
        _check("Reading.ids", self.ids, (n,), np.int32)
        for name in ("uncertain", "certain", "new", "counted"):
            _check(f"Reading.{name}", getattr(self, name), (n,), np.bool_)


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
