"""The simulated camera's sensor: illumination, vignetting, colour cast, defocus and noise."""

from __future__ import annotations

import cv2
import numpy as np

from edge.cameras.demo.scope import Scope
from edge.cameras.demo.smear import CLEAR
from edge.types import U8

SLACK_PX = 96  # how far the kept noise can be shifted, so that no two frames share it
FULL_SCALE = 255
ROWS = 60
NOISE_BITS = 5  # noise is kept in whole 1/32 of its standard deviation, and that in whole 1/32 grey levels


class Sensor:
    """Turns transmitted light into what the camera of `scope` delivers."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        width, height = scope.field_px
        self._flat = _illumination(scope)
        rng = np.random.default_rng([scope.seed, 7])
        self._noise = np.empty((height + SLACK_PX, width + SLACK_PX, 3), np.int8)
        for row in self._noise:  # one by one: the whole in floating point would be the peak of memory
            row[:] = np.clip(rng.standard_normal(row.shape, np.float32) * 2**NOISE_BITS, -127, 127)
        level = np.arange(256) / FULL_SCALE
        deviation = np.sqrt(scope.read_noise**2 + scope.shot_noise**2 * level)
        self._deviation = np.rint(deviation * 2**NOISE_BITS).clip(0, 255).astype(np.uint8)

    def expose(self, light: U8, defocus_um: float, exposure: float, shift: tuple[int, int]) -> U8:
        """A frame (H, W, 3) uint8 RGB of `light` on `edge.cameras.demo.smear`'s scale.

        `shift`, two numbers below `SLACK_PX`, picks the frame's noise.
        """
        sigma_px = defocus_um / self._scope.um_per_px
        if sigma_px > 0.4:
            light = _blur(light, sigma_px)
        frame = np.asarray(cv2.multiply(light, self._flat, scale=exposure / CLEAR), np.uint8)
        x, y = shift
        noise = self._noise[y : y + frame.shape[0], x : x + frame.shape[1]]
        for top in range(0, len(frame), ROWS):  # the whole at once would take three times a frame's memory
            part = frame[top : top + ROWS]
            grain = np.multiply(noise[top : top + ROWS], cv2.LUT(part, self._deviation), dtype=np.int16)
            grain >>= 2 * NOISE_BITS
            part[:] = cv2.add(part, grain, dtype=cv2.CV_8U)
        return frame


def _illumination(scope: Scope) -> U8:
    """What clear glass looks like, (H, W, 3) uint8: brightest a little off the middle."""
    width, height = scope.field_px
    rng = np.random.default_rng([scope.seed, 8])
    off_x, off_y = rng.uniform(-0.12, 0.12, 2)
    across = (np.linspace(-1, 1, width, dtype=np.float32) - np.float32(off_x))[None, :] * width
    down = (np.linspace(-1, 1, height, dtype=np.float32) - np.float32(off_y))[:, None] * height
    fall = (across**2 + down**2) / np.float32(width**2 + height**2)
    flat = np.empty((height, width, 3), np.uint8)
    for channel, (white, lost) in enumerate(zip(scope.white, scope.vignetting, strict=True)):
        level = np.float32(white) * (1 - np.float32(lost) * fall)
        flat[..., channel] = np.rint(level).clip(1, FULL_SCALE)
    return flat


def _blur(light: U8, sigma_px: float) -> U8:
    """Gaussian blur; wide ones at half size, where they cost a quarter and look the same."""
    if sigma_px < 4:
        return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma_px), np.uint8)
    size = (light.shape[1], light.shape[0])
    small = cv2.resize(light, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma_px / 2)
    return np.asarray(cv2.resize(blurred, size, interpolation=cv2.INTER_LINEAR), np.uint8)
