"""Exposure and white balance of a Video4Linux camera: automatic first, then held where they settled.

A smear wants one light for all its fields: a camera that brightens an empty field and warms a blue one
changes the very colours that tell cells apart. Controls as in the kernel's Video4Linux manual, "User
Controls" and "Camera Control Reference". A control that the camera lacks or refuses is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.cameras.v4l2 import abi
from edge.cameras.v4l2.device import Device
from edge.types import U8, Light

_MS = 0.1  # the unit of EXPOSURE_ABSOLUTE, 100 µs
_SPARSE = 16  # pixels between those that are looked at
_TAKES_EFFECT_S = 0.7  # until a camera's settings show in its pictures
_SAME_LIGHT = 1.5  # times as bright; from an empty field to a dense one it is less


@dataclass(frozen=True)
class Range:
    """What a control takes."""

    low: int
    high: int
    step: int

    def nearest(self, value: float) -> int:
        step = max(self.step, 1)
        steps = round((value - self.low) / step)
        return min(max(self.low + steps * step, self.low), self.high)


class Controls:
    """The controls of one open camera that have to do with light."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def automatic(self) -> None:
        """Let the camera find exposure, gain and white balance; its focus stays where the user put it."""
        self._set(abi.CID_FOCUS_AUTO, 0)
        self._automatic_exposure()
        self._set(abi.CID_AUTOGAIN, 1)
        self._set(abi.CID_AUTO_WHITE_BALANCE, 1)

    def hold(self) -> Light:
        """Fix everything where it is now, and tell where that is."""
        found = self._values()
        self._apply(found)
        return found

    def apply(self, light: Light) -> None:
        """Set what `light` says; of what it says nothing the camera takes care itself."""
        self.automatic()
        self._apply(light)

    def light(self) -> Light:
        """What is fixed now; None or empty of what the camera chooses."""
        found = self._values()
        manual = self._get(abi.CID_EXPOSURE_AUTO) in (None, *abi.EXPOSURE_FIXED)
        return Light(
            exposure_ms=found.exposure_ms if manual else None,
            gain=None if self._get(abi.CID_AUTOGAIN) == 1 or not manual else found.gain,
            white=() if self._get(abi.CID_AUTO_WHITE_BALANCE) == 1 else found.white,
        )

    def _values(self) -> Light:
        exposure = self._get(abi.CID_EXPOSURE_ABSOLUTE)
        gain = self._get(abi.CID_GAIN)
        white = self._get(abi.CID_WHITE_BALANCE_TEMPERATURE)
        return Light(
            exposure_ms=None if exposure is None else round(exposure * _MS, 1),
            gain=None if gain is None else float(gain),
            white=() if white is None else (float(white),),
        )

    def _apply(self, light: Light) -> None:
        # each mode first: its value cannot be set while the camera chooses
        if light.exposure_ms is not None:
            self._set(abi.CID_EXPOSURE_AUTO, abi.EXPOSURE_MANUAL)
            self._set(abi.CID_EXPOSURE_ABSOLUTE, light.exposure_ms / _MS)
        if light.gain is not None:
            self._set(abi.CID_AUTOGAIN, 0)
            self._set(abi.CID_GAIN, light.gain)
        if light.white:
            self._set(abi.CID_AUTO_WHITE_BALANCE, 0)
            self._set(abi.CID_WHITE_BALANCE_TEMPERATURE, light.white[0])

    def _automatic_exposure(self) -> None:
        # a camera's iris is fixed, so that most call it aperture priority, and a few just automatic
        for mode in (abi.EXPOSURE_APERTURE_PRIORITY, abi.EXPOSURE_AUTO):
            if self._offers(abi.CID_EXPOSURE_AUTO, mode):
                self._set(abi.CID_EXPOSURE_AUTO, mode)
                return

    def _offers(self, control: int, choice: int) -> bool:
        return self._ask(abi.QUERYMENU, abi.QueryMenu(id=control, index=choice))

    def _range(self, control: int) -> Range | None:
        about = abi.QueryCtrl(id=control)
        if not self._ask(abi.QUERYCTRL, about) or about.flags & abi.CTRL_FLAG_DISABLED:
            return None
        return Range(about.minimum, about.maximum, about.step)

    def _get(self, control: int) -> int | None:
        value = abi.Control(id=control)
        if self._range(control) is None or not self._ask(abi.G_CTRL, value):
            return None
        return int(value.value)

    def _set(self, control: int, value: float) -> None:
        if (range_ := self._range(control)) is not None:
            self._ask(abi.S_CTRL, abi.Control(id=control, value=range_.nearest(value)))

    def _ask(self, code: int, question: abi.QueryMenu | abi.QueryCtrl | abi.Control) -> bool:
        try:
            self._device.ioctl(code, question)
        except OSError:
            return False
        return True


class LightKeeper:
    """Holds a camera to one light, over all its reopenings.

    Some cameras do not tell the exposure that they found but another, and holding that one would leave the
    pictures dark or white. What changes the brightness is therefore taken back.

    Parameters
    ----------
    settle_s : seconds that a camera gets to find its light, from the first read on.

    Attributes
    ----------
    exposure_ms : exposure time that is fixed now, None where the camera chooses.
    note : what the user should know of the light, or None.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._wanted: Light | None = None
        self._controls: Controls | None = None
        self._changed = False
        self._hold_s: float | None = None
        self._judge_s: float | None = None
        self._brightness = 0.0
        self.exposure_ms: float | None = None
        self.note: str | None = None

    def ask(self, light: Light | None) -> None:
        """From the next picture on, this light; None: what the camera finds. May come from any thread."""
        self._wanted, self.note, self._changed = light, None, True

    def begin(self, device: Device) -> None:
        """The camera was opened."""
        self._controls = Controls(device)
        self._changed = True

    def end(self) -> None:
        """The camera is about to be closed."""
        self._controls = None
        self.exposure_ms = None

    def light(self) -> Light | None:
        """What is fixed now, None while the camera is closed."""
        return None if self._controls is None else self._controls.light()

    def look_after(self, now_s: float) -> None:
        """Do what is due; the camera is open and about to be read."""
        assert self._controls is not None
        if self._changed:
            self._changed = False
            self._hold_s = self._judge_s = None
            if self._wanted is not None:
                self._controls.apply(self._wanted)
            else:
                self._controls.automatic()
                self._hold_s = None if self.note else now_s + self._settle_s
            self.exposure_ms = self._controls.light().exposure_ms
        elif self._hold_s is not None and now_s >= self._hold_s:
            self._hold_s, self._judge_s = None, now_s + _TAKES_EFFECT_S
            self._wanted = self._controls.hold()
            self.exposure_ms = self._controls.light().exposure_ms

    def see(self, pixels: U8, now_s: float) -> None:
        """A picture came."""
        if self._hold_s is None and self._judge_s is None:
            return
        brightness = float(pixels[::_SPARSE, ::_SPARSE].mean())
        if self._hold_s is not None:
            self._brightness = brightness
        elif self._judge_s is not None and now_s >= self._judge_s:
            self._judge_s = None
            ratio = (brightness + 1) / (self._brightness + 1)
            if not 1 / _SAME_LIGHT < ratio < _SAME_LIGHT:
                self._wanted, self._changed = None, True
                self.note = "exposure stays automatic, for this camera does not tell what it found"
