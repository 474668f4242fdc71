"""Small trees laid out as public data sets, and what reading them gives."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from train.data.dataset import Picture
from train.data.registry import dataset

RED = (205, 150, 150)
NUCLEUS = (90, 50, 140)


def write(path: Path, size: int = 32) -> Path:
    """A blank picture, quick to make."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size, size, 3), 235, np.uint8))
    return path


def touch(path: Path) -> Path:
    """A file that no picture can be read from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def field(path: Path, red_cell_px: int = 0, nuclei: Iterable[tuple[int, int]] = ()) -> Path:
    """A field of blood, 640 × 480 px: red cells of a size side by side, and nuclei 80 px across."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((480, 640, 3), 235, np.uint8)
    if red_cell_px:
        for x in range(red_cell_px, 640 - red_cell_px, round(1.3 * red_cell_px)):
            for y in range(red_cell_px, 480 - red_cell_px, round(1.3 * red_cell_px)):
                cv2.circle(pixels, (x, y), red_cell_px // 2, RED, -1, cv2.LINE_AA)
    for centre in nuclei:
        cv2.circle(pixels, centre, 40, NUCLEUS, -1, cv2.LINE_AA)
    cv2.imwrite(str(path), pixels[..., ::-1])
    return path


def leave_behind(folder: Path) -> None:
    """What systems and people leave beside pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "._hidden.png").write_bytes(b"\0\5\x16\7")


def read(name: str, data: Path) -> tuple[list[Picture], str]:
    """A data set's pictures, and all that was told meanwhile."""
    told: list[str] = []
    source = dataset(name)
    pictures = list(source.read(source.root(data), told.append))
    return pictures, "\n".join(told)


def parts(pictures: Iterable[Picture]) -> dict[str, set[str]]:
    """Group -> the parts that its spots lie in."""
    found: dict[str, set[str]] = {}
    for picture in pictures:
        for spot in picture.spots:
            found.setdefault(spot.group, set()).add(spot.split)
    return found


def divided(pictures: Iterable[Picture]) -> list[str]:
    """The groups that lie in more than one part."""
    return [group for group, where in parts(pictures).items() if len(where) > 1]
