from __future__ import annotations

import torch

from edge.optics.specimen import BACKGROUND
from train.data.augment import Augmentation, augment

NOTHING = Augmentation(
    zoom=(1.0, 1.0),
    shift_um=0,
    stain_strength=0,
    stain_channel=0,
    stain_mix=0,
    pale_share=0,
    light=0,
    blur_px=0.4,
    sharpen=0,
    noise=0,
    edge_share=0,
)


def _windows(n: int = 32) -> torch.Tensor:
    """A dark disc in the middle of clear glass."""
    y, x = torch.meshgrid(torch.arange(136) - 67.5, torch.arange(136) - 67.5, indexing="ij")
    disc = torch.hypot(x, y) < 20
    picture = torch.where(disc[..., None], torch.tensor([90, 60, 150]), torch.tensor([BACKGROUND] * 3))
    return picture.to(torch.uint8).expand(n, -1, -1, -1).clone()


def _augmented(settings: Augmentation, seed: int = 0) -> torch.Tensor:
    return augment(_windows(), settings, 96, 0.25, torch.Generator().manual_seed(seed))


def test_without_strength_only_the_pose_changes() -> None:
    crops = _augmented(NOTHING)
    assert crops.shape == (32, 3, 96, 96)
    middle = crops[:, :, 38:58, 38:58].mean(dim=(2, 3))
    assert torch.allclose(middle, torch.tensor([90.0, 60.0, 150.0]).expand(32, 3), atol=1.5)
    assert torch.allclose(crops[:, :, :4, :4], torch.tensor(float(BACKGROUND)), atol=1.0)


def test_zoom_stays_within_its_ends() -> None:
    crops = _augmented(Augmentation(**{**NOTHING.__dict__, "zoom": (0.75, 1.35)}))
    area = (crops[:, 1] < 150).sum(dim=(1, 2)).float()
    factor = (area / (torch.pi * 20**2)).sqrt()
    assert factor.min() > 0.72
    assert factor.max() < 1.39
    assert factor.max() - factor.min() > 0.3


def _lean(crops: torch.Tensor) -> torch.Tensor:
    """(n,) longest by shortest spread of each crop's disc."""
    dark = (crops[:, 1] < 150).double()
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    spreads = []
    for disc in dark:
        places = torch.stack([x[disc > 0], y[disc > 0]])
        low, high = torch.linalg.eigvalsh(torch.cov(places)).sqrt().tolist()
        spreads.append(high / low)
    return torch.tensor(spreads)


def test_shear_makes_discs_oval_and_no_larger() -> None:
    round_ones = _augmented(NOTHING)
    sheared = _augmented(Augmentation(**{**NOTHING.__dict__, "shear": 0.4}))
    assert _lean(round_ones).max() < 1.05
    # the longest by the shortest axis of a disc that is sheared by s: ((s^2 + 2 + s sqrt(s^2 + 4)) / 2)
    assert 1.3 < _lean(sheared).max() < 1.55
    assert _lean(sheared).min() < 1.1
    areas = [(crops[:, 1] < 150).sum(dim=(1, 2)).float() for crops in (round_ones, sheared)]
    assert torch.allclose(areas[0], areas[1], rtol=0.03)


def test_stain_changes_the_cell_and_not_the_glass() -> None:
    crops = _augmented(Augmentation(**{**NOTHING.__dict__, "stain_strength": 0.3, "stain_channel": 0.2}))
    assert crops[:, 0, 48, 48].std() > 8
    assert torch.allclose(crops[:, :, :4, :4], torch.tensor(float(BACKGROUND)), atol=1.0)


def test_the_field_may_end_beside_the_cell() -> None:
    dark = torch.zeros((64, 136, 136, 3), dtype=torch.uint8)
    crops = augment(
        dark, Augmentation(edge_share=1.0, edge_um=(5.0, 11.0)), 96, 0.25, torch.Generator().manual_seed(1)
    )
    beyond = (crops == BACKGROUND).all(dim=1)
    assert beyond.any(dim=(1, 2)).all()
    assert not beyond[:, 30:66, 30:66].any()  # at least 5 µm of every side stays


def test_the_same_seed_gives_the_same_crops() -> None:
    assert torch.equal(_augmented(Augmentation(), 3), _augmented(Augmentation(), 3))
    assert not torch.equal(_augmented(Augmentation(), 3), _augmented(Augmentation(), 4))


def test_haze_lifts_what_is_dark_and_leaves_the_glass() -> None:
    crops = _augmented(Augmentation(**{**NOTHING.__dict__, "haze": 0.5}))
    dark = crops[:, 1, 38:58, 38:58].mean(dim=(1, 2))
    assert dark.min() < 70
    assert 100 < dark.max() <= 60 + (BACKGROUND - 60) * 0.5 + 1
    assert torch.allclose(crops[:, :, :4, :4], torch.tensor(float(BACKGROUND)), atol=1.0)


def test_gamma_keeps_the_glass_and_moves_the_dark_both_ways() -> None:
    crops = _augmented(Augmentation(**{**NOTHING.__dict__, "gamma": (0.8, 1.25)}))
    dark = crops[:, 1, 38:58, 38:58].mean(dim=(1, 2))
    assert dark.min() < 55
    assert dark.max() > 65
    assert torch.allclose(crops[:, :, :4, :4], torch.tensor(float(BACKGROUND)), atol=1.0)


def _edge_width(crops: torch.Tensor) -> torch.Tensor:
    """(n,) share of pixels that are neither cell nor glass."""
    green = crops[:, 1]
    return ((green > 80) & (green < BACKGROUND - 20)).double().mean(dim=(1, 2))


def test_a_coarser_camera_blurs_some_crops_and_keeps_their_size() -> None:
    plain, coarse = (_augmented(Augmentation(**{**NOTHING.__dict__, "coarse_um": um})) for um in (0.0, 0.5))
    assert coarse.shape == plain.shape
    wider = _edge_width(coarse) - _edge_width(plain)
    assert (wider > 0.005).double().mean() > 0.2
    assert (wider.abs() < 0.002).double().mean() > 0.3  # pixels finer than the pitch change nothing


def test_a_jpeg_file_changes_every_crop_a_little() -> None:
    plain, filed = (_augmented(Augmentation(**{**NOTHING.__dict__, "jpeg_share": s})) for s in (0.0, 1.0))
    difference = (plain - filed).abs()
    assert (difference.amax(dim=(1, 2, 3)) > 3).all()
    assert difference.mean() < 4
