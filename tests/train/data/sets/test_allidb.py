"""ALL-IDB1 and ALL-IDB2 in the layout of the originals, odd files among them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.data.sets.trees import divided, field, leave_behind, parts, read, touch, write
from train.data.check import check
from train.data.dataset import SPLITS, DataError
from train.data.registry import dataset


def _marks(data: Path, name: str, lines: str, folder: str = "ALL_IDB1") -> None:
    path = data / folder / "xyc" / f"{name}.xyc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines)


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    """Two fields with lymphoblasts, one of them without red cells, and a healthy one."""
    base = tmp_path / "ALL_IDB1" / "im"
    field(base / "Im001_1.jpg", 60, [(350, 250)])
    field(base / "Im002_1.jpg", 0, [(100, 200), (500, 400)])
    field(base / "Im034_0.jpg", 0, [(200, 200), (450, 300)])
    _marks(tmp_path, "Im001_1", "350\t250\r\n")
    _marks(tmp_path, "Im002_1", "100 200\n\n500 400\n")
    _marks(tmp_path, "Im034_0", "")
    return tmp_path


def test_fields_are_read_whole_under_their_class(fields: Path) -> None:
    pictures, told = read("allidb1", fields)
    assert [(p.name, p.spots[0].label) for p in pictures] == [
        (str(Path("im", "Im001_1.jpg")), "all"),
        (str(Path("im", "Im002_1.jpg")), "all"),
        (str(Path("im", "Im034_0.jpg")), "healthy"),
    ]
    assert all(len(p.spots) == 1 and p.spots[0].centre_px is None for p in pictures)
    assert pictures[0].load().shape == (480, 640, 3)
    assert set(dataset("allidb1").labels) == {"all", "healthy"}
    assert "2 fields without red cells" in told


def test_a_field_is_measured_by_its_own_red_cells(fields: Path) -> None:
    measured, *nominal = (p.um_per_px for p in read("allidb1", fields)[0])
    assert measured == pytest.approx(7.5 / 60, rel=0.04)
    assert nominal == [0.10, 0.10]


def test_marks_become_blasts_and_nuclei_of_the_healthy_something_else(fields: Path) -> None:
    pictures, _ = read("allidb1-cells", fields)
    spots = {Path(p.name).stem: p.spots for p in pictures}
    assert [(s.label, s.centre_px) for s in spots["Im002_1"]] == [
        ("blast", (100.0, 200.0)), ("blast", (500.0, 400.0)),
    ]  # fmt: skip
    assert {s.label for s in spots["Im034_0"]} == {"no-blast"}
    found = sorted(s.centre_px or (0.0, 0.0) for s in spots["Im034_0"])
    assert found == [pytest.approx((200, 200), abs=4), pytest.approx((450, 300), abs=4)]
    whole = {p.name: p.spots[0] for p in read("allidb1", fields)[0]}
    assert all(
        (s.group, s.split) == (whole[p.name].group, whole[p.name].split) for p in pictures for s in p.spots
    )


def test_both_spellings_of_the_folder_are_understood(tmp_path: Path) -> None:
    write(tmp_path / "ALL-IDB1" / "im" / "im7_1.JPG")
    assert [p.spots[0].group for p in read("allidb1", tmp_path)[0]] == ["allidb1/all/0"]
    assert [p.spots[0].label for p in read("allidb1", tmp_path / "ALL-IDB1")[0]] == ["all"]


def test_a_copy_stays_with_its_original(tmp_path: Path) -> None:
    for number in (93, 99, 108):
        write(tmp_path / "ALL_IDB1" / "im" / f"Im{number:03d}_0.jpg")
        write(tmp_path / "ALL_IDB2" / "img" / f"Im{number:03d}_1.tif")
    assert len(parts(read("allidb1", tmp_path)[0])) == 1
    assert len(parts(read("allidb2", tmp_path)[0])) == 2


def test_odd_files_and_marks_are_told(fields: Path) -> None:
    base = fields / "ALL_IDB1" / "im"
    leave_behind(base)
    write(base / "Im3_2.jpg")
    write(base / "blood.jpg")
    (base / "Im040_0.jpg").write_text("no picture")
    for name in ("Im005_1", "Im006_1", "Im041_0", "Im007_1"):
        write(base / f"{name}.jpg")
    _marks(fields, "Im005_1", "1 2\nx y\n3\n5000 1\nnan 1\n1 2 3\n")
    _marks(fields, "Im006_1", "")
    _marks(fields, "Im041_0", "5 5\n")
    pictures, told = read("allidb1-cells", fields)
    names = [Path(p.name).stem for p in pictures]
    assert names == ["Im001_1", "Im002_1", "Im005_1", "Im034_0"]
    assert [s.centre_px for s in pictures[2].spots] == [(1.0, 2.0)]
    for named in (
        "notes.txt", "Im3_2.jpg: not named", "blood.jpg: not named", "Im040_0.jpg: cannot be read", "'x y'",
        "'3'", "'5000 1' lies outside", "'nan 1' lies outside", "'1 2 3'", "Im006_1.xyc: 0 blasts",
        "Im041_0.xyc: 1 blasts", "Im007_1.xyc: absent",
    ):  # fmt: skip
        assert named in told
    assert "hidden" not in told


def test_no_folder_and_no_pictures_are_told(tmp_path: Path) -> None:
    (tmp_path / "ALL_IDB1").mkdir()
    with pytest.raises(DataError, match="xyc"):
        read("allidb1", tmp_path)
    (tmp_path / "ALL_IDB2" / "img").mkdir(parents=True)
    assert read("allidb2", tmp_path) == ([], f"{tmp_path / 'ALL_IDB2' / 'img'}: no pictures")


def test_the_published_numbers_fill_every_part_with_both_classes(tmp_path: Path) -> None:
    for number in range(1, 261):
        touch(tmp_path / "ALL_IDB2" / "img" / f"Im{number:03d}_{int(number <= 130)}.tif")
    for number in range(1, 109):
        ill = number < 34 or 48 <= number < 64
        write(tmp_path / "ALL_IDB1" / "im" / f"Im{number:03d}_{int(ill)}.jpg")
    for name, most in (("allidb1", 108), ("allidb2", 260)):
        pictures, _ = read(name, tmp_path)
        assert len(pictures) == most
        assert not divided(pictures)
        held = {(s.split, s.label) for p in pictures for s in p.spots}
        assert held == {(split, label) for split in SPLITS for label in ("healthy", "all")}


@settings(max_examples=25, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 400), st.sampled_from("01")), max_size=25))
def test_no_block_is_divided(names: set[tuple[int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, kind in names:
            touch(Path(folder) / "ALL_IDB2" / "img" / f"Im{number:03d}_{kind}.tif")
            write(Path(folder) / "ALL_IDB1" / "im" / f"Im{number:03d}_{kind}.png", 8)
        for name in ("allidb1", "allidb2") if names else ():
            pictures, _ = read(name, Path(folder))
            assert len(pictures) == len(names)
            assert not divided(pictures)


def test_the_check_knows_its_labels(fields: Path) -> None:
    found = check([dataset("allidb1"), dataset("allidb1-cells")], fields)
    assert [i.pictures for i in found.inventories] == [3, 3]
    assert not any(i.unknown or i.divided for i in found.inventories)
    assert found.passed
