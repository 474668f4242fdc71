"""JPEG decoded at half its size: the same picture, damage told in the same words, and whole when asked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.files.pictures import decode, pages
from edge.types import U8, Reduced
from tests.edge.files import odd


def smooth(height: int, width: int) -> U8:
    """Colours that survive lossy coding, brighter to the right, greener downwards."""
    across, down = np.meshgrid(np.linspace(30, 220, width), np.linspace(40, 200, height))
    return np.dstack([across, down, 0 * down + 90]).astype(np.uint8)


def jpeg(pixels: U8, *flags: int) -> bytes:
    return odd.encoded(".jpg", pixels, *flags)


def halved(data: bytes) -> Reduced:
    half = decode(data, 2)
    assert isinstance(half, Reduced)
    return half


@pytest.mark.parametrize("size", [(480, 640), (481, 640), (480, 639), (33, 35)])
@pytest.mark.parametrize("flags", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_a_jpeg_comes_at_half_its_size_and_whole_when_asked(size: tuple[int, int], flags: tuple[int]) -> None:
    data = jpeg(smooth(*size), *flags)
    whole, half = decode(data), halved(data)
    assert half.size == (size[1], size[0])
    assert half.pixels.shape == (-(-size[0] // 2), -(-size[1] // 2), 3)
    np.testing.assert_array_equal(half.decode(), whole)
    means = cv2.resize(whole[: size[0] // 2 * 2, : size[1] // 2 * 2], None, fx=0.5, fy=0.5)
    there = half.pixels[: size[0] // 2, : size[1] // 2]
    assert np.abs(there.astype(int) - means).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_as_viewers_show_it(orientation: int) -> None:
    data = jpeg(smooth(60, 90))
    data = data[:2] + odd.segment(0xE1, b"Exif\0\0" + odd.exif(orientation)) + data[2:]
    whole, half = decode(data), halved(data)
    assert half.size == whole.shape[1::-1]
    np.testing.assert_array_equal(half.decode(), whole)
    assert np.abs(half.pixels.astype(int) - cv2.resize(whole, None, fx=0.5, fy=0.5)).mean() < 2


def test_what_cannot_be_halved_comes_whole(tmp_path: Path) -> None:
    for suffix in (".png", ".bmp", ".tif", ".webp"):
        (tmp_path / f"x{suffix}").write_bytes(odd.encoded(suffix, smooth(60, 90)))
        (found,) = pages(tmp_path / f"x{suffix}", 2)
        assert isinstance(found, np.ndarray)
    assert isinstance(decode(jpeg(smooth(31, 90)), 2), np.ndarray)
    image = pytest.importorskip("PIL.Image").fromarray(smooth(60, 90)).convert("CMYK")
    image.save(tmp_path / "inks.jpg")
    np.testing.assert_array_equal(
        decode((tmp_path / "inks.jpg").read_bytes(), 2), decode((tmp_path / "inks.jpg").read_bytes())
    )


def test_grey_is_halved_too() -> None:
    assert halved(jpeg(smooth(60, 90)[..., 0])).pixels.shape == (30, 45, 3)


def test_damage_is_told_in_the_same_words() -> None:
    data = jpeg(np.random.default_rng(1).integers(0, 255, (120, 160, 3)).astype(np.uint8))
    rng = np.random.default_rng(2)
    told = 0
    for _ in range(60):
        damaged = bytearray(data)
        at = int(rng.integers(20, len(data) - 20))
        damaged[at : at + 4] = rng.bytes(4)
        said = []
        for reduction in (1, 2):
            try:
                decode(bytes(damaged), reduction)
                said.append("")
            except ValueError as error:
                said.append(str(error))
        assert said[0] == said[1]
        told += bool(said[0])
    assert told > 20
    for cut in (len(data) // 2, len(data) - 2):
        with pytest.raises(ValueError, match="cut short or damaged"):
            decode(data[:cut], 2)


def test_padding_and_odd_heads_are_no_damage() -> None:
    data = jpeg(smooth(60, 90))
    np.testing.assert_array_equal(halved(data[:-2] + bytes(7) + data[-2:]).pixels, halved(data).pixels)
    scan = data.index(b"\xff\xda")
    spectral = bytearray(data)
    end = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    spectral[end - 3 : end] = b"\0\0\0"
    np.testing.assert_array_equal(halved(bytes(spectral)).pixels, halved(data).pixels)


def test_every_picture_of_a_dump_is_halved(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"".join(jpeg(smooth(60, 90) + np.uint8(n)) for n in range(3)))
    found = [one for one in pages(tmp_path / "x.jpg", 2) if isinstance(one, Reduced)]
    assert len(found) == 3
    for half, whole in zip(found, pages(tmp_path / "x.jpg"), strict=True):
        np.testing.assert_array_equal(half.decode(), whole)
