"""The small files in which Linux tells of itself, below `/proc` and `/sys`: what is missing is no error."""

from __future__ import annotations

from pathlib import Path


def text(file: Path) -> str:
    """What a file says, without white space round it; empty where it says nothing or is not there."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # a sensor that is asleep answers with an error
        return ""


def integer(file: Path, base: int = 10) -> int | None:
    """The whole number in a file; None where it is missing, or holds something else."""
    try:
        return int(text(file), base)
    except ValueError:
        return None


def value(file: Path, name: str) -> str | None:
    """The first value of `name : value` lines; None where the file or the name is not there."""
    for line in text(file).splitlines():
        key, colon, found = line.partition(":")
        if colon and key.strip() == name:
            return found.strip()
    return None
