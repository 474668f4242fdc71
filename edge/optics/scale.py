"""What this camera on this microscope does to lengths and light, given, saved or measured.

`ScaleKeeper` answers for every frame how large a pixel is and who says so: the user, a saved calibration,
the slide's red cells (`edge.optics.consensus`), or else a nominal value. Pictures in files wait until it is
known, for they can; a live camera shows the same place again. It brings the saved flat field too, and says
once what of a calibration no longer fits.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from edge.optics import litfield, redcells
from edge.optics.calibrations import FILE, CalibrationStore
from edge.optics.consensus import CHANGED_CELLS, DISAGREEMENT, Consensus
from edge.optics.litfield import WHOLE, LitField
from edge.optics.redcells import Measured, RedCells
from edge.optics.saved import Saved
from edge.types import F32, U8, Frame, ScaleSource

UNKNOWN_FIELDS = 20
"""Fields of a live slide without a red cell to measure by, after which the user is told."""

_LIVE_INTERVAL_S = 1.0  # a live camera shows the same field many times over before the stage moves on
_MOVED = 3.0  # grey levels by which two views differ, but for their brightness: more than noise and shaking
_VIEW_PX = (32, 18)
_HELD, _HELD_BYTES = 20, 128 << 20  # pictures that wait for their scale: a small board has a gigabyte
_DOUBTED = 3  # of them wait to see whether the scale has changed
_SAMPLES = 12  # pictures of a folder that tell the scale of all

Size = tuple[int, int]


@dataclass(frozen=True)
class Scale:
    """How large a pixel is, and how that is known.

    Attributes
    ----------
    um_per_px : micrometres per pixel of the frame.
    source : 'given', 'calibration', 'red-cells', 'red-cells-of-others' or 'nominal'.
    trusted : whether cells may be counted by it.
    unknown : nothing speaks for any scale, and enough was looked at to say so.
    note : what the user should know, told once, else None.
    lit : where the frame shows the specimen.
    flat : (h, w, 3) float32, the saved flat field for `preprocess.specimen`, None without one that fits.
    """

    um_per_px: float
    source: ScaleSource
    trusted: bool = True
    unknown: bool = False
    note: str | None = None
    lit: LitField = WHOLE
    flat: F32 | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Before:
    """The scale of a slide up to the moment when it was cut off.

    Attributes
    ----------
    um_per_px, source : see `Scale`. size : width and height of the frames, pixels.
    """

    um_per_px: float
    source: ScaleSource
    size: Size


Scaled = tuple[Frame, Scale]
"""A frame whose scale is settled."""


class Eyepiece(Protocol):
    """What the scale depends on: which camera, and whether it is a real one."""

    name: str
    serial: str
    live: bool


@runtime_checkable
class Sampled(Protocol):
    """Pictures of which some can be looked at before it is their turn."""

    def samples(self, most: int) -> Iterator[U8]:
        """Up to so many of them, spread evenly, (H, W, 3) uint8 RGB; what cannot be read is left out."""


@dataclass(frozen=True)
class Scales:
    """How the scale is to be known on this device.

    Attributes
    ----------
    asked : µm per pixel stated by the user, or 'auto'.
    nominal : µm per pixel to fall back on.
    camera : a live camera's calibration is saved under its name; a folder of pictures is no microscope.
    independent : every frame is a slide of its own; those of one size share what their red cells say.
    folder : where the calibrations are kept, None for nowhere.
    vouched : the nominal value is that of these pictures, not just of the usual camera.
    shared : what the red cells of independent pictures said so far, by size.
    """

    asked: float | str
    nominal: float
    camera: Eyepiece
    independent: bool = False
    folder: Path | None = None
    vouched: bool = False
    shared: dict[Size, Consensus] = field(default_factory=dict, compare=False)

    @property
    def expected(self) -> float:
        """µm per pixel before the first frame: what was asked for, else the nominal value."""
        return self.nominal if isinstance(self.asked, str) else self.asked

    @property
    def store(self) -> CalibrationStore | None:
        """Where this camera's calibrations are kept, None where they are not."""
        return CalibrationStore(self.folder / FILE) if self.folder and self.camera.live else None

    def for_slide(self, before: Before | None = None) -> ScaleKeeper:
        """What answers for the frames of a new slide, or of one that had a scale before it was cut off.

        What was given then holds if nothing is given now; what red cells said holds until as many fields have
        been measured anew as it rested on. Pictures in files are all looked at once more, and tell it again.
        """
        if before is None or self.asked != "auto":
            return ScaleKeeper(self)
        if before.source == "given":
            return ScaleKeeper(replace(self, asked=before.um_per_px))
        measured = before.source == "red-cells" and not isinstance(self.camera, Sampled)
        return ScaleKeeper(self, before if measured else None)

    def of_all(self, size: Size) -> Consensus:
        """What the independent pictures of one size say together; some are looked at first."""
        all_ = self.shared.get(size)
        if all_ is None:
            all_ = self.shared[size] = Consensus()
            if isinstance(self.camera, Sampled):
                for pixels in self.camera.samples(_SAMPLES):
                    if size_of(pixels) == size:
                        all_.see(redcells.find(pixels, litfield.find(pixels)))
        return all_


def size_of(pixels: U8) -> Size:
    """Longer and shorter side: a camera that is held upright is the same camera."""
    height, width = pixels.shape[:2]
    return max(height, width), min(height, width)


def red_cells(frame: Frame, lit: LitField, expected_px: float | None) -> RedCells:
    """What a frame says of its red cells, in pixels as the camera took it; see `redcells.find`."""
    times = frame.reduction
    found = redcells.find(frame.pixels, lit, expected_px and expected_px / times)
    return found.enlarged(times)


class ScaleKeeper:
    """The scale of one slide's frames, each by itself or held against those before it."""

    def __init__(self, scales: Scales, before: Before | None = None) -> None:
        self._scales = scales
        self._given = None if isinstance(scales.asked, str) else scales.asked
        self._live = scales.camera.live
        self._saved = Saved(scales.camera, scales.store, needed=self._given is None)
        self._size = (0, 0)  # width and height
        self._by_size: defaultdict[Size, Consensus] = defaultdict(Consensus)
        if before is not None:
            self._by_size[max(before.size), min(before.size)] = Consensus(before.um_per_px)
        self._another_objective = False  # than the calibration's
        self._notes: deque[str] = deque()
        self._held: list[tuple[Frame, LitField]] = []
        self._patient = True
        self._blind = self._doubts = 0  # looks of a live camera without a scale, and in doubt of it
        self._last_look_s = float("-inf")
        self._view: F32 | None = None

    def take(self, frame: Frame, lit: LitField = WHOLE) -> list[Scaled]:
        """The frames whose scale is settled now, in the order in which they came, this one last or held.

        `lit` is where the frame is found to be lit; a calibrated camera knows better. Raises
        CalibrationError when the saved calibrations are damaged.
        """
        settled: list[Scaled] = []
        if frame.fault is None and frame.size != self._size:
            settled = self.rest()
            self._take_size(frame)
        lit = self._saved.lit or lit
        if self._scales.independent and self._given is None and self._saved.um_per_px is None:
            return [*settled, (frame, self._alone(frame, lit))]
        if self._wants(frame):
            self._look(frame, lit)
        self._held.append((frame, lit))
        return settled if self._waits() else [*settled, *self.rest()]

    def rest(self) -> list[Scaled]:
        """The frames that are held, by what is known now."""
        held, self._held = self._held, []
        return [(frame, self._answer(lit)) for frame, lit in held]

    def scale(self, frame: Frame, lit: LitField = WHOLE) -> Scale:
        """How large a pixel of this frame is, as far as it is known now."""
        return [*self.take(frame, lit), *self.rest()][-1][1]

    def reduction(self, pitch_um: float) -> int:
        """How many pixels across a frame one may hold: 2 where no pixel is coarser than `pitch_um` then.

        1 while the scale is not known, or doubted, or about to be measured anew.
        """
        known = self._known()
        measured = known.source == "red-cells" and self._agreed.sure
        doubted = self._given is None and (self._agreed.doubted > 0 or self._waits())
        settled = known.source in ("given", "calibration") or measured
        return 2 if settled and not doubted and 2 * known.um_per_px <= pitch_um else 1

    @property
    def _agreed(self) -> Consensus:
        return self._by_size[max(self._size), min(self._size)]

    def _take_size(self, frame: Frame) -> None:
        before, self._size = self._size, frame.size
        self._patient, self._view, self._another_objective = True, None, False
        seen = (max(self._size), min(self._size)) in self._by_size
        if before[0] and not seen and self._given is None and not self._scales.independent:
            self._notes.append(
                f"pictures of {frame.width} × {frame.height} pixels now, {before[0]} × {before[1]} before:"
                " their scale is measured anew"
            )
        self._notes.extend(self._saved.take_size(*self._size))

    def _wants(self, frame: Frame) -> bool:
        """Whether to look at this frame: a live camera's not more often than it helps."""
        if frame.fault is not None or (self._given is not None and not self._saved.watched):
            return False
        if not self._live or frame.monotonic_s - self._last_look_s >= _LIVE_INTERVAL_S:
            return True
        unsettled = self._given is None and (self._agreed.measured is None or self._agreed.doubted > 0)
        return unsettled and self._moved(frame)

    def _moved(self, frame: Frame) -> bool:
        """Whether a live camera shows another place than when it was looked at last."""
        return self._view is None or float((_view(frame.pixels) - self._view).std()) > _MOVED

    def _waits(self) -> bool:
        """Whether pictures are held until their scale is known, or until it is clear that it has not changed.

        Only pictures in files can wait: they are read one by one, and none is like another.
        """
        if self._live or self._given is not None or not self._patient:
            return False
        held = len(self._held)
        if sum(frame.pixels.nbytes for frame, _ in self._held) > _HELD_BYTES:
            held = _HELD
        if self._agreed.doubted:
            return held < _DOUBTED
        self._patient = self._agreed.sure or held < _HELD
        return self._patient and not self._agreed.sure

    def _look(self, frame: Frame, lit: LitField) -> None:
        """Measure one more field, and act on what that changes."""
        self._last_look_s = frame.monotonic_s
        if self._given is None:
            moved = self._live and self._moved(frame)
            self._measure(frame, lit, moved)
            if moved:
                self._view = _view(frame.pixels)
        self._notes.extend(self._saved.look(frame, self._known().um_per_px))

    def _measure(self, frame: Frame, lit: LitField, moved: bool) -> None:
        agreed = self._agreed
        if agreed.doubted and self._live:
            if not moved:  # the same field again is no second opinion
                return
            self._doubts += 1
        sure = agreed.sure
        before = agreed.see(red_cells(frame, lit, agreed.expected_px))
        self._doubts *= agreed.doubted > 0
        self._blind = self._blind + 1 if agreed.measured is None else 0
        if before is not None:
            self._on_change(before)
        elif agreed.measured is not None and agreed.sure and not sure:
            self._notes.extend(self._saved.hold_against(agreed.measured))

    def _on_change(self, before: Measured) -> None:
        now, saved = self._agreed.measured, self._saved.um_per_px
        assert now is not None
        self._another_objective = saved is not None and abs(now.um_per_px / saved - 1) > DISAGREEMENT
        self._notes.append(
            f"the red cells say {now.um_per_px:.4f} µm per pixel now, {before.um_per_px:.4f} before"
            f" ({now.um_per_px / before.um_per_px - 1:+.0%}): another objective? The scale is measured anew"
        )

    def _answer(self, lit: LitField) -> Scale:
        note = self._notes.popleft() if self._notes else None
        return replace(self._known(), note=note, lit=lit, flat=self._saved.flat)

    def _known(self) -> Scale:
        if self._given is not None:
            return Scale(self._given, "given")
        agreed = self._agreed
        trusted = not (self._live and agreed.doubted) or self._doubts > _DOUBTED
        if (saved := self._saved.um_per_px) is not None and not self._another_objective:
            return Scale(saved, "calibration", trusted)
        if agreed.measured is not None:
            return Scale(agreed.measured.um_per_px, "red-cells", trusted)
        return self._nominal(not self._live or self._blind >= UNKNOWN_FIELDS)

    def _nominal(self, told: bool) -> Scale:
        vouched = self._scales.vouched
        return Scale(self._scales.nominal, "nominal", trusted=vouched, unknown=told and not vouched)

    def _alone(self, frame: Frame, lit: LitField) -> Scale:
        """The scale of an independent picture: its own red cells, or those of others of its size."""
        if frame.fault is not None:
            return replace(self._nominal(False), lit=lit)
        others = self._scales.of_all((max(frame.size), min(frame.size)))
        found = red_cells(frame, lit, others.expected_px)
        own = redcells.estimate([found])
        if own is not None and others.sure and others.differs(own):
            if own.cells >= CHANGED_CELLS:
                return Scale(own.um_per_px, "red-cells", lit=lit)
            own = None
        else:
            others.see(found)
        if others.measured is None:
            return replace(self._nominal(True), lit=lit)
        source: ScaleSource = "red-cells" if own else "red-cells-of-others"
        return Scale(others.measured.um_per_px, source, lit=lit)


def _view(pixels: U8) -> F32:
    """A tiny grey picture of a field, by which two places are told apart."""
    step = max(min(pixels.shape[:2]) // 128, 1)
    return np.asarray(
        cv2.resize(pixels[::step, ::step, 1], _VIEW_PX, interpolation=cv2.INTER_AREA), np.float32
    )
