"""Readers on small trees laid out as the originals, odd files among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle.model_input import ModelInput
from tests.train.conftest import COLOURS, draw
from train.data.dataset import CYTOPLASM, NUCLEUS, SPLITS, DataError, Picture
from train.data.registry import dataset
from train.data.windows import read

_XML = "<annotation><object><name>WBC</name><bndbox>{}</bndbox></object></annotation>"
_BOX = "<xmin>40</xmin><ymin>40</ymin><xmax>80</xmax><ymax>80</ymax>"


def _odd(folder: Path) -> None:
    """What real folders hold beside pictures."""
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "._hidden.png").write_bytes(b"\0\5\x16\7")
    (folder / "Thumbs.db").write_bytes(b"\0")


def _read(name: str, data: Path) -> tuple[list[Picture], str]:
    told: list[str] = []
    source = dataset(name)
    pictures = list(source.read(source.root(data), told.append))
    return pictures, "\n".join(told)


@pytest.fixture
def cnmc(tmp_path: Path) -> Callable[..., Path]:
    """Make a data folder with cells of subjects in C-NMC's layout."""

    def make(names: tuple[str, ...], fold: int = 0) -> Path:
        for number, name in enumerate(names):
            kind = Path(name).stem.rsplit("_", 1)[1]
            folder = tmp_path / "C-NMC_Leukemia" / "training_data" / f"fold_{fold}" / kind
            draw(folder / name, COLOURS["blast"], number)
        return tmp_path

    return make


def test_cnmc_splits_by_subject_over_all_folds(cnmc: Callable[..., Path]) -> None:
    cells = [f"UID_{subject}_1_{cell}_all.bmp" for subject in range(1, 41) for cell in (1, 2)]
    cnmc(tuple(cells[::2]))
    data = cnmc((*cells[1::2], "UID_H7_1_1_hem.PNG"), fold=1)
    pictures, told = _read("cnmc", data)
    assert not told
    parts: dict[str, set[str]] = {}
    for picture in pictures:
        (spot,) = picture.spots
        parts.setdefault(spot.group, set()).add(spot.split)
    assert len(parts) == 41
    assert all(len(splits) == 1 for splits in parts.values())
    assert set.union(*parts.values()) == set(SPLITS)
    assert {p.spots[0].label for p in pictures} == {"blast", "lymphocyte"}


def test_cnmc_subjects_that_are_somebody_else_again_stay_with_them(cnmc: Callable[..., Path]) -> None:
    data = cnmc(("UID_H10_5_1_hem.png", "UID_h3_5_1_hem.png", "UID_H2_1_1_hem.png", "UID_H6_1_1_hem.png"))
    groups = {Path(p.name).name: p.spots[0].group for p in _read("cnmc", data)[0]}
    assert groups["UID_h3_5_1_hem.png"] == groups["UID_H10_5_1_hem.png"]
    assert groups["UID_H6_1_1_hem.png"] == groups["UID_H2_1_1_hem.png"]
    assert len(set(groups.values())) == 2


def test_cnmc_tells_what_it_leaves_out(cnmc: Callable[..., Path]) -> None:
    data = cnmc(("UID_1_1_1_all.png",))
    fold = data / "C-NMC_Leukemia" / "training_data" / "fold_0"
    draw(fold / "all" / "cell 7.png", COLOURS["blast"], 1)
    draw(fold / "all" / "UID_2_1_1_hem.png", COLOURS["blast"], 2)
    draw(fold / "unsure" / "UID_3_1_1_all.png", COLOURS["blast"], 3)
    (fold / "hem").mkdir()
    (fold / "all" / "UID_4_1_1_all.png").write_text("text")
    _odd(fold / "all")
    pictures, told = _read("cnmc", data)
    assert [Path(p.name).name for p in pictures] == ["UID_1_1_1_all.png", "UID_4_1_1_all.png"]
    for named in (
        "cell 7.png",
        "UID_2_1_1_hem.png",
        "'unsure'",
        "hem: no pictures",
        "notes.txt",
        "Thumbs.db",
    ):
        assert named in told
    assert ".DS_Store" not in told
    assert "_hidden" not in told
    with pytest.raises(DataError, match="UID_4_1_1_all"):
        pictures[1].load()


def test_cnmc_without_its_folds_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "C-NMC_Leukemia").mkdir()
    with pytest.raises(DataError, match="fold_0"):
        _read("cnmc", tmp_path)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """segmentation_WBC with three cells in either part, and both tables."""
    root = tmp_path / "segmentation_WBC"
    drawn = np.zeros((120, 120), np.uint8)
    cv2.circle(drawn, (60, 60), 40, 128, -1)
    cv2.circle(drawn, (60, 60), 20, 255, -1)
    drawn[0, 0] = 9  # specks, as in the second part
    for part in (1, 2):
        for number in (1, 100, 160):
            draw(root / f"Dataset {part}" / f"{number:03d}.bmp", COLOURS["neutrophil"], number)
            cv2.imwrite(str(root / f"Dataset {part}" / f"{number:03d}.png"), drawn)
        table = root / f"Class Labels of Dataset {part}.csv"
        table.write_bytes(b"image ID,class\r\n1,1\r\n100,2\r\n160,9\r\nrubbish\r\n,\r\n")
    return tmp_path


def test_masks_tell_nucleus_and_cytoplasm(masks: Path) -> None:
    picture = _read("zheng-1", masks)[0][0]
    assert picture.load_mask is not None
    mask = picture.load_mask()
    assert mask.shape == picture.load().shape[:2]
    assert mask[60, 60] == NUCLEUS
    assert mask[60, 90] == CYTOPLASM
    assert mask[0, 0] == mask[5, 60] == 0


def test_the_second_laboratory_is_all_test(masks: Path) -> None:
    assert [p.spots[0].split for p in _read("zheng-1", masks)[0]] == ["train", "validation", "train"]
    assert {p.spots[0].split for p in _read("zheng-2", masks)[0]} == {"test"}
    assert dataset("zheng-1").laboratory != dataset("zheng-2").laboratory


def test_a_table_with_wrong_lines_costs_their_types_only(masks: Path) -> None:
    pictures, told = _read("zheng-1", masks)
    assert [p.spots[0].label for p in pictures] == ["neutrophil", "lymphocyte", "leukocyte"]
    assert "160,9" in told
    assert "rubbish" in told
    (masks / "segmentation_WBC" / "Class Labels of Dataset 1.csv").unlink()
    pictures, told = _read("zheng-1", masks)
    assert {p.spots[0].label for p in pictures} == {"leukocyte"}
    assert "absent" in told


def test_a_picture_without_a_mask_that_fits_is_told(masks: Path) -> None:
    folder = masks / "segmentation_WBC" / "Dataset 1"
    (folder / "001.png").unlink()
    (folder / "160.bmp").unlink()
    cv2.imwrite(str(folder / "100.png"), np.zeros((50, 60), np.uint8))
    pictures, told = _read("zheng-1", masks)
    assert [p.name for p in pictures] == [str(Path("Dataset 1") / "100.bmp")]
    assert "001.bmp" in told
    assert "160.png" in told
    assert pictures[0].load_mask is not None
    with pytest.raises(DataError, match="60×50"):
        pictures[0].load_mask()


def _aria(root: Path, folder: str, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        draw(root / "aria_all" / "Original" / folder / f"WBC-{number:03d}.png", COLOURS["blast"], number)


def test_fields_carry_their_class_and_blocks_that_overlap_stay_together(tmp_path: Path) -> None:
    _aria(tmp_path, "Early", (211, 400, 500, 600))
    _aria(tmp_path, "Benign", (1, 2))
    _aria(tmp_path, "Other", (1,))
    (tmp_path / "aria_all" / "Original" / "Early" / "WBC-601.jpg").write_bytes(b"")
    pictures, told = _read("aria-fields", tmp_path)
    assert "'Other'" in told
    labels = {p.name: p.spots[0].label for p in pictures}
    assert set(labels.values()) == {"benign", "early"}
    groups = [p.spots[0].group for p in pictures if "Early" in p.name and "601" not in p.name]
    assert groups == ["aria/Early/7"] * 3 + ["aria/Early/20"]
    wide = pictures[0].load()
    assert wide.shape == (120, 160, 3)


def test_aria_reads_places_in_the_same_groups_as_its_fields(tmp_path: Path) -> None:
    _aria(tmp_path, "Pre", tuple(range(80, 160)))
    whole = {p.name: p.spots[0] for p in _read("aria-fields", tmp_path)[0]}
    places, _ = _read("aria", tmp_path)
    assert places
    for picture in places:
        for spot in picture.spots:
            assert (spot.group, spot.split) == (whole[picture.name].group, whole[picture.name].split)


def _bccd(data: Path, parts: dict[str, tuple[int, ...]]) -> None:
    base = data / "bccd" / "BCCD"
    for folder in ("Annotations", "ImageSets/Main"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    for part in ("train", "val", "test"):
        numbers = parts.get(part, ())
        names = [f"BloodImage_{n:05d}" for n in numbers]
        (base / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(names) + "\n")
        for name, number in zip(names, numbers, strict=True):
            draw(base / "JPEGImages" / f"{name}.jpg", COLOURS["neutrophil"], number)
            (base / "Annotations" / f"{name}.xml").write_text(_XML.format(_BOX))


def test_fields_that_overlap_follow_the_strictest_part(tmp_path: Path) -> None:
    _bccd(tmp_path, {"train": (1, 38, 254, 248), "val": (37, 386), "test": (233, 249, 391)})
    splits = {int(Path(p.name).stem[-5:]): p.spots[0].split for p in _read("bccd", tmp_path)[0]}
    assert splits[1] == "train"
    assert splits[37] == splits[38] == "validation"
    assert splits[233] == splits[254] == splits[248] == splits[249] == splits[386] == splits[391] == "test"


def test_cells_of_a_new_reader_can_be_cut(cnmc: Callable[..., Path]) -> None:
    windows = read(
        dataset("cnmc"), cnmc(("UID_5_1_1_all.png", "UID_16_1_1_all.png")), ModelInput(0.25, 64), pytest.fail
    )
    assert windows.pixels.shape[1:] == (64, 64, 3)
    assert set(windows.labels.tolist()) == {"blast"}


def test_no_subject_of_cnmc_is_ill_and_healthy(shared_data: Path) -> None:
    kinds: dict[str, set[str]] = {}
    for picture in _read("cnmc", shared_data)[0]:
        kinds.setdefault(picture.spots[0].group, set()).add(picture.spots[0].label)
    assert len(kinds) == 31
    assert all(len(labels) == 1 for labels in kinds.values())
