"""The section of a recipe that is a detector's own: what it is, and what it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from edge.cells.detector import LEAST, MULTIPLE
from edge.files.stricttoml import within

STRIDE = 2
"""Specimen pixels to one of the network's places."""


@dataclass(frozen=True)
class Detection:
    """What a detector is and what it is shown while it is trained.

    Attributes
    ----------
    widths : channels at a half, a quarter and an eighth of the specimen's resolution.
    blocks : residual blocks at each of them on the way down.
    cells : boxes that it gives for a field, found or not.
    patch_px : side of the square patches that it is trained on.
    zoom : smallest and largest factor of scale; the scale of a field is never known exactly.
    stain, light, blur_px, noise : spreads of the log of the optical density (all channels; half of it each)
        and of the log of the background, largest blur in pixels and noise in grey levels.
    """

    widths: tuple[int, int, int] = (16, 32, 64)
    blocks: tuple[int, int, int] = (1, 1, 2)
    cells: int = 512
    patch_px: int = 96
    zoom: tuple[float, float] = (0.8, 1.25)
    stain: float = 0.4
    light: float = 0.05
    blur_px: float = 1.0
    noise: float = 4.0

    def __post_init__(self) -> None:
        for name, least in (("widths", 1), ("blocks", 0)):
            if min(getattr(self, name)) < least:
                raise ValueError(f"{name} is {list(getattr(self, name))}; the least is {least}")
        # a small field must have so many places
        within("cells", self.cells, 1, (LEAST // STRIDE) ** 2)
        if self.patch_px < MULTIPLE or self.patch_px % MULTIPLE:
            raise ValueError(f"patch_px is {self.patch_px}; it must be a multiple of {MULTIPLE}")
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise ValueError(f"zoom is {list(self.zoom)}; it must be a smallest and a largest factor")
        for name, low, high in (("stain", 0, 2), ("light", 0, 1), ("blur_px", 0.3, 10), ("noise", 0, 100)):
            within(name, getattr(self, name), low, high)
