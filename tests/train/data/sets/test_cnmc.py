"""C-NMC's other places of its folds, and its preliminary test set; its folds: `test_datasets_readers`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.data.sets.trees import divided, leave_behind, read, touch, write
from train.data.dataset import DataError
from train.data.registry import dataset

FOLDER = "C-NMC_test_prelim_phase_data"
HEADING = "Patient_ID,new_names,labels\n"


def _preliminary(data: Path, rows: str, pictures: int, inside: str = "validation_data") -> Path:
    base = data / "C-NMC_Leukemia" / inside
    for number in range(1, pictures + 1):
        write(base / FOLDER / f"{number}.bmp")
    base.mkdir(parents=True, exist_ok=True)
    (base / f"{FOLDER}_labels.csv").write_text(HEADING + rows)
    return base


@pytest.mark.parametrize("inside", ["training_data", "C-NMC_training_data", ""])
def test_folds_are_found_where_copies_keep_them(tmp_path: Path, inside: str) -> None:
    write(tmp_path / "C-NMC_Leukemia" / inside / "fold_2" / "hem" / "UID_H7_1_1_hem.bmp")
    pictures, told = read("cnmc", tmp_path)
    assert not told
    assert [(p.spots[0].label, p.spots[0].group) for p in pictures] == [("lymphocyte", "cnmc/H7")]


@pytest.mark.parametrize("inside", ["validation_data", FOLDER])
def test_the_table_tells_class_and_subject(tmp_path: Path, inside: str) -> None:
    rows = "UID_57_29_1_all.bmp,1.bmp,1\nUID_57_22_2_all.bmp,2.bmp,1\nUID_H49_35_1_hem.bmp,3.bmp,0\n"
    _preliminary(tmp_path, rows, 3, inside)
    pictures, told = read("cnmc-preliminary", tmp_path)
    assert not told
    spots = [p.spots[0] for p in pictures]
    assert [s.label for s in spots] == ["blast", "blast", "lymphocyte"]
    assert [s.group for s in spots] == ["cnmc/57", "cnmc/57", "cnmc/H49"]
    assert {s.split for s in spots} == {"test"}
    assert pictures[2].load().shape == (32, 32, 3)


def test_no_subject_of_the_training_data_is_among_them(tmp_path: Path) -> None:
    _preliminary(tmp_path, "UID_57_29_1_all.bmp,1.bmp,1\nUID_H6_1_1_hem.bmp,2.bmp,0\n", 2)
    for kind, name in (("all", "UID_58_1_1_all.bmp"), ("hem", "UID_h2_1_1_hem.bmp")):
        write(tmp_path / "C-NMC_Leukemia" / "training_data" / "fold_0" / kind / name)
    pictures, told = read("cnmc-preliminary", tmp_path)
    assert [p.spots[0].group for p in pictures] == ["cnmc/57"]
    assert "2.bmp: of H2, who is in the training data too" in told


def test_odd_rows_and_files_are_told(tmp_path: Path) -> None:
    rows = (
        "UID_57_29_1_all.bmp,1.bmp,1\n"
        "UID_57_29_1_all.bmp,1.bmp,1\n"
        "UID_57_30_1_all.bmp,9.bmp,1\n"
        "UID_58_1_1_all.bmp,2.bmp,0\n"
        "somebody,3.bmp,1\n"
        "UID_58_1_2_all.bmp,4.bmp\n"
        "UID_58_1_3_all.bmp,,1\n"
        "UID_58_1_4_all.bmp,5.bmp,1\n"
    )
    base = _preliminary(tmp_path, rows, 5)
    (base / FOLDER / "5.bmp").write_bytes(b"BM")
    leave_behind(base / FOLDER)
    pictures, told = read("cnmc-preliminary", tmp_path)
    assert [Path(p.name).name for p in pictures] == ["1.bmp", "5.bmp"]
    for named in (
        "1.bmp is not there, or named twice", "9.bmp is not there", "'2.bmp', '0'", "'somebody'",
        "'4.bmp', ''", "'UID_58_1_3_all.bmp', ''", "2.bmp: not in", "3.bmp: not in", "4.bmp: not in",
        "notes.txt",
    ):  # fmt: skip
        assert named in told
    assert "hidden" not in told
    with pytest.raises(DataError, match=r"5\.bmp"):
        pictures[1].load()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    base = tmp_path / "C-NMC_Leukemia"
    base.mkdir()
    assert dataset("cnmc").there(tmp_path)
    assert not dataset("cnmc-preliminary").there(tmp_path)
    with pytest.raises(DataError, match=r"labels\.csv"):
        read("cnmc-preliminary", tmp_path)
    _preliminary(tmp_path, "", 0)
    assert dataset("cnmc-preliminary").there(tmp_path)
    with pytest.raises(DataError, match=f"no folder .*{FOLDER}"):
        read("cnmc-preliminary", tmp_path)
    (base / "validation_data" / FOLDER).mkdir()
    assert read("cnmc-preliminary", tmp_path)[1].endswith("no pictures")
    (base / "validation_data" / f"{FOLDER}_labels.csv").write_text("Patient_ID,labels\nUID_1_1_1_all.bmp,1\n")
    with pytest.raises(DataError, match="new_names"):
        read("cnmc-preliminary", tmp_path)


_SUBJECTS = st.sampled_from(("1", "H2", "h2", "H6", "H3", "h10", "12", "57", "83"))


@settings(max_examples=25, deadline=None)
@given(
    trained=st.lists(st.tuples(_SUBJECTS, st.integers(0, 2)), max_size=8),
    tested=st.lists(_SUBJECTS, max_size=8),
)
def test_no_subject_is_divided_over_both(trained: list[tuple[str, int]], tested: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "C-NMC_Leukemia" / "training_data" / "fold_0").mkdir(parents=True)
        for cell, (subject, fold) in enumerate(trained):
            base = data / "C-NMC_Leukemia" / "training_data" / f"fold_{fold}" / "hem"
            touch(base / f"UID_{subject}_1_{cell}_hem.bmp")
        rows = "".join(f"UID_{subject}_1_{i}_all.bmp,{i}.bmp,1\n" for i, subject in enumerate(tested, 1))
        _preliminary(data, rows, max(len(tested), 1))
        both = read("cnmc", data)[0] + read("cnmc-preliminary", data)[0]
        assert len(read("cnmc", data)[0]) == len(trained)
        assert not divided(both)
