"""What `edge-device calibrate` measures, step by step: light, flat field, scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Protocol

import numpy as np

from edge import command
from edge.calibrate import exposure, flatfield, micrometer
from edge.cameras import Adjustable, Camera, CameraError
from edge.optics import consensus, redcells
from edge.optics.calibrations import Calibration, stamp
from edge.types import Frame, LeukoscopeError, Light

FIELDS = 5
"""Fields whose red cells are measured."""

RULINGS = 3
"""Pictures of a stage micrometer."""

_SPREAD_S = 0.25  # between pictures of the empty field, so that the stage moves meanwhile
_PATIENCE_S = 5.0  # a driver may have kept old pictures while somebody was thinking


class CalibrateError(LeukoscopeError):
    """A step could not be done. Says why and what to do."""


class SkippedError(CalibrateError):
    """The user leaves a step out."""


class Asker(Protocol):
    """Whoever moves the stage."""

    def ready(self, text: str) -> None:
        """Come back when what the text asks for is done; raises SkippedError."""

    def again(self, reason: str) -> bool:
        """Whether to try a step once more that failed for this reason."""

    def tell(self, line: str) -> None:
        """Something that was found."""


@dataclass
class Session:
    """A camera, open, and somebody at its microscope.

    Attributes
    ----------
    settle_s : what the camera's automatic control needs.
    pictures : of the empty field.
    """

    camera: Camera
    asker: Asker
    settle_s: float
    pictures: int

    def __post_init__(self) -> None:
        self._first: Frame | None = None

    def begin(self, nominal_um_per_px: float, saved: Callable[[int, int], Calibration | None]) -> Calibration:
        """What is known of the camera at the size of its pictures, before anything is measured.

        Parameters
        ----------
        nominal_um_per_px : scale to start from. saved : the saved calibration of a width and height, or None.
        """
        frame = self._fresh()
        self._first = None if self.camera.live else frame
        camera, size = self.camera, (frame.width, frame.height)
        if (known := saved(*size)) is not None:
            return replace(known, camera=camera.name, serial=camera.serial)
        now, clock_set = stamp()
        return Calibration(
            camera.name, *size, nominal_um_per_px, None, now, "nominal", camera.serial, clock_set
        )

    def light(self, known: Calibration) -> Calibration:
        """With the best exposure and a neutral white, on glass."""
        if not (self.camera.live and isinstance(self.camera, Adjustable)):
            raise CalibrateError(
                f"light: {self.camera.name} has no exposure or white balance to set; what it shows is taken"
            )
        self.asker.ready(
            "Light: move to clear glass beside the smear, so that the exposure can be set on it."
        )
        self._fresh()
        with command.Progress(exposure.LightSearch.STEPS) as bar:
            found = exposure.LightSearch(self.camera, self.settle_s, bar.show).find()
        self.asker.tell(f"light: {described(found.light)}; glass at {found.level:.0%} of full scale")
        if found.note:
            self.asker.tell(f"light: {found.note}")
        now, clock_set = stamp()
        return replace(known, light=found.light, glass=None, lit_at=now, clock_set=clock_set)

    def flat(self, known: Calibration) -> Calibration:
        """With the flat field, on glass."""
        self.asker.ready(
            "Flat field: stay on clear glass and move the stage slowly about, so that only what stays in"
            " its place is taken for dust and lamp."
        )
        field = self._flat_field()
        self.asker.tell(f"flat field: the darkest part gets {field.fall:.0%} less light than the brightest")
        now, clock_set = stamp()
        lit = np.zeros((0, 2), np.float32) if field.lit.corners is None else field.lit.corners
        return replace(known, flat=field.flat, glass=field.glass, lit=lit, lit_at=now, clock_set=clock_set)

    def _flat_field(self) -> flatfield.FlatField:
        while True:
            frames = [self._fresh()]
            with command.Progress(self.pictures) as bar:
                while len(frames) < self.pictures:
                    bar.show(len(frames), f"picture {len(frames)} of {self.pictures} of the empty field")
                    if (frame := self._after(frames[-1].monotonic_s + _SPREAD_S)) is None:
                        break
                    frames.append(frame)
            try:
                return flatfield.measure([frame.pixels for frame in frames])
            except flatfield.FlatFieldError as error:
                if not self.asker.again(str(error)):
                    raise

    def given(self, known: Calibration, um_per_px: float) -> Calibration:
        """With a scale that the user states."""
        return self._scaled(known, um_per_px, None, "given")

    def ruled(self, known: Calibration, line_um: float) -> Calibration:
        """With the scale of a stage micrometer whose lines are `line_um` apart."""
        self.asker.ready(
            f"Scale: focus on the stage micrometer, its lines of {line_um:g} µm across the whole picture."
        )
        while True:
            frames = [self._fresh(), *(frame for _ in range(RULINGS - 1) if (frame := self._after(0)))]
            try:
                rulings = [micrometer.measure(frame.pixels) for frame in frames]
                break
            except micrometer.MicrometerError as error:
                if not self.asker.again(str(error)):
                    raise
        um_per_px, uncertainty = micrometer.scale(rulings, line_um)
        self.asker.tell(
            f"scale: {rulings[0].lines} lines, {rulings[0].distance_px:.2f} px apart:"
            f" {um_per_px:.5f} µm per pixel ± {uncertainty:.2%}"
        )
        return self._scaled(known, um_per_px, uncertainty, "micrometer")

    def red_cells(self, known: Calibration) -> Calibration:
        """With the scale that the red cells of several fields give."""
        fields = []
        for number in range(1, FIELDS + 1):
            self.asker.ready(
                f"Scale, field {number} of {FIELDS}: move to {'a' if number == 1 else 'another'} place where"
                " red cells lie singly, and focus; they are the ruler."
            )
            frame = self._fresh() if number == 1 or self.camera.live else self._after(0)
            if frame is None:
                break
            fields.append(redcells.find(frame.pixels, thorough=True))
            self.asker.tell(f"scale: field {number} of {FIELDS} shows {len(fields[-1])} red cells")
        measured = redcells.estimate(fields)
        if measured is None or not consensus.is_sure(measured):
            seen = sum(map(len, fields))
            raise CalibrateError(
                f"scale: {seen} red cells in {len(fields)} fields are too few or too unlike to measure by;"
                f" {consensus.SURE_CELLS} in {consensus.SURE_FIELDS} are needed: choose places where they lie"
                " singly, or use --micrometer"
            )
        self.asker.tell(
            f"scale: {measured.cells} red cells in {measured.fields} fields: {measured.um_per_px:.4f} µm per"
            f" pixel ± {measured.uncertainty:.0%}"
        )
        return self._scaled(known, measured.um_per_px, measured.uncertainty, "red-cells")

    def _scaled(self, known: Calibration, um_per_px: float, error: float | None, method: str) -> Calibration:
        now, clock_set = stamp()
        return replace(
            known, um_per_px=um_per_px, uncertainty=error, method=method, measured_at=now, clock_set=clock_set
        )

    def _fresh(self) -> Frame:
        """A picture taken from now on; CalibrateError when there are none."""
        frame = self._after(monotonic() if self.camera.live else 0)
        if frame is None:
            raise CalibrateError(f"camera {self.camera.name}: gives no more pictures; give others")
        return frame

    def _after(self, moment_s: float) -> Frame | None:
        """A live camera's first good picture since this moment, the next of any other; None at its end."""
        until_s = monotonic() + _PATIENCE_S
        while monotonic() < until_s:
            frame, self._first = self._first or self.camera.read(), None
            if frame is None:
                return None
            if frame.fault is None and (not self.camera.live or frame.monotonic_s >= moment_s):
                return frame
        raise CameraError(f"camera {self.camera.name}: gives only old or damaged pictures; plug it in again")


def described(light: Light) -> str:
    """A light in words."""
    parts = [f"{light.exposure_ms:.3g} ms" if light.exposure_ms else "automatic exposure"]
    if light.gain is not None:
        parts.append(f"gain {light.gain:.3g}")
    if light.white:
        parts.append("white " + " and ".join(f"{w:.4g}" for w in light.white))
    return ", ".join(parts)
