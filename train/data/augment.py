"""What differs between laboratories, put into the training crops: stain, light, focus, scale, place.

Stain is changed where it adds up, in optical density (Beer-Lambert), a whole batch at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edge.optics.specimen import BACKGROUND
from edge.runtimes.dynamic import BEYOND
from edge.types import U8


@dataclass(frozen=True)
class Augmentation:
    """How far a training crop is moved from the picture it came from.

    Attributes
    ----------
    zoom : smallest and largest factor of scale (µm per pixel is never known exactly, cells vary).
    shear : largest share of its height that a picture's top is pushed against its bottom, both ways.
    shift_um : largest shift of the centre in either direction, µm.
    stain_strength : spread of the log of the optical density, all channels together.
    stain_channel : the same, each channel by itself.
    stain_mix : spread of the crosstalk between channels: dyes of other makers and ages.
    pale_share : share of crops that lose part of their colour.
    light : spread of the log of the background, each channel by itself: an imperfect white balance.
    haze : largest share of stray light, which lifts what is dark and takes nothing from what is light.
    gamma : smallest and largest exponent of the grey levels: what cameras make of light.
    coarse_um : largest pixel of the camera that a crop may come from; up to the pitch it changes nothing.
    jpeg_share : share of crops that went through a JPEG file. jpeg_quality : its lowest and highest quality.
    blur_px : largest radius (standard deviation) of the blur, specimen pixels.
    sharpen : largest strength of the opposite.
    noise : largest standard deviation of the noise, grey levels.
    restained_share : share of windows brought towards another data set's stain; see `train.data.stains`.
    transplanted_share, glass_share : shares of cells laid on another field's blood, and on bare glass.
    edge_share : share of crops that reach beyond the field: clear glass from some line on, as on the device.
    edge_um : smallest and largest distance of that line from the cell's centre.
    """

    zoom: tuple[float, float] = (0.75, 1.35)
    shear: float = 0.0
    shift_um: float = 1.5
    stain_strength: float = 0.25
    stain_channel: float = 0.15
    stain_mix: float = 0.06
    pale_share: float = 0.1
    light: float = 0.02
    haze: float = 0.0
    gamma: tuple[float, float] = (1.0, 1.0)
    coarse_um: float = 0.0
    jpeg_share: float = 0.0
    jpeg_quality: tuple[int, int] = (40, 95)
    blur_px: float = 1.6
    sharpen: float = 0.5
    noise: float = 6.0
    restained_share: float = 0.0
    transplanted_share: float = 0.0
    glass_share: float = 0.0
    edge_share: float = 0.15
    edge_um: tuple[float, float] = (5.0, 12.0)


def augment(
    windows: Tensor, settings: Augmentation, size_px: int, pitch_um: float, random: torch.Generator
) -> Tensor:
    """(n, S, S, 3) uint8 windows -> (n, 3, size_px, size_px) float32 crops, grey levels 0 to 255."""
    x = windows.permute(0, 3, 1, 2).float()
    x = _place(x, settings, size_px, pitch_um, random)
    x = _focus(x, settings, random)
    x = _stain(x, settings, random)
    sigma = torch.rand((len(x), 1, 1, 1), generator=random) ** 2 * settings.noise
    x = (x + sigma * torch.randn(x.shape, generator=random)).clamp(0, 255)
    x = _camera(x, settings, pitch_um, random)
    return _edge(x, settings, pitch_um, random)


def _place(
    x: Tensor, settings: Augmentation, size_px: int, pitch_um: float, random: torch.Generator
) -> Tensor:
    """Turn, mirror, zoom and shift, in one resampling."""
    n, window_px = len(x), x.shape[-1]
    low, high = settings.zoom
    angle = torch.rand(n, generator=random) * 2 * pi
    zoom = low * (high / low) ** torch.rand(n, generator=random)
    mirror = torch.randint(0, 2, (n,), generator=random) * 2 - 1
    reach = size_px / window_px / zoom  # a larger zoom looks at less of the window
    cos, sin = torch.cos(angle) * reach, torch.sin(angle) * reach
    shift = (torch.rand((n, 2), generator=random) * 2 - 1) * settings.shift_um / pitch_um * 2 / window_px
    lean = (torch.rand(n, generator=random) * 2 - 1) * settings.shear if settings.shear else torch.zeros(n)
    rows = (
        torch.stack([cos * mirror, cos * mirror * lean - sin, shift[:, 0]], 1),
        torch.stack([sin * mirror, sin * mirror * lean + cos, shift[:, 1]], 1),
    )
    grid = functional.affine_grid(torch.stack(rows, 1), [n, 3, size_px, size_px], align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _focus(x: Tensor, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Half of the crops blurred, or sharpened by what a blur takes away, each its own way."""
    chosen = torch.nonzero(torch.rand(len(x), generator=random) < 0.5)[:, 0]
    sigma = 0.4 + (settings.blur_px - 0.4) * torch.rand(len(chosen), generator=random)
    amount = torch.rand(len(chosen), generator=random) * (1 + settings.sharpen) - settings.sharpen
    # OpenCV blurs a crop ten times faster than a grouped convolution does here
    for i, s, a in zip(chosen.tolist(), sigma.tolist(), amount.tolist(), strict=True):
        picture = x[i].permute(1, 2, 0).numpy()
        blurred = torch.from_numpy(cv2.GaussianBlur(picture, (0, 0), s)).permute(2, 0, 1)
        x[i] += a * (blurred - x[i])
    return x


def _stain(x: Tensor, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Other dyes in other amounts, under another light."""
    n = len(x)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    density = torch.log(BACKGROUND / x.clamp(min=1.0))
    strength = torch.exp(normal(n, 1, 1) * settings.stain_strength + normal(n, 3, 1) * settings.stain_channel)
    mix = torch.eye(3).expand(n, 3, 3) + normal(n, 3, 3) * settings.stain_mix
    pale = (torch.rand((n, 1, 1), generator=random) < settings.pale_share) * torch.rand(
        (n, 1, 1), generator=random
    )
    mix = (1 - pale) * mix + pale / 3  # towards the mean of the channels
    density = torch.bmm(mix * strength, density.flatten(2)).view_as(x)
    background = BACKGROUND * torch.exp(normal(n, 3, 1, 1) * settings.light)
    seen = background * torch.exp(-density)
    if settings.haze:  # the square: most pictures have little of it
        stray = torch.rand((n, 1, 1, 1), generator=random) ** 2 * settings.haze
        seen = seen + stray * (background - seen)
    low, high = settings.gamma
    if (low, high) == (1.0, 1.0):
        return seen
    exponent = low * (high / low) ** torch.rand((n, 1, 1, 1), generator=random)
    return BACKGROUND * (seen / BACKGROUND).clamp(min=0) ** exponent


def _camera(x: Tensor, settings: Augmentation, pitch_um: float, random: torch.Generator) -> Tensor:
    """Some crops as a coarser camera, and as a JPEG file, would have kept them."""
    size = x.shape[-1]
    coarsest = max(settings.coarse_um / pitch_um, 1.0)
    if coarsest == 1.0 and not settings.jpeg_share:
        return x
    pixel = torch.rand(len(x), generator=random) * 2 * (coarsest - 1) + 2 - coarsest  # half of them finer
    low, high = settings.jpeg_quality
    quality = torch.randint(low, high + 1, (len(x),), generator=random)
    filed = torch.rand(len(x), generator=random) < settings.jpeg_share
    pictures = x.permute(0, 2, 3, 1).round().to(torch.uint8).numpy()
    for i, (p, q, f) in enumerate(zip(pixel.tolist(), quality.tolist(), filed.tolist(), strict=True)):
        seen = pictures[i]
        if p > 1:
            seen = cv2.resize(seen, (round(size / p),) * 2, interpolation=cv2.INTER_AREA)
        if f:
            seen = cv2.imdecode(
                cv2.imencode(".jpg", seen, (cv2.IMWRITE_JPEG_QUALITY, q))[1], cv2.IMREAD_COLOR
            )
        if p > 1:
            seen = cv2.resize(seen, (size, size), interpolation=cv2.INTER_LINEAR)
        if p > 1 or f:
            x[i] = torch.from_numpy(seen).permute(2, 0, 1)
    return x


def _edge(x: Tensor, settings: Augmentation, pitch_um: float, random: torch.Generator) -> Tensor:
    """Clear glass beyond the field's edge, on one side of some crops."""
    n, size = len(x), x.shape[-1]
    low, high = settings.edge_um
    line = (low + (high - low) * torch.rand((n, 1, 1, 1), generator=random)) / pitch_um
    side = torch.randint(0, 4, (n, 1, 1, 1), generator=random)
    along = torch.arange(size, dtype=torch.float32) - size / 2
    across = torch.where(side < 2, along[None, None, None, :], along[None, None, :, None])
    beyond = torch.where(side % 2 == 0, across, -across) > line
    chosen = torch.rand((n, 1, 1, 1), generator=random) < settings.edge_share
    return torch.where(beyond & chosen, torch.tensor(float(BACKGROUND)), x)


class Variation(Protocol):
    """How far a patch's looks are changed; see `train.recipes.detection.Detection`."""

    @property
    def stain(self) -> float: ...
    @property
    def light(self) -> float: ...
    @property
    def blur_px(self) -> float: ...
    @property
    def noise(self) -> float: ...


def varied(pixels: U8, settings: Variation, rng: np.random.Generator) -> Tensor:
    """(n, S, S, 3) uint8 -> (n, 3, S, S) float32 under other dyes, light, focus and noise.

    Stain is changed where it adds up, in optical density, as in `augment`.
    """
    n = len(pixels)
    strength = rng.normal(0, settings.stain, (n, 1, 1)) + rng.normal(0, settings.stain / 2, (n, 3, 1))
    mix = (np.eye(3) + rng.normal(0, settings.stain / 4, (n, 3, 3))) * np.exp(strength)
    pale = np.where(rng.random((n, 1, 1)) < 0.1, rng.random((n, 1, 1)), 0.0)
    mix = ((1 - pale) * mix + pale * mix.mean(axis=1, keepdims=True)).astype(np.float32)
    light = np.exp(rng.normal(0, settings.light, (n, 3))).astype(np.float32) * BACKGROUND
    out = np.empty((n, 3, *pixels.shape[1:3]), np.float32)
    for i, picture in enumerate(pixels):
        seen = picture.astype(np.float32)
        if rng.random() < 0.5:
            blurred = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.3, settings.blur_px))
            seen += np.float32(rng.uniform(-0.5, 1)) * (blurred - seen)
        density = np.log(BACKGROUND / np.maximum(seen, 1.0))
        seen = light[i] * np.exp(-np.maximum(cv2.transform(density, mix[i]), -0.1))
        grain = rng.random() ** 2 * settings.noise
        seen += np.float32(grain) * rng.standard_normal(seen.shape, np.float32)
        # what lies beyond a field is no specimen: nothing happens to it
        nothing = (picture == BEYOND).all(axis=2, keepdims=True)
        out[i] = np.where(nothing, picture, np.clip(seen, 0, 255)).transpose(2, 0, 1)
    return torch.from_numpy(out)
