"""Files of an archive's output are there whole or not at all, wherever they are kept."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("fsspec", reason="the extra archive is not installed")

from edge.archive.place import ArchiveError, Place


@pytest.fixture(params=["disk", "file://", "memory://"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """One on a disk, the same by an address, and one in storage that is no disk."""
    return Place(
        {
            "disk": str(tmp_path / "out"),
            "file://": f"file://{tmp_path}/out",
            "memory://": f"memory://{uuid4().hex}/out",
        }[request.param]
    )


def everything(place: Place) -> set[str]:
    """All files of it, unfinished ones too."""
    return set(place.files.find(place.root))


def test_what_is_written_is_read_again(place: Place) -> None:
    place.write("a/b/c.json", b"1")
    place.write("a/b/c.json", b"22")
    assert place.read("a/b/c.json") == b"22"
    assert (place.has("a/b/c.json"), place.has("a/b"), place.has("a/c.json")) == (True, True, False)
    assert place.names("a/b") == {"c.json"}
    assert (place.names("a"), place.names("")) == ({"b"}, {"a"})
    assert place.names("nothing") == set()
    with pytest.raises(FileNotFoundError):
        place.read("a/b/other.json")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(place: Place) -> None:
    place.write("a/b.json", b"old")
    before = everything(place)

    def write(name: str, failing: BaseException) -> None:
        with place.writing(name) as stream:
            stream.write(b"new, and not")
            raise failing

    for name in ("a/b.json", "a/new.json"):
        for failing in (ValueError("a bug"), KeyboardInterrupt()):
            with pytest.raises(type(failing)):
                write(name, failing)
        with pytest.raises(ArchiveError, match=rf"{name} cannot be written: No space left on device; mend"):
            write(name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert place.read("a/b.json") == b"old"
    assert everything(place) == before


def test_a_file_is_not_there_before_it_is_whole(place: Place) -> None:
    with place.writing("a/b.json") as stream:
        stream.write(b"half")
        assert place.names("a") == set()
        assert not place.has("a/b.json")
    assert place.names("a") == {"b.json"}


def test_folders_and_files_are_removed(place: Place) -> None:
    for name in ("work/0/a", "work/0/b/c", "work/1/a", "done"):
        place.write(name, b"")
    place.remove("work/0")
    place.remove("done")
    place.remove("work/0")
    assert (place.names("work"), place.has("done")) == ({"1"}, False)


def test_it_pickles_and_is_the_same(place: Place) -> None:
    place.write("a", b"1")
    other = pickle.loads(pickle.dumps(place))
    assert (other, other.read("a"), hash(other)) == (place, b"1", hash(place))
    assert (other.local is None) == place.address.startswith("memory")


def test_a_path_is_that_of_the_folder_where_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Place("out") == Place("~/out") == Place(f"{tmp_path}/x/../out") == Place(str(tmp_path / "out"))
    odd = Place("s::3 #1?")  # a name, though fsspec would take it apart
    odd.write("a", b"1")
    assert (tmp_path / "s::3 #1?" / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("address", "name", "file"),
    [
        ("/data/in", "a/b.png", "/data/in/a/b.png"),
        ("/data/in", "../b.png", "/data/b.png"),
        ("/data/in", "/other/b.png", "/other/b.png"),
        ("s3://bucket/in/", "a/b.png", "s3://bucket/in/a/b.png"),
        ("s3://bucket/in", "../b.png", "s3://bucket/b.png"),
        ("s3://bucket", "b #1.png", "s3://bucket/b #1.png"),
        ("memory://", "b.png", "memory://b.png"),
        ("zip://::s3://bucket/in.zip", "a/b.png", "zip://a/b.png::s3://bucket/in.zip"),
    ],
)
def test_the_address_of_a_file(address: str, name: str, file: str) -> None:
    assert Place(address).address_of(name) == file


@pytest.mark.parametrize(("address", "package"), [("s3://bucket/in", "s3fs"), ("gs://bucket/in", "gcsfs")])
def test_a_protocol_says_what_it_needs(address: str, package: str) -> None:
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    with pytest.raises(ArchiveError, match=rf"{address}: .* not installed .*pip install {package}, on every"):
        Place(address).names("")


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ArchiveError, match=r"nfs4://host/in: .*nfs4.*; give a folder or an address"):
        Place("nfs4://host/in").read("a")


def test_an_output_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    place = Place(str(tmp_path / "out"))
    with pytest.raises(ArchiveError, match=r"done cannot be listed: Not a directory"):
        place.names("done")
    with pytest.raises(ArchiveError, match=r"a/b cannot be written"):
        place.write("a/b", b"")


def test_what_libraries_of_storage_raise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(f"memory://{uuid4().hex}")

    def mv(*_: Any) -> None:
        raise RuntimeError("endpoint could not be connected")

    monkeypatch.setattr(place.files, "mv", mv)
    with pytest.raises(ArchiveError, match=r"a cannot be written: endpoint could not be connected"):
        place.write("a", b"1")
    assert everything(place) == set()


def test_storage_that_shows_files_whole_is_written_to_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.archive import place as module

    monkeypatch.setattr(module, "_SHOWN_WHOLE", frozenset(("memory",)))
    place = Place(f"memory://{uuid4().hex}")
    asked: list[tuple[str, bool]] = []
    opened = place.files.open

    def opening(path: str, mode: str, **how: Any) -> Any:
        asked.append((path, how.get("autocommit", True)))
        return opened(path, mode, **how)

    monkeypatch.setattr(place.files, "open", opening)
    place.write("a", b"1")
    assert asked == [(place.path("a"), False)]
    assert (place.read("a"), place.names("")) == (b"1", {"a"})


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_full_disk_keeps_what_was_there(tiny: Path) -> None:
    place = Place(str(tiny))
    place.write("a", b"old")
    with pytest.raises(ArchiveError, match=r"a cannot be written: No space left on device; mend that"):
        place.write("a", bytes(2 << 20))
    assert os.listdir(tiny) == ["a"]
    place.write("a", b"new")
    assert place.read("a") == b"new"
