"""When commands run, and what becomes of files that are somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.setup.box import Box
from edge.setup.parts import Block, Command, File, Part, SetupError
from edge.setup.plan import KEPT
from tests.edge.setup.boxes import BOOT, CMDLINE, CONFIG, UNIT, box_of, tree

RELOAD = Command(("systemctl", "daemon-reload"), ("systemctl", "daemon-reload"), undo_after=True)


def test_what_reads_files_again_runs_whenever_one_of_its_files_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    monkeypatch.setattr(Box, "running", True)
    start = Command(("systemctl", "start", "a"), ("systemctl", "stop", "a"))
    one = Part("one", "", files=(File("/etc/one", b"1"),), commands=(RELOAD, start))
    two = Part("two", "", files=(File("/etc/two", b"2"),), commands=(RELOAD,))
    box_of(root, one)
    assert commands == [["systemctl", "daemon-reload"], ["systemctl", "start", "a"]]
    box_of(root, one)
    assert len(commands) == 2
    box_of(root, one, two)
    assert commands[2:] == [["systemctl", "daemon-reload"]]
    box_of(root, one)
    assert commands[3:] == [["systemctl", "daemon-reload"]]
    box_of(root)
    assert commands[4:] == [["systemctl", "stop", "a"], ["systemctl", "daemon-reload"]]


def test_what_an_image_could_not_run_is_run_by_setup_in_the_box(
    root: Path, monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    part = Part("one", "", files=(File("/etc/one", b"1"),), commands=(RELOAD,))
    box_of(root, part)
    box_of(root, part)
    assert commands == []
    monkeypatch.setattr(Box, "running", True)
    box_of(root, part)
    box_of(root, part)
    assert commands == [["systemctl", "daemon-reload"]]


def test_a_change_of_the_users_is_kept_when_it_is_written_over_and_when_undone(root: Path) -> None:
    before = tree(root)
    unit = root / "etc/systemd/system/a.service"
    kept = unit.with_name(unit.name + KEPT)
    box_of(root, UNIT)
    unit.write_text("mine\n")
    box_of(root, UNIT)
    assert unit.read_text() == "[Unit]\n"
    assert kept.read_text() == "mine\n"
    unit.write_text("mine again\n")
    box_of(root)
    assert not unit.exists()
    assert kept.read_text() == "mine\n"
    assert kept.with_name(kept.name + "-1").read_text() == "mine again\n"
    kept.unlink()
    kept.with_name(kept.name + "-1").unlink()
    for folder in ("etc/systemd/system", "etc/systemd"):  # they were not empty when setup let go of them
        (root / folder).rmdir()
    assert tree(root) == before


def test_lines_that_others_add_to_an_edited_file_survive_undo(root: Path) -> None:
    config, cmdline = root / "boot/firmware/config.txt", root / "boot/firmware/cmdline.txt"
    box_of(root, BOOT)
    assert cmdline.read_text() == "console=tty1 rootwait b=2\n"
    config.write_text(config.read_text() + "theirs=1\n")
    cmdline.write_text("quiet " + cmdline.read_text())
    after = tree(root)
    box_of(root, BOOT)
    assert tree(root) == after
    box_of(root)
    assert config.read_text() == CONFIG + "\ntheirs=1\n"
    assert cmdline.read_text() == "quiet console=tty1 rootwait\n"  # console=tty1 was there before


def test_a_new_version_replaces_its_block_in_place(root: Path) -> None:
    config = root / "boot/firmware/config.txt"
    box_of(root, BOOT)
    config.write_text(config.read_text() + "theirs=1\n")
    box_of(root, Part("boot", "", blocks=(Block(("/boot/firmware/config.txt",), "x=2\n"),)))
    assert config.read_text().endswith("x=2\n# leukoscope boot: up to here\ntheirs=1\n")
    assert "x=1" not in config.read_text()
    assert (root / "boot/firmware/cmdline.txt").read_text() == CMDLINE


def test_a_masked_unit_is_masked_again_after_undo(root: Path) -> None:
    unit = root / "etc/systemd/system/a.service"
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/dev/null")
    before = tree(root)
    box_of(root, UNIT)
    assert unit.read_text() == "[Unit]\n"
    assert not unit.is_symlink()
    box_of(root)
    assert tree(root) == before


@pytest.mark.parametrize("part", [UNIT, BOOT])
def test_no_link_leads_out_of_the_box(root: Path, tmp_path: Path, part: Part) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.txt").write_text("theirs")
    (root / "etc/systemd").symlink_to(outside)
    (root / "boot/firmware/config.txt").unlink()
    (root / "boot/firmware/config.txt").symlink_to(outside / "config.txt")
    with pytest.raises(SetupError, match="leads out of"):
        box_of(root, part)
    assert tree(outside) == {"config.txt": (0o100644, "theirs")}


def test_a_link_inside_the_box_is_followed_to_what_is_edited(root: Path) -> None:
    boot = root / "boot/config.txt"
    boot.symlink_to("firmware/config.txt")
    box_of(root, Part("boot", "", blocks=(Block(("/boot/config.txt",), "x=1"),)))
    assert boot.is_symlink()
    assert "x=1" in (root / "boot/firmware/config.txt").read_text()
