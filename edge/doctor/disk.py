"""The data folder: may it be written, is there room, and how long will the disk last."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from edge.doctor import service
from edge.doctor.check import Check, Subject
from edge.files import mounts
from edge.files.kernel import text
from edge.records.database import ENDINGS

_SLIDE_MB = 5.0  # a slide of a few hundred cells, until this machine's own records tell
_FEW_SLIDES, _MB_AT_LEAST = 100, 100
_WORN = 0.8  # of an eMMC's life


def space(subject: Subject) -> Check:
    """How many slides still fit."""
    folder = existing(subject.folder)
    free_mb = shutil.disk_usage(folder).free / 1e6
    slides = int(free_mb / _mb_a_slide(subject.folder / "records.db"))
    said = f"{free_mb:,.0f} MB are free in {folder}"
    room = "copy old slides away and make room"
    if free_mb < _MB_AT_LEAST:
        return Check("wrong", said, room)
    if slides < _FEW_SLIDES:
        return Check("worth knowing", f"{said}, enough for about {slides} slides", room)
    many = "thousands of" if slides >= 2000 else f"about {slides // 100 * 100}"
    return Check("fine", f"{said}, enough for {many} slides")


def _mb_a_slide(records: Path) -> float:
    """What a slide took so far, MB."""
    try:
        with closing(
            sqlite3.connect(f"{records.absolute().as_uri()}?mode=ro", uri=True, timeout=1)
        ) as database:
            (slides,) = database.execute("SELECT count(*) FROM slides").fetchone()
        size_mb = records.stat().st_size / 1e6
    except (OSError, sqlite3.Error):
        return _SLIDE_MB
    return max(size_mb / slides, 0.1) if slides >= 5 else _SLIDE_MB


def storage(subject: Subject) -> Check:
    """Whether what is written stays, and how worn the disk is."""
    folder = existing(subject.folder)
    mount = mounts.mount_of(folder, subject.root)
    if mount is None:
        return Check("fine", "the system does not tell what the data folder lies on")
    if mount.read_only:
        return Check(
            "wrong", f"{mount.point} is read-only: nothing can be recorded",
            f"the disk may be failing: look at dmesg, then sudo mount -o remount,rw {mount.point}",
        )  # fmt: skip
    if mounts.in_memory(mount, subject.root):
        return Check(
            "wrong" if subject.box else "worth knowing",
            f"{folder} lies in memory: what is recorded there is gone without power",
            "give the data a partition of its own (edge-device setup, part read-only)",
        )  # fmt: skip
    return _wear(mount, mounts.disk_of(mount, subject.root))


def _wear(mount: mounts.Mount, disk: mounts.Disk) -> Check:
    name = disk.name or mount.source
    copy = "copy the records away and replace it"
    if disk.errors:
        return Check(
            "worth knowing", f"{name}: errors of the file system, {disk.errors} so far",
            f"check it (fsck) from another machine; {copy} if they come again",
        )  # fmt: skip
    if disk.life_used is not None and (disk.life_used >= _WORN or disk.reserve == "used up"):
        return Check("worth knowing", f"{name}: {_life(disk)}", f"{copy} soon")
    if disk.life_used is not None:
        return Check("fine", f"{name}: {_life(disk)}")
    if disk.kind == "SD":
        return Check("fine", f"{name}: an SD card, which does not tell how worn it is; make backups")
    return Check("fine", f"{name} ({mount.kind}) may be written; it does not tell how worn it is")


def _life(disk: mounts.Disk) -> str:
    used = disk.life_used or 0.0
    said = "beyond its life" if used > 1 else f"{used - 0.1:.0%} to {used:.0%} of its life is used"
    return f"{said}, spare blocks {disk.reserve}" if disk.reserve else said


def permissions(subject: Subject) -> Check:
    """Whether this user may use the cameras and write the data folder, and the service's user the same."""
    folder, home = existing(subject.folder), service.home(subject.root)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Check(
            "wrong", f"{folder}: this user may not write it",
            "use sudo, or set LEUKOSCOPE_HOME to a folder of your own",
        )  # fmt: skip
    nodes = sorted((subject.root / "dev").glob("video*"))
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        group = _group_of(closed[0], subject.root)
        return Check(
            "wrong", f"/dev/{closed[0].name} is only for group {group}, in which this user is not",
            f"sudo usermod -aG {group} $USER, then log in again",
        )  # fmt: skip
    if subject.box and "leukoscope" not in _members("video", subject.root):
        return Check(
            "wrong", "the service's user, leukoscope, is not in group video and may not use cameras",
            "sudo systemd-sysusers, then start the service again",
        )  # fmt: skip
    if home is not None and home != subject.folder:
        return Check(
            "worth knowing", f"looked at {folder}; the service keeps its records in {home}",
            "sudo edge-device doctor looks at those",
        )  # fmt: skip
    if opened := _open_to_others(subject.folder):
        return Check(
            "worth knowing", f"{' and '.join(map(str, opened))}: others on this machine may look into it",
            f"chmod -R go= {subject.folder}, with sudo if it is not yours",
        )  # fmt: skip
    cameras = ", and the cameras used" if nodes else ""
    return Check("fine", f"{folder} may be written{cameras}")


def _open_to_others(folder: Path) -> list[Path]:
    """The data folder and the files of the records, those that not only their owner may use."""
    found = []
    for path in (folder, *(folder / f"records.db{ending}" for ending in ENDINGS)):
        with suppress(OSError):
            if path.stat().st_mode & 0o077:
                found.append(path)
    return found


def existing(folder: Path) -> Path:
    """The folder, or while it is not made yet the one in which it will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _groups(root: Path) -> list[list[str]]:
    lines = text(root / "etc/group").splitlines()
    return [fields for line in lines if len(fields := line.split(":")) == 4]


def _group_of(node: Path, root: Path) -> str:
    number = str(node.stat().st_gid)
    return next((name for name, _, gid, _ in _groups(root) if gid == number), number)


def _members(group: str, root: Path) -> list[str]:
    return next((members.split(",") for name, _, _, members in _groups(root) if name == group), [])
