"""What goes wrong while a box is set up: commands, disks, and the power at any moment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.setup import ledger as ledger_
from edge.setup.box import Box
from edge.setup.ledger import Ledger, held
from edge.setup.parts import Command, Part, SetupError
from tests.edge.setup.boxes import BOOT, UNIT, Tree, box_of, setup, tree


def test_a_command_that_fails_is_told_and_tried_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part("a", "", commands=(Command(("systemctl", "enable", "a"), in_root=True),))
    ran: list[int] = []

    def run(command: tuple[str, ...], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(1)
        return subprocess.CompletedProcess(command, len(ran) % 2, "", "Failed to enable\n")

    monkeypatch.setattr("edge.setup.install.subprocess.run", run)
    assert box_of(root, part) == [f"systemctl --root={root} enable a: ended with status 1 (Failed to enable)"]
    assert box_of(root, part) == []
    assert box_of(root, part) == []
    assert len(ran) == 2


def test_a_read_only_disk_is_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert setup(root, "--yes") == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Read-only file system" in line


def test_a_damaged_ledger_is_one_line(root: Path) -> None:
    box_of(root, UNIT)
    (root / ledger_.FOLDER[1:] / "ledger.json").write_text('{"format": 1, "parts": 1}')
    with pytest.raises(SetupError, match="is damaged"):
        box_of(root)
    (root / ledger_.FOLDER[1:] / "ledger.json").write_text('{"format": 2}')
    with pytest.raises(SetupError, match="another version of the program wrote it"):
        box_of(root)


def test_two_at_once(root: Path) -> None:
    box = Box(root)
    with held(box, Ledger()), pytest.raises(SetupError, match="another setup is at work"):
        box_of(root, UNIT)


class PowerCut(BaseException):
    """Nothing that runs after it reaches the disk any more."""


def _power_cuts(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> Iterator[bool]:
    """Does the work again and again, the power lasting one step longer each time; whether it got done."""
    for lasts in range(400):
        left = lasts

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def step(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                if left <= 0:
                    raise PowerCut
                left -= 1
                return call(*arguments, **named)

            return step

        with monkeypatch.context() as patch:
            for owner, name in (
                (os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (Path, "rmdir"),
            ):  # fmt: skip
                patch.setattr(owner, name, counted(getattr(owner, name)))
            try:
                work()
                done = True
            except PowerCut:
                done = False
        yield done
        if done:
            return
    raise AssertionError("the work never got done")


def _as_before(root: Path, before: Tree) -> bool:
    """Apart from folders, and half files of the ledger's, which a cut may leave and nobody reads."""
    now = {path: what for path, what in tree(root).items() if path in before or not (root / path).is_dir()}
    return {path: what for path, what in now.items() if "leukoscope-setup/" not in path} == before


def test_a_power_cut_in_setup_can_be_undone_or_gone_on_with(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(root)
    cuts = 0
    for done in _power_cuts(monkeypatch, lambda: box_of(root, UNIT, BOOT)):
        box_of(root)
        assert _as_before(root, before), f"cut {cuts}"
        cuts += not done
    assert cuts > 20
    box_of(root, UNIT, BOOT)
    whole = {path: what for path, what in tree(root).items() if "leukoscope-setup" not in path}
    box_of(root)
    for _ in _power_cuts(monkeypatch, lambda: box_of(root, UNIT, BOOT)):
        box_of(root, UNIT, BOOT)
        assert {path: what for path, what in tree(root).items() if "leukoscope-setup" not in path} == whole
        box_of(root)


def test_a_power_cut_in_undo_can_be_gone_on_with(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(root)
    box_of(root, UNIT, BOOT)
    for _ in _power_cuts(monkeypatch, lambda: box_of(root)):
        box_of(root)
        assert _as_before(root, before)
        box_of(root, UNIT, BOOT)
