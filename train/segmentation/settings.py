"""What a run of the segmenter depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge.types import LeukoscopeError

SHARES: Mapping[str, float] = {
    "zheng-1": 0.17,
    "deepapl": 0.15,
    "pbc": 0.10,
    "bccd": 0.17,
    "txl-pbc": 0.10,
    "chula": 0.15,
    "aria": 0.06,
    "simulated": 0.10,
}
"""Where scenes come from -> share of the patches; see `train.segmentation.teachers`."""


class SegmenterError(LeukoscopeError):
    """A segmenter cannot be trained as asked. Names the setting or the folder, and what to do."""


@dataclass(frozen=True)
class Settings:
    """How the segmenter is trained.

    Attributes
    ----------
    shares : source -> share of the patches; they need not add up to 1.
    widths : channels at 1, 2 and 4 µm per pixel. fine : a last convolution at 1 µm; see `network`.
    pitch_um : of the specimen; the network sees it at twice that.
    epochs, steps : passes, and batches in each.
    patches_px : sides of the square patches, in pixels of 2 × `pitch_um`; batches of each take turns.
    pixels : in a batch, whatever the side of its patches.
    learning_rate : at its highest; a linear warm-up over the first epoch, then half a cosine.
    average_decay : of the running average of the weights, which is kept.
    stain, light, blur_px, noise : spreads of the log of the optical density (all channels; half of it each)
        and of the log of the background, largest blur in pixels and noise in grey levels.
    limit : at most so many pictures of each source; 0 for all that `teachers` takes.
    seed : of everything that is drawn at random.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    widths: tuple[int, int, int] = (16, 32, 48)
    fine: bool = True
    pitch_um: float = 0.25
    epochs: int = 40
    steps: int = 250
    patches_px: tuple[int, ...] = (64, 96)
    pixels: int = 16 * 64 * 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    average_decay: float = 0.997
    stain: float = 0.3
    light: float = 0.03
    blur_px: float = 1.2
    noise: float = 5.0
    limit: int = 0
    seed: int = 1

    def without(self, sources: Sequence[str]) -> Settings:
        """The same without some of the sources."""
        if unknown := [name for name in sources if name not in self.shares]:
            raise SegmenterError(
                f"--without {unknown[0]}: no such source; choose of {', '.join(self.shares)}"
            )
        return replace(self, shares={k: v for k, v in self.shares.items() if k not in sources})

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "pixels"):
            if getattr(self, name) < 1:
                raise SegmenterError(f"{name}: {getattr(self, name)} is less than 1")
        if unknown := [name for name in self.shares if name not in SHARES]:
            raise SegmenterError(f"shares.{unknown[0]}: no such source; choose of {', '.join(SHARES)}")
        if not self.shares or min(self.shares.values()) <= 0:
            raise SegmenterError(f"shares: {dict(self.shares)} must name a source, each with a share above 0")
        if wrong := [side for side in self.patches_px if side % 8]:
            raise SegmenterError(f"patches_px: {wrong[0]} is not a multiple of 8")
