"""Label images: what they are called, and what they must not overwrite."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from edge.records.labels import LabelImages
from edge.types import LeukoscopeError, Reading
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
