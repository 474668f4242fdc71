"""The screen in a real terminal: what reaches it, and what happens when it goes away."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

import pytest

from edge.tui.terminal import Colours, colours

ROOT = Path(__file__).parents[3]
PROGRAM = """
import os
from edge.tui.app import ScreeningApp
from edge.tui.terminal import own_terminal
from tests.edge.tui.fake_screening import FakeScreening, reading
class Complaining(FakeScreening):
    def readings(self):
        for each in super().readings():
            os.write(2, b"Corrupt JPEG data: 1 extraneous bytes")
            yield each
screening = Complaining([reading(0), reading(1)])
with own_terminal():
    last = ScreeningApp(screening).run()
open({result!r}, "w").write(f"{{last.frame.index if last else None}} {{screening.stopped}}")
os.write(2, b"Good-bye")
"""


@dataclass
class Terminal:
    process: subprocess.Popen[bytes]
    master: int
    result: Path

    def read_until(self, pattern: str, seconds: float = 120.0) -> str:
        """What the program wrote until `pattern` appears in it."""
        end, text = time.monotonic() + seconds, ""
        while not re.search(pattern, text):
            assert time.monotonic() < end, f"{pattern!r} never came; last: {text[-300:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                text += os.read(self.master, 65536).decode(errors="replace")
        return text

    def drain_until_exit(self, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, "the program goes on"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    os.read(self.master, 65536)
                except OSError:  # the other end is closed
                    time.sleep(0.05)


@contextmanager
def terminal(tmp_path: Path, **environment: str) -> Iterator[Terminal]:
    """The program on a terminal of its own, 80×24."""
    result = tmp_path / "result"
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, pack("HHHH", 24, 80, 0, 0))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(result=str(result))],
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=kept | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"} | environment,
        start_new_session=True,
        preexec_fn=lambda: ioctl(0, 0x540E, 0),  # TIOCSCTTY: hang-ups reach the program
    )
    os.close(slave)
    try:
        yield Terminal(process, master, result)
    finally:
        process.kill()
        process.wait()
        try:
            os.close(master)
        except OSError:
            assert True


@pytest.mark.parametrize(
    ("term", "colour", "sequence"),
    [
        ("xterm-256color", "truecolor", r"\x1b\[38;2;\d{3};\d{3};\d{3};48;2;\d{3};\d{3};\d{3}m▀"),
        ("screen-256color", "", r"\x1b\[38;5;\d{3};48;5;\d{3}m▀"),
        ("linux", "", r"\x1b\[0\d{2};\d{3}m▀"),
    ],
)
def test_the_field_comes_in_the_colours_the_terminal_has(
    tmp_path: Path, term: str, colour: str, sequence: str
) -> None:
    with terminal(tmp_path, TERM=term, COLORTERM=colour) as screen:
        shown = screen.read_until(sequence)
        os.write(screen.master, b"qy")
        shown += screen.read_until("Good-bye")
        assert "Corrupt" not in shown, "what libraries complain of must not reach the screen"
        screen.drain_until_exit()
        assert screen.process.returncode == 0
        assert screen.result.read_text() == "1 True"


@pytest.mark.parametrize(
    ("term", "colour", "told"),
    [
        ("foot", "truecolor", "true"),
        ("linux", "24bit", "true"),
        ("xterm-256color", "", "256"),
        ("foot", "", "16"),  # its name does not say it, which is why the kiosk sets COLORTERM
        ("linux", "", "16"),
        ("dumb", "", "16"),
        ("", "", "16"),
    ],
)
def test_how_many_colours_the_terminal_has(term: str, colour: str, told: Colours) -> None:
    assert colours({"TERM": term, "COLORTERM": colour}) == told


def test_a_terminal_that_says_nothing_has_sixteen_colours() -> None:
    assert colours({}) == "16"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_an_ending_signal_ends_the_screening_in_order(tmp_path: Path, ending: signal.Signals) -> None:
    with terminal(tmp_path, TERM="xterm-256color", COLORTERM="truecolor") as screen:
        screen.read_until("▀")
        screen.process.send_signal(ending)
        screen.drain_until_exit()
        assert screen.result.read_text() == "1 True"


def test_closing_the_terminal_ends_the_screening(tmp_path: Path) -> None:
    with terminal(tmp_path, TERM="xterm-256color", COLORTERM="truecolor") as screen:
        screen.read_until("▀")
        os.close(screen.master)
        screen.process.wait(timeout=120)
        assert screen.result.read_text() == "1 True"
