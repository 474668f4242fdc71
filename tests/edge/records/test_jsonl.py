"""JSON lines: what happens to the file when something goes wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edge.records.jsonl import JsonLines
from edge.types import LeukoscopeError
from tests.edge.records.example import HEADER, reading


def test_what_the_file_held_is_kept_until_a_slide_begins(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("an earlier slide\n")
    lines = JsonLines(str(path))
    assert path.read_text() == "an earlier slide\n"
    for slide in ("A", "B"):
        lines.start(slide, HEADER, 0.1)
        lines.reading(reading(0))
        lines.finding(reading(0))
    lines.close()
    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert kinds == ["start", "reading", "finding"] * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told_once() -> None:
    lines = JsonLines("/dev/full")
    with pytest.raises(LeukoscopeError, match=r"--json /dev/full: cannot be written \(No space left"):
        lines.start("A", HEADER, 0.1)
    lines.finding(reading(0))
    lines.close()


def test_standard_output_that_is_closed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(LeukoscopeError, match=r"--json -: .*standard output is closed"):
        JsonLines("-")
