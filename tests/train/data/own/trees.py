"""Small folders of own pictures in every layout."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import cv2
import numpy as np

from train.data.classes import CLASSES
from train.data.dataset import Picture
from train.data.own import Own, own

SIDE = 120


def draw(
    path: Path, cells: tuple[tuple[int, int], ...] = ((60, 60),), size: int = SIDE, grain: int = 60
) -> Path:
    """Dark discs of 24 px on a light ground whose grain is of the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(str(path).encode()))
    picture = np.full((size, size, 3), 225, np.uint8)
    for centre in cells:
        cv2.circle(picture, centre, 12, (150, 60, 110), -1)
    rough = cv2.resize(rng.integers(0, grain, (48, 48)).astype(np.uint8), (size, size))
    picture -= rough[..., None]
    cv2.imwrite(str(path), picture)
    return path


def flat(path: Path) -> Path:
    """A disc that looks as every other one does, with noise of its own."""
    return draw(path, grain=4)


def labels(path: Path, cells: tuple[tuple[int, int, int], ...], size: int = SIDE, radius: int = 12) -> Path:
    """A label image of 16 bits with these discs: x, y, number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((size, size), np.uint16)
    for x, y, number in cells:
        cv2.circle(image, (x, y), radius, number, -1)
    cv2.imwrite(str(path), image)
    return path


def folders(root: Path, patients: int = 6, each: int = 2) -> Path:
    """<class>/<patient>/*"""
    for name in ("blast", "Lymphocytes"):
        for patient in range(patients):
            for i in range(each):
                draw(root / name / f"p{patient}" / f"{name}{i}.png")
    return root


def coco(file: Path, pictures: dict[str, list[tuple[int, list[float]]]], size: int = SIDE) -> Path:
    """A COCO file of pictures with boxes: category, x, y, width and height."""
    file.parent.mkdir(parents=True, exist_ok=True)
    images = [{"id": i, "file_name": name, "width": size, "height": size} for i, name in enumerate(pictures)]
    boxes = [
        {"id": 0, "image_id": i, "category_id": kind, "bbox": box}
        for i, several in enumerate(pictures.values())
        for kind, box in several
    ]
    kinds = [{"id": 1, "name": "Blast"}, {"id": 2, "name": "WBC"}, {"id": 3, "name": "RBC"}]
    file.write_text(json.dumps({"images": images, "annotations": boxes, "categories": kinds}))
    return file


def read(root: Path, told: list[str] | None = None, **about: object) -> list[Picture]:
    """The pictures of a folder, as a recipe's own ones."""
    given = Own(**({"um_per_px": 0.25} | about))  # type: ignore[arg-type]
    source = own("mine", given, CLASSES)
    return list(source.read(root, (told if told is not None else []).append))
