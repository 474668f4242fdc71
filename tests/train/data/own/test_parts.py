"""No patient and no picture lies in two parts, labels are spread, and nothing written down moves."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import cv2
import pytest

from tests.train.data.own.trees import draw, flat, folders, read
from tests.train.data.sets.trees import divided
from train.data.dataset import DataError, Picture, Split
from train.data.own.parts import parts_for


def _held(*patients: str) -> dict[str, Counter[str]]:
    """Patients as 'blast:40 mono:10'."""
    return {
        f"p{i}": Counter({name: int(n) for name, _, n in (each.partition(":") for each in told.split())})
        for i, told in enumerate(patients)
    }


def _of(pictures: list[Picture]) -> dict[str, Split]:
    return {p.spots[0].group: p.spots[0].split for p in pictures}


def test_two_patients_train_and_validate_three_test_too() -> None:
    each = "blast:10 mono:20"
    assert sorted(parts_for(_held(each, each), {}, ()).values()) == ["train", "validation"]
    assert sorted(parts_for(_held(*[each] * 3), {}, ()).values()) == ["test", "train", "validation"]


@pytest.mark.parametrize("ill", [2, 3, 6])
def test_labels_are_spread(ill: int) -> None:
    """As many ill as healthy people: every part has some of both as far as they go round."""
    held = _held(*["blast:60 lymph:5"] * ill, *["lymph:40 mono:10"] * ill)
    parts = parts_for(held, {}, ())
    for part in ("train", "validation", "test"):
        labels = {label for group, at in parts.items() if at == part for label in held[group]}
        assert "lymph" in labels
        assert part == "test" or "blast" in labels
        assert part != "train" or "mono" in labels
        assert ill < 6 or labels == {"blast", "lymph", "mono"}
    shares = Counter(parts.values())
    assert shares["train"] >= shares["test"] >= 1
    assert shares["validation"] >= 1


def test_the_only_one_with_a_class_trains() -> None:
    parts = parts_for(_held("blast:5", *["lymph:50 mono:9"] * 4), {}, ())
    assert parts["p0"] == "train"


def test_many_are_divided_as_the_programs_sets_are() -> None:
    parts = parts_for(_held(*["blast:3 lymph:7", "lymph:10"] * 50), {}, ())
    shares = Counter(parts.values())
    assert [shares[p] for p in ("train", "validation", "test")] == pytest.approx([65, 15, 20], abs=3)


def test_what_is_kept_stays_and_draws_what_shows_the_same() -> None:
    held = _held(*["blast:5 mono:5"] * 8)
    before = parts_for({k: v for k, v in held.items() if k < "p6"}, {}, ())
    after = parts_for(held, before, [("p6", next(k for k, v in before.items() if v == "test"))])
    assert {k: after[k] for k in before} == before
    assert after["p6"] == "test"
    together = parts_for(held, {}, [("p1", "p2"), ("p2", "p5")])
    assert together["p1"] == together["p2"] == together["p5"]


def test_patients_that_all_hold_the_same_picture_are_named(tmp_path: Path) -> None:
    first = draw(tmp_path / "blast" / "p0" / "1.png")
    for patient in ("p1", "p2"):
        shutil.copytree(first.parent, tmp_path / "blast" / patient)
    with pytest.raises(DataError, match=r"all 3 patients hold copies .* 'p0' and 'p1'"):
        read(tmp_path)


def test_what_looks_alike_everywhere_is_not_the_same(tmp_path: Path) -> None:
    for patient in range(6):
        for name in ("blast", "mono"):
            flat(tmp_path / name / f"p{patient}" / "1.png")
    assert set(_of(read(tmp_path)).values()) == {"train", "validation", "test"}


def test_without_a_file_it_is_made_at_reading_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    pictures = read(folders(tmp_path / "mine"), told)
    assert not divided(pictures)
    assert set(_of(pictures).values()) == {"train", "validation", "test"}
    assert any("not written down" in line for line in told)
    assert _of(read(tmp_path / "mine")) == _of(pictures)


def test_pictures_without_patients_are_told_and_copies_stay_together(tmp_path: Path) -> None:
    for i in range(12):
        draw(tmp_path / ("blast", "mono")[i % 2] / f"{i}.png")
    again = cv2.imread(str(tmp_path / "blast" / "0.png"))
    cv2.imwrite(str(tmp_path / "blast" / "copy.png"), again, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    told: list[str] = []
    parts = _of(read(tmp_path, told))
    assert parts["blast/copy.png"] == parts["blast/0.png"]
    assert any("nothing tells the patients apart" in line for line in told)


def _split(root: Path, rows: dict[str, str]) -> Path:
    path = root / "split.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("group", "part", "pictures"), *((g, p, 1) for g, p in rows.items())])
    return path


def test_a_file_is_followed_and_new_patients_train(tmp_path: Path) -> None:
    root = folders(tmp_path / "mine")
    _split(root, {"p0": "test", "p1": "validation", "p2": "train", "gone": "test"})
    told: list[str] = []
    parts = _of(read(root, told))
    assert parts == {"p0": "test", "p1": "validation", **dict.fromkeys(("p2", "p3", "p4", "p5"), "train")}
    assert any("3 patients" in line and "p3, p4, p5" in line for line in told)


def test_a_file_of_other_patients_is_no_file(tmp_path: Path) -> None:
    root = folders(tmp_path / "mine")
    _split(root, {"x": "test"})
    with pytest.raises(DataError, match="names none of the 6"):
        read(root)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("group,part\np0,train\np0,test\n", "'p0' stands in two parts"),
        ("group,part\np0,hold\n", "line 2: part 'hold' of 'p0'"),
        ("patient\np0\n", "no column 'part'"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, named: str) -> None:
    root = folders(tmp_path / "mine")
    (root / "split.csv").write_text(text)
    with pytest.raises(DataError, match=named):
        read(root)


def test_a_patient_in_two_parts_is_named(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        draw(tmp_path / part / "blast" / "p1" / "1.png")
        draw(tmp_path / part / "mono" / f"only-{part}" / "1.png")
    with pytest.raises(DataError, match="patient 'p1' lies in two parts"):
        read(tmp_path)


def test_folders_for_training_and_testing_alone_leave_some_to_validate(tmp_path: Path) -> None:
    for part, count in (("train", 6), ("test", 2)):
        for i in range(count):
            for name in ("blast", "mono"):
                draw(tmp_path / part / name / f"{part}{i}" / "1.png")
    parts = _of(read(tmp_path))
    assert {group for group, part in parts.items() if part == "test"} == {"test0", "test1"}
    assert Counter(parts.values())["validation"] >= 1
    _split(tmp_path, {"test0": "train", "test1": "test", "train0": "validation"})
    with pytest.raises(DataError, match="'test0' is for test by its folder"):
        read(tmp_path)


def test_one_patient_cannot_be_divided(tmp_path: Path) -> None:
    draw(tmp_path / "p1" / "blast" / "1.png")
    draw(tmp_path / "p1" / "mono" / "2.png")
    with pytest.raises(DataError, match=r"of one patient, 'p1'.*--split random"):
        read(tmp_path)
