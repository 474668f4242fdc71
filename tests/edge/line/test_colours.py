"""Grey, missing, exchanged and foreign colours are told from blood in a Romanowsky stain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras.demo.camera import SimulatedCamera
from edge.files.pictures import decode
from edge.line.colours import Colours
from edge.optics import specimen
from edge.types import U8
from edge.types.problems import COLOUR_MISSING, EXCHANGED, NO_COLOUR, NO_PICTURE, STAIN, TOO_BRIGHT, kind_of

UM_PER_PX = 0.1


@pytest.fixture(scope="module")
def fields() -> Iterator[list[U8]]:
    camera = SimulatedCamera(1)
    camera.open()
    yield [camera.read().pixels for _ in range(4)]
    camera.close()


def seen(pictures: list[U8], um_per_px: float = UM_PER_PX) -> list[str | None]:
    """What one slide's fields are found to suffer from."""
    colours = Colours()
    return [colours.see(specimen.specimen(pixels, um_per_px, 0.25), pixels) for pixels in pictures]


def grey(pixels: U8) -> U8:
    return np.asarray(cv2.merge([cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)] * 3), np.uint8)


def sepia(pixels: U8) -> U8:
    return np.asarray(grey(pixels) * np.array([1.0, 0.85, 0.6]), np.uint8)


def nearly_grey(pixels: U8) -> U8:
    return np.asarray(0.9 * grey(pixels) + 0.1 * pixels, np.uint8)


def only(*channels: int) -> Callable[[U8], U8]:
    def keep(pixels: U8) -> U8:
        out = np.zeros_like(pixels)
        out[..., channels] = pixels[..., channels]
        return out

    return keep


def in_order(*channels: int) -> Callable[[U8], U8]:
    return lambda pixels: np.ascontiguousarray(pixels[..., channels])


def washed_out(pixels: U8) -> U8:
    return np.asarray(np.minimum(pixels * np.array([1.6, 1.1, 1.6]), 255), np.uint8)


def label_image(pixels: U8) -> U8:
    return np.asarray(grey(pixels) // 40 * 40, np.uint8)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda pixels: pixels, None),
        (grey, NO_COLOUR),
        (sepia, NO_COLOUR),
        (nearly_grey, NO_COLOUR),
        (only(0), COLOUR_MISSING),
        (only(1, 2), COLOUR_MISSING),
        (in_order(2, 1, 0), EXCHANGED),
        (in_order(1, 0, 2), STAIN),
        (washed_out, TOO_BRIGHT),
        (label_image, NO_PICTURE),
    ],
)
def test_what_is_the_matter_with_the_colours(
    fields: list[U8], change: Callable[[U8], U8], problem: str | None
) -> None:
    told = seen([change(pixels) for pixels in fields])
    assert [one and kind_of(one) for one in told] == [problem] * len(fields)


def test_a_tinted_lamp_is_none_of_it(fields: list[U8]) -> None:
    yellow = [np.asarray(pixels * np.array([1.0, 0.9, 0.55]), np.uint8) for pixels in fields]
    assert seen(yellow) == [None] * len(fields)


@pytest.mark.parametrize("size", [(8, 8), (200, 200)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_tells_nothing(size: tuple[int, int], level: int) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(rng.normal(level, 3, (*size, 3)), 0, 255).astype(np.uint8)
    (told,) = seen([noisy])
    assert told is None or kind_of(told) == NO_PICTURE


LABORATORIES = {
    "bccd": 0.083, "txl_pbc": 0.063, "deepapl": 0.1, "PBC_dataset_normal_DIB": 0.1, "chula_wbc": 0.095,
}  # fmt: skip


@pytest.mark.parametrize("name", LABORATORIES)
def test_real_laboratories(shared_data: Path, name: str) -> None:
    suffixes = (".jpg", ".png", ".webp", ".jpeg")
    paths = sorted(p for p in (shared_data / name).rglob("*") if p.suffix in suffixes)
    pictures = [decode(path.read_bytes()) for path in paths[:: len(paths) // 24][:24]]
    assert seen(pictures, LABORATORIES[name]) == [None] * len(pictures)
    exchanged = seen([in_order(2, 1, 0)(pixels) for pixels in pictures], LABORATORIES[name])
    assert exchanged[-1] == EXCHANGED
    assert set(exchanged) <= {None, EXCHANGED}
    assert set(seen([grey(pixels) for pixels in pictures], LABORATORIES[name])) == {NO_COLOUR}


def test_exchanged_colours_from_the_field(shared_data: Path) -> None:
    folder = shared_data.parent / "cases" / "11-red-blue-swapped"
    if not folder.is_dir():
        pytest.skip("the cases are not at hand")
    pictures = [decode(path.read_bytes()) for path in sorted(folder.glob("*.jpg"))]
    assert seen(pictures, 0.087) == [EXCHANGED] * len(pictures)
