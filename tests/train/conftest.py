"""Small data sets laid out like the originals, with pictures that are quick to draw."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.data import crew

COLOURS = {"blast": (120, 60, 160), "lymphocyte": (70, 60, 150), "neutrophil": (190, 120, 190)}


def draw(path: Path, colour: tuple[int, int, int], seed: int, size: int = 120) -> None:
    """A disc of a colour on a light ground, with noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_drawn(path.suffix, colour, seed, size))


@lru_cache(maxsize=1024)  # many tests draw the same
def _drawn(suffix: str, colour: tuple[int, int, int], seed: int, size: int) -> bytes:
    rng = np.random.default_rng(seed)
    picture = np.full((size, size, 3), 230, np.uint8)
    radius = int(rng.integers(size // 5, size // 3))
    cv2.circle(picture, (size // 2, size // 2), radius, colour, -1)
    noisy = picture.astype(int) + rng.integers(-6, 7, picture.shape)
    _, content = cv2.imencode(suffix, cv2.cvtColor(noisy.clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR))
    return content.tobytes()


@pytest.fixture(autouse=True)
def _cut_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are cut before another process would have begun, but where a test wants processes."""
    monkeypatch.setattr(crew, "_FEW", 1000)


@pytest.fixture
def deepapl(tmp_path: Path) -> Callable[..., Path]:
    """Make a data folder with a tiny deepapl in it."""

    def make(patients: int = 30, each: int = 2) -> Path:
        data = tmp_path / "data"
        folders = {
            "Blast, no lineage spec": "blast",
            "Lymphocyte": "lymphocyte",
            "Band neutrophils": "neutrophil",
        }
        for patient in range(patients):
            slides = data / "deepapl" / "Data" / "All" / f"Patient_{patient:02d}" / "Signed slides"
            for folder, name in folders.items():
                for i in range(each):
                    draw(slides / folder / f"{i}.png", COLOURS[name], 100 * patient + i)
        return data

    return make
