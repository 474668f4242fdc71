"""What was measured of each camera on its microscope, kept in one file: scale, lit and flat field, light.

A calibration belongs to a camera's name, its serial number and a resolution, for binning and cropping change
all of it. The file holds the one in force and the one before it, to go back to.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from edge.files import atomic
from edge.machine import clock
from edge.types import F32, LeukoscopeError, Light

FILE = "calibrations.json"
"""Its name in the data folder."""

OLD_DAYS = 365
"""Lamps age and tubes get moved, slowly; the scale is held against red cells on every slide anyway."""

_FORMAT = 3
_KEPT = 2  # of each camera and resolution
_FLAT_ONE = 60000  # in the 16-bit picture of a flat field; what lies above 1 is noise


class CalibrationError(LeukoscopeError):
    """The calibration file cannot be read or written. Says which file and what to do."""


@dataclass(frozen=True)
class Calibration:
    """What is known of one camera at one resolution.

    Attributes
    ----------
    camera, width, height, serial : whose it is; `serial` is empty where nothing tells two of one model apart.
    um_per_px : micrometres per pixel. uncertainty : its relative standard error, None where nothing tells.
    measured_at : of the scale, ISO 8601, UTC.
    method : 'red-cells', 'micrometer', 'given', or 'nominal' where the scale is still to be measured.
    clock_set : False if the clock was not set when any of this was measured: its dates may be wrong.
    light : exposure and white balance in force when the flat field was taken, None where nothing fixed them.
    glass : R, G, B of clear glass then, grey levels.
    flat : (h, w, 3) float32, light that reaches each part of the field by the brightest part's, 1 at most.
        None where it was not measured. Not compared.
    lit : (k, 2) float32, corners of the part of the picture that is lit, as `edge.optics.litfield.LitField`
        has them, none where all of it is. None where it was not measured. Not compared.
    lit_at : of light, glass, flat and lit, as `measured_at`.
    """

    camera: str
    width: int
    height: int
    um_per_px: float
    uncertainty: float | None
    measured_at: str
    method: str
    serial: str = ""
    clock_set: bool = True
    light: Light | None = None
    glass: tuple[float, float, float] | None = None
    flat: F32 | None = field(default=None, compare=False)
    lit: F32 | None = field(default=None, compare=False)
    lit_at: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.um_per_px < 100:
            raise ValueError(f"um_per_px {self.um_per_px} of camera {self.camera}")
        if self.flat is not None and (self.flat.ndim != 3 or not 0 < self.flat.min() <= self.flat.max() <= 2):
            raise ValueError(f"flat field of camera {self.camera}")
        if self.lit is not None and not _is_polygon(self.lit):
            raise ValueError(f"lit field of camera {self.camera}")
        for date in (self.measured_at, *([] if self.lit_at is None else [self.lit_at])):
            if datetime.fromisoformat(date).tzinfo is None:
                raise ValueError(f"date {date!r} without a time zone")

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Whose it is."""
        return self.camera, self.serial, self.width, self.height

    @property
    def scale_measured(self) -> bool:
        """Whether somebody measured or stated the scale."""
        return self.method != "nominal"

    def age(self, now: datetime) -> timedelta | None:
        """Since its older half was measured; None where a clock that was not set forbids to say."""
        if not self.clock_set:
            return None
        dates = [self.measured_at if self.scale_measured else None, self.lit_at]
        told = [datetime.fromisoformat(date) for date in dates if date]
        age = now - min(told, default=now)
        return age if age >= timedelta(0) else None


def too_old(calibration: Calibration, now: datetime | None = None) -> str | None:
    """What to tell the user of a calibration's age, None while it is young enough or of unknown age."""
    age = calibration.age(now or datetime.now(UTC))
    if age is None or age.days <= OLD_DAYS:
        return None
    return (
        f"calibration of {calibration.camera} is {age.days} days old; measure again with"
        " `edge-device calibrate`"
    )


def _is_polygon(corners: F32) -> bool:
    """Whether these are (k, 2) shares of a picture, three corners or more, or none."""
    right = corners.ndim == 2 and corners.shape[1] == 2 and len(corners) not in (1, 2)
    return right and bool(((corners >= 0) & (corners <= 1)).all())


def stamp() -> tuple[str, bool]:
    """Now as `Calibration.measured_at` has it, and whether the clock is set."""
    moment = clock.now()
    return moment.utc.isoformat(timespec="seconds"), moment.is_set


class CalibrationStore:
    """The calibrations of this device's cameras, one JSON file; a missing file holds none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, camera: str, serial: str, width: int, height: int) -> Calibration | None:
        """The calibration of this camera at this resolution; raises CalibrationError.

        One that was made before serial numbers were kept is taken for any camera of its name.
        """
        kept = {one.key: one for one in self._read()}
        exact = kept.get((camera, serial, width, height))
        return exact or kept.get((camera, "", width, height))

    def light(self, camera: str, serial: str) -> Light | None:
        """How this camera was last made to take pictures, at any resolution; raises CalibrationError."""
        told = [one.light for one in self.all() if (one.camera, one.serial) == (camera, serial) and one.light]
        return told[-1] if told else None

    def all(self) -> list[Calibration]:
        """Those in force, one for each camera and resolution, the last saved last; CalibrationError."""
        newest: dict[tuple[str, str, int, int], Calibration] = {}
        for one in self._read():
            newest.pop(one.key, None)
            newest[one.key] = one
        return list(newest.values())

    def save(self, calibration: Calibration) -> None:
        """Put in force; the one before is kept for `undo`. Raises CalibrationError."""
        kept = self._read()
        same = [one for one in kept if one.key == calibration.key]
        for one in same[: len(same) - _KEPT + 1]:
            kept.remove(one)
        self._write([*kept, calibration])

    def undo(self, camera: str, serial: str, width: int, height: int) -> Calibration | None:
        """Drop the calibration in force and go back to the one before; CalibrationError without any.

        Returns
        -------
        The one in force now, None where there is none left.
        """
        kept = self._read()
        same = [i for i, one in enumerate(kept) if one.key == (camera, serial, width, height)]
        if not same:
            raise CalibrationError(f"calibrations {self.path}: none of {camera} at {width}×{height} to undo")
        del kept[same[-1]]
        self._write(kept)
        return self.find(camera, serial, width, height)

    def _write(self, kept: Sequence[Calibration]) -> None:
        text = json.dumps({"format": _FORMAT, "calibrations": [_as_json(one) for one in kept]}, indent=1)
        try:
            with atomic.as_owner(self.path):
                atomic.make_folder(self.path.parent)
                atomic.write(self.path, text.encode() + b"\n")
        except OSError as error:
            raise CalibrationError(
                f"calibrations {self.path}: cannot be written ({error.strerror});"
                " free space or mend its rights"
            ) from error

    def _read(self) -> list[Calibration]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            read = _READERS.get(content["format"])
            if read is None and isinstance(content["format"], int) and content["format"] > _FORMAT:
                raise CalibrationError(
                    f"calibrations {self.path}: written by a newer version of this program (format"
                    f" {content['format']}, known up to {_FORMAT}); update the program, or move the file away"
                    " and measure again with `edge-device calibrate`"
                )
            if read is None:
                raise ValueError(f"format {content['format']!r}")
            return [read(entry) for entry in content["calibrations"]]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CalibrationError(
                f"calibrations {self.path}: cannot be read ({error.strerror}); mend its rights or remove it"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CalibrationError(
                f"calibrations {self.path}: damaged ({error}); remove it and measure again with"
                " `edge-device calibrate`"
            ) from error


def _as_json(calibration: Calibration) -> dict[str, Any]:
    entry = asdict(replace(calibration, flat=None, lit=None))
    return entry | {
        "flat": None if calibration.flat is None else _packed(calibration.flat),
        "lit": None if calibration.lit is None else calibration.lit.round(5).tolist(),
    }


def _from_json(entry: dict[str, Any]) -> Calibration:
    known = {f.name for f in fields(Calibration)}
    if strange := set(entry) - known:
        raise ValueError(f"unknown {', '.join(sorted(strange))}")
    light, glass, flat, lit = (entry.get(name) for name in ("light", "glass", "flat", "lit"))
    return Calibration(
        **entry
        | {
            "light": light and Light(light["exposure_ms"], light["gain"], tuple(light["white"])),
            "glass": glass and tuple(float(level) for level in glass),
            "flat": None if flat is None else _unpacked(flat),
            "lit": None if lit is None else np.array(lit, np.float32).reshape(len(lit), 2),
        }
    )


_READERS: dict[Any, Callable[[dict[str, Any]], Calibration]] = {
    1: lambda entry: Calibration(**entry),
    2: _from_json,
    3: _from_json,
}


def _packed(flat: F32) -> str:
    import cv2  # only where there is a flat field: every start looks into the file

    levels = np.rint(flat * _FLAT_ONE).clip(1, 65535).astype(np.uint16)
    return base64.b64encode(cv2.imencode(".png", levels)[1].tobytes()).decode()


def _unpacked(text: str) -> F32:
    import cv2

    coded = np.frombuffer(base64.b64decode(text), np.uint8)
    levels = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED) if coded.size else None
    if levels is None or levels.dtype != np.uint16 or levels.ndim != 3:
        raise ValueError("flat field is no 16-bit picture")
    return np.asarray(levels / _FLAT_ONE, np.float32)
