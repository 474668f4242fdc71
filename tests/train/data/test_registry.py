from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle.model_input import ModelInput
from edge.optics.specimen import BACKGROUND
from tests.train.conftest import COLOURS, draw
from tests.train.layouts import LAYOUTS
from train.data.classes import CLASSES, LEUKOCYTES, admitted
from train.data.dataset import DataError
from train.data.registry import DATASETS, dataset
from train.data.sets.artefacts import artefact_spots, nucleated_spots
from train.data.split import split_of
from train.data.windows import cached, middle, read


def test_every_data_set_says_where_it_comes_from() -> None:
    for name in DATASETS:
        found = dataset(name)
        assert found.name == name
        assert all((found.home, found.licence, found.citation, found.layout, found.split, found.groups))
    with pytest.raises(DataError, match="deepapl"):
        dataset("mystery")


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_the_scale_of_a_data_set_stands_on_its_entry(name: str, tmp_path: Path) -> None:
    LAYOUTS[name](tmp_path)
    source = dataset(name)
    if source.scale is None:
        assert name == "simulated"  # whose slides have a microscope each
        return
    assert source.scale.source
    pictures = source.read(source.root(tmp_path), lambda line: None)
    assert {picture.um_per_px for picture in islice(pictures, 20)} == {source.scale.um_per_px}


def test_labels_admit_classes() -> None:
    assert admitted("blast") == ("blast",)
    assert admitted("leukocyte") == LEUKOCYTES
    assert "platelet" not in admitted("nucleated")
    assert set(admitted("nucleated")) - set(admitted("no-blast")) == {"blast"}
    with pytest.raises(ValueError, match="thing"):
        admitted("thing")


def test_patients_stay_on_one_side(deepapl: Callable[..., Path]) -> None:
    data = deepapl()
    source = dataset("deepapl")
    parts: dict[str, set[str]] = {}
    for picture in source.read(source.root(data), pytest.fail):
        parts.setdefault(picture.spots[0].split, set()).add(picture.spots[0].group)
    assert set(parts) == {"train", "validation", "test"}
    assert not parts["train"] & parts["validation"]
    assert not parts["test"] & (parts["train"] | parts["validation"])


def test_the_split_depends_on_the_name_alone() -> None:
    shares = [split_of(f"Patient_{i:03d}") for i in range(2000)]
    assert 0.17 < shares.count("test") / 2000 < 0.23
    assert 0.12 < shares.count("validation") / 2000 < 0.18
    assert split_of("Patient_03") == split_of("Patient_03")


def test_the_authors_validation_cohort_is_never_trained_on(deepapl: Callable[..., Path]) -> None:
    data = deepapl()
    rows = "\n".join(f"Patient_{i:02d},AML,Validation" for i in range(30))
    (data / "deepapl" / "Data" / "master.csv").write_text(f"Patient_ID,Diagnosis,Cohort\n{rows}\n")
    source = dataset("deepapl")
    assert {p.spots[0].split for p in source.read(source.root(data), pytest.fail)} == {"test"}


def test_odd_files_are_told_and_left_out(deepapl: Callable[..., Path]) -> None:
    data = deepapl(patients=8)
    trained = next(f"Patient_{i:02d}" for i in range(8) if split_of(f"Patient_{i:02d}") == "train")
    slides = data / "deepapl" / "Data" / "All" / trained / "Signed slides"
    draw(slides / "Mystery cells" / "0.png", (1, 2, 3), 0)
    (slides / "Basophil").mkdir()
    (slides / "Lymphocyte" / "notes.txt").write_text("not a picture")
    (slides / "Lymphocyte" / "broken.png").write_bytes(b"\x89PNG broken")
    (slides / "Lymphocyte" / "empty.png").write_bytes(b"")
    told: list[str] = []
    windows = read(dataset("deepapl"), data, ModelInput(0.25, 64), told.append)
    text = "\n".join(told)
    for named in ("Mystery cells", "Basophil: no pictures", "notes.txt", "broken.png", "empty.png"):
        assert named in text
    assert set(windows.labels.tolist()) == {"blast", "lymphocyte", "neutrophil"}
    assert not any("broken" in name for name in windows.files)


def test_test_cells_are_not_read_for_training(deepapl: Callable[..., Path]) -> None:
    windows = read(dataset("deepapl"), deepapl(), ModelInput(0.25, 64), pytest.fail)
    assert set(windows.splits.tolist()) == {"train", "validation"}


def test_an_absent_or_empty_data_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="PBC_dataset_normal_DIB"):
        dataset("pbc").root(tmp_path)
    (tmp_path / "PBC_dataset_normal_DIB" / "lymphocyte").mkdir(parents=True)
    with pytest.raises(DataError, match="no readable picture"):
        read(dataset("pbc"), tmp_path, ModelInput(0.25, 64), lambda _: None)
    (tmp_path / "deepapl").mkdir()
    with pytest.raises(DataError, match="All"):
        read(dataset("deepapl"), tmp_path, ModelInput(0.25, 64), lambda _: None)


def test_windows_hold_the_cell_in_the_middle(deepapl: Callable[..., Path]) -> None:
    windows = read(dataset("deepapl"), deepapl(patients=6), ModelInput(0.25, 64), pytest.fail)
    crop = middle(windows.pixels, 32)[0]
    assert crop.shape == (32, 32, 3)
    np.testing.assert_array_equal(crop, windows.pixels[0, 16:48, 16:48])
    assert windows.pixels[0, 32, 32, 1] < BACKGROUND - 60
    # 120 px at 0.1 µm are 12 µm, 48 px of the specimen grid: clear glass around them
    assert (windows.pixels[:, 0] == BACKGROUND).all()


def test_the_cache_follows_the_files(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    data, source, cache = deepapl(patients=6), dataset("deepapl"), tmp_path / "cache"
    first = cached(source, data, ModelInput(0.25, 64), pytest.fail, 0, cache)
    again = cached(source, data, ModelInput(0.25, 64), pytest.fail, 0, cache)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert len(list(cache.iterdir())) == 1
    slides = data / "deepapl" / "Data" / "All" / first.groups[0] / "Signed slides"
    draw(slides / "Lymphocyte" / "more.png", COLOURS["lymphocyte"], 9)
    assert len(cached(source, data, ModelInput(0.25, 64), pytest.fail, 0, cache)) == len(first) + 1


def test_pbc_blocks_of_numbers_stay_together(tmp_path: Path) -> None:
    folder = tmp_path / "PBC_dataset_normal_DIB"
    for number in (20_001, 20_005, 39_999, 40_001):
        draw(folder / "lymphocyte" / f"LY_{number}.png", COLOURS["lymphocyte"], number)
    source = dataset("pbc")
    groups = [p.spots[0].group for p in source.read(source.root(tmp_path), pytest.fail)]
    assert groups == ["pbc/lymphocyte/1"] * 3 + ["pbc/lymphocyte/2"]


def _field() -> np.ndarray:
    """A field 60 µm wide: one dark nucleus, one pale red cell."""
    field = np.full((240, 240, 3), 235, np.uint8)
    cv2.circle(field, (60, 60), 16, (90, 50, 140), -1)
    cv2.circle(field, (180, 180), 14, (210, 150, 150), -1)
    return field


def test_artefacts_keep_away_from_cells_and_nuclei() -> None:
    rng = np.random.default_rng(0)
    spots = artefact_spots(_field(), 0.25, [(60.0, 60.0)], 6, rng)
    assert spots
    for x, y in spots:
        assert np.hypot(x - 60, y - 60) * 0.25 > 13.5
    # densest first: the red cell, not the glass
    assert np.hypot(spots[0][0] - 180, spots[0][1] - 180) < 18
    unlabelled = artefact_spots(_field(), 0.25, [], 20, rng)
    assert all(np.hypot(x - 60, y - 60) * 0.25 > 5 for x, y in unlabelled)


def test_nuclei_are_found_where_they_are() -> None:
    (x, y), *others = nucleated_spots(_field(), 0.25, 5)
    assert not others
    assert (x, y) == pytest.approx((60, 60), abs=3)


def test_boxes_of_fields_become_spots(tmp_path: Path) -> None:
    root = tmp_path / "txl_pbc"
    for part in ("train", "test"):
        (root / "images" / part).mkdir(parents=True)
        (root / "labels" / part).mkdir(parents=True)
        field = cv2.resize(_field(), (575, 575))
        cv2.imwrite(str(root / "images" / part / "a.png"), field[..., ::-1])
        (root / "labels" / part / "a.txt").write_text(
            "0 0.25 0.25 0.15 0.15\n1 0.75 0.75 0.1 0.1\nnonsense\n"
        )
    told: list[str] = []
    pictures = list(dataset("txl-pbc").read(root, told.append))
    assert [p.spots[0].split for p in pictures] == ["train", "test"]
    _, opened = pictures[0].opened()
    spot = opened.spots[0]
    assert spot.label == "no-blast"
    assert spot.centre_px == pytest.approx((143.75, 143.75))
    assert {s.label for s in opened.spots} <= {"no-blast", "artefact"}
    assert any("nonsense" in line for line in told)


def test_the_simulated_slides_offer_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    from train.data.sets import simulated

    monkeypatch.setattr(simulated, "SLIDES", 1)
    monkeypatch.setattr(simulated, "FIRST_SEED", 1001)
    pictures = list(dataset("simulated").read(Path(), pytest.fail))
    labels = {p.spots[0].label for p in pictures}
    assert labels <= set(CLASSES)
    assert {"neutrophil", "lymphocyte", "artefact"} <= labels
    neutrophil = next(p for p in pictures if p.spots[0].label == "neutrophil")
    pixels = neutrophil.load()
    assert pixels.shape[0] == pixels.shape[1] == round(36 / neutrophil.um_per_px)
    middle_part = pixels[pixels.shape[0] // 2 - 30 : pixels.shape[0] // 2 + 30, :, :]
    assert middle_part.min() < 150
    np.testing.assert_array_equal(pixels, neutrophil.load())


def test_real_pictures_are_read(shared_data: Path) -> None:
    source = dataset("pbc")
    windows = read(source, shared_data, ModelInput(0.25, 96), pytest.fail, limit=8)
    assert windows.pixels.shape[1:] == (96, 96, 3)
    # the ground is brought to one grey in every channel; cells are darker, so it is the brightest there is
    ground = np.percentile(windows.pixels.reshape(len(windows), -1, 3), 90, axis=1)
    assert np.abs(ground - BACKGROUND).max() < 12
