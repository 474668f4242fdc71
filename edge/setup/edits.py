"""Lines between markers, and words of a kernel's command line, in files that belong to somebody else."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence


def with_block(text: str, part: str, block: str) -> str:
    """The text with this part's block: in its place where it has one already, else at the end."""
    lines = f"{_begin(part)}\n{block.strip()}\n{_end(part)}\n"
    if _pattern(part).search(text):
        return _pattern(part).sub(lambda _: lines, text, count=1)
    return (text if text.endswith("\n") or not text else text + "\n") + lines


def without_block(text: str, part: str) -> str:
    """The text without this part's block."""
    return _pattern(part).sub("", text)


def with_words(text: str, words: Sequence[str]) -> str:
    """The text with these words at the end of its first line, where they are not in it."""
    line, newline, rest = text.partition("\n")
    missing = [word for word in words if word not in line.split()]
    return " ".join([line.rstrip(), *missing]) + newline + rest if missing else text


def without_words(text: str, words: Collection[str]) -> str:
    """The text without these words in its first line."""
    line, newline, rest = text.partition("\n")
    for word in words:
        line = re.sub(rf"(^|\s+){re.escape(word)}(?=\s|$)", "", line)
    return line + newline + rest


def _begin(part: str) -> str:
    return f"# leukoscope {part}: from here on written by edge-device setup"


def _end(part: str) -> str:
    return f"# leukoscope {part}: up to here"


def _pattern(part: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(_begin(part))}\n.*?^{re.escape(_end(part))}(\n|\Z)", re.M | re.S)
