from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios

import pytest

from train.data import bar
from train.data.bar import Bar, followed


def test_a_pipe_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bar, "EVERY_S", 0.0)
    assert list(followed(range(3), "cutting pbc", "picture")) == [0, 1, 2]
    assert list(followed(iter("ab"), "reading", "batch")) == ["a", "b"]
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("cutting pbc: 2 of 3 pictures, ") for line in lines)
    assert any(line.startswith("reading: 1 batches, ") for line in lines)
    assert not [line for line in lines if "\r" in line or "\x1b" in line]


def test_short_work_says_nothing_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(followed(range(30), "cutting", "picture")) == list(range(30))
    whole = Bar(None, "training", "step", total=3)
    with whole.above():
        whole.update(3)
    whole.close()
    assert capsys.readouterr() == ("", "")


def test_who_is_to_be_silent_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bar, "EVERY_S", 0.0)
    quiet = Bar(None, "training", "step", total=3, silent=True)
    quiet.update(3)
    quiet.close()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    script = "from train.data.bar import followed\nlist(followed(range(3), 'cutting', 'picture'))"
    subprocess.run([sys.executable, "-c", script], stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    seen = os.read(ours, 4096).decode()
    os.close(ours)
    assert "cutting: 100%" in seen
    assert "\r" in seen
