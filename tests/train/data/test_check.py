"""Pictures that show the same are found, and fail the check where they lie in different parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.types import U8
from train.cli import main
from train.data.check import check, report
from train.data.duplicates import near_duplicates, perceptual_hash, thumbnail
from train.data.registry import dataset


def _slide(seed: int, size: int = 480) -> U8:
    """A stretch of slide: discs of several colours anywhere, as fine as cells in a field."""
    rng = np.random.default_rng(seed)
    slide = np.full((size, size, 3), 235, np.uint8)
    for _ in range(150):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        colour = tuple(int(v) for v in rng.integers(60, 210, 3))
        cv2.circle(slide, centre, int(rng.integers(6, 18)), colour, -1)
    return np.asarray(cv2.GaussianBlur(slide, (0, 0), 1.5), np.uint8)


def _encoded(pixels: U8, quality: int = 60) -> U8:
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _pairs(pictures: list[U8], fields: list[list[int]] | None = None) -> list[tuple[int, int]]:
    found = near_duplicates([thumbnail(p) for p in pictures], fields or [])
    return [(f.first, f.second) for f in found]


def test_a_picture_encoded_anew_dimmed_or_blurred_is_found() -> None:
    place, other = _slide(1), _slide(2)
    dim = np.asarray(_encoded(place) * 0.8, np.uint8)
    soft = np.asarray(cv2.GaussianBlur(place, (0, 0), 2), np.uint8)
    assert sorted(_pairs([place, other, dim, soft])) == [(0, 2), (0, 3), (2, 3)]


def test_pictures_of_other_places_are_not_alike() -> None:
    assert _pairs([_slide(seed) for seed in range(12)], [list(range(12))]) == []


def test_fields_that_overlap_by_half_are_found_where_they_may() -> None:
    slide = _slide(3)
    fields = [slide[:320, :320], slide[20:340, 150:470], _slide(4)[:320, :320]]
    assert _pairs(fields, [[0, 1, 2]]) == [(0, 1)]
    assert _pairs(fields) == []


def test_cells_on_black_are_told_apart_by_their_texture() -> None:
    inside = np.zeros((480, 480), np.uint8)
    cv2.circle(inside, (240, 240), 150, 1, -1)
    cells = [np.asarray(_slide(seed) * inside[..., None], np.uint8) for seed in (5, 6, 7)]
    assert _pairs([*cells, _encoded(cells[1])]) == [(1, 3)]


def test_blank_pictures_are_like_nothing() -> None:
    assert _pairs([np.full((60, 80, 3), level, np.uint8) for level in (0, 128, 255)], [[0, 1, 2]]) == []


def test_the_hash_changes_in_few_bits() -> None:
    place = thumbnail(_slide(8))
    assert np.count_nonzero(perceptual_hash(place) ^ perceptual_hash(thumbnail(_encoded(_slide(8))))) <= 6
    assert np.count_nonzero(perceptual_hash(place) ^ perceptual_hash(thumbnail(_slide(9)))) > 12


@pytest.fixture
def pbc(tmp_path: Path) -> Callable[[dict[str, U8]], Path]:
    """Make a data folder with cells of PBC."""

    def make(cells: dict[str, U8]) -> Path:
        for name, pixels in cells.items():
            path = tmp_path / "PBC_dataset_normal_DIB" / "lymphocyte" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
        return tmp_path

    return make


def _in_different_parts() -> tuple[str, str]:
    """Names of two cells of PBC in different parts."""
    parts: dict[str, str] = {}
    from train.data.split import split_of

    for block in range(40):
        parts.setdefault(split_of(f"pbc/lymphocyte/{block}"), f"LY_{block * 20_000 + 1}.png")
    return parts["train"], parts["test"]


def test_copies_across_parts_fail_the_check(pbc: Callable[[dict[str, U8]], Path]) -> None:
    trained, tested = _in_different_parts()
    data = pbc({trained: _slide(1), tested: _slide(1), f"{Path(trained).stem}1.png": _slide(2)})
    found = check([dataset("pbc")], data)
    (leak,) = found.leaks
    assert leak.correlation == 1
    assert {leak.first.split, leak.second.split} == {"train", "test"}
    assert not found.passed
    text = "\n".join(report(found))
    assert "1 pairs" in text
    assert trained in text
    assert tested in text


def test_near_copies_across_parts_fail_it_too(pbc: Callable[[dict[str, U8]], Path]) -> None:
    trained, tested = _in_different_parts()
    found = check([dataset("pbc")], pbc({trained: _slide(1), tested: _encoded(_slide(1))}))
    (leak,) = found.leaks
    assert 0.68 < leak.correlation < 1


def test_copies_within_a_part_are_counted_and_pass(pbc: Callable[[dict[str, U8]], Path]) -> None:
    trained, _ = _in_different_parts()
    found = check([dataset("pbc")], pbc({trained: _slide(1), f"{Path(trained).stem[:-1]}2.png": _slide(1)}))
    assert len(found.repeats) == 1
    assert found.passed
    assert "1 pairs, 1 of them copies" in "\n".join(report(found))


def test_the_inventory_counts_what_can_be_read(pbc: Callable[[dict[str, U8]], Path]) -> None:
    trained, tested = _in_different_parts()
    data = pbc({trained: _slide(1), tested: _slide(2)})
    folder = data / "PBC_dataset_normal_DIB"
    (folder / "lymphocyte" / "LY_5.PNG").write_bytes(b"")
    (folder / "lymphocyte" / "LY_6.jpg").write_text("text under a picture's name")
    (folder / "mystery").mkdir()
    inventory = check([dataset("pbc")], data).inventories[0]
    assert (inventory.files, inventory.pictures) == (4, 2)
    assert inventory.cells == {"train": {"lymphocyte": 1}, "test": {"lymphocyte": 1}}
    assert inventory.groups == {"train": 1, "test": 1}
    text = "\n".join(inventory.odd)
    for named in ("LY_5.PNG", "LY_6.jpg", "'mystery'"):
        assert named in text


def test_two_data_sets_of_the_same_files_do_not_repeat_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "aria_all" / "Original" / "Pro"
    folder.mkdir(parents=True)
    for number in range(1, 8):
        cv2.imwrite(str(folder / f"WBC-{number:03d}.png"), _slide(number))
    found = check([dataset("aria"), dataset("aria-fields")], tmp_path)
    assert [i.pictures for i in found.inventories] == [2, 7]
    assert found.repeats == ()
    assert found.passed


def test_a_data_set_in_which_nothing_can_be_read_fails(tmp_path: Path) -> None:
    (tmp_path / "PBC_dataset_normal_DIB" / "lymphocyte").mkdir(parents=True)
    assert not check([dataset("pbc")], tmp_path).passed


def test_the_command_ends_with_3_where_parts_leak(
    pbc: Callable[[dict[str, U8]], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, tested = _in_different_parts()
    data = pbc({trained: _slide(1), tested: _slide(1)})
    out = tmp_path / "check.json"
    assert main(["datasets", "--data", str(data), "--check", "--json", str(out)]) == 3
    shown = capsys.readouterr()
    assert "failed" in shown.out
    assert "deepapl: not there" in shown.out
    written = json.loads(out.read_text())
    assert (written["passed"], written["leaks"]) == (False, 1)
    (data / "PBC_dataset_normal_DIB" / "lymphocyte" / tested).unlink()
    assert main(["datasets", "--data", str(data), "--check", "--dataset", "pbc", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


def test_the_command_says_which_data_sets_are_there(
    pbc: Callable[[dict[str, U8]], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = pbc({"LY_1.png": _slide(1)})
    assert main(["datasets", "--data", str(data)]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = {line.split(":")[0]: line for line in lines if not line.startswith(" ")}
    assert "not in" in named["cnmc"]
    assert "not in" not in named["pbc"]
    assert main(["datasets"]) == 0
    assert "not in" not in capsys.readouterr().out


def test_wrong_use_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["datasets", "--check"])
    assert ended.value.code == 2
    assert main(["datasets", "--check", "--data", str(tmp_path)]) == 1
    assert main(["datasets", "--check", "--data", str(tmp_path), "--dataset", "mystery"]) == 1
    told = capsys.readouterr().err
    assert "holds none" in told
    assert "mystery" in told


def test_the_development_data_hold_no_leak_in_what_was_mended(shared_data: Path) -> None:
    found = check([dataset(name) for name in ("txl-pbc", "zheng-1")], shared_data)
    assert len(found.repeats) > 5
    assert found.passed
