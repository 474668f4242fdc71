"""Patches show what their scenes hold, and what is asked of the network is where it should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.runtimes.dynamic import BEYOND
from train.segmentation import scenes
from train.segmentation.scenes import CENTRE, MASK, Scene

PITCH_UM = 0.5


def _scene(height: int, width: int, *middles: tuple[int, int], radius: int = 10) -> Scene:
    y, x = np.mgrid[:height, :width]
    labels, nuclei = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    for number, (row, column) in enumerate(middles, 1):
        away = np.hypot(y - row, x - column)
        labels[away <= radius], nuclei[away <= radius * 0.6] = number, 255
    pixels = np.repeat(np.where(labels > 0, 120, 240).astype(np.uint8)[..., None], 3, axis=2)
    known = np.full((height, width), MASK | CENTRE, np.uint8)
    return Scene(pixels, labels, nuclei, (labels > 0).astype(np.uint8) * 255, known, "slide")


def test_pixels_and_masks_turn_together() -> None:
    batch = scenes.patches([_scene(90, 120, (40, 60))] * 8, 64, PITCH_UM, np.random.default_rng(1))
    assert batch.pixels.shape == (8, 64, 64, 3)
    assert ((batch.pixels[..., 0] == 120) == (batch.masks[:, 1] == 1)).all()
    assert batch.masks[:, 0].sum() < batch.masks[:, 1].sum()


def test_the_way_ends_where_the_heat_is_greatest() -> None:
    scene = _scene(64, 64, (20, 18), (44, 46))
    batch = scenes.patches([scene], 64, PITCH_UM, np.random.default_rng(0))
    heat, offsets, inside = batch.heat[0, 0], batch.offsets[0], batch.offsets_known[0, 0] > 0
    y, x = np.nonzero(inside)
    ends = {
        (round(float(r + offsets[1, r, c])), round(float(c + offsets[0, r, c])))
        for r, c in zip(y, x, strict=True)
    }
    assert len(ends) == 2
    for row, column in ends:
        assert heat[row, column] > 0.9


def test_a_small_scene_is_surrounded_by_nothing() -> None:
    batch = scenes.patches([_scene(40, 40, (20, 20))], 64, PITCH_UM, np.random.default_rng(0))
    unknown = batch.masks_known[0, 0] == 0
    assert unknown.sum() == 64 * 64 - 40 * 40
    assert (batch.pixels[0][unknown] == BEYOND).all()
    assert not batch.heat_known[0, 0].all()


def test_what_is_open_is_not_asked_for() -> None:
    scene = _scene(64, 64, (30, 30))
    scene.known[:] = CENTRE
    batch = scenes.patches([scene], 64, PITCH_UM, np.random.default_rng(0))
    assert not batch.masks_known.any()
    assert not batch.offsets_known.any()
    assert batch.heat_known.all()
    assert batch.heat.max() > 0.9


def test_a_sliver_of_a_cell_is_neither_asked_for_nor_forbidden() -> None:
    scene = _scene(64, 64, (30, 73))  # the patch is the scene: two columns of the cell show
    batch = scenes.patches([scene], 64, PITCH_UM, np.random.default_rng(0))
    assert batch.heat.max() == 0
    assert 0 < (batch.heat_known == 0).sum() < 20


def test_kept_scenes_come_back(tmp_path: Path) -> None:
    before = [_scene(40, 50, (20, 20)), _scene(30, 30)]
    scenes.save(before, tmp_path / "scenes.npz")
    after = scenes.load(tmp_path / "scenes.npz")
    assert [s.group for s in after] == ["slide", "slide"]
    for one, other in zip(before, after, strict=True):
        for part in ("pixels", "labels", "nuclei", "cells", "known"):
            assert (getattr(one, part) == getattr(other, part)).all()


@pytest.mark.parametrize("number", [1, 2])
def test_drawn_fields_know_their_cells(number: int) -> None:
    from train.segmentation.simulated import drawn

    fields = list(drawn(number))
    assert len(fields) % 4 == 0
    for _, group, _, pixels, (labels, nuclei, _) in fields:
        assert group.startswith("demo:")
        inside = labels > 0
        assert not nuclei[~inside].any()
        if nuclei.any() and (~inside).any():  # nuclei absorb red light, what lies between cells hardly does
            assert pixels[nuclei > 0][:, 0].mean() < pixels[~inside][:, 0].mean() - 15
