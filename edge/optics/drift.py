"""Whether a saved calibration still fits what the camera shows: its flat field and its light.

Judged on several fields of the slide, for one alone may hide the glass or show something odd.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.optics import illumination
from edge.optics.calibrations import Calibration
from edge.types import F32, U8, Frame

FIELDS = 5
"""So many are looked at, then it is judged once."""

_WORK_PX = 192  # longest side looked at: about one pixel per µm
_GRID = (32, 18)  # on which fields are compared
_LEAST_GLASS = 0.1  # of a field; below it the background is a guess
_UNEVEN = 0.03  # in log intensity: the error that segmentation tolerates, by half
_WORSE = 1.2  # times as uneven with the flat field as without
_BRIGHTNESS = 1.6  # times; the eye hardly sees less, and the line makes up for it
_COLOUR = 0.15  # in log intensity of red or blue by green: a halogen lamp at 2900 K for 3200 K (Planck)


class Upkeep:
    """Follows the first fields of a slide; `flat_fits` until the flat field is found to make them worse."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._fields: list[F32] = []
        self.flat_fits = True

    @property
    def done(self) -> bool:
        """Whether it has been judged, or there is nothing to judge."""
        known = self._calibration.flat is not None or self._calibration.glass is not None
        return len(self._fields) >= FIELDS or not known

    def look(self, frame: Frame, um_per_px: float) -> list[str]:
        """See one more field; what to tell the user, a line each, once it is judged."""
        shown = _glass(frame.pixels, um_per_px)
        if shown is None:
            return []
        self._fields.append(shown)
        if not self.done:
            return []
        light = np.asarray(np.median(self._fields, axis=0), np.float32)
        return [note for note in (self._flat_note(light), self._light_note(light)) if note]

    def _flat_note(self, light: F32) -> str | None:
        saved = self._calibration
        if saved.flat is None:
            return None
        flat = np.log(cv2.resize(saved.flat, _GRID, interpolation=cv2.INTER_AREA))
        without, with_flat = float(light[..., 1].std()), float((light - flat)[..., 1].std())
        self.flat_fits = with_flat <= max(_UNEVEN, _WORSE * without)
        if self.flat_fits:
            return None
        return (
            f"the flat field of {_date(saved)} no longer fits (light uneven by {with_flat:.0%} with it, by"
            f" {without:.0%} without) and is left out; measure it again with `edge-device calibrate`"
        )

    def _light_note(self, light: F32) -> str | None:
        saved = self._calibration
        if saved.glass is None:
            return None
        red, green, blue = (float(level) for level in light.reshape(-1, 3).mean(axis=0) - np.log(saved.glass))
        if abs(green) > np.log(_BRIGHTNESS):
            return (
                f"the glass is {'brighter' if green > 0 else 'darker'} than when calibrated on {_date(saved)}"
                f" ({saved.glass[1] * np.exp(green):.0f} grey levels, then {saved.glass[1]:.0f}); set lamp"
                " and condenser as they were, or run `edge-device calibrate`"
            )
        if max(abs(red - green), abs(blue - green)) > _COLOUR:
            hue = "redder" if red > blue else "bluer"
            return (
                f"the light is {hue} than when calibrated on {_date(saved)}; set the lamp as it was, or run"
                " `edge-device calibrate`"
            )
        return None


def _date(calibration: Calibration) -> str:
    return (calibration.lit_at or calibration.measured_at)[:10]


def _glass(pixels: U8, um_per_px: float) -> F32 | None:
    """Logarithm of the light on `_GRID`, (18, 32, 3) float32, None where there is too little glass."""
    shrink = min(_WORK_PX / max(pixels.shape[:2]), 1.0)
    level, fraction = illumination.background(illumination.resample(pixels, shrink), um_per_px / shrink)
    if fraction < _LEAST_GLASS:
        return None
    # a field too small for a surface comes as one level
    return np.log(np.asarray(cv2.resize(level, _GRID, interpolation=cv2.INTER_LINEAR), np.float32))
