"""Cells presented as another laboratory would have."""

from __future__ import annotations

import numpy as np
import pytest

from edge.optics.specimen import BACKGROUND
from edge.types import U8
from train.data.augment import Augmentation
from train.data.stains import Stains

SIDE = 64
Y, X = np.mgrid[:SIDE, :SIDE] - SIDE // 2
NUCLEUS, CELL = np.hypot(X, Y) < 10, np.hypot(X, Y) < 16
RED = (230, 150, 150)


def _window(nucleus: tuple[int, int, int], around: tuple[int, int, int]) -> U8:
    window = np.full((SIDE, SIDE, 3), around, np.uint8)
    window[CELL] = (200, 190, 225)
    window[NUCLEUS] = nucleus
    return window


@pytest.fixture
def shown() -> tuple[U8, U8, Stains]:
    """Two laboratories' cells, dark and pale, one data set cut out on glass, and a place of red cells."""
    glass = (BACKGROUND,) * 3
    pixels = np.stack(
        [
            _window((90, 40, 160), (230, 200, 200)),
            _window((150, 120, 200), (230, 200, 200)),
            _window((90, 40, 160), glass),
            np.full((SIDE, SIDE, 3), RED, np.uint8),
        ]
    ).astype(np.uint8)
    mask = CELL.astype(np.uint8) + NUCLEUS
    masks = np.stack([mask, mask, mask, np.zeros_like(mask)])
    names, labels = np.array(["dark", "pale", "bare", "pale"]), np.array(["blast"] * 3 + ["artefact"])
    return pixels, masks, Stains.of(pixels, masks, names, labels)


def test_it_knows_who_came_without_a_background_and_what_may_lie_behind(
    shown: tuple[U8, U8, Stains],
) -> None:
    stains = shown[2]
    assert stains.bare.tolist() == [False, False, True, False]
    assert stains.surroundings.tolist() == [3]
    assert len(stains.densities) == 3
    assert stains.own.tolist() == [0, 1, 2, 1]


def test_by_default_windows_with_a_background_stay_as_they_are(shown: tuple[U8, U8, Stains]) -> None:
    pixels, masks, stains = shown
    out = stains.presented(pixels, masks, np.array([0, 1, 3]), Augmentation(), np.random.default_rng(0))
    assert np.array_equal(out, pixels[[0, 1, 3]])


def test_a_stain_moves_towards_the_other_laboratorys(shown: tuple[U8, U8, Stains]) -> None:
    pixels, masks, stains = shown
    settings, rng = Augmentation(restained_share=1.0), np.random.default_rng(1)
    before = [int(p[SIDE // 2, SIDE // 2, 1]) for p in pixels[:2]]
    seen = stains.presented(pixels, masks, np.array([0, 1] * 60), settings, rng)[:, SIDE // 2, SIDE // 2, 1]
    dark, pale = seen[::2], seen[1::2]
    assert dark.max() > before[0] + 40
    assert pale.min() < before[1] - 40
    assert dark.min() >= before[0] - 15
    glass = np.full((1, 4, 4, 3), BACKGROUND, np.uint8)
    lut = stains._other_stain(0, rng)
    assert lut[BACKGROUND, 0].tolist() == [BACKGROUND] * 3
    assert glass.max() == BACKGROUND


def test_a_cell_is_laid_on_blood_or_on_glass_and_keeps_its_own_pixels(
    shown: tuple[U8, U8, Stains],
) -> None:
    pixels, masks, stains = shown
    rng = np.random.default_rng(2)
    on_blood = stains.presented(pixels, masks, np.array([0]), Augmentation(transplanted_share=1), rng)[0]
    on_glass = stains.presented(pixels, masks, np.array([0]), Augmentation(glass_share=1), rng)[0]
    assert on_blood[0, 0].tolist() == list(RED)
    assert on_glass[0, 0].tolist() == [BACKGROUND] * 3
    for window in (on_blood, on_glass):
        assert np.array_equal(window[NUCLEUS], pixels[0][NUCLEUS])


def test_a_cell_without_a_background_gets_one_more_often_than_not(
    shown: tuple[U8, U8, Stains],
) -> None:
    pixels, masks, stains = shown
    out = stains.presented(pixels, masks, np.full(200, 2), Augmentation(), np.random.default_rng(3))
    corners = {tuple(window[0, 0].tolist()) for window in out}
    assert corners == {RED, (BACKGROUND,) * 3}
    assert 0.45 < np.mean([window[0, 0].tolist() == list(RED) for window in out]) < 0.75


def test_the_same_random_numbers_give_the_same_windows(shown: tuple[U8, U8, Stains]) -> None:
    pixels, masks, stains = shown
    settings = Augmentation(restained_share=0.5, transplanted_share=0.4, glass_share=0.2)
    batch = np.array([0, 1, 2, 3] * 5)
    first, second, other = (
        stains.presented(pixels, masks, batch, settings, np.random.default_rng(s)) for s in (4, 4, 5)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
