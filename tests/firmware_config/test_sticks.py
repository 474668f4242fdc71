"""What is done with a stick: as what it is mounted, where, and what is left alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PART = Path(__file__).parents[2] / "firmware_config/parts/sticks"
PLACES = "/run/media/leukoscope"

# what they do of themselves is not tried here, only what is asked of them
PROGRAMS = {
    "findmnt": 'exit "${NAMED:-1}"',
    "id": "echo 997",
    "lsblk": """
case "$*" in
    *PKNAME*) echo "$DISK";;
    *LABEL*) [ "${*##* }" = "/dev/$DISK" ] && printf '%s\\n' "$LABELS";;
    *MOUNTPOINTS*) [ "${*##* }" = "/dev/$DISK" ] && printf '%s\\n' "$MOUNTPOINTS";;
esac
""",
    "mount": 'echo "$*" >>"$TOLD"; case "$*" in *,ro\\ *) ;; *) exit "${FAILS:-0}";; esac',
    "udevadm": """
case "$*" in
    *ID_FS_TYPE*) echo "$TYPE";;
    *ID_FS_LABEL*) printf '%s\\n' "$LABEL";;
esac
""",
    "umount": 'echo "umount $*" >>"$TOLD"; case "$*" in --lazy*) ;; *) exit "${BUSY:-0}";; esac',
}

Run = Callable[..., str]


@pytest.fixture
def places(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    return tmp_path / "media"


@pytest.fixture
def run(tmp_path: Path, places: Path) -> Run:
    """Runs the script among these programs, told so; what it asked them to do."""
    if shutil.which("sh") is None or not Path("/dev").exists():
        pytest.skip("the box is a Linux machine")
    folder, runtime, told = tmp_path / "bin", tmp_path / "run", tmp_path / "told"
    folder.mkdir()
    runtime.mkdir()
    for name, content in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\n{content}\n")
        (folder / name).chmod(0o755)
    text = (PART / "stick.sh").read_text()
    assert text.count(PLACES) == 1
    script = tmp_path / "stick.sh"
    script.write_text(text.replace(PLACES, str(places)))

    def once(what: str = "take", name: str = "sda1", status: int = 0, **told_so: str) -> str:
        told.write_text("")
        known = {"TYPE": "vfat", "LABEL": "STICK", "DISK": "sda", "LABELS": "STICK", "MOUNTPOINTS": ""}
        environment = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "RUNTIME_DIRECTORY": str(runtime),
            "TOLD": str(told),
        }
        done = subprocess.run(
            ["sh", script, what, name], env=environment | known | told_so, capture_output=True, check=False
        )
        assert done.returncode == status, done.stderr
        return told.read_text()

    return once


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("KINGSTON", "KINGSTON"),
        ("MY STICK", "MY_STICK"),
        ("../../etc", "etc"),
        ("..", "stick"),
        ("", "stick"),
        ("-rf *", "rf"),
        ("$(touch x)`x`;\"'", "touch_x_x"),
        ("a\nb\\x0a", "a_b_x0a"),
        ("Отчёты 2026", "2026"),
        ("\u202egpj.exe", "gpj_exe"),
        ("x" * 200, "x" * 32),
    ],
)
def test_a_label_is_a_hint_for_a_plain_name(run: Run, places: Path, label: str, name: str) -> None:
    assert run(LABEL=label).endswith(f" /dev/sda1 {places / name}\n")
    assert [place.name for place in places.iterdir()] == [name]


def test_a_name_that_is_taken_is_told_apart_by_the_device(run: Run, places: Path) -> None:
    run()
    assert run(name="sdb1", DISK="sdb").endswith(f" {places}/STICK-sdb1\n")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("vfat", "uid=997,gid=997,umask=077,flush,utf8"),
        ("exfat", "uid=997,gid=997,umask=077"),
        ("ntfs", "uid=997,gid=997,umask=077"),
        ("ext4", "errors=remount-ro"),
        ("ext2", "errors=remount-ro"),
    ],
)
def test_nothing_on_it_is_a_program_a_device_or_a_link(run: Run, kind: str, options: str) -> None:
    asked = re.fullmatch(r"--types (\S+) --options (\S+) /dev/sda1 \S+\n", run(TYPE=kind))
    assert asked
    assert asked[1] == (kind if kind != "ntfs" else "ntfs3,ntfs-3g")
    assert set(asked[2].split(",")) >= {
        *("nosuid", "nodev", "noexec", "nosymfollow", "dirsync"),
        *options.split(","),
    }
    assert ("uid=" in asked[2]) == (not kind.startswith("ext"))


def test_what_cannot_be_written_is_read(run: Run) -> None:
    first, second = run(FAILS="32").splitlines()
    assert ",ro " not in first
    assert ",ro " in second


@pytest.mark.parametrize(
    "told",
    [
        {"NAMED": "0"},
        {"MOUNTPOINTS": "\n/"},
        {"MOUNTPOINTS": "/boot/firmware\n/"},
        {"MOUNTPOINTS": "[SWAP]"},
        {"MOUNTPOINTS": "/var/lib/leukoscope"},
        {"MOUNTPOINTS": "/media/root-ro"},
        {"LABELS": "BESIDE\nLEUKOSCOPE"},
        {"LABELS": "LEUKOSCOPE "},  # padded to a column's width
    ],
)
def test_what_is_the_systems_is_left_alone(run: Run, places: Path, told: dict[str, str]) -> None:
    assert run(**told) == ""
    assert list(places.iterdir()) == []
    assert run("release", **told) == ""


def test_what_is_only_like_them_is_taken(run: Run, places: Path) -> None:
    assert run(LABELS="LEUKOSCOPE2", MOUNTPOINTS=f"\n{places}/OTHER")


def test_a_whole_disk_without_partitions_is_taken(run: Run, places: Path) -> None:
    assert run(name="sda", DISK="").endswith(f" /dev/sda {places}/STICK\n")


@pytest.mark.parametrize("busy", ["0", "1"])
def test_its_place_goes_with_it(run: Run, places: Path, busy: str) -> None:
    run()
    asked = run("release", BUSY=busy).splitlines()
    assert asked == [f"umount {places}/STICK", f"umount --lazy {places}/STICK"][: 1 + int(busy)]
    assert list(places.iterdir()) == []


def test_the_unit_mounts_for_everybody() -> None:
    """These would give it a view of the file system of its own, and nobody else would see the stick."""
    lines = (PART / "leukoscope-stick@.service").read_text().splitlines()
    settings = {line.partition("=")[0] for line in lines if not line.startswith("#")}
    of_its_own = re.compile(r"Private|Protect|MountFlags|.*Paths$|.*Directories$|Root|Dynamic|TemporaryFile")
    assert not [name for name in settings if of_its_own.match(name)]
    assert f"ReadWritePaths=-{PLACES}\n" in (PART / "sandbox.conf").read_text()


def test_only_removable_disks_with_a_file_system_that_is_known_come_to_it() -> None:
    rules = (PART / "71-leukoscope-sticks.rules").read_text()
    (kinds,) = re.findall(r'ENV\{ID_FS_TYPE\}!="(\S+)"', rules)
    script = (PART / "stick.sh").read_text()
    patterns = re.findall(r"^ +(\w+\*?)\) options=", script, re.MULTILINE)
    assert all(any(re.fullmatch(p.replace("*", "."), kind) for p in patterns) for kind in kinds.split("|"))
    assert set(re.findall(r'GOTO="(\w+)"', rules)) == set(re.findall(r'LABEL="(\w+)"', rules))
