from __future__ import annotations

import numpy as np
import pytest

from train.data.windows import Windows
from train.fitting.sampling import weights
from train.recipes.recipe import Recipe, Training

LABELS = ["blast"] * 6 + ["lymphocyte"] * 3 + ["monocyte"] + ["neutrophil"] * 4
GROUPS = ["a"] * 5 + ["b"] + ["a"] * 3 + ["a"] + ["c"] * 4
SETS = ["deepapl"] * 10 + ["pbc"] * 4


def _windows() -> Windows:
    n = len(LABELS)
    text = [np.array(names) for names in (LABELS, GROUPS, ["train"] * n, SETS, [""] * n)]
    labels, groups, splits, datasets, files = text
    pixels, masks = np.zeros((n, 2, 2, 3), np.uint8), np.zeros((n, 2, 2), np.uint8)
    named = {"labels": labels, "groups": groups, "splits": splits, "datasets": datasets, "files": files}
    return Windows(pixels=pixels, masks=masks, **named)


def _drawn(**settings: float) -> np.ndarray:
    recipe = Recipe("n", "t", {"deepapl": 0.75, "pbc": 0.25}, training=Training(**settings))  # type: ignore[arg-type]
    return np.asarray(weights(_windows(), recipe))


def test_data_sets_have_their_shares_and_their_cells_are_alike() -> None:
    drawn = _drawn(class_balance=0.0)
    np.testing.assert_allclose(drawn[:10], 0.075)
    np.testing.assert_allclose(drawn[10:], 0.0625)


def test_classes_and_the_groups_of_a_class_are_evened_out() -> None:
    drawn = _drawn(class_balance=1.0, group_balance=1.0)
    np.testing.assert_allclose([drawn[:6].sum(), drawn[6:9].sum(), drawn[9]], 0.25)
    np.testing.assert_allclose([drawn[:5].sum(), drawn[5]], 0.125)
    half = _drawn(class_balance=0.0, group_balance=0.5)
    assert half[5] / half[0] == pytest.approx(5**0.5)
    assert half[:6].sum() == pytest.approx(0.45)


def test_blasts_are_at_most_a_share_where_there_are_others() -> None:
    drawn = _drawn(class_balance=0.0, most_positive=0.2)
    assert drawn[:6].sum() == pytest.approx(0.75 * 0.2)
    np.testing.assert_allclose(drawn[6:10], 0.75 * 0.8 / 4)
    np.testing.assert_allclose(drawn[10:], 0.0625)
    assert _drawn(class_balance=0.0, most_positive=0.7)[:6].sum() == pytest.approx(0.75 * 0.6)
