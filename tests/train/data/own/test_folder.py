from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.data.classes import CLASSES, LEUKOCYTE
from train.data.dataset import DataError, Picture
from train.data.own import Own, OwnError, folder
from train.data.own.names import NAMES
from train.data.registry import DATASETS, dataset, named
from train.data.sets.fields import RED_CELL


@pytest.fixture
def cells(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder with these pictures."""

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(
                str(tmp_path / name), np.full((80, 80, 3), 100 + zlib.crc32(name.encode()) % 150, np.uint8)
            )
        return tmp_path

    return make


def _read(root: Path, about: Own, told: list[str] | None = None) -> list[Picture]:
    return list(folder(about=about).read(root, (told if told is not None else []).append))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Blast", "blast"), ("MYO", "blast"), ("Lymphoblasts", "blast"), ("all", "blast"),
        ("Band neutrophils", "neutrophil"), ("NGS", "neutrophil"), ("Smudge cells", "smudge-cell"),
        ("immature-granulocyte", "immature-granulocyte"), ("ig", "immature-granulocyte"),
        ("MYB", "immature-granulocyte"), ("PMO", "immature-granulocyte"), ("PMB", "blast"),
        ("03_Eosinophils", "eosinophil"), ("hem", "lymphocyte"), ("Platelets", "platelet"),
        ("Typical lymphocytes", "lymphocyte"), ("Blast, no lineage spec", "blast"),
    ],
)  # fmt: skip
def test_usual_names_are_understood(cells: Callable[..., Path], name: str, label: str) -> None:
    (picture,) = _read(cells(f"{name}/a.png"), Own(um_per_px=0.1))
    assert picture.spots[0].label == label
    assert picture.spots[0].split == "test"
    assert picture.um_per_px == 0.1


def test_no_name_means_two_classes() -> None:
    aliases = [alias for names in NAMES.values() for alias in names.split()]
    assert len(aliases) == len(set(aliases))
    assert set(NAMES) == {*CLASSES, LEUKOCYTE, RED_CELL}
    assert all(alias.isascii() for alias in aliases)


def test_unknown_folders_are_told_once_and_taken_in_when_named(cells: Callable[..., Path]) -> None:
    root = cells("p1/Odd cells/a.png", "p2/Odd cells/b.png", "p1/blast/c.png")
    told: list[str] = []
    assert len(_read(root, Own(um_per_px=0.1), told)) == 1
    odd = [line for line in told if "Odd cells" in line]
    assert len(odd) == 1
    assert "2 pictures" in odd[0]
    taken = _read(root, Own(um_per_px=0.1, classes={"odd CELLS": "artefact"}))
    assert sorted(p.spots[0].label for p in taken) == ["artefact", "artefact", "blast"]


def test_what_is_given_wins_over_what_is_usual(cells: Callable[..., Path]) -> None:
    root = cells("promyelocyte/a.png")
    assert _read(root, Own(um_per_px=0.1))[0].spots[0].label == "immature-granulocyte"
    assert _read(root, Own(um_per_px=0.1, classes={"promyelocyte": "blast"}))[0].spots[0].label == "blast"


def test_patients_are_other_folders_or_a_part_of_the_name(cells: Callable[..., Path]) -> None:
    root = cells("blast/p1/a.png", "p2/blast/b.png", "blast/S7_c.png")
    told: list[str] = []
    assert [p.spots[0].group for p in _read(root, Own(um_per_px=0.1), told)] == ["blast/S7_c.png", "p1", "p2"]
    assert told  # three pictures, three groups: nothing says who is who
    groups = [p.spots[0].group for p in _read(root, Own(um_per_px=0.1, group=r"S(\d+)_"))]
    assert groups == ["7", "blast/p1/a.png", "p2/blast/b.png"]


def test_without_red_cells_the_scale_must_be_given(cells: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="--um-per-px"):
        _read(cells("blast/a.png", "blast/b.png"), Own())


def test_the_scale_is_measured_as_the_device_does(shared_data: Path) -> None:
    told: list[str] = []
    pictures = folder("folder:PBC_dataset_normal_DIB")
    found = list(pictures.read(pictures.root(shared_data), told.append))
    assert found[0].um_per_px == pytest.approx(0.1, rel=0.1)
    assert any("red cells" in line for line in told)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"um_per_px": 20.0}, "20"), ({"path": "../x"}, "leads out"), ({"group": "("}, "regular expression")],
)
def test_nonsense_is_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(OwnError, match=named):
        Own(**change)  # type: ignore[arg-type]


def test_folders_are_named_on_the_command_line(cells: Callable[..., Path]) -> None:
    data = cells("lab/blast/a.png")
    source = named("folder:lab", Own(um_per_px=0.2))
    assert source.name == "lab"
    assert [p.name for p in source.read(source.root(data), lambda _: None)] == ["blast/a.png"]
    assert named("pbc") is dataset("pbc")
    assert "folder" in DATASETS
    with pytest.raises(DataError, match="nowhere"):
        named("folder:nowhere").root(data)
    with pytest.raises(DataError, match="layout"):
        _read(data / "lab" / "blast", Own(um_per_px=0.1))


def test_any_class_may_be_given(cells: Callable[..., Path]) -> None:
    root = cells("ALL/p1/a.png", "AML/p2/b.png", "mds/p3/c.png")
    told: list[str] = []
    about = Own(um_per_px=0.1, classes={"all": "all", "aml": "aml", "cml": "cml"})
    assert [p.spots[0].label for p in _read(root, about, told)] == ["all", "aml"]
    assert any("no folder is called 'cml' (--class-of cml=cml)" in line for line in told)
    assert set(folder(about=about).labels) == {"all", "aml", "cml"}


def test_folders_of_no_usual_name_are_classes_of_their_own(cells: Callable[..., Path]) -> None:
    root = cells("Benign/1.png", "Early Pre-B/p1/2.png", "Early Pre-B/p2/3.png", "loose.png", ".cache/4.png")
    told: list[str] = []
    pictures = _read(root, Own(um_per_px=0.1), told)
    assert [p.spots[0].label for p in pictures] == ["benign", "early-pre-b", "early-pre-b"]
    assert [p.spots[0].group for p in pictures] == [str(Path("Benign", "1.png")), "p1", "p2"]
    text = "\n".join(told)
    assert "taken for classes: benign, early-pre-b" in text
    assert "1 pictures in no folder left out" in text
    assert "cache" not in text


def test_an_unknown_folder_beside_known_ones_is_named(cells: Callable[..., Path]) -> None:
    told: list[str] = []
    (picture,) = _read(
        cells("mystery/a.png", "blast/b.png", "._blast/c.png", "blast/._d.png"), Own(um_per_px=0.1), told
    )
    assert picture.name == str(Path("blast", "b.png"))
    assert any("'mystery'" in line and "--class-of" in line for line in told)


def test_no_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'x' \(x=mystery\)"):
        _read(tmp_path, Own(um_per_px=0.1, classes={"x": "mystery"}))
    with pytest.raises(DataError, match="named after a class"):
        _read(tmp_path, Own(um_per_px=0.1))
