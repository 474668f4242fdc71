"""The doctor on made-up disks: room, wear, what is gone without power, permissions."""

from __future__ import annotations

import argparse
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from edge.doctor import disk
from edge.doctor.check import Subject
from tests.edge.doctor.sample import UNIT, Tree


def free(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: argparse.Namespace(free=megabytes * 1e6))


@pytest.mark.parametrize(
    ("megabytes", "level", "words"),
    [
        (20, "wrong", "20 MB are free"),
        (300, "worth knowing", "about 60 slides"),
        (1700, "fine", "about 300 slides"),
        (30_000, "fine", "thousands of slides"),
    ],
)
def test_room(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, megabytes: float, level: str, words: str
) -> None:
    free(monkeypatch, megabytes)
    found = disk.space(subject)
    assert found.level == level
    assert words in found.message


def test_how_many_slides_fit_is_told_from_those_that_are_there(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 500)
    with sqlite3.connect(subject.folder / "records.db") as database:
        database.execute("CREATE TABLE slides (id, filling)")
        database.executemany("INSERT INTO slides VALUES (?, zeroblob(10000000))", [(n,) for n in range(5)])
    assert "about 49 slides" in disk.space(subject).message


def mount(subject: Subject, line: str) -> None:
    """What mountinfo says of the file system that the data folder is on; `AT` stands for where it is."""
    file = subject.root / "proc/self/mountinfo"
    file.parent.mkdir(parents=True, exist_ok=True)
    others = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\nhalf a line\n"
    file.write_text(others + line.replace("AT", str(subject.root)) + "\n")


def test_a_disk_that_became_read_only(subject: Subject) -> None:
    mount(subject, "30 21 179:2 / AT rw,noatime shared:1 - ext4 /dev/mmcblk0p2 ro,errors=remount-ro")
    found = disk.storage(subject)
    assert found.level == "wrong"
    assert "read-only: nothing can be recorded" in found.message
    assert "remount,rw" in found.mend


@pytest.mark.parametrize(("box", "level"), [(True, "wrong"), (False, "worth knowing")])
@pytest.mark.parametrize(
    "line",
    [
        "30 21 0:30 / AT rw - tmpfs tmpfs rw,size=65536k",
        "29 21 0:29 / /media/rw rw - tmpfs tmpfs rw\n"
        "30 21 0:30 / AT rw - overlay overlayroot rw,lowerdir=/media/ro,upperdir=/media/rw/overlay",
    ],
)
def test_records_that_are_gone_without_power(subject: Subject, line: str, box: bool, level: str) -> None:
    if "upperdir" in line:
        line = line.replace("/media/rw rw", f"{subject.root}/media/rw rw")
    mount(subject, line)
    found = disk.storage(replace(subject, box=box))
    assert found.level == level
    assert "gone without power" in found.message


def card(subject: Subject, tree: Tree, files: dict[str, str]) -> None:
    """The data lies on the second partition of such a card."""
    mount(subject, "30 21 179:2 / AT rw - ext4 /dev/mmcblk0p2 rw")
    block = "sys/devices/mmc0/block/mmcblk0"
    tree({f"{block}/mmcblk0p2/partition": "2\n"})
    tree({name.replace("CARD", f"{block}/device"): content for name, content in files.items()})
    link = subject.root / "sys/dev/block/179:2"
    link.parent.mkdir(parents=True)
    link.symlink_to(subject.root / block / "mmcblk0p2")


@pytest.mark.parametrize(
    ("files", "level", "words"),
    [
        ({"CARD/type": "SD\n"}, "fine", "an SD card, which does not tell how worn it is"),
        (
            {"CARD/type": "MMC", "CARD/life_time": "0x01 0x03\n", "CARD/pre_eol_info": "0x01\n"},
            "fine", "mmcblk0: 20% to 30% of its life is used, spare blocks normal",
        ),
        ({"CARD/type": "MMC", "CARD/life_time": "0x02 0x09\n"}, "worth knowing", "80% to 90%"),
        ({"CARD/type": "MMC", "CARD/life_time": "0x0b 0x01\n"}, "worth knowing", "beyond its life"),
        (
            {"CARD/type": "MMC", "CARD/life_time": "0x01 0x01", "CARD/pre_eol_info": "0x03"},
            "worth knowing", "spare blocks used up",
        ),
        ({"CARD/type": "MMC", "CARD/life_time": "garbage"}, "fine", "does not tell"),
        ({"sys/fs/ext4/mmcblk0p2/errors_count": "3\n"}, "worth knowing", "file system, 3 so far"),
    ],
)  # fmt: skip
def test_wear(subject: Subject, tree: Tree, files: dict[str, str], level: str, words: str) -> None:
    card(subject, tree, files)
    found = disk.storage(subject)
    assert found.level == level, found
    assert words in found.message


def refuse(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """This user may not use this path; tests often run as root, who may use everything."""
    really = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: Path(p) != path and really(p, mode))


def test_a_data_folder_of_somebody_else(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, subject.folder)
    assert disk.permissions(subject).level == "wrong"
    assert "LEUKOSCOPE_HOME" in disk.permissions(subject).mend


def test_a_camera_that_only_a_group_may_use(
    subject: Subject, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree({"dev/video0": "", "dev/video1": "", "etc/group": f"root:x:9999:\nvideo:x:{os.getgid()}:\n"})
    assert disk.permissions(subject).level == "fine"
    refuse(monkeypatch, subject.root / "dev/video1")
    found = disk.permissions(subject)
    assert found.level == "wrong"
    assert "/dev/video1 is only for group video" in found.message
    assert found.mend == "sudo usermod -aG video $USER, then log in again"


def test_a_service_whose_user_may_not_use_cameras(subject: Subject, tree: Tree) -> None:
    tree({"etc/group": "video:x:44:pi\n"})
    assert "leukoscope, is not in group video" in disk.permissions(replace(subject, box=True)).message
    tree({"etc/group": "video:x:44:pi,leukoscope\n"})
    assert disk.permissions(replace(subject, box=True)).level == "fine"


@pytest.mark.parametrize("name", [".", "records.db", "records.db-wal"])
def test_records_that_others_may_look_into(subject: Subject, name: str) -> None:
    for file in ("records.db", "records.db-wal"):
        (subject.folder / file).touch(0o600)
    assert disk.permissions(subject).level == "fine"
    (subject.folder / name).chmod(0o740)
    found = disk.permissions(subject)
    assert found.level == "worth knowing"
    assert found.message == f"{subject.folder / name}: others on this machine may look into it"
    assert found.mend.startswith(f"chmod -R go= {subject.folder}")


def test_records_of_the_service_that_this_user_may_not_read(subject: Subject, tree: Tree) -> None:
    tree(
        {
            UNIT: "[Service]\nEnvironment=LEUKOSCOPE_HOME=/var/lib/leukoscope\n",
            "etc/group": "video:x:4:leukoscope",
        }
    )
    found = disk.permissions(replace(subject, box=True))
    assert found.level == "worth knowing"
    assert "sudo edge-device doctor" in found.mend
