"""Label images are known again by what they are, not by their name alone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.files.labels import is_label_image, label_images_among


@pytest.mark.parametrize(
    ("name", "pixels", "is_one"),
    [
        ("a.png", np.zeros((4, 5), np.uint16), True),
        ("a.png", np.zeros((4, 5), np.uint8), False),
        ("a.png", np.zeros((4, 5, 3), np.uint16), False),
        ("a.tif", np.zeros((4, 5), np.uint16), False),
    ],
)
def test_a_png_of_one_channel_with_16_bits(
    tmp_path: Path, name: str, pixels: np.ndarray, is_one: bool
) -> None:
    cv2.imwrite(str(tmp_path / name), pixels)
    assert is_label_image(tmp_path / name) == is_one
    assert not is_label_image(tmp_path / "nothing.png")


def test_they_come_in_pairs(tmp_path: Path) -> None:
    names = ["a.png", "a_nuclei.png", "b.png", "c_nuclei.png"]
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 5), np.uint16))
    found = label_images_among(names, lambda name: is_label_image(tmp_path / name))
    assert found == {"a.png", "a_nuclei.png", "c_nuclei.png"}
