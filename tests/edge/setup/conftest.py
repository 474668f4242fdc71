"""A box below a folder, on which no command really runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.edge.setup.boxes import CMDLINE, CONFIG


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A box's file system: a boot partition and one file that a part replaces."""
    root = tmp_path / "box"
    (root / "boot/firmware").mkdir(parents=True)
    (root / "etc/sysctl.d").mkdir(parents=True)
    (root / "boot/firmware/config.txt").write_text(CONFIG)
    (root / "boot/firmware/cmdline.txt").write_text(CMDLINE)
    old = root / "etc/sysctl.d/90-leukoscope.conf"
    old.write_text("kernel.panic = 5\n")
    old.chmod(0o640)
    return root


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is the order of the writes, not the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Which programs were run; none of them really is."""
    ran: list[list[str]] = []

    def run(command: tuple[str, ...], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(list(command))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("edge.setup.install.subprocess.run", run)
    return ran
