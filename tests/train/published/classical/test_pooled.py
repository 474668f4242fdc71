"""The network whose features the forest gets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from edge.types import U8
from tests.train.published.classical.conftest import PITCH_UM
from train.network.model import Architecture, build
from train.published.classical import Settings, Texts
from train.published.classical.pooled import Pooled

NAMES = ("monocyte", "neutrophil")
TINY = Architecture(stem=4, widths=(4, 6, 8), blocks=(1, 1, 1))


def of(architecture: Architecture, crops: U8, labels: Texts, seed: int = 1) -> Pooled:
    settings = Settings(NAMES, PITCH_UM, architecture, epochs=6, batch=4)
    truth = (labels == NAMES[1]).astype(np.int32)
    return Pooled.fit(crops, truth, 2, settings, seed=seed)


@pytest.fixture
def cells(blood: Callable[..., tuple[U8, Texts, Texts]]) -> tuple[U8, Texts]:
    return blood(*NAMES, each=8)[:2]


def test_features_are_those_before_the_head_and_tell_the_classes_apart(cells: tuple[U8, Texts]) -> None:
    crops, labels = cells
    found = of(TINY, crops, labels).features(crops)
    assert found.shape == (len(crops), 8)
    a, b = (found[labels == name] for name in NAMES)
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) / (a.std(axis=0) + b.std(axis=0) + 1e-6)).max() > 1


def test_the_seed_decides_and_nobody_elses_chance_is_touched(cells: tuple[U8, Texts]) -> None:
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    one, again, other = (of(TINY, *cells, seed=seed).features(cells[0]) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    assert torch.equal(torch.rand(1), expected)


def test_a_frozen_backbone_stays_as_it_was(cells: tuple[U8, Texts]) -> None:
    frozen = Architecture(backbone="resnet34", frozen=True)
    crops = cells[0][:3, :64, :64]
    pooled = of(frozen, crops, cells[1][:3], seed=5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        untouched = build(frozen, 2).state_dict()
    kept = pooled.body.state_dict()
    assert all(torch.equal(kept[name], untouched[name]) for name in kept)
    assert pooled.features(crops).shape == (3, 512)
