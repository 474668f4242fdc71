"""What the tests of setup share: a box below a folder, and parts small enough to see through."""

from __future__ import annotations

import os
from pathlib import Path

from edge import device
from edge.setup.box import Box
from edge.setup.install import carry_out
from edge.setup.ledger import Ledger, held
from edge.setup.parts import Block, File, Part, Words
from edge.setup.plan import plan

Tree = dict[str, tuple[int, str]]

CMDLINE = "console=tty1 rootwait\n"
CONFIG = "[cm5]\ndtoverlay=mine"  # without a last line end, as people leave it


def tree(root: Path) -> Tree:
    """Every path below: its permissions, and its content or where it points."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        content = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path.relative_to(root))] = (path.lstat().st_mode, content)
    return found


def setup(root: Path, *arguments: str, profile: str = "raspberry-pi-5") -> int:
    """Run `edge-device setup` on this root; its exit status."""
    return device.main(
        ["setup", "--profile", profile, "--root", str(root), "--program", "/opt/leukoscope/bin", *arguments]
    )


def box_of(root: Path, *parts: Part) -> list[str]:
    """Bring a box to these parts; the failures."""
    box = Box(root)
    ledger = Ledger.read(box)
    with held(box, ledger):
        return carry_out(box, ledger, plan(box, ledger, parts), lambda _: None)


UNIT = Part("unit", "A unit.", files=(File("/etc/systemd/system/a.service", b"[Unit]\n", 0o600),))
BOOT = Part("boot", "Boot settings.",
            blocks=(Block(("/none", "/boot/firmware/config.txt"), "x=1\n"),),
            words=(Words(("/boot/firmware/cmdline.txt",), ("console=tty1", "b=2")),))  # fmt: skip
