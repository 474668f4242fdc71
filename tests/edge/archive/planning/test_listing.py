"""A tree of folders as slides: the same on a disk and in storage, in the same order, nothing lost unsaid."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fsspec", reason="the extra archive is not installed")

from edge.archive.entry import Aside, Entry
from edge.archive.place import ArchiveError, Place
from edge.archive.planning import listing
from edge.archive.planning.listing import identifier
from edge.cameras.files import kinds
from edge.cameras.files.folder import listed
from edge.records.identifiers import checked

Put = Any


@pytest.fixture(params=["disk", "memory"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, Put]]:
    """An input, and what puts files into it."""
    place = Place(str(tmp_path / "in") if request.param == "disk" else f"memory://{uuid4().hex}/in")

    def put(*names: str, content: bytes = b"x") -> None:
        for name in names:
            place.files.makedirs(place.path(name).rpartition("/")[0], exist_ok=True)
            place.files.pipe_file(place.path(name), content)

    yield place, put
    if request.param == "memory":
        place.files.rm(place.root, recursive=True)


def found(place: Place, independent: bool = False) -> tuple[list[Entry], dict[str, tuple[int, str]]]:
    aside = Aside()
    entries = list(listing.entries(place, aside, independent=independent))
    return entries, {each.reason: (each.count, each.first) for each in aside.counted}


def test_each_folder_that_holds_pictures_is_a_slide(tree: tuple[Place, Put]) -> None:
    place, put = tree
    put("2024/01/S-10/Im10.png", "2024/01/S-10/Im2.JPG", "2024/01/S-9/a.tif", "2024/01/b.webp", "top.png")
    entries, left = found(place)
    assert [(e.slide, e.place, e.source) for e in entries] == [
        ("in", 0, "top.png"),
        ("2024/01", 0, "2024/01/b.webp"),
        ("2024/01/S-9", 0, "2024/01/S-9/a.tif"),
        ("2024/01/S-10", 0, "2024/01/S-10/Im2.JPG"),
        ("2024/01/S-10", 1, "2024/01/S-10/Im10.png"),
    ]
    assert left == {}
    for entry in entries:
        assert entry.um_per_px is None
        assert entry.path.endswith(f"/in/{entry.source}")
        assert Place(entry.path).files.cat_file(Place(entry.path).root) == b"x"


def test_independent_pictures_are_slides_by_their_source(tree: tuple[Place, Put]) -> None:
    place, put = tree
    put("a/1.png", "a/2.png", "3.png")
    entries, _ = found(place, independent=True)
    assert [(e.slide, e.place) for e in entries] == [("3.png", 0), ("a/1.png", 0), ("a/2.png", 0)]


def test_what_is_left_out_is_counted_with_its_first(tree: tuple[Place, Put]) -> None:
    place, put = tree
    put("S/1.png", "S/b.mp4", "S/a.mp4", "T/c.mp4", "T/slide.svs", "T/notes.txt", ".hidden/2.png",
        "S/.3.png", "__MACOSX/S/1.png", "U/noname")  # fmt: skip
    aside = Aside()
    assert [e.source for e in listing.entries(place, aside)] == ["S/1.png"]
    assert [(each.reason.split(":")[0], each.count, each.first) for each in aside.counted] == [
        ("videos", 3, "S/a.mp4"),
        ("whole slides or files of a microscope", 1, "T/slide.svs"),
        ("files without a suffix", 1, "U/noname"),
    ]
    assert aside.passed_over == 1


def test_label_images_are_known_by_what_they_hold(tree: tuple[Place, Put]) -> None:
    place, put = tree
    label = cv2.imencode(".png", np.zeros((8, 8), np.uint16))[1].tobytes()
    colour = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    put("S/a.png", "S/a_nuclei.png", content=label)
    put("S/b.png", "S/b_nuclei.png", content=colour)
    entries, left = found(place)
    assert [e.source for e in entries] == ["S/b.png", "S/b_nuclei.png"]
    assert left == {kinds.LABELS: (2, "S/a.png")}


def test_the_order_is_not_the_file_system_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b/2.png", "b/10.png", "a2/1.png", "a10/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    expected = ["a2/1.png", "a10/1.png", "b/2.png", "b/10.png"]
    look = os.scandir
    for turned in (False, True):

        class Scandir(list[Any]):
            def __enter__(self) -> Scandir:
                return self

            def __exit__(self, *_: object) -> None: ...

        def scandir(path: Any, turned: bool = turned) -> Any:
            return Scandir(sorted(look(path), key=lambda entry: entry.name, reverse=turned))

        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", scandir)
            assert [e.source for e in found(Place(str(tmp_path)))[0]] == expected


def test_it_takes_what_the_device_takes(tmp_path: Path) -> None:
    """The device's listing and the archive's are of one rule."""
    for name in (
        "1.png",
        "a/2.jpg",
        "a/3.heic",
        "a/x.mp4",
        "a/y",
        "b/c/4.tif",
        "lost+found/5.png",
        ".d/6.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "z").symlink_to(tmp_path / "a")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    device, (entries, left) = listed(str(tmp_path)), found(Place(str(tmp_path)))
    assert sorted(e.source for e in entries) == sorted(device.names)
    assert sum(count for count, _ in left.values()) == len(device.left_out)


def test_links_are_followed_once(tmp_path: Path) -> None:
    top, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    for folder in (top / "S", top / ".kept", elsewhere / "T" / "U"):
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(b"x")
    (top / "again").symlink_to(top / "S")
    (top / "round").symlink_to(top)
    (top / "x").symlink_to(elsewhere)
    (top / "x2").symlink_to(elsewhere / "T")
    (top / "v").symlink_to(top / ".kept")
    (elsewhere / "T" / "back").symlink_to(top)
    assert [e.source for e in found(Place(str(top)))[0]] == ["S/1.png", "v/1.png", "x/T/U/1.png"]
    # a link to a folder that holds one walked already
    (top / "a").symlink_to(elsewhere / "T" / "U")
    assert [e.source for e in found(Place(str(top)))[0]] == ["S/1.png", "a/1.png", "v/1.png"]


def test_sub_folders_without_right_of_access_are_left_out(
    tree: tuple[Place, Put], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, put = tree
    put("a/1.png", "locked/2.png", "z/3.png")
    look, scan = place.files.ls, os.scandir

    def ls(path: str, **how: Any) -> Any:
        if "locked" in path:
            raise PermissionError(13, "Permission denied")
        return look(path, **how)

    def scandir(path: Any) -> Any:
        if "locked" in os.fspath(path):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    with monkeypatch.context() as patch:
        patch.setattr(place.files, "ls", ls)
        patch.setattr(os, "scandir", scandir)
        entries, left = found(place)
    assert [e.source for e in entries] == ["a/1.png", "z/3.png"]
    assert left == {"folders that cannot be read: Permission denied": (1, "locked")}


def test_storage_that_fails_meanwhile_gives_no_half_a_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(f"memory://{uuid4().hex}/in")
    for name in ("a/1.png", "b/2.png"):
        place.files.pipe_file(place.path(name), b"x")
    look = place.files.ls

    def ls(path: str, **how: Any) -> Any:
        if path.endswith("/b"):
            raise TimeoutError("no answer from the endpoint")
        return look(path, **how)

    monkeypatch.setattr(place.files, "ls", ls)
    with pytest.raises(ArchiveError, match=r"in/b: cannot be listed: no answer .*run it again"):
        found(place)


def test_an_input_that_is_not_there_is_told(tmp_path: Path) -> None:
    for address in (str(tmp_path / "nothing"), f"memory://{uuid4().hex}"):
        with pytest.raises(ArchiveError, match=rf"{address}: cannot be listed"):
            found(Place(address))


def test_when_a_file_was_written_stands_for_when_it_was_taken(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"x")
    os.utime(tmp_path / "1.png", (1.7e9, 1.7e9))
    (tmp_path / "2.png").symlink_to(tmp_path / "nothing")
    assert [e.taken_at for e in found(Place(str(tmp_path)))[0]] == ["2023-11-14T22:13:20+00:00", None]


@pytest.mark.parametrize(
    "told",
    [
        {"LastModified": datetime(2024, 3, 1, 14, 5, tzinfo=UTC)},
        {"mtime": datetime(2024, 3, 1, 14, 5, tzinfo=UTC).timestamp()},
        {"updated": "2024-03-01T14:05:00.000Z"},
        {"last_modified": datetime(2024, 3, 1, 14, 5)},
    ],
)
def test_storage_tells_it_in_many_ways(monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]) -> None:
    place = Place(f"memory://{uuid4().hex}")
    root = place.root

    def ls(path: str, **_: Any) -> Any:
        return [
            {"name": f"{root}/1.png", "type": "file", "size": 1, **told},
            {"name": f"{root}/", "type": "file", "size": 0},  # the empty object that stands for the folder
            {"name": f"{root}/x/", "type": "file", "size": 0},
        ]

    monkeypatch.setattr(place.files, "ls", ls)
    entries, left = found(place)
    assert [(e.source, e.taken_at) for e in entries] == [("1.png", "2024-03-01T14:05:00+00:00")]
    assert left == {}


def test_names_that_are_no_text_are_read_and_shown(tmp_path: Path) -> None:
    folder = os.fsdecode(bytes(tmp_path) + b"/M\xfcller")
    os.mkdir(folder)
    Path(folder, "1.png").write_bytes(b"x")
    ((entry,), _) = found(Place(str(tmp_path)))
    assert (entry.source, Path(entry.path).read_bytes()) == ("M\\xfcller/1.png", b"x")
    assert entry.slide.startswith("M\\xfcller~")


@pytest.mark.parametrize("inner", ["in", "other"])
def test_the_top_folder_s_slide_is_no_sub_folder_s(tmp_path: Path, inner: str) -> None:
    top = tmp_path / "in"
    (top / inner).mkdir(parents=True)
    for name in ("1.png", f"{inner}/1.png"):
        (top / name).write_bytes(b"x")
    slides = [e.slide for e in found(Place(str(top)))[0]]
    assert slides == (["./in", "in"] if inner == "in" else ["in", "other"])


LONG = "archive of the second clinic/2024/haematology/S-100 "


@pytest.mark.parametrize(
    ("path", "start", "end"),
    [
        ("2024/01/S-100", "2024/01/S-100", ""),
        ("Señor/٣", "Señor/٣", ""),
        (LONG * 3, "…", "~"),
        ("tab\there", "tab\\x09here", "~"),
        ("space ", "space ", "~"),
        ("a\u3164b", "ab", "~"),
        ("---", "---", "~"),
        (unicodedata.normalize("NFD", "Señor"), "Señor", "~"),
        ("S~aaaaaaaaaaaaa", "S~aaaaaaaaaaaaa", "~"),
    ],
)
def test_an_identifier_is_the_path_or_its_end_and_a_hash(path: str, start: str, end: str) -> None:
    name = identifier(path)
    assert checked(name) == name == identifier(path)
    assert name.startswith(start)
    assert (name != path) == bool(end)
    if end:
        assert len(name.rpartition(end)[2]) == 13


@given(
    st.lists(
        st.text(st.sampled_from("aé\u0301 \u00e9/\t\u200b~bc2\udcff"), min_size=1, max_size=90), max_size=50
    )
)
def test_no_two_paths_have_the_same(paths: list[str]) -> None:
    names = {path: identifier(path) for path in paths}
    assert all(checked(name) == name for name in names.values())
    assert len(set(names.values())) == len(names)


def test_a_slide_s_pictures_follow_one_another(tree: tuple[Place, Put]) -> None:
    place, put = tree
    put(*(f"{a}/{b}.png" for a in ("x", "x/y", "x/y/z", "x y") for b in (1, 2)), "x/y.png", "x/z/1.png")
    slides = [slide for slide, _ in groupby(found(place)[0], lambda e: e.slide)]
    assert len(slides) == len(set(slides)) == 5
