"""What this camera on this microscope does to lengths and light, given, saved or measured.

`ScaleKeeper` answers for every frame how large a pixel is and who says so: the user, a saved calibration, the
slide's red cells (`edge.optics.redcells`), or else the device profile's nominal value. It brings the saved
flat field too, and says once what of a calibration no longer fits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from edge.optics import redcells
from edge.optics.calibrations import FILE, Calibration, CalibrationError, CalibrationStore, stamp, too_old
from edge.optics.drift import Upkeep
from edge.optics.litfield import LitField
from edge.optics.redcells import Measured, RedCells
from edge.types import F32, Frame, ScaleSource

SURE_FIELDS, SURE_CELLS = 3, 60
"""Fields and red cells from which a scale counts as measured."""

_EAGER_FIELDS = 12  # after so many without being sure, one field in ten is enough
_LIVE_INTERVAL_S = 1.0  # a live camera shows the same field many times over before the stage moves on
_DISAGREEMENT = 0.15  # beyond what people's red cells differ by, and enough to mislead the classifier


@dataclass(frozen=True)
class Scale:
    """How large a pixel is, and how that is known.

    Attributes
    ----------
    um_per_px : micrometres per pixel of the frame.
    source : 'given', 'calibration', 'red-cells' or 'nominal'.
    note : what the user should know, told once, else None.
    flat : (h, w, 3) float32, the saved flat field for `preprocess.specimen`, None without one that fits.
    lit : the saved lit field, None without one that fits.
    """

    um_per_px: float
    source: ScaleSource
    note: str | None = None
    flat: F32 | None = field(default=None, compare=False)
    lit: LitField | None = field(default=None, compare=False)


class Eyepiece(Protocol):
    """What the scale depends on: which camera, and whether it is a real one."""

    name: str
    serial: str
    live: bool


@dataclass(frozen=True)
class Scales:
    """How the scale is to be known on this device.

    Attributes
    ----------
    asked : µm per pixel stated by the user, or 'auto'.
    nominal : µm per pixel to fall back on.
    camera : a live camera's calibration is saved under its name; a folder of pictures is no microscope.
    independent : every frame is a slide of its own.
    folder : where the calibrations are kept, None for nowhere.
    """

    asked: float | str
    nominal: float
    camera: Eyepiece
    independent: bool = False
    folder: Path | None = None

    @property
    def expected(self) -> float:
        """µm per pixel before the first frame: what was asked for, else the nominal value."""
        return self.nominal if isinstance(self.asked, str) else self.asked

    @property
    def store(self) -> CalibrationStore | None:
        """Where this camera's calibrations are kept, None where they are not."""
        return CalibrationStore(self.folder / FILE) if self.folder and self.camera.live else None

    def for_slide(self) -> ScaleKeeper:
        """What answers for the frames of a new slide."""
        return ScaleKeeper(self)


class ScaleKeeper:
    """The scale of one slide's frames: measures red cells until sure, then keeps what it found."""

    def __init__(self, scales: Scales) -> None:
        self._scales = scales
        self._given = None if isinstance(scales.asked, str) else scales.asked
        self._store = scales.store
        self._size = (0, 0)
        self._calibration: Calibration | None = None
        self._upkeep: Upkeep | None = None
        self._notes: deque[str] = deque()
        self._fields: list[RedCells] = []
        self._seen = 0
        self._last_look_s = float("-inf")
        self._measured: Measured | None = None
        self._sure = self._given is not None

    def scale(self, frame: Frame) -> Scale:
        """How large a pixel of this frame is. Raises CalibrationError when the saved ones are damaged."""
        if frame.fault is None and (frame.width, frame.height) != self._size:
            self._take_resolution(frame)
        if self._scales.independent:
            self._fields, self._measured = [], None
        if self._wants(frame):
            self._look(frame)
        return self._answer()

    def _take_resolution(self, frame: Frame) -> None:
        self._size = (frame.width, frame.height)
        camera = self._scales.camera
        if camera.live and self._given is None:
            self._fields, self._measured, self._sure = [], None, False
        if self._store is None:
            return
        try:
            self._calibration = self._store.find(camera.name, camera.serial, *self._size)
        except CalibrationError as error:
            if self._given is None:
                raise
            self._notes.append(str(error))  # what was given does not depend on what was saved
            self._calibration = None
        self._upkeep = Upkeep(self._calibration) if self._calibration else None
        if self._calibration and (old := too_old(self._calibration)):
            self._notes.append(old)

    @property
    def _watched(self) -> bool:
        """Whether it is still open if the saved flat field and light fit."""
        return self._upkeep is not None and not self._upkeep.done

    @property
    def _saved_scale(self) -> Calibration | None:
        return self._calibration if self._calibration and self._calibration.scale_measured else None

    def _wants(self, frame: Frame) -> bool:
        """Whether to measure this frame: only while unsure, and then not more often than it helps."""
        if (self._sure and not self._watched) or frame.fault is not None:
            return False
        if self._scales.independent:
            return self._saved_scale is None
        if self._scales.camera.live:
            return frame.monotonic_s - self._last_look_s >= _LIVE_INTERVAL_S
        self._seen += 1
        return self._seen <= _EAGER_FIELDS or self._seen % 10 == 0

    def _look(self, frame: Frame) -> None:
        """Measure one more field, and act on it when that made the scale sure or a judgement due."""
        self._last_look_s = frame.monotonic_s
        if not self._sure:
            found = redcells.find(frame.pixels)
            if len(found):
                self._fields.append(found)
                self._measured = redcells.estimate(self._fields)
            self._sure = not self._scales.independent and is_sure(self._measured)
            if self._sure and (note := self._on_sure()):
                self._notes.append(note)
        if self._upkeep is not None and self._watched:
            self._notes.extend(self._upkeep.look(frame, self._known().um_per_px))

    def _on_sure(self) -> str | None:
        """Compare with the saved calibration, or save what was measured. Returns what to tell the user."""
        measured, saved = self._measured, self._saved_scale
        assert measured is not None
        if saved is not None:
            off = measured.um_per_px / saved.um_per_px - 1
            if abs(off) <= _DISAGREEMENT:
                return None
            return (
                f"saved calibration {saved.um_per_px:.4f} µm per pixel of {saved.measured_at[:10]}, but the"
                f" red cells say {measured.um_per_px:.4f} ({off:+.0%}): another objective, or unusual cells?"
                " Check, then calibrate again or give --um-per-px"
            )
        if self._store is None:
            return None
        camera = self._scales.camera
        now, clock_set = stamp()
        fresh = Calibration(
            camera.name, *self._size, measured.um_per_px, measured.uncertainty, now, "red-cells",
            camera.serial, clock_set,
        )  # fmt: skip
        if (lit := self._calibration) is not None:
            fresh = replace(
                fresh, light=lit.light, glass=lit.glass, flat=lit.flat, lit=lit.lit, lit_at=lit.lit_at
            )
        try:
            self._store.save(fresh)
        except CalibrationError as error:
            return str(error)  # the slide is being read and must not stop for this
        return None

    def _answer(self) -> Scale:
        note = self._notes.popleft() if self._notes else None
        if self._calibration is None or self._upkeep is None:
            return replace(self._known(), note=note)
        flat = self._calibration.flat if self._upkeep.flat_fits else None
        return replace(self._known(), note=note, flat=flat, lit=self._upkeep.lit)

    def _known(self) -> Scale:
        if self._given is not None:
            return Scale(self._given, "given")
        if (saved := self._saved_scale) is not None:
            return Scale(saved.um_per_px, "calibration")
        if (measured := self._measured) is not None:
            return Scale(measured.um_per_px, "red-cells")
        return Scale(self._scales.nominal, "nominal")


def is_sure(measured: Measured | None) -> bool:
    """Whether a scale rests on enough."""
    return measured is not None and measured.fields >= SURE_FIELDS and measured.cells >= SURE_CELLS
