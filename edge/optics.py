"""What this camera on this microscope does to lengths: micrometres per pixel, given, saved or measured.

`ScaleKeeper` answers for every frame how large a pixel is and who says so: the user, a saved calibration,
the slide's red cells (`edge.redcells`), or else the device profile's nominal value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from edge import redcells
from edge.redcells import Measured, RedCells
from edge.types import Frame, LeukoscopeError, ScaleSource

_SURE_FIELDS = 3
_SURE_CELLS = 60
_EAGER_FIELDS = 12  # after so many without being sure, one field in ten is enough
_LIVE_INTERVAL_S = 1.0  # a live camera shows the same field many times over before the stage moves on
_DISAGREEMENT = 0.15  # beyond what people's red cells differ by, and enough to mislead the classifier
_FILE = "calibrations.json"
_FORMAT = 1


class CalibrationError(LeukoscopeError):
    """The calibration file cannot be read or written. Says which file and what to do."""


@dataclass(frozen=True)
class Scale:
    """How large a pixel is, and how that is known.

    Attributes
    ----------
    um_per_px : micrometres per pixel of the frame.
    source : 'given', 'calibration', 'red-cells' or 'nominal'.
    uncertainty : relative standard error, None where nothing tells.
    cells : red cells it was measured on, 0 where it was not.
    note : what the user should know, told once, else None.
    """

    um_per_px: float
    source: ScaleSource
    uncertainty: float | None = None
    cells: int = 0
    note: str | None = None


@dataclass(frozen=True)
class Calibration:
    """A saved scale of one camera at one resolution.

    Attributes
    ----------
    camera, width, height : whose it is; a resolution has a scale of its own (binning, cropping).
    um_per_px : micrometres per pixel. uncertainty : its relative standard error.
    measured_at : ISO 8601, UTC. method : what it was measured on, such as 'red-cells'.
    """

    camera: str
    width: int
    height: int
    um_per_px: float
    uncertainty: float
    measured_at: str
    method: str


class CalibrationStore:
    """The calibrations of this device's cameras, one JSON file; a missing file holds none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, camera: str, width: int, height: int) -> Calibration | None:
        """The calibration of this camera at this resolution; raises CalibrationError."""
        key = (camera, width, height)
        return next((c for c in self._read() if (c.camera, c.width, c.height) == key), None)

    def save(self, calibration: Calibration) -> None:
        """Add or replace; the file is whole at every moment. Raises CalibrationError."""
        key = (calibration.camera, calibration.width, calibration.height)
        others = [c for c in self._read() if (c.camera, c.width, c.height) != key]
        text = json.dumps(
            {"format": _FORMAT, "calibrations": [asdict(c) for c in [*others, calibration]]}, indent=2
        )
        draft = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self.path)
        except OSError as error:
            raise CalibrationError(
                f"calibrations {self.path}: cannot be written ({error.strerror});"
                " free space or mend its rights"
            ) from error

    def _read(self) -> list[Calibration]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(f"format {content['format']}, expected {_FORMAT}")
            return [_checked(Calibration(**entry)) for entry in content["calibrations"]]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CalibrationError(
                f"calibrations {self.path}: cannot be read ({error.strerror}); mend its rights or remove it"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise CalibrationError(
                f"calibrations {self.path}: damaged ({error}); remove it and measure again with"
                " `edge-device calibrate`"
            ) from error


def _checked(calibration: Calibration) -> Calibration:
    if not 0 < calibration.um_per_px < 100:
        raise ValueError(f"um_per_px {calibration.um_per_px} of camera {calibration.camera}")
    return calibration


class Eyepiece(Protocol):
    """What the scale depends on: a camera's name, and whether it is a real one."""

    name: str
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
        return CalibrationStore(self.folder / _FILE) if self.folder and self.camera.live else None

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
        self._fields: list[RedCells] = []
        self._seen = 0
        self._last_look_s = float("-inf")
        self._measured: Measured | None = None
        self._sure = False

    def scale(self, frame: Frame) -> Scale:
        """How large a pixel of this frame is. Raises CalibrationError when the saved ones are damaged."""
        if self._given is not None:
            return Scale(self._given, "given")
        if frame.fault is None and (frame.width, frame.height) != self._size:
            self._take_resolution(frame)
        if self._scales.independent:
            self._fields, self._measured = [], None
        just_sure = self._look(frame) if self._wants(frame) else False
        note = self._on_sure() if just_sure else None
        return self._answer(note)

    def _take_resolution(self, frame: Frame) -> None:
        self._size = (frame.width, frame.height)
        if self._scales.camera.live:
            self._fields, self._measured, self._sure = [], None, False
        if self._store is not None:
            self._calibration = self._store.find(self._scales.camera.name, *self._size)

    def _wants(self, frame: Frame) -> bool:
        """Whether to measure this frame: only while unsure, and then not more often than it helps."""
        if self._sure or frame.fault is not None:
            return False
        if self._scales.independent:
            return self._calibration is None
        if self._scales.camera.live:
            return frame.monotonic_s - self._last_look_s >= _LIVE_INTERVAL_S
        self._seen += 1
        return self._seen <= _EAGER_FIELDS or self._seen % 10 == 0

    def _look(self, frame: Frame) -> bool:
        """Measure one more field; True when that made the scale sure."""
        self._last_look_s = frame.monotonic_s
        found = redcells.find(frame.pixels)
        if len(found):
            self._fields.append(found)
            self._measured = redcells.estimate(self._fields)
        self._sure = not self._scales.independent and _is_sure(self._measured)
        return self._sure

    def _on_sure(self) -> str | None:
        """Compare with the saved calibration, or save what was measured. Returns what to tell the user."""
        measured, saved = self._measured, self._calibration
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
        try:
            self._store.save(calibration_from(measured, self._scales.camera.name, *self._size))
        except CalibrationError as error:
            return str(error)  # the slide is being read and must not stop for this
        return None

    def _answer(self, note: str | None) -> Scale:
        if self._calibration is not None:
            saved = self._calibration
            return Scale(saved.um_per_px, "calibration", saved.uncertainty, 0, note)
        if self._measured is not None:
            m = self._measured
            return Scale(m.um_per_px, "red-cells", m.uncertainty, m.cells, note)
        return Scale(self._scales.nominal, "nominal", None, 0, note)


def calibration_from(measured: Measured, camera: str, width: int, height: int) -> Calibration:
    """What `edge-device calibrate` and the first slide of a live camera save."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Calibration(camera, width, height, measured.um_per_px, measured.uncertainty, now, "red-cells")


def measure(frames: Sequence[Frame]) -> Measured | None:
    """Scale from several fields at once, None where they show too few red cells."""
    return redcells.estimate([redcells.find(f.pixels) for f in frames if f.fault is None])


def _is_sure(measured: Measured | None) -> bool:
    return measured is not None and measured.fields >= _SURE_FIELDS and measured.cells >= _SURE_CELLS
