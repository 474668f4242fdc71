"""A plain folder for each of five diagnoses, odd files among them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.data.sets.trees import divided, field, leave_behind, parts, read, touch, write
from train.data.check import check
from train.data.dataset import DataError
from train.data.registry import dataset

FOLDERS = {"ALL": "all", "aml": "aml", "Cll": "cll", "CML": "cml", "Normal": "healthy"}


def test_any_case_and_either_word_for_health(tmp_path: Path) -> None:
    for folder in FOLDERS:
        write(tmp_path / "fivetype" / folder / "1.png")
    pictures, told = read("fivetype", tmp_path)
    assert {Path(p.name).parent.name: p.spots[0].label for p in pictures} == FOLDERS
    assert all(p.spots[0].centre_px is None for p in pictures)
    assert set(dataset("fivetype").labels) == set(FOLDERS.values())
    assert "too few red cells" in told
    assert {p.um_per_px for p in pictures} == {0.10}


def test_both_words_for_health_are_one_class(tmp_path: Path) -> None:
    write(tmp_path / "fivetype" / "Healthy" / "1.png")
    write(tmp_path / "fivetype" / "normal" / "2.png")
    assert list(parts(read("fivetype", tmp_path)[0])) == ["fivetype/healthy/block 0"]


def test_a_folder_is_a_patient_and_else_numbers_stay_together(tmp_path: Path) -> None:
    base = tmp_path / "fivetype" / "AML"
    for name in (
        "p1/a.png",
        "p1/left/b.png",
        "p2/c.png",
        "blood 3.png",
        "19.png",
        "20.png",
        "x.png",
        "y.png",
    ):
        touch(base / name)
    groups = {Path(p.name).name: p.spots[0].group.split("/")[-1] for p in read("fivetype", tmp_path)[0]}
    assert groups == {
        "a.png": "p1", "b.png": "p1", "c.png": "p2", "blood 3.png": "block 0", "19.png": "block 0",
        "20.png": "block 1", "x.png": "block unnumbered", "y.png": "block unnumbered",
    }  # fmt: skip


def test_red_cells_tell_the_scale(tmp_path: Path) -> None:
    field(tmp_path / "fivetype" / "cml" / "1.png", 60)
    pictures, told = read("fivetype", tmp_path)
    assert pictures[0].um_per_px == pytest.approx(7.5 / 60, rel=0.04)
    assert "red cells" not in told


def test_odd_files_are_told(tmp_path: Path) -> None:
    base = tmp_path / "fivetype"
    leave_behind(base / "ALL")
    touch(base / "ALL" / ".thumbnails" / "1.png")
    write(base / "MDS" / "1.png")
    (base / "CLL").mkdir()
    (base / "ALL" / "1.png").write_text("no picture")
    write(base / "loose.png")
    pictures, told = read("fivetype", tmp_path)
    assert [p.name for p in pictures] == [str(Path("ALL", "1.png"))]
    for named in (
        "notes.txt",
        "'MDS'",
        "CLL: no pictures",
        "no folder of class 'healthy'",
        "no folder of class 'aml'",
    ):
        assert named in told
    assert "no folder of class 'cll'" not in told
    assert "hidden" not in told
    with pytest.raises(DataError, match=r"1\.png"):
        pictures[0].load()


def test_no_class_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "fivetype" / "blasts").mkdir(parents=True)
    with pytest.raises(DataError, match="Healthy"):
        read("fivetype", tmp_path)


def test_the_check_knows_its_labels(tmp_path: Path) -> None:
    for i, folder in enumerate(FOLDERS):
        field(tmp_path / "fivetype" / folder / "1.png", 60, [(100 + 150 * i, 100 + 110 * i)])
    (inventory,) = check([dataset("fivetype")], tmp_path).inventories
    assert inventory.pictures == 5
    assert not inventory.unknown
    assert not inventory.divided


_STEM = st.text("ab01 _()", min_size=1, max_size=6).map(lambda text: f"s{text}")


@settings(max_examples=25, deadline=None)
@given(
    st.sets(
        st.tuples(st.sampled_from(sorted(FOLDERS)), st.sampled_from(("", "p1", "p2", "3")), _STEM), min_size=1
    )
)
def test_no_patient_and_no_block_is_divided(names: set[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for label, patient, stem in names:
            touch(Path(folder) / "fivetype" / label / patient / f"{stem}.png")
        pictures, _ = read("fivetype", Path(folder))
        assert len(pictures) == len(names)
        assert not divided(pictures)
