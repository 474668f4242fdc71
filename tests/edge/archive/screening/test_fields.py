"""The camera of an archive's slide, and how its files are fetched."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.archive.entry import Entry
from edge.archive.place import ArchiveError
from edge.archive.screening import fields
from edge.archive.screening.fields import AHEAD, Ahead, SlideCamera, fetch, fields_of
from edge.cameras import Camera, CameraError
from edge.types import Frame


def pictures(folder: Path, count: int) -> list[Entry]:
    for i in range(count):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((8, 9 + i, 3), i, np.uint8))
    return [Entry("a", i, f"a/{i}.png", str(folder / f"{i}.png")) for i in range(count)]


def read(camera: SlideCamera) -> list[Frame]:
    camera.open()
    return list(iter(camera.read, None))  # type: ignore[arg-type]


def test_it_keeps_a_cameras_promises(tmp_path: Path) -> None:
    its = pictures(tmp_path, 3)
    with Ahead(its) as files:
        camera = SlideCamera("a", partial(fields_of, its, files))
        assert isinstance(camera, Camera)
        assert (camera.name, camera.live) == ("a", False)
        with pytest.raises(CameraError, match="slide a: is not open"):
            camera.read()
        for _ in range(2):  # it may be closed and opened again
            frames = read(camera)
            camera.open()
            assert camera.read() is None
            assert [frame.index for frame in frames] == [0, 1, 2]
            assert [frame.source for frame in frames] == ["a/0.png", "a/1.png", "a/2.png"]
            assert [frame.width for frame in frames] == [9, 10, 11]
            camera.close()
            camera.close()
    sums = [hashlib.sha256(Path(entry.path).read_bytes()).hexdigest() for entry in its]
    assert [known.sha256 for known in camera.known] == sums
    assert [known.entry for known in camera.known] == its


def test_each_page_is_a_frame_of_the_same_file(tmp_path: Path) -> None:
    cv2.imwritemulti(str(tmp_path / "stack.tif"), [np.zeros((8, 8, 3), np.uint8)] * 3)
    its = [Entry("a", 0, "stack.tif", str(tmp_path / "stack.tif")), *pictures(tmp_path, 1)]
    with Ahead(its) as files:
        camera = SlideCamera("a", partial(fields_of, its, files))
        frames = read(camera)
    assert [frame.source for frame in frames] == ["stack.tif#1", "stack.tif#2", "stack.tif#3", "a/0.png"]
    assert len({known.sha256 for known in camera.known}) == 2


def test_when_a_picture_was_taken_goes_with_it(tmp_path: Path) -> None:
    (entry,) = pictures(tmp_path, 1)
    dated = Entry("a", 0, "0.png", entry.path, taken_at="2024-03-01T14:05:00+02:00")
    with Ahead([dated]) as files:
        (frame,) = read(SlideCamera("a", partial(fields_of, [dated], files)))
    assert frame.captured_at.isoformat() == "2024-03-01T12:05:00+00:00"


def test_files_come_before_it_is_their_turn_and_no_more_than_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    its, fetched, come = pictures(tmp_path, 12), list[str](), threading.Event()

    def noted(path: str) -> Any:
        fetched.append(path)
        if len(fetched) == AHEAD + 1:
            come.set()
        return fetch(path)

    monkeypatch.setattr(fields, "fetch", noted)
    with Ahead(its) as files:
        files.take(its[0]).close()
        assert come.wait(10)
        assert sorted(fetched) == sorted(entry.path for entry in its[: AHEAD + 1])
        files.take(its[9]).close()  # a slide in between was given up
    assert len(fetched) <= 1 + AHEAD + 3


def test_a_bad_sector_is_the_files_fault_and_a_lost_mount_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "_PAUSES_S", (0.0, 0.0))
    tried = []

    def fails(number: int, path: Path) -> Any:
        tried.append(path)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fields.pictures, "opened", partial(fails, errno.EIO))
    assert fetch("/x/a.png").content == "the file cannot be read: Input/output error"
    assert len(tried) == 3
    monkeypatch.setattr(fields.pictures, "opened", partial(fails, errno.ESTALE))
    with pytest.raises(ArchiveError, match=r"/x/a\.png: where it lies does not answer \(Stale file handle\)"):
        fetch("/x/a.png")


@pytest.mark.parametrize(
    ("address", "told"),
    [("nosuch://a/b.png", "mend the address"), ("gdrive://a/b.png", "on every node|mend the address")],
)
def test_an_address_that_nothing_reads_is_told(address: str, told: str) -> None:
    with pytest.raises(ArchiveError, match=told):
        fetch(address)


def test_a_file_may_be_named_by_its_address(tmp_path: Path) -> None:
    (entry,) = pictures(tmp_path, 1)
    found = [fetch(path) for path in (entry.path, f"file://{entry.path}")]
    assert found[0].sha256 == found[1].sha256 is not None
    for each in found:
        each.close()
