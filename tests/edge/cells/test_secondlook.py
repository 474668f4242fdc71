from __future__ import annotations

import numpy as np
import pytest

from edge.cells.secondlook import Until, looked, mirrored
from edge.types import F32, U8

CROPS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


def _look(crops: U8) -> dict[str, F32]:
    """One whose answer hangs on the upper left corner."""
    corner = crops[:, 0, 0, 0].astype(np.float32) / 255 * 0.9 + 0.05
    return {
        "probabilities": np.stack([corner, 0.7 * (1 - corner), 0.3 * (1 - corner)], axis=1),
        "features": np.stack([corner, 2 * corner], axis=1),
    }


def _all_corners(crops: U8) -> F32:
    return np.stack([_look(pose)["features"][:, 0] for pose in (crops, *mirrored(crops))])


def test_never_asks_once() -> None:
    said = looked(_look, CROPS, [0], None)
    np.testing.assert_array_equal(said["probabilities"], _look(CROPS)["probabilities"])


def test_only_candidates_are_looked_at_again() -> None:
    once, said = _look(CROPS), looked(_look, CROPS, [0], 0.5)
    again = once["probabilities"][:, 0] >= 0.5
    assert 0 < again.sum() < len(CROPS)
    for name in said:
        np.testing.assert_array_equal(said[name][~again], once[name][~again])
        assert (said[name][again] != once[name][again]).any(axis=1).all()


def test_logits_and_features_are_averaged_over_four_poses() -> None:
    said = looked(_look, CROPS, [0], 0.0)
    np.testing.assert_allclose(said["features"][:, 0], _all_corners(CROPS).mean(axis=0), rtol=1e-5)
    corners = _all_corners(CROPS)
    logs = np.mean([np.log(np.stack([c, 0.7 * (1 - c), 0.3 * (1 - c)], axis=1)) for c in corners], axis=0)
    wanted = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(said["probabilities"], wanted, rtol=1e-4)
    np.testing.assert_allclose(said["probabilities"].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("pose", range(3))
def test_a_mirrored_crop_gets_the_same_answer(pose: int) -> None:
    said, turned = (looked(_look, crops, [0], 0.0) for crops in (CROPS, mirrored(CROPS)[pose]))
    for name in said:
        np.testing.assert_allclose(said[name], turned[name], rtol=1e-4)


def test_no_crops_no_answers() -> None:
    assert looked(_look, CROPS[:0], [0], 0.5)["probabilities"].shape == (0, 3)


class _Counting:
    """Says the same of every pose of a cell, and counts how often each was looked at."""

    def __init__(self, positive: float) -> None:
        self.row, self.looks = np.array([positive, 1 - positive], np.float32), 0

    def __call__(self, crops: U8) -> dict[str, F32]:
        self.looks += len(crops)
        return {"probabilities": np.tile(self.row, (len(crops), 1))}


@pytest.mark.parametrize(
    ("positive", "looks"),
    [(0.01, 1), (0.14, 1), (0.21, 2), (0.4, 4), (0.5, 4), (0.65, 3), (0.75, 2), (0.95, 1)],
)
def test_a_cell_is_looked_at_until_it_is_clear(positive: float, looks: int) -> None:
    look = _Counting(positive)
    looked(look, CROPS[:1], [0], 0.15, Until(0.5))
    assert look.looks == looks


def test_what_is_clear_moves_with_the_threshold_of_a_site() -> None:
    look = _Counting(0.6)
    looked(look, CROPS[:1], [0], 0.15, Until(0.95))
    assert look.looks == 1


def test_each_cell_has_the_mean_of_its_own_looks() -> None:
    """Some stop after one look, some after two, some after four: none gets another's answer."""
    until = Until(0.5)
    said = looked(_look, CROPS, [0], 0.1, until)
    alone = [looked(_look, crop[None], [0], 0.1, until) for crop in CROPS]
    for name in said:
        np.testing.assert_allclose(said[name], np.concatenate([each[name] for each in alone]), rtol=1e-5)


def test_the_answer_of_the_look_is_left_as_it_was() -> None:
    given = _look(CROPS)
    kept = {name: values.copy() for name, values in given.items()}
    first = iter([given])
    looked(lambda crops: next(first, None) or _look(crops), CROPS, [0], 0.0)
    for name, values in kept.items():
        np.testing.assert_array_equal(given[name], values)


def test_what_does_not_matter_is_looked_at_once() -> None:
    matters = np.arange(len(CROPS)) % 2 == 0
    said, once = looked(_look, CROPS, [0], 0.0, matters=matters), _look(CROPS)
    for name in said:
        np.testing.assert_array_equal(said[name][~matters], once[name][~matters])
        assert (said[name][matters] != once[name][matters]).any()
