"""JSON lines: what happens to the file when something goes wrong."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.machine import clock
from edge.records.jsonl import JsonLines
from edge.types import Apl, FilesRead, LeukoscopeError
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


def test_the_line_about_files(tmp_path: Path) -> None:
    lines = JsonLines(str(tmp_path / "out.jsonl"))
    lines.start("A", HEADER, 0.1)
    lines.files(FilesRead.of(30, [("HEIC", "IMG_1.HEIC"), ("damaged", "2.jpg"), ("HEIC", "IMG_2.HEIC")]))
    lines.close()
    last = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[-1])
    assert last["kind"] == "files"
    assert last["read"] == 30
    assert last["left_out"] == [
        {"reason": "HEIC", "count": 2, "first": "IMG_1.HEIC"},
        {"reason": "damaged", "count": 1, "first": "2.jpg"},
    ]


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    new, old = tmp_path / "new.jsonl", tmp_path / "old.jsonl"
    old.touch()
    old.chmod(0o640)  # whoever wants others to read it makes it so before
    before = os.umask(0)
    try:
        for path in (new, old):
            JsonLines(str(path)).close()
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (new, old)] == [0o600, 0o640]


def test_the_first_line_says_on_which_clock_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = clock.Moment(datetime(2026, 11, 20, 8, 0, tzinfo=UTC), 12.3456, 20.5, "ab-cd", "")
    monkeypatch.setattr(clock, "now", lambda: stale)
    lines = JsonLines(str(tmp_path / "out.jsonl"))
    lines.start("A", HEADER, 0.1)
    lines.close()
    start = json.loads((tmp_path / "out.jsonl").read_text())
    assert (start["boot"], start["clock_set"], start["t_s"]) == ("ab-cd", False, 12.346)
    assert start["started_at"] == "2026-11-20T08:00:00.000+00:00"


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


def test_what_blasts_look_like_is_told_with_the_finding_and_what_is_screened_with_the_start(
    tmp_path: Path,
) -> None:
    lines = JsonLines(str(tmp_path / "out.jsonl"))
    lines.start("A", replace(HEADER, rules=HEADER.rules | {"specimen": "marrow"}), 0.1)
    plain = reading(0)
    lines.finding(plain)
    lines.finding(replace(plain, finding=replace(plain.finding, apl=Apl(1.23456, True, 0.05))))
    lines.close()
    start, *findings = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert start["specimen"] == "marrow"
    assert [one["apl"] for one in findings] == [None, {"score": 1.2346, "alert": True}]
