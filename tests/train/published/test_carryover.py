from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from edge.optics.specimen import BACKGROUND
from edge.types import U8, LeukoscopeError
from train.data.windows import Windows
from train.published.carryover import Carryover, features
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe

PITCH = 0.25


def _disc(radius: float, grey: tuple[int, int, int] = (120, 60, 150), size: int = 80) -> U8:
    y, x = np.ogrid[:size, :size]
    inside = np.hypot(y - size / 2 + 0.5, x - size / 2 + 0.5) <= radius
    out = np.full((size, size, 3), BACKGROUND, np.uint8)
    out[inside] = grey
    return out


def _features(*crops: U8) -> torch.Tensor:
    return features(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float(), PITCH)


def test_the_area_is_in_square_micrometres() -> None:
    found = _features(_disc(20), _disc(28))
    wanted = np.log([np.pi * (r * PITCH) ** 2 for r in (20, 28)])
    assert np.allclose(found[:, 0].numpy(), wanted, atol=0.03)


def test_the_density_is_that_of_each_channel() -> None:
    grey = (120, 60, 150)
    found = _features(_disc(20, grey))[0, 1:4].numpy()
    assert np.allclose(found, np.log(BACKGROUND / np.array(grey)), atol=1e-3)


def test_a_picture_without_a_cell_has_finite_features() -> None:
    assert torch.isfinite(_features(np.full((80, 80, 3), BACKGROUND, np.uint8))).all()


@pytest.fixture
def recipe() -> Recipe:
    return recipes.changed(recipes.load("cnmc-cnn"), ["shares={cnmc=1.0}"])


def _windows(radii: list[float], labels: list[str], groups: list[str]) -> Windows:
    rng = np.random.default_rng(0)
    pixels = [_disc(r, tuple(rng.integers(90, 130, 3).tolist())) for r in radii]
    n = len(radii)
    return Windows(
        pixels=np.stack(pixels),
        masks=np.zeros((n, 80, 80), np.uint8),
        labels=np.array(labels),
        groups=np.array(groups),
        splits=np.full(n, "train"),
        files=np.array([str(i) for i in range(n)]),
        datasets=np.full(n, "cnmc"),
    )


def test_it_learns_that_blasts_are_large(recipe: Recipe) -> None:
    radii = [*np.linspace(24, 30, 12).tolist(), *np.linspace(14, 20, 12).tolist()]
    windows = _windows(radii, ["blast"] * 12 + ["lymphocyte"] * 12, [f"p{i % 4}" for i in range(24)])
    teacher = Carryover.of(windows, recipe)
    crops = torch.from_numpy(np.stack([_disc(29), _disc(15)])).permute(0, 3, 1, 2).float()
    said = teacher(crops)
    assert torch.allclose(said.sum(dim=1), torch.ones(2))
    assert said[0, 0] > 0.8
    assert said[1, 0] < 0.2


def test_people_count_alike_however_many_their_cells(recipe: Recipe) -> None:
    """A hundred small blasts of one person weigh no more than the two large ones of another."""
    few = _windows([28, 28, 18, 16, 16], ["blast"] * 3 + ["lymphocyte"] * 2, ["a", "a", "b", "c", "d"])
    many = few.pick(np.array([0, 1, *[2] * 60, 3, 4]))
    crop = torch.from_numpy(_disc(21)[None]).permute(0, 3, 1, 2).float()
    assert float(Carryover.of(many, recipe)(crop)[0, 0]) == pytest.approx(
        float(Carryover.of(few, recipe)(crop)[0, 0]), abs=0.12
    )


def test_a_class_without_cells_is_never_answered(recipe: Recipe) -> None:
    three = replace(recipe, classes=("blast", "lymphocyte", "monocyte"))
    windows = _windows([28, 27, 16, 15], ["blast"] * 2 + ["lymphocyte"] * 2, ["a", "b", "c", "d"])
    crop = torch.from_numpy(_disc(27)[None]).permute(0, 3, 1, 2).float()
    assert float(Carryover.of(windows, three)(crop)[0, 2]) < 1e-6


def test_what_is_not_installed_is_told(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    windows = Windows.__new__(Windows)  # refused before a window is looked at
    with pytest.raises(LeukoscopeError, match=r"teacher: needs sklearn.*'leukoscope\[published\]'"):
        Carryover.of(windows, recipe)
