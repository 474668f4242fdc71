"""Files put where they are to go."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from edge.files import atomic


class Delivery:
    """Puts files into a folder."""

    def __init__(self, folder: Path, *, needs: int = 0) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        return

    def deliver(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, content)
        return path


def file_name(text: str) -> str:
    """A name that every medium can hold."""
    return text.replace("/", "_")
