"""Fields of discs with boxes, laid out like bccd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

COLOURS = {"WBC": (110, 70, 165), "RBC": (205, 140, 150), "Platelets": (150, 110, 170)}
RADII = {"WBC": 70, "RBC": 45, "Platelets": 14}
SIDES = (640, 480)


def draw_field(base: Path, number: int) -> None:
    """A field of discs that hardly touch, and its boxes."""
    rng = np.random.default_rng(number)
    picture = np.full((SIDES[1], SIDES[0], 3), 230, np.uint8)
    places: list[tuple[int, int, int]] = []
    objects = ""
    for kind in ("WBC", *("RBC",) * 5, *("Platelets",) * 3):
        radius = RADII[kind]
        while True:
            x, y = (int(rng.integers(radius + 8, side - radius - 8)) for side in SIDES)
            if all(np.hypot(x - a, y - b) > radius + r for a, b, r in places):
                break
        places.append((x, y, radius))
        cv2.circle(picture, (x, y), radius, COLOURS[kind], -1, cv2.LINE_AA)
        corners = {"xmin": x - radius, "ymin": y - radius, "xmax": x + radius, "ymax": y + radius}
        inner = "".join(f"<{k}>{v}</{k}>" for k, v in corners.items())
        objects += f"<object><name>{kind}</name><bndbox>{inner}</bndbox></object>"
    name = f"BloodImage_{number:05d}"
    cv2.imwrite(str(base / "JPEGImages" / f"{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    (base / "Annotations" / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")


def make(data: Path, parts: Mapping[str, Sequence[int]]) -> Path:
    """A data folder with a bccd of these numbers."""
    base = data / "bccd" / "BCCD"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (base / folder).mkdir(parents=True)
    for part in ("train", "val", "test"):
        names = [f"BloodImage_{number:05d}" for number in parts.get(part, ())]
        (base / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(names))
        for number in parts.get(part, ()):
            draw_field(base, number)
    return data


@pytest.fixture(scope="session")
def bccd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three fields to train on, two to choose by and two to judge by."""
    parts = {"train": (1, 2, 3), "val": (4, 5), "test": (6, 7)}
    return make(tmp_path_factory.mktemp("data"), parts)
