"""Compiled means of boxes against OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.native import core
from edge.native.boxes import LARGEST, averaged

library = core()
pytestmark = pytest.mark.skipif(library is None, reason="the compiled core was not built, or is not wanted")


@pytest.mark.parametrize("box", [1, 3, 5, LARGEST])
@pytest.mark.parametrize("size", [(15, 15), (47, 31), (16, 400), (2, 3), (300, 401)])
def test_as_opencv_averages(box: int, size: tuple[int, int]) -> None:
    assert library is not None
    pixels = np.random.default_rng(box).integers(0, 256, (*size, 3), np.uint8)
    found = averaged(library, pixels, box)
    down, across = size[0] // box, size[1] // box
    assert found.shape == (down, across, 3)
    if found.size:
        whole = pixels[: down * box, : across * box]
        np.testing.assert_array_equal(found, cv2.resize(whole, (across, down), interpolation=cv2.INTER_AREA))


def test_the_brightest_do_not_overflow() -> None:
    assert library is not None
    assert (averaged(library, np.full((45, 30, 3), 255, np.uint8), LARGEST) == 255).all()


def test_a_part_of_a_larger_picture() -> None:
    assert library is not None
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    part = pixels[3:48, 6:66]
    np.testing.assert_array_equal(averaged(library, part, 3), averaged(library, part.copy(), 3))


def test_every_sum_of_nine_is_rounded_right() -> None:
    assert library is not None
    sums = np.arange(9 * 255 + 1)
    shares = (sums[:, None] + np.arange(9)) // 9  # nine numbers that add up to each
    pixels = shares.reshape(-1, 3, 3).swapaxes(0, 1).reshape(3, -1)
    found = averaged(library, np.stack([pixels] * 3, axis=2).astype(np.uint8), 3)
    np.testing.assert_array_equal(found[0, :, 0], (sums + 4) // 9)
