"""The calibration that was saved of a camera, at the size in which it gives pictures now."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from edge.optics.calibrations import Calibration, CalibrationError, CalibrationStore, stamp, too_old
from edge.optics.consensus import DISAGREEMENT
from edge.optics.drift import Upkeep
from edge.optics.litfield import LitField
from edge.optics.redcells import Measured
from edge.types import F32, Frame


class Named(Protocol):
    """A camera that others are told from."""

    name: str
    serial: str


class Saved:
    """What was saved of a camera, and whether it still fits.

    Parameters
    ----------
    camera : whose. store : where it is kept, None for nowhere: then nothing was saved, and nothing is.
    needed : whether the scale is; else a damaged store is no reason to stop.
    """

    def __init__(self, camera: Named, store: CalibrationStore | None, *, needed: bool) -> None:
        self._camera, self._store, self._needed = camera, store, needed
        self._calibration: Calibration | None = None
        self._upkeep: Upkeep | None = None
        self._size = (0, 0)

    def take_size(self, width: int, height: int) -> list[str]:
        """Take the calibration of this size; what the user should know of it.

        Raises CalibrationError when what was saved is damaged and needed.
        """
        self._size = (width, height)
        self._calibration = self._upkeep = None
        if self._store is None:
            return []
        try:
            self._calibration = self._store.find(self._camera.name, self._camera.serial, width, height)
        except CalibrationError as error:
            if self._needed:
                raise
            return [str(error)]  # what was given does not depend on what was saved
        if self._calibration is None:
            return []
        self._upkeep = Upkeep(self._calibration)
        old = too_old(self._calibration)
        return [old] if old else []

    @property
    def um_per_px(self) -> float | None:
        """The saved scale, None where nobody measured or stated one."""
        saved = self._calibration
        return saved.um_per_px if saved and saved.scale_measured else None

    @property
    def flat(self) -> F32 | None:
        """The saved flat field, None without one that fits."""
        fits = self._upkeep is not None and self._upkeep.flat_fits
        return self._calibration.flat if self._calibration and fits else None

    @property
    def lit(self) -> LitField | None:
        """The saved lit field, None without one that fits."""
        return self._upkeep.lit if self._upkeep is not None else None

    @property
    def watched(self) -> bool:
        """Whether it is still open if the saved flat field and light fit."""
        return self._upkeep is not None and not self._upkeep.done

    def look(self, frame: Frame, um_per_px: float) -> list[str]:
        """Hold one more field against what was saved; what to tell the user once that is judged."""
        return self._upkeep.look(frame, um_per_px) if self._upkeep is not None and self.watched else []

    def hold_against(self, measured: Measured) -> list[str]:
        """Compare with what red cells say, or save that where nothing was; what to tell the user."""
        if self.um_per_px is None:
            return self._keep(measured)
        assert self._calibration is not None
        off = measured.um_per_px / self.um_per_px - 1
        if abs(off) <= DISAGREEMENT:
            return []
        return [
            f"saved calibration {self.um_per_px:.4f} µm per pixel of {self._calibration.measured_at[:10]},"
            f" but the red cells say {measured.um_per_px:.4f} ({off:+.0%}): another objective, or unusual"
            " cells? Check, then calibrate again or give --um-per-px"
        ]

    def _keep(self, measured: Measured) -> list[str]:
        if self._store is None:
            return []
        now, clock_set = stamp()
        fresh = Calibration(
            self._camera.name, *self._size, measured.um_per_px, measured.uncertainty, now, "red-cells",
            self._camera.serial, clock_set,
        )  # fmt: skip
        if (before := self._calibration) is not None:
            kept = {name: getattr(before, name) for name in ("light", "glass", "flat", "lit", "lit_at")}
            fresh = replace(fresh, **kept)
        try:
            self._store.save(fresh)
        except CalibrationError as error:
            return [str(error)]  # the slide is being read and must not stop for this
        return []
