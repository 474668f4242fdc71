"""The Munich AML set in the layout of the original, odd files among them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.data.sets.trees import divided, leave_behind, parts, read, touch, write
from train.data.classes import CLASSES
from train.data.dataset import DataError
from train.data.sets.munich import _CLASSES

ROOT = "AML-Cytomorphology_LMU"


def _annotations(data: Path, *lines: str) -> None:
    (data / ROOT / "annotations.dat").write_text("\n".join(lines) + "\n")


def test_every_code_is_one_of_the_classes(tmp_path: Path) -> None:
    for code in _CLASSES:
        write(tmp_path / ROOT / code / f"{code}_0001.tiff")
    _annotations(tmp_path, *(f"{code}/{code}_0001.tiff {code} nan nan" for code in _CLASSES))
    pictures, told = read("munich", tmp_path)
    assert not told
    labels = {Path(p.name).parent.name: p.spots[0].label for p in pictures}
    assert len(labels) == 15
    assert set(labels.values()) == set(CLASSES) - {"platelet", "artefact"}
    assert labels["MYO"] == labels["MOB"] == labels["PMB"] == "blast"
    assert labels["MYB"] == labels["MMZ"] == labels["PMO"] == "immature-granulocyte"
    assert pictures[0].load().shape == (32, 32, 3)
    assert pictures[0].um_per_px == pytest.approx(29 / 400, rel=0.03)


def test_neighbours_stay_together_within_a_class(tmp_path: Path) -> None:
    for number in (1, 25, 26, 50, 51):
        touch(tmp_path / ROOT / "NGS" / f"NGS_{number:04d}.tiff")
    touch(tmp_path / ROOT / "MON" / "MON_0001.tiff")
    groups = [p.spots[0].group for p in read("munich", tmp_path)[0]]
    assert groups == ["munich/MON/0"] + ["munich/NGS/0"] * 2 + ["munich/NGS/1"] * 2 + ["munich/NGS/2"]


def test_other_places_of_the_folders_are_understood(tmp_path: Path) -> None:
    touch(tmp_path / f"PKG - {ROOT}" / "data" / "data" / "LYT" / "LYT_0001.webp")
    assert [p.spots[0].label for p in read("munich", tmp_path)[0]] == ["lymphocyte"]


def test_odd_files_and_rows_are_told(tmp_path: Path) -> None:
    base = tmp_path / ROOT
    leave_behind(base / "BAS")
    leave_behind(base / ".cache")
    for name in ("BAS_0001", "BAS_0002", "BAS_0003", "EOS_0001", "basophil 4"):
        write(base / "BAS" / f"{name}.tiff")
    (base / "BAS" / "BAS_0005.tiff").write_bytes(b"II*\0")
    write(base / "XYZ" / "XYZ_0001.tiff")
    (base / "KSC").mkdir()
    _annotations(
        tmp_path, "BAS/BAS_0001.tiff BAS EOS nan", "BAS/BAS_0002.tiff EOS nan nan",
        "BAS/BAS_0007.tiff BAS nan nan", "BAS/BAS_0005.tiff BAS nan nan", "BAS_0003.tiff",
        "EOS/EOS_0001.tiff UNC nan nan", "",
    )  # fmt: skip
    pictures, told = read("munich", tmp_path)
    assert [Path(p.name).stem for p in pictures] == ["BAS_0001", "BAS_0003", "BAS_0005"]
    assert {p.spots[0].label for p in pictures} == {"basophil"}
    for named in (
        "notes.txt", "'XYZ'", "KSC: no pictures", "EOS_0001.tiff: not named BAS_NNNN",
        "basophil 4.tiff: not named", "BAS_0002.tiff: annotated EOS", "'BAS_0003.tiff' is no file and class",
        "UNC", "1 pictures of annotations.dat", "BAS_0007", "1 pictures are not in",
    ):  # fmt: skip
        assert named in told
    assert "hidden" not in told
    assert "cache" not in told
    with pytest.raises(DataError, match="BAS_0005"):
        pictures[2].load()


def test_without_annotations_the_folders_tell(tmp_path: Path) -> None:
    touch(tmp_path / ROOT / "EBO" / "EBO_0001.tiff")
    pictures, told = read("munich", tmp_path)
    assert [p.spots[0].label for p in pictures] == ["erythroblast"]
    assert told.endswith("so the folders alone tell the classes")
    (tmp_path / ROOT / "EBO").rename(tmp_path / ROOT / "erythroblasts")
    with pytest.raises(DataError, match="<CODE>"):
        read("munich", tmp_path)


def test_the_published_counts_reach_every_part(tmp_path: Path) -> None:
    counts = {"BAS": 79, "EBO": 78, "EOS": 424, "PMO": 70, "MYO": 3268, "MON": 1789}
    for code, count in counts.items():
        for number in range(1, count + 1, 13):
            touch(tmp_path / ROOT / code / f"{code}_{number:04d}.tiff")
    pictures, _ = read("munich", tmp_path)
    assert not divided(pictures)
    tested = {p.spots[0].label for p in pictures if p.spots[0].split == "test"}
    trained = {p.spots[0].label for p in pictures if p.spots[0].split == "train"}
    assert tested >= {"basophil", "erythroblast", "eosinophil", "blast", "monocyte"}
    assert trained == {_CLASSES[code] for code in counts}


@settings(max_examples=25, deadline=None)
@given(st.sets(st.tuples(st.sampled_from(sorted(_CLASSES)), st.integers(0, 9999)), min_size=1, max_size=30))
def test_no_block_is_divided(names: set[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for code, number in names:
            touch(Path(folder) / ROOT / code / f"{code}_{number:04d}.tiff")
        pictures, _ = read("munich", Path(folder))
        assert len(pictures) == len(names)
        assert not divided(pictures)
        assert len(parts(pictures)) <= len(names)
