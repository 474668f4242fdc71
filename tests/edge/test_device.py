"""`edge-device`: subcommands, help, and nothing heavy before it is known what is wanted."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge import device
from edge.machine.profile import data_folder

COMMANDS = ("cameras", "calibrate", "doctor", "bench", "setup", "update")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_has_an_example_and_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom edge import device\n"
        f"try:\n    device.main({arguments!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert "edge-device" in done.stdout or "leukoscope" in done.stdout
    assert "example" in done.stdout or "--version" in arguments
    assert not {"onnxruntime", "cryptography", "matplotlib", "textual", "edge.line.pipeline"} & set(
        done.stderr.split()
    )


@pytest.mark.parametrize(
    "arguments", [[], ["melt"], ["update", "a", "b"], ["update", "--rollback", "--status"]]
)
def test_wrong_usage_is_one_line_and_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        device.main(arguments)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("edge-device")
    assert line.endswith("--help")


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a machine on which screening is a service."""
    monkeypatch.delenv("LEUKOSCOPE_HOME", raising=False)
    unit = tmp_path / "root/etc/systemd/system/leukoscope.service"
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text("[Service]\nEnvironment=LEUKOSCOPE_HOME=/var/lib/leukoscope\n")
    home = tmp_path / "root/var/lib/leukoscope"
    home.mkdir(parents=True, exist_ok=True)
    return home


def asked(command: str, done: list[Path]) -> argparse.Namespace:
    def run(arguments: argparse.Namespace) -> int:
        done.append(data_folder())
        if os.access(data_folder(), os.W_OK):
            (data_folder() / "made").write_text("")
        return 0

    return argparse.Namespace(command=command, run=run)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_makes_on_a_box_is_the_services(box: Path, tmp_path: Path) -> None:
    os.chown(box, 12345, 12346)
    done: list[Path] = []
    assert device._run(asked("update", done), tmp_path / "root") == 0
    assert done == [box]
    made = (box / "made").stat()
    assert (made.st_uid, made.st_gid) == (12345, 12346)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_was_not_handed_over_the_last_time_is_before_the_command(box: Path, tmp_path: Path) -> None:
    os.chown(box, 12345, 12346)
    (box / "bundles").mkdir()

    def run(_: argparse.Namespace) -> int:
        return (box / "bundles").stat().st_uid

    assert device._run(argparse.Namespace(command="update", run=run), tmp_path / "root") == 12345


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("when", ["before", "while"])
def test_only_what_lies_there_is_given_away(
    box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Not what a link or another name leads to, even if it is put there between the look and the deed."""
    theirs = tmp_path / "etc"
    theirs.mkdir()
    (theirs / "deep").write_text("root's")
    (theirs / "shadow").write_text("root's")
    folder = box / "below"
    folder.mkdir()
    (folder / "deep").write_text("")
    os.link(theirs / "shadow", box / "hard")
    (box / "soft").symlink_to(theirs / "shadow")
    (box / "folder").symlink_to(theirs)
    os.mkfifo(box / "pipe")
    os.chown(box, 12345, 12346)

    def swap() -> None:
        folder.rename(tmp_path / "moved")
        folder.symlink_to(theirs)

    seen = (folder / "deep").stat().st_ino
    looks = {"stat": os.stat, "fstat": os.fstat}

    def looked(name: str) -> Callable[..., os.stat_result]:
        def look(*arguments: Any, **how: Any) -> os.stat_result:
            found = looks[name](*arguments, **how)
            if found.st_ino == seen and not folder.is_symlink():
                swap()
            return found

        return look

    if when == "before":
        swap()
    else:
        for name in looks:
            monkeypatch.setattr(os, name, looked(name))
    device._hand_over(box)
    monkeypatch.undo()
    assert folder.is_symlink()
    assert {path.stat().st_uid for path in (theirs, *theirs.iterdir())} == {0}
    assert (tmp_path / "moved/deep").stat().st_uid == (12345 if when == "while" else 0)


def test_who_may_not_write_there_is_told_whose_it_is(
    box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != box and real(path, mode))
    done: list[Path] = []
    assert device._run(asked("calibrate", done), tmp_path / "root") == 0
    assert done == [tmp_path / "own/leukoscope"]
    (line,) = capsys.readouterr().err.splitlines()
    assert "for you alone" in line
    assert "sudo" in line
    device._run(asked("cameras", done), tmp_path / "root")
    assert capsys.readouterr().err == ""
