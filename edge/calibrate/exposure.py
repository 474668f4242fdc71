"""The best exposure and a neutral white, found on glass with a camera that can be told.

The longest exposure that burns nothing out leaves the least noise, for the shot noise of light falls with
the square root of the exposure; a margin is left for glass that is a little clearer elsewhere. Its grey
levels rise with the exposure whatever the camera's tone curve, so that bisection finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp, log, sqrt

import cv2
import numpy as np

from edge.cameras import Adjustable, Camera, CameraError
from edge.types import F32, U8, LeukoscopeError, Light

AIM = 0.87
"""Of full scale: the brightest channel of the brightest glass. The middle of 0.85 to 0.90: a tenth is left
for clearer places, noise and an ageing lamp, and 90% of the range is used."""

_NEAR = 0.02  # of full scale: no nearer than this is worth another step
_NEUTRAL = 0.01  # in log intensity of red and blue by green; less is not seen
_STEPS = 12
_REACH = 32.0  # times the exposure that the camera chose by itself, either way
_LATENT = 6  # pictures that may have been under way when the light was changed
_PATIENCE = 30  # pictures
_STEADY = 0.01  # in log intensity, from picture to picture
_COOLEST_K, _WARMEST_K = 2500.0, 7500.0
_GAIN_POWER = 1.4  # grey levels go with light to the power of 1 to 1 / 2.2; this converges for either
_HEADROOM = 0.6  # of the exposure, while the colours change: what is burnt out hides its own
_BRIGHT_SHARE = 0.02  # of the field: its brightest part
_LEAST_LEVEL = 0.2  # of full scale, below which there is no lamp


class ExposureError(LeukoscopeError):
    """No exposure shows the glass well. Says why and what to do."""


@dataclass(frozen=True)
class Found:
    """How to take pictures.

    Attributes
    ----------
    light : to be fixed. level : brightest glass in its brightest channel, 0 to 1.
    note : what the user should know, None where all is well.
    """

    light: Light
    level: float
    note: str | None = None


class LightSearch:
    """Tries a camera's exposure and white balance on the glass before it.

    Parameters
    ----------
    camera : open, live, and adjustable. settle_s : what its automatic control needs.
    tell : is told the steps done, of `STEPS`, and what is tried.
    """

    STEPS = 3 + 2 * _STEPS

    def __init__(self, camera: Camera, settle_s: float, tell: Callable[[int, str], None]) -> None:
        if not isinstance(camera, Adjustable):
            raise TypeError(f"{camera.name} is not adjustable")
        self._camera, self._control, self._settle_s, self._tell = camera, camera, settle_s, tell
        self._done = 0

    def find(self) -> Found:
        """The best light; the camera is left in it. Raises ExposureError and CameraError."""
        light = self._automatic()
        if light is None or light.exposure_ms is None:
            raise ExposureError(
                f"camera {self._camera.name}: does not tell its exposure, so there is none to set; leave the"
                " light to it"
            )
        light, shown = self._exposed(light)
        light, shown = self._whitened(light, shown)
        light, shown = self._exposed(light)
        return Found(light, _level(shown), self._note(light, shown))

    def _note(self, light: Light, shown: F32) -> str | None:
        level = _level(shown)
        if level < AIM - 3 * _NEAR:
            return (
                f"the glass reaches {level:.0%} of full scale at the longest exposure"
                f" ({light.exposure_ms:.3g} ms); turn the lamp up or open the condenser's diaphragm"
            )
        if level > AIM + 3 * _NEAR:
            return (
                f"the glass is at {level:.0%} of full scale at the shortest exposure"
                f" ({light.exposure_ms:.3g} ms); turn the lamp down"
            )
        if max(map(abs, _cast(shown))) > 8 * _NEUTRAL:
            return "the white balance cannot make the glass neutral; the program evens out what is left"
        return None

    def _automatic(self) -> Light | None:
        """What the camera chooses by itself."""
        self._control.fix_light(None)
        self._say("what the camera chooses")
        begun = self._picture_and_time()[1]
        while self._picture_and_time()[1] - begun < self._settle_s:
            pass
        return self._control.light()

    def _exposed(self, light: Light) -> tuple[Light, F32]:
        """Bisection of the logarithm of the exposure."""
        assert light.exposure_ms is not None
        low, high = log(light.exposure_ms / _REACH), log(light.exposure_ms * _REACH)
        now, tried = log(light.exposure_ms), []
        for _ in range(_STEPS):
            got, shown = self._try(replace(light, exposure_ms=exp(now)))
            tried.append((got, shown))
            off = _level(shown) - AIM
            if abs(off) <= _NEAR or high - low < _NEAR:
                break
            # by what is seen, not by what the camera says: some know a few exposures only
            low, high = (low, now) if off > 0 else (now, high)
            now = (low + high) / 2
        best, shown = min(tried, key=lambda t: abs(_level(t[1]) - AIM) + (_level(t[1]) > AIM + _NEAR))
        if best is not got:
            _, shown = self._try(best)
        if _level(shown) < _LEAST_LEVEL:
            raise ExposureError(
                f"camera {self._camera.name}: hardly any light ({_level(shown):.0%} of full scale at"
                f" {best.exposure_ms:.3g} ms); turn the lamp on and open the light path"
            )
        return best, shown

    def _whitened(self, light: Light, shown: F32) -> tuple[Light, F32]:
        """Neutral glass, by the gains of red and blue or by the colour temperature."""
        if len(light.white) == 2:
            return self._by_gains(light, shown)
        return self._by_temperature(light) if len(light.white) == 1 else (light, shown)

    def _by_gains(self, light: Light, shown: F32) -> tuple[Light, F32]:
        for _ in range(_STEPS):
            red, blue = _cast(shown)
            if max(abs(red), abs(blue)) <= _NEUTRAL:
                break
            gains = light.white[0] * exp(-_GAIN_POWER * red), light.white[1] * exp(-_GAIN_POWER * blue)
            dimmer = max(gains[0] / light.white[0], gains[1] / light.white[1], 1.0)
            assert light.exposure_ms is not None
            # what gets more gain must not burn out: burnt out, its share cannot be told
            light = replace(light, white=gains, exposure_ms=light.exposure_ms / dimmer)
            _, shown = self._try(light)
        return light, shown

    def _by_temperature(self, light: Light) -> tuple[Light, F32]:
        """Bisection: the higher the camera takes the light's temperature for, the redder it makes it."""
        low, high = _COOLEST_K, _WARMEST_K
        assert light.exposure_ms is not None
        light = replace(light, exposure_ms=light.exposure_ms * _HEADROOM)
        for _ in range(_STEPS):
            middle = sqrt(low * high)
            tried, shown = self._try(replace(light, white=(middle,)))
            red, blue = _cast(shown)
            light = replace(light, white=tried.white or (middle,))
            if abs(red - blue) <= _NEUTRAL or high / low < 1.01:
                break
            low, high = (low, middle) if red > blue else (middle, high)
        return light, shown

    def _try(self, light: Light) -> tuple[Light, F32]:
        """Fix this light; what the camera made of it, and the glass once it is steady, (h, w, 3) 0 to 1."""
        white = ", ".join(f"{w:.4g}" for w in light.white) or "automatic"
        self._say(f"{light.exposure_ms:.3g} ms, white {white}")
        self._control.fix_light(light)
        for _ in range(_LATENT):
            before = self._picture_and_time()[0]
        for _ in range(_PATIENCE):
            shown = self._picture_and_time()[0]
            if np.abs(np.log(shown.mean(axis=(0, 1)) / before.mean(axis=(0, 1)))).max() < _STEADY:
                break
            before = shown
        got = self._control.light()
        return got if got is not None and got.exposure_ms is not None else light, shown

    def _picture_and_time(self) -> tuple[F32, float]:
        frame = self._camera.read()
        if frame is None or frame.fault is not None:
            raise CameraError(f"camera {self._camera.name}: stopped giving pictures; plug it in again")
        return _averaged(frame.pixels), frame.monotonic_s

    def _say(self, what: str) -> None:
        self._done += 1
        self._tell(self._done, what)


def _averaged(pixels: U8) -> F32:
    """The picture at some 64 × 48 pixels without its noise, 0 to 1, never 0."""
    small = cv2.resize(pixels, (64, 48), interpolation=cv2.INTER_AREA)
    return np.asarray(np.maximum(small, 0.5) / 255, np.float32)


def _level(shown: F32) -> float:
    """Brightest part of the field in the brightest channel, 0 to 1."""
    return float(np.quantile(shown.reshape(-1, 3), 1 - _BRIGHT_SHARE, axis=0).max())


def _cast(shown: F32) -> tuple[float, float]:
    """Logarithm of red and of blue by green, of the brighter half: glass, also where there are cells."""
    pixels = shown.reshape(-1, 3)
    bright = pixels[pixels[:, 1] >= np.median(pixels[:, 1])].mean(axis=0)
    red, green, blue = (float(v) for v in np.log(bright))
    return red - green, blue - green
