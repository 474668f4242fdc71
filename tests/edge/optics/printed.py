"""Labels as they may lie under a camera: codes written by the library that reads them, then spoilt."""

from __future__ import annotations

import cv2
import numpy as np
import zxingcpp

from edge.types import U8


def code(text: str | bytes, kind: str = "QRCode", scale: int = 4) -> U8:
    """A code, black on white, (H, W) uint8; `scale` pixels to its narrowest bar."""
    drawn = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    return np.array(drawn.to_image(scale=scale))


def held(*codes: U8, angle: float = 0, blur: float = 0, light: float = 1, noise: float = 0) -> U8:
    """Codes beside each other in a full field of cells, (1080, 1920, 3) uint8 RGB.

    Turned by `angle` degrees, out of focus by `blur` pixels, in so much of the `light`, noise in grey levels.
    """
    rng = np.random.default_rng(3)
    field = np.full((1080, 1920), 226, np.uint8)
    for x, y, radius in rng.integers((0, 0, 15), (1920, 1080, 28), (900, 3)):
        cv2.circle(field, (int(x), int(y)), int(radius), int(rng.integers(120, 200)), -1)
    for i, each in enumerate(codes):
        paper = cv2.copyMakeBorder(each, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=255)
        height, width = paper.shape
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
        turn[:, 2] += (1920 * (i + 1) / (len(codes) + 1) - width / 2, 540 - height / 2)
        cv2.warpAffine(paper, turn, (1920, 1080), dst=field, borderMode=cv2.BORDER_TRANSPARENT)
    taken = cv2.GaussianBlur(field, (0, 0), blur) if blur else field
    grey = np.clip(taken * light + rng.normal(0, noise, field.shape), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
