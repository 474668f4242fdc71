"""Other splits of a data set: one that leaks and says so, folds by group, everything for training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.model_input import ModelInput
from tests.train.data.sets.trees import divided
from train.data.dataset import DataError, DataSet, Picture, Spot
from train.data.registry import dataset
from train.data.splits import parts_of, split_anew
from train.data.windows import cached

LABELS = ("blast", "lymphocyte", "monocyte")


def _source(groups: int = 40, each: int = 6) -> DataSet:
    """Groups of different sizes, every one with a label of its own but for a few cells."""
    pictures = [
        Picture(f"{group}/{i}.png", 0.1, (_spot(group, i),), lambda: np.full((30, 30, 3), 220, np.uint8))
        for group in range(groups)
        for i in range(each + group % 3)
    ]
    return replace(dataset("simulated"), name="made-up", groups="patient", read=lambda *_: iter(pictures))


def _spot(group: int, i: int) -> Spot:
    part = ("train", "train", "validation", "test")[group % 4]
    return Spot(LABELS[(group + (i == 0)) % 3], f"p{group}", part)  # type: ignore[arg-type]


def _read(source: DataSet) -> list[Picture]:
    return list(source.read(Path(), pytest.fail))


def _groups(pictures: list[Picture], part: str) -> set[str]:
    return {p.spots[0].group for p in pictures if p.spots[0].split == part}


def test_by_picture_it_leaks_and_says_so() -> None:
    found = split_anew(_source(), "random")
    assert found.name == "made-up@random"
    assert "LEAKS" in found.split
    pictures = _read(found)
    assert len(divided(pictures)) > 20
    shares = Counter(p.spots[0].split for p in pictures)
    for part, share in (("train", 0.65), ("validation", 0.15), ("test", 0.20)):
        assert shares[part] / len(pictures) == pytest.approx(share, abs=0.07)
    assert [p.spots for p in pictures] == [p.spots for p in _read(found)]


def test_by_fold_every_group_is_judged_once_and_none_is_divided() -> None:
    tested: Counter[str] = Counter()
    for part in range(1, 6):
        found = split_anew(_source(), f"{part}/5")
        assert found.name == f"made-up@{part}/5"
        assert f"part {part} of 5" in found.split
        assert "by patient" in found.split
        pictures = _read(found)
        assert not divided(pictures)
        tested.update(_groups(pictures, "test"))
        assert 0 < len(_groups(pictures, "validation")) < len(_groups(pictures, "train")) / 2
    assert tested == Counter(f"p{group}" for group in range(40))


def test_labels_are_spread_over_the_folds() -> None:
    pictures = _read(_source())
    every = Counter(p.spots[0].label for p in pictures)
    for count in (2, 5, 10):
        parts = parts_of(pictures, count)
        held = [Counter[str]() for _ in range(count)]
        for picture in pictures:
            held[parts[picture.spots[0].group]][picture.spots[0].label] += 1
        for label, total in every.items():
            shares = [part[label] / total for part in held]
            assert max(shares) - min(shares) < 0.1
        assert all(held)


def test_folds_do_not_follow_the_order_of_the_files() -> None:
    pictures = _read(_source())
    assert parts_of(pictures, 5) == parts_of(pictures[::-1], 5)


def test_with_everything_for_training_nothing_is_kept_for_testing() -> None:
    pictures = _read(split_anew(_source(), "all"))
    assert not _groups(pictures, "test")
    assert not divided(pictures)
    kept = [p for p in pictures if p.spots[0].split == "validation"]
    assert len(kept) / len(pictures) == pytest.approx(1 / 7, abs=0.04)
    assert {p.spots[0].label for p in kept} == set(LABELS)
    sizes = Counter(p.spots[0].group for p in pictures)
    held, learned = ([sizes[group] for group in _groups(pictures, part)] for part in ("validation", "train"))
    assert sum(held) / len(held) < sum(learned) / len(learned)  # large groups are worth more to training


def test_nothing_but_the_part_changes() -> None:
    before = _read(_source())
    for scheme in ("random", "all", "2/3"):
        after = _read(split_anew(_source(), scheme))
        assert [(p.name, p.um_per_px) for p in after] == [(p.name, p.um_per_px) for p in before]
        for old, new in zip(before, after, strict=True):
            assert [replace(spot, split="train") for spot in new.spots] == [
                replace(spot, split="train") for spot in old.spots
            ]


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("blind", "data set cnmc@blind: no such split; @random, @all, or @K/N as in @2/5"),
        ("", "data set cnmc@: no such split"),
        ("0/5", "data set cnmc@0/5: no such split"),
        ("2/5/2", "data set cnmc@2/5/2: no such split"),
        ("6/5", "data set cnmc@6/5: there is no part 6 of 5"),
        ("1/1", "data set cnmc@1/1: there is no part 1 of 1"),
        ("random@all", "data set cnmc@random@all: no such split"),
    ],
)
def test_a_split_that_does_not_exist_is_named(scheme: str, words: str) -> None:
    with pytest.raises(DataError) as refused:
        dataset(f"cnmc@{scheme}")
    assert words in str(refused.value)


def test_a_data_set_is_asked_for_by_its_split() -> None:
    assert dataset("cnmc@2/5").name == "cnmc@2/5"
    assert dataset("cnmc@2/5").folder == dataset("cnmc").folder
    with pytest.raises(DataError, match="'mystery': unknown"):
        dataset("mystery@random")


@pytest.mark.parametrize("scheme", ["random", "all", "2/5"])
def test_windows_of_each_split_are_kept_apart(
    scheme: str, deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    data, cache, model_input = deepapl(patients=12, each=1), tmp_path / "cache", ModelInput(0.25, 40)
    usual = cached(dataset("deepapl"), data, model_input, pytest.fail, 0, cache)
    other = cached(dataset(f"deepapl@{scheme}"), data, model_input, pytest.fail, 0, cache)
    assert set(other.datasets.tolist()) == {f"deepapl@{scheme}"}
    assert set(usual.datasets.tolist()) == {"deepapl"}
    assert set(other.splits.tolist()) <= {"train", "validation"}
    again = cached(dataset(f"deepapl@{scheme}"), data, model_input, pytest.fail, 0, cache)
    np.testing.assert_array_equal(again.files, other.files)
    assert len(list(cache.rglob("*.npz"))) == 2
