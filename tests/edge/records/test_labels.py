"""Label images: what they show, what they are called, and what they must not overwrite."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.records.labels import LabelImages, label_images
from edge.types import Cells, LeukoscopeError, Reading
from tests.edge.records.example import reading


def of(source: str, index: int = 0) -> Reading:
    one = reading(index, cells=0)
    return replace(one, frame=replace(one.frame, source=source))


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("Im001_1.jpg", ["Im001_1.png", "Im001_1_nuclei.png"]),
        ("sub/a.b.webp", ["sub/a.b.png", "sub/a.b_nuclei.png"]),
        ("demo:1", ["demo-1_000007.png", "demo-1_000007_nuclei.png"]),
        ("stack.tif#2", ["stack#2.png", "stack#2_nuclei.png"]),
        ("sub/a#1.tif", ["sub/a#1.png", "sub/a#1_nuclei.png"]),
        ("esc\\x1b[2J a:b.jpg", ["esc-x1b[2J a-b.png", "esc-x1b[2J a-b_nuclei.png"]),
        ("DSC0001", ["DSC0001_000007.png", "DSC0001_000007_nuclei.png"]),
        ("slide.mp4", ["slide.mp4_000007.png", "slide.mp4_000007_nuclei.png"]),
    ],
)
def test_they_are_called_like_their_source(tmp_path: Path, source: str, names: list[str]) -> None:
    LabelImages(tmp_path).reading(of(source, 7))
    assert written(tmp_path) == names


def test_folders_made_for_them_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LabelImages(tmp_path / "labels").reading(of("sub/a.jpg"))
    finally:
        os.umask(before)
    folders = (tmp_path / "labels", tmp_path / "labels/sub")
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700]


@pytest.mark.parametrize("other", ["a.png", "a_nuclei.jpg"])
def test_no_source_takes_the_place_of_another(tmp_path: Path, other: str) -> None:
    labels = LabelImages(tmp_path)
    for source in ("a.jpg", other, "a.jpg"):
        labels.reading(of(source))
    assert written(tmp_path) == sorted(["a.png", "a_nuclei.png", f"{other}.png", f"{other}_nuclei.png"])


def test_pages_and_files_of_one_name_are_apart(tmp_path: Path) -> None:
    labels = LabelImages(tmp_path)
    sources = ["a.tif#1", "a.tif#2", "a#2.tif", "a:b.jpg", "a-b.jpg", "a?b.jpg"]
    for index, source in enumerate(sources):
        labels.reading(of(source, index))
    assert len(written(tmp_path)) == 2 * len(sources)


@pytest.mark.parametrize(
    "content", [b"", b"somebody's", cv2.imencode(".png", np.zeros((4, 4, 3)))[1].tobytes()]
)
def test_no_file_is_overwritten_that_is_no_label_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sub" / "a.png"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(
        LeukoscopeError, match=r"--labels .*: sub/a\.png is there already and is no label image;"
    ):
        LabelImages(tmp_path).reading(of("sub/a.jpg"))
    assert path.read_bytes() == content


def test_label_images_are_written_anew(tmp_path: Path) -> None:
    for _ in range(2):
        LabelImages(tmp_path).reading(of("a.jpg"))
    assert written(tmp_path) == ["a.png", "a_nuclei.png"]


def test_a_picture_is_not_overwritten(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"the picture")
    with pytest.raises(LeukoscopeError, match=r"a\.png would overwrite a picture; give another folder"):
        LabelImages(tmp_path, picture.__eq__).reading(of("a.png"))
    assert picture.read_bytes() == b"the picture"


def test_a_file_where_a_folder_must_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "sub").write_text("in the way")
    with pytest.raises(LeukoscopeError, match=r"--labels .*/sub/a\.png: cannot be written"):
        LabelImages(tmp_path).reading(of("sub/a.png"))


def _two_cells() -> Cells:
    labels, nuclei = np.zeros((40, 60), np.int32), np.zeros((40, 60), np.bool_)
    labels[10:30, 10:30] = 1
    labels[5:15, 40:55] = 2
    nuclei[15:25, 15:25] = True
    return Cells(
        labels=labels,
        nuclei=nuclei,
        boxes=np.array([[10, 10, 30, 30], [40, 5, 55, 15]], np.float32),
        centres=np.array([[20, 20], [47.5, 10]]),
        area_um2=np.array([25.0, 9.4], np.float32),
        nucleus_area_um2=np.array([6.2, 0.0], np.float32),
        cut=np.zeros(2, np.bool_),
    )


def test_they_are_as_large_as_the_frame() -> None:
    cells, nuclei = label_images(_two_cells().in_frame(100, 150))
    assert cells.shape == nuclei.shape == (100, 150)
    assert set(np.unique(cells)) == {0, 1, 2}
    assert set(np.unique(nuclei)) == {0, 1}
    assert (cells == 1).sum() == pytest.approx(50 * 50, rel=0.1)
    assert cells[50, 50] == 1
    assert cells[25, 119] == 2
    assert not (nuclei.astype(bool) & (cells == 0)).any()


def test_without_cells_they_are_empty() -> None:
    for image in label_images(Cells.none(40, 60).in_frame(100, 150)):
        assert image.shape == (100, 150)
        assert not image.any()
