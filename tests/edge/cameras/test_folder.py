"""Folders as clinics have them: what is read, what is left out, and that it is told."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.cameras import CameraError, OfFiles
from edge.cameras.files import camera as camera_module
from edge.cameras.files import folder as folder_module
from edge.cameras.files import kinds
from edge.cameras.files.camera import FileCamera
from edge.types import U8, FilesRead, Frame
from tests.edge.cameras.fakes import picture, write_image, write_video

SUFFIXES = (".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


@pytest.fixture(autouse=True)
def _no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """With libraries that not every machine has, more kinds of files are read."""
    for reads in (folder_module, camera_module):
        monkeypatch.setattr(reads, "readable", lambda: SUFFIXES)


def screened(
    path: Path | str, meanwhile: Callable[[int], object] = lambda _n: None
) -> tuple[list[Frame], FilesRead]:
    """All frames, and what is told at the end; `meanwhile` is called after each frame."""
    frames: list[Frame] = []
    with closing(FileCamera(str(path))) as camera:
        camera.open()
        while (frame := camera.read()) is not None:
            frames.append(frame)
            meanwhile(len(frames))
    assert isinstance(camera, OfFiles)
    return frames, camera.files(len(frames))


def reasons(files: FilesRead) -> dict[str, tuple[int, str]]:
    return {left.reason: (left.count, left.first) for left in files.left_out}


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("IMG_4.HEIC", "IMG_10.heif"), "HEIC"),
        (("a.CR2", "b.nef", "c.dng", "d.raw"), "raw pictures of a camera"),
        (("a.svs", "sub/b.czi"), "whole slides"),
        (("a.dcm",), "DICOM"),
        (("report.docx", "report.pdf"), "documents"),
        (("a.mp4", "b.AVI"), "videos: give --camera one by itself"),
        (("a.tar.gz", "a.zip"), "archives"),
        (("a.xyz", "b.part"), "files of an unknown kind"),
        (("DSC0001", "DSC0002"), "files without a suffix"),
    ],
)
def test_files_of_other_kinds_are_counted(tmp_path: Path, names: tuple[str, ...], reason: str) -> None:
    write_image(tmp_path / "Im1.png")
    touch(tmp_path, *names)
    frames, files = screened(tmp_path)
    assert (len(frames), files.read) == (1, 1)
    ((told, (count, first)),) = reasons(files).items()
    assert told.startswith(reason)
    assert (count, first) == (len(names), names[0])


def test_what_nobody_takes_for_a_picture_is_not_told(tmp_path: Path) -> None:
    write_image(tmp_path / "Im1.png")
    touch(
        tmp_path, "Thumbs.db", ".DS_Store", "._Im1.png", ".hidden/a.heic", "desktop.ini", "cells.json",
        "counts.CSV", "notes.txt", "$RECYCLE.BIN/a.png", "__MACOSX/a.png", "@eaDir/a/XL.jpg", "IMG_1.AAE",
    )  # fmt: skip
    frames, files = screened(tmp_path)
    assert [frame.source for frame in frames] == ["Im1.png"]
    assert files == FilesRead(1)
    assert files.note is None


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPEG", ".TIF"])
def test_other_names_of_the_formats_that_are_read(tmp_path: Path, suffix: str) -> None:
    image = write_image(tmp_path / ("a.jpg" if suffix.lower().startswith(".j") else "a.tif"))
    image.rename(tmp_path / f"photo{suffix}")
    (frame,), files = screened(tmp_path)
    assert (frame.source, frame.fault, files.left_out) == (f"photo{suffix}", None, ())


def test_pipes_sockets_and_devices_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "Im1.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "null.png").symlink_to("/dev/null")
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        frames, files = screened(tmp_path)
    assert [frame.source for frame in frames] == ["Im1.png"]
    assert reasons(files) == {kinds.NO_FILE: (3, "null.png")}
    assert screened(tmp_path / "*")[1] == files
    with pytest.raises(CameraError, match=r"pipe\.jpg: is no file; give"):
        FileCamera(str(tmp_path / "pipe.jpg")).open()


def test_a_folder_inside_that_cannot_be_read_does_not_lose_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("good/1.png", "locked/2.png", "locked2/3.png"):
        write_image(tmp_path / name)
    look = os.scandir

    def scandir(path: Any) -> Any:  # whoever runs this as root may read everything
        if "locked" in os.fspath(path):
            raise PermissionError(13, "Permission denied", path)
        return look(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        frames, files = screened(tmp_path)
        with pytest.raises(CameraError, match=r"camera .*locked: cannot be read: Permission denied"):
            FileCamera(str(tmp_path / "locked")).open()
    assert [frame.source for frame in frames] == ["good/1.png"]
    assert reasons(files) == {"folders that cannot be read: Permission denied": (2, "locked")}


def test_links_that_lead_nowhere_are_faults_and_counted(tmp_path: Path) -> None:
    write_image(tmp_path / "Im1.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "round").symlink_to(tmp_path)
    frames, files = screened(tmp_path)
    assert [(frame.source, frame.fault is None) for frame in frames] == [
        ("gone.png", False),
        ("Im1.png", True),
        ("loop.png", False),
    ]
    assert files.read == 1
    assert sum(left.count for left in files.left_out) == 2


def test_of_two_ways_into_a_folder_the_source_names_the_one_that_is_no_link(tmp_path: Path) -> None:
    write_image(tmp_path / "slide" / "1.png")
    (tmp_path / "a").symlink_to(tmp_path / "slide")
    (tmp_path / "z").symlink_to(tmp_path / "slide")
    assert [frame.source for frame in screened(tmp_path)[0]] == ["slide/1.png"]


def test_pictures_that_arrive_are_told_and_those_that_vanish_are_faults(tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / f"Im{number}.png")

    def meanwhile(read: int) -> None:
        if read == 1:
            (tmp_path / "Im2.png").unlink()
            write_image(tmp_path / "new" / "Im9.png")
            write_image(tmp_path / "Im0b.png")
            touch(tmp_path, "notes.txt")

    frames, files = screened(tmp_path, meanwhile)
    assert [frame.fault for frame in frames][:2] == [None, None]
    assert "cannot be read" in str(frames[2].fault)
    assert files.read == 2
    assert reasons(files)[kinds.ARRIVED] == (2, "Im0b.png")


def test_a_folder_that_is_gone_at_the_end_is_no_failure(tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    write_image(folder / "Im1.png")
    frames, files = screened(folder, lambda _n: shutil.rmtree(folder))
    assert files == FilesRead(len(frames))


def test_what_a_stopped_screening_did_not_reach_is_told(tmp_path: Path) -> None:
    for number in range(5):
        write_image(tmp_path / f"Im{number}.png")
    with closing(FileCamera(str(tmp_path))) as camera:
        camera.open()
        for _ in range(3):  # of which the line took two
            camera.read()
    assert reasons(camera.files(2)) == {kinds.NOT_REACHED: (3, "Im2.png")}


def label(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((48, 64), np.uint16))


def test_label_images_of_an_earlier_screening_are_left_out(tmp_path: Path) -> None:
    for name in ("00.jpg", "a.png", "b_nuclei.png", "c.png", "c_nuclei.png"):
        write_image(tmp_path / name)  # the last four are colour pictures that are only called so
    for stem in ("00", "labels/x", "labels/y#2", "a.png"):
        label(tmp_path / f"{stem}.png")
        label(tmp_path / f"{stem}_nuclei.png")
    label(tmp_path / "alone.png")  # without a partner it is whatever somebody made it
    frames, files = screened(tmp_path)
    assert [f.source for f in frames] == [
        "00.jpg",
        "a.png",
        "alone.png",
        "b_nuclei.png",
        "c.png",
        "c_nuclei.png",
    ]
    assert reasons(files) == {kinds.LABELS: (8, "00.png")}


@pytest.mark.parametrize("several", [False, True])
def test_each_page_of_a_file_is_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    contents: list[U8 | str] = [picture(1), "page 2 is damaged", picture(3)]

    def pages(path: Path, _reduction: int) -> Iterator[U8 | str]:
        yield from contents if path.name == "stack.tif" and several else [picture(7)]

    monkeypatch.setattr(camera_module, "pages", pages)
    touch(tmp_path, "a.png", "stack.tif", "z.png")
    frames, files = screened(tmp_path)
    stack = ["stack.tif#1", "stack.tif#2", "stack.tif#3"] if several else ["stack.tif"]
    assert [frame.source for frame in frames] == ["a.png", *stack, "z.png"]
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert reasons(files) == ({"page 2 is damaged": (1, "stack.tif#2")} if several else {})
    assert [f.source for f in screened(tmp_path / "stack.tif")[0]] == stack


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a.heic", "b.heic"), "has no images; left out: HEIC pictures: save them as JPEG"),
        (
            ("a.mp4", "b.mp4", "c.pdf"),
            r"has no images; left out: videos: .* \(2, first: a\.mp4\); documents: .* ",
        ),
        (("notes.txt",), "has no images; images end in"),
    ],
)
def test_a_folder_without_a_picture_says_what_is_there(
    tmp_path: Path, names: tuple[str, ...], told: str
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(CameraError, match=told):
        FileCamera(str(tmp_path)).open()


def test_no_name_carries_control_characters(tmp_path: Path) -> None:
    for name in ("esc\x1b[2J\a.png", "line\nbreak.png", "gpj.\u202epng.png", "c1\x9b.heic"):
        touch(tmp_path, name)
    frames, files = screened(tmp_path)
    sources = [frame.source for frame in frames]
    assert sources == ["esc\\x1b[2J\\x07.png", "gpj.\\u202epng.png", "line\\x0abreak.png"]
    assert str(files.note).isprintable()
    assert any(left.first == "c1\\x9b.heic" for left in files.left_out)
    odd = tmp_path / "odd\x1b[2J"
    odd.mkdir()
    camera = FileCamera(str(odd))
    assert camera.name == "odd\\x1b[2J"
    with pytest.raises(CameraError) as raised:
        camera.open()
    assert str(raised.value).isprintable()


def test_a_part_of_a_glob_that_exists_is_a_name(tmp_path: Path) -> None:
    for name in ("slide[1]/Im1.png", "slide1/Im9.png", "slide[1]/Im[2].png"):
        write_image(tmp_path / name)
    assert [f.source for f in screened(tmp_path / "slide[1]" / "*.png")[0]] == ["Im1.png", "Im[2].png"]
    assert [f.source for f in screened(tmp_path / "slide[1]" / "Im[2].png")[0]] == ["Im[2].png"]
    assert [f.source for f in screened(tmp_path / "slide[12]" / "*.png")[0]] == ["slide1/Im9.png"]


def test_a_glob_tells_what_it_leaves_out(tmp_path: Path) -> None:
    for name in ("Im1.png", "sub/Im2.png"):
        write_image(tmp_path / name)
    touch(tmp_path, "IMG_1.HEIC")
    frames, files = screened(tmp_path / "*")
    assert [frame.source for frame in frames] == ["Im1.png"]
    assert [(left.count, left.first) for left in files.left_out] == [(1, "IMG_1.HEIC"), (1, "sub")]
    frames, files = screened(tmp_path / "**")
    assert [frame.source for frame in frames] == ["Im1.png", "sub/Im2.png"]
    assert [left.first for left in files.left_out] == ["IMG_1.HEIC"]


def test_a_file_that_is_given_is_read_by_its_content(tmp_path: Path) -> None:
    image, video = write_image(tmp_path / "a.png"), write_video(tmp_path / "a.avi", 3)
    for name, source, count in (
        ("DSC1", image, 1),
        ("DSC1.bin", image, 1),
        ("slide", video, 3),
        ("s.dat", video, 3),
    ):
        (tmp_path / name).write_bytes(source.read_bytes())
        frames, files = screened(tmp_path / name)
        assert [(frame.source, frame.fault) for frame in frames] == [(name, None)] * count
        assert files == FilesRead(count)
    (tmp_path / "link").symlink_to(tmp_path)
    assert [f.source for f in screened(f"{tmp_path}/link/")[0]] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("IMG_1.HEIC", "cannot be read. HEIC pictures: save them as JPEG"),
        ("slide.svs", "whole slides or files of a microscope: export"),
        ("notes", "is not an image or a video: "),
    ],
)
def test_a_file_that_is_given_and_not_read_says_why(tmp_path: Path, name: str, told: str) -> None:
    touch(tmp_path, name)
    with pytest.raises(CameraError, match=told):
        FileCamera(str(tmp_path / name)).open()


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_image(tmp_path / "fields" / "a.png")
    assert [f.source for f in screened("~/fields/")[0]] == ["a.png"]


def test_samples_are_spread_over_a_folder(tmp_path: Path) -> None:
    for number in range(20):
        pixels = np.full((8, 8, 3), 10 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), pixels)
    (tmp_path / "10.png").write_bytes(b"damaged")
    camera = FileCamera(str(tmp_path))
    assert list(camera.samples(4)) == []
    camera.open()
    assert [int(pixels[0, 0, 0]) // 10 for pixels in camera.samples(4)] == [0, 5, 15]
    assert [int(pixels[0, 0, 0]) // 10 for pixels in camera.samples(40)] == [n for n in range(20) if n != 10]
    camera.close()


def test_samples_of_a_stack_are_its_pages(tmp_path: Path) -> None:
    pages = [np.full((120, 120, 3), 50 * number, np.uint8) for number in (1, 2, 3)]
    cv2.imwritemulti(str(tmp_path / "stack.tif"), pages)
    camera = FileCamera(str(tmp_path / "stack.tif"))
    assert [int(pixels[0, 0, 0]) for pixels in camera.samples(2)] == [50, 100]
    write_video(tmp_path / "film.avi", 3)
    assert list(FileCamera(str(tmp_path / "film.avi")).samples(2)) == []
