"""The start of the box's screen: in the terminal with all colours, or on the plain console, and its end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SCREEN = Path(__file__).parents[2] / "firmware_config/parts/kiosk/screen.sh"

# what they do of themselves is not tried here, only what is asked of them
SYSTEMD_CAT = 'shift; exec "$@"'
CAGE = 'while [ "$1" != -- ]; do shift; done; shift; "$@"'
FOOT = """
for each; do
    case "$each" in -*) echo "$each" >>"$RUNTIME_DIRECTORY/asked"; shift;; *) break;; esac
done
export COLORTERM=truecolor; exec "$@"
"""
CAT = """
case "$1" in
    /sys/class/tty/*) echo tty1;;
    /sys/class/drm/*) echo "$MODES";;
    *) exec /bin/cat "$@";;
esac
"""
PROGRAM = """
exec >>"$RUNTIME_DIRECTORY/told"
for each; do echo "$each"; done
echo "colours $COLORTERM"
"""
PATIENT = """
trap 'echo stored >"$RUNTIME_DIRECTORY/told"; exit 0' TERM
echo >"$RUNTIME_DIRECTORY/up"
while :; do sleep 0.1; done
"""

Make = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def start(tmp_path: Path, runtime: Path) -> Make:
    """Starts the script among these programs, with a program that has this content."""
    if not Path("/proc/uptime").exists() or shutil.which("sh") is None:
        pytest.skip("the box is a Linux machine")

    def make(program: str = PROGRAM, modes: str = "1024x600", **programs: str) -> subprocess.Popen[bytes]:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, content in {
            "systemd-cat": SYSTEMD_CAT,
            "cat": CAT,
            "edge-run": program,
            **programs,
        }.items():
            (folder / name).write_text(f"#!/bin/sh\n{content}\n")
            (folder / name).chmod(0o755)
        for name in ("sh", "sed", "sleep", "touch"):
            (folder / name).symlink_to(shutil.which(name) or "")
        return subprocess.Popen(
            [folder / "sh", SCREEN, folder / "edge-run", "--camera", "usb 1"],
            env={"PATH": str(folder), "RUNTIME_DIRECTORY": str(runtime), "MODES": modes},
        )

    return make


def test_all_colours_where_it_can_be(start: Make, runtime: Path) -> None:
    assert start(cage=CAGE, foot=FOOT).wait(60) == 0
    assert (runtime / "told").read_text().splitlines() == ["--camera", "usb 1", "colours truecolor"]
    assert int((runtime / "pid").read_text())
    assert not (runtime / "plain").exists()


@pytest.mark.parametrize(
    ("modes", "size"),
    [("1024x600", 20), ("800x480", 20), ("1920x1080\n1280x720", 20), ("3840x2160", 40), ("", 20)],
)
def test_letters_are_as_large_as_the_monitor_asks(start: Make, runtime: Path, modes: str, size: int) -> None:
    assert start(cage=CAGE, foot=FOOT, modes=modes).wait(60) == 0
    asked = (runtime / "asked").read_text().splitlines()
    assert asked == [f"--config={SCREEN.parent}/foot.ini", f"--font=DejaVu Sans Mono:pixelsize={size}"]


@pytest.mark.parametrize(
    "programs",
    [
        {},
        {"foot": FOOT},
        {"cage": CAGE},
        {"cage": "exit 1", "foot": FOOT},
        {"cage": "kill -9 $$", "foot": FOOT},
    ],
)
def test_else_the_plain_console(start: Make, runtime: Path, programs: dict[str, str]) -> None:
    assert start(**programs).wait(60) == 0
    assert (runtime / "told").read_text().splitlines() == ["--camera", "usb 1", "colours "]
    assert (runtime / "plain").exists()


def test_what_the_program_says_at_an_early_end_is_left_on_the_console(start: Make, runtime: Path) -> None:
    script = start(cage=CAGE, foot=FOOT, program=PROGRAM + "exit 7")
    assert script.wait(60) == 7
    assert (runtime / "told").read_text().count("colours") == 2


def test_sigterm_reaches_the_program_alone_and_is_waited_for(start: Make, runtime: Path) -> None:
    script = start(cage=CAGE, foot=FOOT, program=PATIENT)
    end = time.monotonic() + 60
    while not (runtime / "up").exists():
        assert time.monotonic() < end, "the program never came up"
        time.sleep(0.02)
    os.kill(script.pid, signal.SIGTERM)
    assert script.wait(60) == 0
    assert (runtime / "told").read_text() == "stored\n"
    assert not (runtime / "plain").exists()
