"""Whether a saved calibration still fits what the camera shows: its lit field, its flat field and its light.

Judged on several fields of the slide, for one alone may hide the glass or show something odd.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.optics import illumination, litfield
from edge.optics.calibrations import Calibration
from edge.optics.litfield import LitField
from edge.types import F32, U8, Bools, Frame

FIELDS = 5
"""So many are looked at, then it is judged once."""

_WORK_PX = 192  # longest side looked at: about one pixel per µm
_GRID = (32, 18)  # on which fields are compared
_COMMON_GRID = (90, 160)  # rows and columns on which lit fields are
_LEAST_GLASS = 0.1  # of a field; below it the background is a guess
_UNEVEN = 0.03  # in log intensity: the error that segmentation tolerates, by half
_WORSE = 1.2  # times as uneven with the flat field as without
_BRIGHTNESS = 1.6  # times; the eye hardly sees less, and the line makes up for it
_SAME_FIELD = 0.92  # of two lit fields is common to both; what finding them errs by is half of the rest
_COLOUR = 0.15  # in log intensity of red or blue by green: a halogen lamp at 2900 K for 3200 K (Planck)


class Upkeep:
    """Follows the first fields of a slide.

    Attributes
    ----------
    lit : the saved lit field, None without one and once it is found to be another.
    flat_fits : until the flat field is found to make the light less even.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._fields: list[F32] = []
        self._moved: list[bool] = []
        self.lit = (
            None if calibration.lit is None else LitField(calibration.lit if len(calibration.lit) else None)
        )
        self.flat_fits = True

    @property
    def done(self) -> bool:
        """Whether it has been judged, or there is nothing to judge."""
        return self._light_judged and self._lit_judged

    @property
    def _light_judged(self) -> bool:
        known = self._calibration.flat is not None or self._calibration.glass is not None
        return len(self._fields) >= FIELDS or not known

    @property
    def _lit_judged(self) -> bool:
        return len(self._moved) >= FIELDS or self._calibration.lit is None

    def look(self, frame: Frame, um_per_px: float) -> list[str]:
        """See one more field; what to tell the user, a line each, once it is judged."""
        found = litfield.find(frame.pixels)
        notes = [] if self._lit_judged else [self._lit_note(found)]
        shown = None if self._light_judged else _glass(frame.pixels, um_per_px * frame.reduction, found)
        if shown is not None:
            self._fields.append(shown)
            if self._light_judged:
                light = np.asarray(np.median(self._fields, axis=0), np.float32)
                inside = found.mask(*_GRID[::-1])
                light = light.reshape(-1, 3)[... if inside is None else inside.ravel()]
                notes += [self._flat_note(light, inside), self._light_note(light)]
        return [note for note in notes if note]

    def _lit_note(self, found: LitField) -> str | None:
        assert self.lit is not None
        self._moved.append(_common(self.lit, found) < _SAME_FIELD)
        if not self._lit_judged or 2 * sum(self._moved) <= FIELDS:
            return None
        self.lit = None
        return (
            f"the lit field of {_date(self._calibration)} is no longer where the picture is, which is looked"
            " for in every picture now; if eyepiece or camera was moved, run `edge-device calibrate`"
        )

    def _flat_note(self, light: F32, inside: Bools | None) -> str | None:
        saved = self._calibration
        if saved.flat is None:
            return None
        flat = np.log(cv2.resize(saved.flat, _GRID, interpolation=cv2.INTER_AREA))
        flat = flat.reshape(-1, 3)[... if inside is None else inside.ravel()]
        without, with_flat = float(light[:, 1].std()), float((light - flat)[:, 1].std())
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
        red, green, blue = (float(level) for level in light.mean(axis=0) - np.log(saved.glass))
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


def _common(a: LitField, b: LitField) -> float:
    """The part that two lit fields have in common by what either shows, 0 to 1."""
    ones = np.ones(_COMMON_GRID, np.bool_)
    ours, theirs = (ones if (mask := lit.mask(*ones.shape)) is None else mask for lit in (a, b))
    return int(np.count_nonzero(ours & theirs)) / max(int(np.count_nonzero(ours | theirs)), 1)


def _glass(pixels: U8, um_per_px: float, lit: LitField) -> F32 | None:
    """Logarithm of the light on `_GRID`, (18, 32, 3) float32, None where there is too little glass."""
    shrink = min(_WORK_PX / max(pixels.shape[:2]), 1.0)
    level, fraction = illumination.background(
        illumination.resample(pixels, shrink), um_per_px / shrink, None, lit
    )
    if fraction < _LEAST_GLASS:
        return None
    # a field too small for a surface comes as one level
    return np.log(np.asarray(cv2.resize(level, _GRID, interpolation=cv2.INTER_LINEAR), np.float32))
