"""Raabin-WBC in the layout of the original, odd files among them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.data.sets.trees import divided, field, leave_behind, parts, read, touch, write
from train.data.dataset import DataError
from train.data.registry import dataset

CLASSES = ("Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil")


def test_both_parts_of_one_microscope_are_divided_by_day(tmp_path: Path) -> None:
    for i, label in enumerate(CLASSES):
        write(tmp_path / "Raabin-WBC" / "Train" / label / f"201905{i + 10}_162951_0.jpg")
        write(tmp_path / "Raabin-WBC" / "TestA" / label / f"201905{i + 10}_162951_1.jpg")
    write(tmp_path / "Raabin-WBC" / "TestB" / "Neutrophil" / "20190510_100000_0.jpg")
    pictures, told = read("raabin", tmp_path)
    assert not told
    assert len(pictures) == 10
    assert len(parts(pictures)) == 5
    assert not divided(pictures)
    assert {p.spots[0].label for p in pictures} == {name.lower() for name in CLASSES}
    assert {p.um_per_px for p in pictures} == {0.063}
    assert pictures[0].load().shape == (32, 32, 3)


def test_a_day_has_its_part_whatever_else_is_there(tmp_path: Path) -> None:
    days = [f"2019{month:02d}{day:02d}" for month in range(1, 13) for day in (1, 9, 17, 25)]
    for part in ("Train", "TestA"):
        for day in days:
            touch(tmp_path / "a" / "Raabin-WBC" / part / "Monocyte" / f"{day}_120000_0.jpg")
    touch(tmp_path / "b" / "RaabinWBC" / "TestA" / "Monocyte" / f"{days[3]}_235959_7.webp")
    whole = parts(read("raabin", tmp_path / "a")[0])
    assert len(whole) == 48
    assert {next(iter(where)) for where in whole.values()} == {"train", "validation", "test"}
    (alone,) = parts(read("raabin", tmp_path / "b")[0]).items()
    assert whole[alone[0]] == alone[1]


def test_the_other_microscope_is_all_test_and_measured_by_itself(tmp_path: Path) -> None:
    base = tmp_path / "Raabin-WBC" / "TestB"
    field(base / "Neutrophil" / "20190701_100000_0.jpg", 50, [(350, 250)])
    field(base / "Lymphocyte" / "20190702_100000_0.jpg", 50, [(350, 250)])
    pictures, told = read("raabin-b", tmp_path)
    assert not told
    assert {p.spots[0].split for p in pictures} == {"test"}
    assert [p.um_per_px for p in pictures] == pytest.approx([7.5 / 50] * 2, rel=0.04)
    for path in base.rglob("*.jpg"):
        write(path)
    pictures, told = read("raabin-b", tmp_path)
    assert "too few red cells" in told
    assert {p.um_per_px for p in pictures} == {0.063}


def test_odd_files_are_told(tmp_path: Path) -> None:
    base = tmp_path / "Raabin-WBC" / "Train"
    leave_behind(base / "Basophil")
    write(base / "Artifact" / "20190526_162951_0.jpg")
    (base / "Monocyte").mkdir()
    write(base / "Basophil" / "20190526_162951_0.jpg")
    write(base / "Basophil" / "slide 7 (3)_1.jpg")
    write(base / "Basophil" / "slide 8 (1)_1.jpg")
    write(base / "Basophil" / "12.jpg")
    (base / "Basophil" / "20190527_000000_0.jpg").write_bytes(b"\xff\xd8")
    pictures, told = read("raabin", tmp_path)
    groups = {Path(p.name).stem: p.spots[0].group for p in pictures}
    assert groups == {
        "20190526_162951_0": "raabin/20190526",
        "20190527_000000_0": "raabin/20190527",
        "slide 7 (3)_1": "raabin/slide",
        "slide 8 (1)_1": "raabin/slide",
        "12": "raabin/unnamed",
    }
    for named in ("notes.txt", "'Artifact'", "Monocyte: no pictures", "12.jpg: not named", "3 in all"):
        assert named in told
    assert "hidden" not in told
    broken = next(p for p in pictures if "0527" in p.name)
    with pytest.raises(DataError, match="20190527"):
        broken.load()


def test_no_part_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Raabin-WBC" / "Pictures").mkdir(parents=True)
    assert not dataset("raabin-b").there(tmp_path)
    for name, part in (("raabin", "TestA"), ("raabin-b", "TestB")):
        with pytest.raises(DataError, match=part):
            read(name, tmp_path)


_NAMES = st.one_of(
    st.builds(
        "{}_{:06d}_{}".format,
        st.sampled_from(("20190526", "20190527", "20200101")),
        st.integers(0, 235959),
        st.integers(0, 9),
    ),
    st.text("abx19 _-()", min_size=1, max_size=8).map(lambda text: f"s{text}"),
)


@settings(max_examples=25, deadline=None)
@given(
    st.sets(
        st.tuples(st.sampled_from(("Train", "TestA")), st.sampled_from(CLASSES), _NAMES),
        min_size=1,
        max_size=30,
    )
)
def test_no_slide_is_divided(names: set[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for part, label, stem in names:
            touch(Path(folder) / "Raabin-WBC" / part / label / f"{stem}.jpg")
        pictures, _ = read("raabin", Path(folder))
        assert len(pictures) == len(names)
        assert not divided(pictures)
