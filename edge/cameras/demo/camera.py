"""A microscope that exists only in this program: `--camera demo[:SEED]`.

The smear is drawn from nothing and its truth is known. A stage wanders over it, focus and exposure come
and go, and the same seed always shows the same frames.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from edge.cameras import CameraError
from edge.cameras.demo.scope import Scope, scope_of
from edge.cameras.demo.sensor import SLACK_PX, Sensor
from edge.cameras.demo.smear import Smear
from edge.cameras.demo.walk import Walk, wander
from edge.types import Frame

NOMINAL_EXPOSURE_MS = 8.0
FIELDS_IN_TRUTH = 1000


class SimulatedCamera:
    """A stained blood smear, drawn as the stage wanders over it.

    Parameters
    ----------
    seed : which slide, microscope and camera; 0 is a healthy slide, 1 has 40% blasts, others vary. Not
        negative.
    pace_fps : deliver no faster than this many frames a second; None for as fast as they are drawn.
    scope : another slide, microscope and camera than the seed's.
    """

    live = False
    serial = ""

    def __init__(self, seed: int = 0, pace_fps: float | None = None, scope: Scope | None = None) -> None:
        if seed < 0:
            raise CameraError(f"demo:{seed}: the seed must not be negative; use demo or demo:1")
        if pace_fps is not None and not pace_fps > 0:
            raise CameraError(f"demo:{seed}: a pace of {pace_fps} frames/s cannot be kept; give more than 0")
        self.name = f"demo:{seed}"
        self._scope = scope_of(seed) if scope is None else scope
        self.um_per_px: float | None = self._scope.um_per_px
        self._pace_s = 1 / pace_fps if pace_fps else 0.0
        self._sensor: Sensor | None = None
        self._index = 0
        self._due_s = 0.0

    @cached_property
    def _smear(self) -> Smear:
        return Smear(self._scope)

    @cached_property
    def _walk(self) -> Walk:
        return wander(self._scope)

    def open(self) -> None:
        """Prepare slide and sensor; the frames begin at index 0 again after a close."""
        if self._sensor is None:
            _ = self._smear, self._walk
            self._sensor = Sensor(self._scope)
            self._index, self._due_s = 0, time.monotonic()

    def read(self) -> Frame:
        """The next frame; after the last row of the slide the walk starts again. Never None."""
        if self._sensor is None:
            raise CameraError(f"{self.name}: not open; call open() before read()")
        self._keep_pace()
        step = self._index % len(self._walk)
        x, y = self._walk.corners_px[step].tolist()
        exposure = float(self._walk.exposure[step])
        light = self._smear.window(x, y, *self._scope.field_px)
        rng = np.random.default_rng([self._scope.seed, 9, self._index])
        shift = int(rng.integers(SLACK_PX)), int(rng.integers(SLACK_PX))
        pixels = self._sensor.expose(light, float(self._walk.defocus_um[step]), exposure, shift)
        frame = Frame(
            pixels=pixels,
            index=self._index,
            source=self.name,
            captured_at=datetime.now(UTC),
            monotonic_s=time.monotonic(),
            exposure_ms=NOMINAL_EXPOSURE_MS * exposure,
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Let go of the slide and its memory."""
        self._sensor = None
        self.__dict__.pop("_smear", None)

    def _keep_pace(self) -> None:
        """Sleep until the next frame is due; time lost is not caught up by hurrying."""
        if self._pace_s:
            time.sleep(max(0.0, self._due_s - time.monotonic()))
            self._due_s = max(self._due_s + self._pace_s, time.monotonic())

    def field_um(self, index: int) -> tuple[float, float]:
        """Where frame `index` lies: micrometres from the slide's upper left corner to the frame's."""
        x, y = self._walk.corners_px[index % len(self._walk)].tolist()
        return x * self._scope.um_per_px, y * self._scope.um_per_px

    def truth(self) -> dict[str, Any]:
        """What the drawn slide holds and where the stage goes, ready for JSON.

        Beside `edge.cameras.demo.smear.Smear.truth`: `fields`, for each of the first frames its `index`, the
        upper left corner `x_um`, `y_um`, `defocus_um` (standard deviation) and `exposure` (1 is right).
        """
        fields = []
        for index in range(FIELDS_IN_TRUTH):
            step = index % len(self._walk)
            found = (*self.field_um(index), self._walk.defocus_um[step], self._walk.exposure[step])
            named = zip(("x_um", "y_um", "defocus_um", "exposure"), found, strict=True)
            fields.append({"index": index} | {name: round(float(value), 3) for name, value in named})
        return {**self._smear.truth(), "fields": fields}
