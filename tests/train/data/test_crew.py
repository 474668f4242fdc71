from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.model_input import ModelInput
from train.data import crew as crews
from train.data.crew import Crew
from train.data.dataset import DataError, Picture
from train.data.registry import dataset
from train.data.windows import read

LOOK = ModelInput(0.25, 48)


@pytest.fixture
def listed(deepapl: Callable[..., Path]) -> list[Picture]:
    data = deepapl(patients=4, each=2)
    source = dataset("deepapl")
    return list(source.read(source.root(data), lambda _: None))


def test_several_hands_cut_what_one_cuts_and_in_the_same_order(
    listed: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crews, "_FEW", 1)
    monkeypatch.setattr(crews, "_AT_ONCE", 2)
    broken = replace(listed[1], load=_unreadable)
    listed[1] = broken
    with Crew(1) as alone, Crew(2) as both:
        one, other = list(alone.cut(listed, LOOK)), list(both.cut(listed, LOOK))
    assert len(one) == len(other) == len(listed)
    assert isinstance(one[1], DataError)
    assert str(one[1]) == str(other[1]) == "gone.png: left out"
    for mine, yours in zip(one, other, strict=True):
        if not isinstance(mine, DataError):
            assert not isinstance(yours, DataError)
            assert (mine.name, mine.spots) == (yours.name, yours.spots)
            np.testing.assert_array_equal(mine.pixels, yours.pixels)
            np.testing.assert_array_equal(mine.masks, yours.masks)


def _unreadable() -> np.ndarray:
    raise DataError("gone.png: left out")


def test_a_process_that_dies_is_told(listed: list[Picture], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_FEW", 1)
    listed[0] = replace(listed[0], load=_dies)
    with Crew(2) as both, pytest.raises(DataError, match="ended before its work was done"):
        list(both.cut(listed, LOOK))


def _dies() -> np.ndarray:
    os._exit(9)


def test_a_few_pictures_are_cut_here(listed: list[Picture]) -> None:
    with Crew(2) as both:
        assert len(list(both.cut(listed, LOOK))) == len(listed)
        assert both._pool is None


def test_no_more_pictures_are_opened_than_the_limit(
    listed: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    source = replace(dataset("deepapl"), folder=None, read=lambda root, notice: listed)
    monkeypatch.setattr(Picture, "opened", lambda self: opened.append(self.name) or (self.load(), self))
    windows = read(source, Path(), LOOK, pytest.fail, limit=3, parts=("train", "validation", "test"))
    assert len(windows) == len(opened) == 3
