"""Which media people pull out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.files import mounts

Tree = Callable[[dict[str, str]], Path]


@pytest.mark.parametrize(
    ("point", "device", "said"),
    [("/media/stick", "8:1", True), ("/", "179:2", False), ("/boot", "179:1", False), ("/srv", "8:17", True)],
)
def test_what_people_pull_out(tree: Tree, point: str, device: str, said: bool) -> None:
    root = tree({"proc/self/mountinfo": "1 0 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n"})
    for place, name, whole in (
        ("pci/usb1/sda", "8:1", "0"), ("mmc/mmcblk0", "179:1", "0"), ("mmc/mmcblk0", "179:2", "0"),
        ("card/sdb", "8:17", "1"),
    ):  # fmt: skip
        disk = root / "sys/devices" / place
        part = disk / name.replace(":", "_")
        part.mkdir(parents=True)
        (part / "partition").write_text("1")
        (disk / "removable").write_text(whole)
        link = root / "sys/dev/block" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(part)
    # the system's own mount is looked up below `root`, whose name stands where it is mounted
    (root / "proc/self/mountinfo").write_text(f"1 0 179:2 / {root} rw - ext4 /dev/mmcblk0p2 rw\n")
    mount = mounts.Mount(point, "vfat", device, "/dev/x", ("rw",))
    assert mounts.removable(mount, root) is said


def test_what_lies_on_no_disk_is_not_pulled_out(tree: Tree) -> None:
    mount = mounts.Mount("/media/share", "cifs", "0:50", "//server/share", ("rw",))
    assert not mounts.removable(mount, tree({"proc/self/mountinfo": ""}))
