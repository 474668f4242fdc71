"""The review in a real terminal: what was said is kept, whatever happens to the program."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

import pytest

from edge.records.book import Book
from edge.review.review import Review
from tests.edge.tui.review.slides import SLIDE

ROOT = Path(__file__).parents[4]
PROGRAM = """
import sys
from edge.records.book import Book
from edge.review.review import Review
from edge.tui.review.app import ReviewApp
with Book(sys.argv[1]) as book:
    ReviewApp(lambda by: Review(book, sys.argv[2], by)).run()
"""


def read_until(master: int, pattern: str, seconds: float = 120.0) -> None:
    end, text = time.monotonic() + seconds, ""
    while not re.search(pattern, text):
        assert time.monotonic() < end, f"{pattern!r} never came; last: {text[-300:]!r}"
        if select.select([master], [], [], 0.1)[0]:
            text += os.read(master, 65536).decode(errors="replace")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGHUP])
def test_what_was_confirmed_outlives_the_program(store: Path, ending: signal.Signals) -> None:
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(store), SLIDE],
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )
    os.close(slave)
    try:
        read_until(master, "initials")
        os.write(master, b"ab\r")
        read_until(master, "reader 1")
        for key, told in ((b"\r", "cell 1: as"), (b"\r", "cell 2: as"), (b"l", "cell 3: lymph")):
            os.write(master, key)
            read_until(master, told)
        process.send_signal(ending)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    with Book(store) as book, Review(book, SLIDE, "AB") as review:
        assert [review.mine(cell) for cell in (1, 2, 3)] == ["blast", "blast", "lymphocyte"]
        assert not review.others, "who was killed has it open no more"
