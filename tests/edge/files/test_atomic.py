"""A file is replaced whole: its content is on the disk before its name is, and the name before it is told."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge import update
from edge.bundle import installed
from edge.bundle.installed import Installation
from edge.files import atomic, cachefile
from edge.optics.calibrations import FILE, Calibration, CalibrationError, CalibrationStore
from edge.selftest import outcome
from edge.update import UpdateError


def test_content_reaches_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def noted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def work(*arguments: Any) -> Any:
            done.append(name)
            return call(*arguments)

        return work

    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted("replace", Path.replace))
    atomic.write(tmp_path / "a", b"new")
    assert done == ["fsync", "replace", "fsync"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_failure_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    atomic.write(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folders_are_their_owners_alone(tmp_path: Path, umask: int) -> None:
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    before = os.umask(umask)
    try:
        for _ in range(2):
            atomic.make_folder(there / "a/b")
            atomic.write(there / "a/b/file", b"")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((there / name).stat().st_mode) for name in (".", "a", "a/b", "a/b/file")]
    assert modes == [0o755, 0o700, 0o700, 0o600]
    with pytest.raises(FileExistsError):
        atomic.make_folder(there / "a/b/file")


# -- root in a folder of somebody else -----------------------------------------------------------------------

USER, GROUP = 12345, 12346
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of another user, in which root works; not in pytest's own, which only root enters."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "home"
        folder.mkdir()
        os.chown(folder, USER, GROUP)
        monkeypatch.setenv("LEUKOSCOPE_HOME", str(folder))
        yield folder


CALIBRATION = Calibration("camera", 640, 480, 0.1, None, "2026-11-01T00:00:00+00:00", "given")
OUTCOME = outcome.Outcome("ort-fp32", "1", "", 1.0)


@only_root
def test_what_root_writes_in_the_folder_of_a_user_is_the_users(home: Path) -> None:
    who = os.geteuid(), os.getegid(), os.getgroups()
    CalibrationStore(home / FILE).save(CALIBRATION)
    outcome.keep(home, "key", OUTCOME)
    cachefile.write(home / "engines/a.engine", {}, b"engine")
    update._switch(Installation("a" * 64))
    made = [path for path in home.rglob("*")]
    names = {"engines", "a.engine", "bundles", "current.json", FILE, outcome.FILE}
    assert {path.name for path in made} == names
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(USER, GROUP)}
    assert (os.geteuid(), os.getegid(), os.getgroups()) == who


@only_root
def test_a_users_link_leads_root_nowhere(home: Path) -> None:
    theirs = home.parent / "etc"
    theirs.mkdir()
    for name in ("other.bundle", ".half.part"):
        (theirs / name).write_text("root's")
    os.utime(theirs / ".half.part", (0, 0))
    for name in ("bundles", "engines"):
        (home / name).symlink_to(theirs)
    with pytest.raises(UpdateError, match="cannot be written"):
        update._put_in_force(Installation("a" * 64))
    with pytest.raises(UpdateError, match="cannot be written"):
        update._copied(b"content", "a" * 64)
    update._tidy(Installation())
    with pytest.raises(PermissionError):
        cachefile.write(home / "engines/a.engine", {}, b"engine")
    assert {path.read_text() for path in theirs.iterdir()} == {"root's"}
    assert sorted(path.name for path in theirs.iterdir()) == [".half.part", "other.bundle"]


@only_root
def test_a_link_that_comes_meanwhile_leads_root_nowhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = home.parent / "etc"
    theirs.mkdir()
    make = atomic.make_folder

    def then_swapped(path: Path) -> None:
        make(path)
        if path == installed.folder():
            path.rename(home / "moved")
            path.symlink_to(theirs)

    monkeypatch.setattr(atomic, "make_folder", then_swapped)
    with pytest.raises(UpdateError, match="cannot be written"):
        update._put_in_force(Installation("a" * 64))
    assert installed.folder().is_symlink()
    assert list(theirs.iterdir()) == []


@only_root
def test_root_is_root_again_after_a_failure(home: Path) -> None:
    home.chmod(0o500)
    with pytest.raises(CalibrationError, match="cannot be written"):
        CalibrationStore(home / FILE).save(CALIBRATION)
    assert os.geteuid() == 0


@only_root
def test_in_its_own_folders_root_stays_root(tmp_path: Path) -> None:
    atomic.make_folder(tmp_path / "a")
    for path in (tmp_path / "a/b", tmp_path / "none/b"):
        with atomic.as_owner(path):
            assert os.geteuid() == 0
