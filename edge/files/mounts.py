"""Which disk a folder lies on, how worn it is, and whether people pull it out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.files.kernel import integer, text

_WORN_OUT = 0xB  # JESD84-B51, DEVICE_LIFE_TIME_EST: 1 to 10 are tenths of its life, 11 is beyond


@dataclass(frozen=True)
class Mount:
    """What is mounted where, as proc_pid_mountinfo(5) tells.

    Attributes
    ----------
    point : where. kind : of file system. device : 'major:minor'. source : what is mounted.
    options : of the mount and of the file system.
    """

    point: str
    kind: str
    device: str
    source: str
    options: tuple[str, ...]

    @property
    def read_only(self) -> bool:
        return "ro" in self.options


@dataclass(frozen=True)
class Disk:
    """What a file system lies on, as far as it tells.

    Attributes
    ----------
    name : such as 'mmcblk0'. kind : 'SD', 'MMC' or empty.
    life_used : 0 to 1 of an eMMC's life; above 1 beyond its end. None for others: SD cards do not tell.
    reserve : of an eMMC's spare blocks: 'normal', 'low', 'used up'; empty where it does not tell.
    errors : errors of an ext4 file system since it was last checked, None for other file systems.
    """

    name: str = ""
    kind: str = ""
    life_used: float | None = None
    reserve: str = ""
    errors: int | None = None


def mount_of(folder: Path, root: Path = Path("/")) -> Mount | None:
    """What holds this folder, None where nothing tells."""
    lines = text(root / "proc/self/mountinfo").splitlines()
    path, found = str(folder.resolve()), None
    for mount in filter(None, map(_parsed, lines)):
        below = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        if below and (found is None or len(mount.point) >= len(found.point)):  # a later one covers an earlier
            found = mount
    return found


def _parsed(line: str) -> Mount | None:
    before, dash, after = line.partition(" - ")
    fields, rest = before.split(), after.split()
    if not dash or len(fields) < 6 or len(rest) < 2:
        return None
    options = [*fields[5].split(","), *(rest[2].split(",") if len(rest) > 2 else [])]
    return Mount(_unescaped(fields[4]), rest[0], fields[2], _unescaped(rest[1]), tuple(options))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)


def in_memory(mount: Mount, root: Path = Path("/")) -> bool:
    """Whether what is written there is gone without power, as on a system that runs from an overlay."""
    if mount.kind in ("tmpfs", "ramfs"):
        return True
    upper = next((option[9:] for option in mount.options if option.startswith("upperdir=")), None)
    if mount.kind != "overlay" or upper is None:
        return False
    above = mount_of(root / upper.lstrip("/") if root != Path("/") else Path(upper), root)
    return above is not None and above.point != mount.point and above.kind in ("tmpfs", "ramfs")


def disk_of(mount: Mount, root: Path = Path("/")) -> Disk:
    """The disk under a mount; what it does not tell is left out."""
    block = _block(mount, root)
    if block is None:
        return Disk()
    whole = _whole(block)
    card = whole / "device"
    return Disk(
        name=whole.name,
        kind=kind if (kind := text(card / "type")) in ("SD", "MMC") else "",
        life_used=_life_used(card / "life_time"),
        reserve={1: "normal", 2: "low", 3: "used up"}.get(integer(card / "pre_eol_info", 16) or 0, ""),
        errors=integer(root / "sys/fs/ext4" / block.name / "errors_count"),
    )


def removable(mount: Mount, root: Path = Path("/")) -> bool:
    """Whether people pull it out: a stick, a card in a reader, a disk on USB; not what the system runs from.

    Cards and disks on USB often do not call themselves removable.
    """
    block, system = _block(mount, root), mount_of(root, root)
    if block is None:
        return False
    running = _block(system, root) if system else None
    if running is not None and _whole(running) == _whole(block):
        return False
    whole = _whole(block)
    by_hand = mount.point.startswith(("/media/", "/run/media/"))
    return by_hand or text(whole / "removable") == "1" or "/usb" in str(whole)


def _block(mount: Mount, root: Path) -> Path | None:
    """What the kernel tells of the partition, or disk, under a mount."""
    place = root / "sys/dev/block" / mount.device
    if not place.exists():  # file systems over several devices have no number of their own there
        place = root / "sys/class/block" / Path(mount.source).name
    return place.resolve() if place.exists() else None


def _whole(block: Path) -> Path:
    """The disk of a partition."""
    return block.parent if (block / "partition").exists() else block


def _life_used(file: Path) -> float | None:
    """The worse of the two kinds of memory that an eMMC has (Linux: driver-api/mmc/mmc-dev-attrs)."""
    tenths = [int(word, 16) for word in re.findall(r"0x[0-9a-fA-F]+", text(file))]
    known = [min(one, _WORN_OUT) for one in tenths if one]
    return max(known) / 10 if known else None
