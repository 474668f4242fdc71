"""Runs `edge-slides export` for tests, and says what it wrote."""

from __future__ import annotations

from pathlib import Path

from edge import slides

DATE = "2026-11-30"


def exported(records: Path, *arguments: object, out: Path | None = None) -> dict[str, bytes]:
    """Path below the folder -> content of each file that the command wrote with these arguments."""
    out = out or records.parent / "out"
    words = ["export", "--records", records, "--out", out, "--date", DATE, *arguments]
    assert slides.main([*map(str, words)]) == 0
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
