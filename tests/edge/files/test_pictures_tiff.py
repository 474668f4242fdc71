"""TIFF: pages, layouts, colours, depths and compressions, each made by hand and read back exactly."""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.files.pictures import decode, pages
from tests.edge.files.odd import GREY, GREY_RGB, RGB, Page, encoded, page, tiff

LARGER = np.tile(RGB, (3, 2, 1))
"""JPEG 2000 wants more pixels."""


def codestream() -> bytes:
    """A JPEG 2000 picture without the file round it."""
    whole = encoded(".jp2", LARGER)
    return whole[whole.index(b"\xff\x4f\xff\x51") :]


def read(folder: Path, data: bytes) -> list[np.ndarray | str]:
    path = folder / "x.tif"
    path.write_bytes(data)
    return list(pages(path))


def agrees(data: bytes, expected: np.ndarray = RGB, tolerance: int = 0) -> None:
    pixels = decode(data)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


def bits(values: np.ndarray, count: int) -> bytes:
    """Rows of numbers packed in `count` bits each; a row begins with a byte."""
    rows = [(row[:, None] >> np.arange(count)[::-1] & 1).ravel() for row in values.astype(np.int64)]
    return np.packbits(np.array(rows, np.uint8), axis=1).tobytes()


def tiles(stored: np.ndarray, width: int, height: int) -> list[bytes]:
    """The tiles of a picture, filled up at its right and lower edge."""
    h, w = stored.shape[:2]
    whole = np.pad(stored, [(0, -h % height), (0, -w % width)] + [(0, 0)] * (stored.ndim - 2))
    corners = [(y, x) for y in range(0, h, height) for x in range(0, w, width)]
    return [whole[y : y + height, x : x + width].tobytes() for y, x in corners]


def test_every_page_is_a_picture(tmp_path: Path) -> None:
    shapes = [RGB, 255 - RGB, RGB[:20, :10]]
    for order in "<>":
        for big in (False, True):
            found = read(tmp_path, tiff(*[page(one) for one in shapes], order=order, big=big))
            assert len(found) == 3
            for one, expected in zip(found, shapes, strict=True):
                np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("tag", [{"t254": 1}, {"t254": 4}, {"t254": 5}, {"t255": 2}, {"t262": 4}])
def test_thumbnails_and_masks_are_no_pictures(tmp_path: Path, tag: dict[str, int]) -> None:
    (found,) = read(tmp_path, tiff(page(GREY[:8, :8], **tag), page(RGB)))
    np.testing.assert_array_equal(found, RGB)
    (said,) = read(tmp_path, tiff(page(GREY[:8, :8], **tag)))
    assert "no picture of its own" in str(said)


def test_a_damaged_page_does_not_lose_the_others(tmp_path: Path) -> None:
    tags, _ = page(RGB, t259=8)
    damaged: Page = tags, [zlib.compress(RGB.tobytes())[:40]]
    huge = page(RGB, t256=20_000, t257=30_000)
    first, second, third, last = read(tmp_path, tiff(page(RGB), damaged, huge, page(255 - RGB)))
    np.testing.assert_array_equal(first, RGB)
    assert str(second).startswith("the page is damaged in part 1 of 1")
    assert "20000 x 30000" in str(third)
    np.testing.assert_array_equal(last, 255 - RGB)


def test_a_list_of_pages_that_ends_nowhere(tmp_path: Path) -> None:
    *found, said = read(tmp_path, tiff(page(RGB), page(RGB), loop=True))
    assert len(found) == 2
    assert said == "the file is damaged: the list of pages runs in a circle after 2"
    whole = tiff(page(RGB), page(RGB))
    cut, end = read(tmp_path, whole[:-40])
    np.testing.assert_array_equal(cut, RGB)
    assert end == "the file is cut short or damaged: page 2 is not where the file says"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compress", [bytes, zlib.compress], ids=["plain", "deflate"])
def test_strips_tiles_and_planes(order: str, compress: Callable[[bytes], bytes]) -> None:
    code = 1 if compress is bytes else 8
    tags, _ = page(RGB, t259=code, t278=7)
    agrees(tiff((tags, [compress(RGB[y : y + 7].tobytes()) for y in range(0, 30, 7)]), order=order))
    tiled = {tag: value for tag, value in tags.items() if tag != 278} | {322: 16, 323: 16}
    agrees(tiff((tiled, [compress(one) for one in tiles(RGB, 16, 16)]), order=order))
    planes = [np.ascontiguousarray(RGB[..., channel]) for channel in range(3)]
    strips = [compress(plane[y : y + 7].tobytes()) for plane in planes for y in range(0, 30, 7)]
    agrees(tiff((tags | {284: 2}, strips), order=order))
    parts = [compress(one) for plane in planes for one in tiles(plane, 16, 16)]
    agrees(tiff((tiled | {284: 2}, parts), order=order))


def test_a_last_strip_may_hold_the_rows_of_a_whole_one() -> None:
    tags, _ = page(RGB, t259=8, t278=16)
    rows = np.vstack([RGB, RGB[:2]])
    agrees(tiff((tags, [zlib.compress(rows[y : y + 16].tobytes()) for y in (0, 16)])))


def test_an_only_strip_needs_no_length() -> None:
    data = bytearray(tiff(page(RGB)))
    at = data.index(struct.pack("<HH", 279, 4))
    data[at : at + 2] = struct.pack("<H", 60_000)  # a tag that nobody knows
    agrees(bytes(data))


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("kind", ["<u1", "<u2", ">u2"])
def test_differences_along_a_row(predictor: int, kind: str) -> None:
    deep = RGB.astype(np.uint16) * 257 if kind[1:] == "u2" else RGB
    stored = np.diff(deep, axis=1, prepend=0).astype(deep.dtype) if predictor == 2 else deep
    tags, _ = page(deep, t259=8, t317=predictor)
    order = "<" if kind[0] == "<" else ">"
    agrees(tiff((tags, [zlib.compress(stored.astype(kind).tobytes())]), order=order))


def test_differences_of_floating_point_numbers() -> None:
    share = (RGB / 255).astype(">f4")
    planes = share.reshape(30, 44 * 3).view(np.uint8).reshape(30, -1, 4).transpose(0, 2, 1)
    across = planes.reshape(30, -1, 3)
    stored = np.diff(across, axis=1, prepend=np.zeros((30, 1, 3), np.uint8)).astype(np.uint8)
    tags, _ = page(share.astype(np.float32), t259=8, t317=3)
    agrees(tiff((tags, [zlib.compress(stored.tobytes())])))


def test_photometric_interpretations() -> None:
    agrees(tiff(page(GREY)), GREY_RGB)
    agrees(tiff(page(255 - GREY, t262=0)), GREY_RGB)
    palette = np.stack([np.arange(256), 255 - np.arange(256), np.arange(256) // 2])
    expected = palette.T.astype(np.uint8)[GREY]
    for scale in (257, 256, 1):
        agrees(tiff(page(GREY, t262=3, t320=tuple((palette * scale).ravel().tolist()))), expected)
    black = 255 - RGB.max(axis=2, keepdims=True)
    inks = np.dstack([255 - RGB.astype(int) - black, black]).astype(np.uint8)
    # cyan of the light that black lets through: Rc = (255 - C)(255 - K) / 255
    light = (255 - inks[..., :3].astype(int)) * (255 - black.astype(int)) / 255
    agrees(tiff(page(inks, t262=5)), np.round(light).astype(np.uint8), 1)
    luma = cv2.cvtColor(RGB, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]
    agrees(tiff(page(luma, t262=6, t530=(1, 1))), RGB, 3)
    lab = cv2.cvtColor(RGB, cv2.COLOR_RGB2LAB)
    agrees(tiff(page(lab, t262=9)), RGB, 10)
    signed = np.dstack([lab[..., 0], lab[..., 1:] ^ 0x80])
    agrees(tiff(page(signed, t262=8)), RGB, 10)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"t262": 6}, "more coarsely"),
        ({"t262": 32803}, "raw picture"),
        ({"t262": 10}, "colours cannot be read"),
        ({"t277": 1, "t258": 24}, "cannot be read"),
        ({"t270": b"Aperio Image Library v12"}, "whole slide (Aperio)"),
        ({"t270": b"<?xml version='1.0'?><scn xmlns='x'>"}, "whole slide (Leica)"),
        ({"t65420": 1}, "whole slide (Hamamatsu)"),
        ({"t50706": (1, 4, 0, 0)}, "raw picture"),
    ],
)
def test_what_is_not_read_is_told(tmp_path: Path, tags: dict[str, Any], said: str) -> None:
    (found,) = read(tmp_path, tiff(page(RGB, **tags)))
    assert said in str(found)


def test_channels_beyond_colour_are_dropped() -> None:
    agrees(tiff(page(np.dstack([RGB, GREY]))))
    agrees(tiff(page(np.dstack([GREY, GREY]), t262=1)), GREY_RGB)
    agrees(tiff(page(RGB, t262=1)))  # of programs that do not call channels colours


@pytest.mark.parametrize("count", [1, 2, 4, 10, 12, 14])
@pytest.mark.parametrize("predicted", [False, True])
def test_depths_packed_without_gaps(count: int, predicted: bool) -> None:
    values = GREY.astype(np.int64) * ((1 << count) - 1) // 255
    expected = np.round(values * 255 / ((1 << count) - 1)).astype(np.uint8)
    tags, _ = page(GREY, t258=count, t262=0 if predicted else 1)
    expected = 255 - expected if predicted else expected
    agrees(tiff((tags, [bits(values, count)])), np.dstack([expected] * 3), 1)
    reverse = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    agrees(tiff((tags | {266: 2}, [bits(values, count).translate(reverse)])), np.dstack([expected] * 3), 1)


@pytest.mark.parametrize("used", [8, 10, 12, 14, 16])
def test_a_cameras_bits_in_words_of_sixteen_are_read_by_their_range(used: int) -> None:
    levels = np.round(RGB.astype(float) * ((1 << used) - 1) / 255).astype(np.uint16)
    for order in "<>":
        agrees(tiff(page(levels, order), order=order), RGB, 1)


def test_a_dark_picture_is_not_brightened_where_anything_speaks_for_its_range() -> None:
    dark = RGB // 20
    agrees(tiff(page(dark.astype(np.uint16) * 257)), dark)
    agrees(tiff(page(dark.astype(np.uint16) * 250, t281=(65535,) * 3)), dark, 1)
    twelve = dark.astype(np.uint16) * 16
    agrees(tiff(page(twelve, t281=(4095,) * 3)), dark, 1)


def test_pages_of_one_file_share_a_range(tmp_path: Path) -> None:
    bright = RGB.astype(np.uint16) * 16
    found = read(tmp_path, tiff(page(bright // 20), page(bright), page(bright // 3)))
    for one, share in zip(found, (20, 1, 3), strict=True):
        assert isinstance(one, np.ndarray)
        assert np.abs(one.astype(int) - RGB // share).max() <= 1


def test_other_numbers() -> None:
    share = (RGB / 255).astype(np.float32)
    agrees(tiff(page(share)), RGB)
    agrees(tiff(page(share.astype(np.float64))), RGB)
    agrees(tiff(page(share.astype(np.float16))), RGB, 1)
    agrees(tiff(page(RGB.astype(np.float32))), RGB)
    agrees(tiff(page((share * 4095).astype(np.float32))), RGB, 1)
    agrees(tiff(page(RGB.astype(np.uint32) << 24)), RGB, 1)
    agrees(tiff(page(RGB.astype(np.int16) * 16)), RGB, 1)
    odd = share.copy()
    odd[0, 0] = np.nan, np.inf, -3
    expected = RGB.copy()
    expected[0, 0] = 0
    agrees(tiff(page(odd)), expected)


def compressed_by_opencv(code: int, stored: np.ndarray) -> bytes:
    return cv2.imencode(".tif", stored[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, code])[1].tobytes()


@pytest.mark.parametrize("code", [5, 32773], ids=["LZW", "PackBits"])
@pytest.mark.parametrize("width", [44, 43])
@pytest.mark.parametrize("height", [30, 29, 1])
def test_lzw_and_packbits(code: int, width: int, height: int) -> None:
    part = np.ascontiguousarray(RGB[:height, :width])
    agrees(compressed_by_opencv(code, part), part)
    agrees(compressed_by_opencv(code, part.astype(np.uint16) * 257), part)


def test_compressions_of_later_days(tmp_path: Path) -> None:
    tags, _ = page(RGB)
    agrees(tiff((tags | {259: 34925}, [lzma.compress(RGB.tobytes())])))
    for code in (34712, 33005):
        agrees(tiff((page(LARGER)[0] | {259: code}, [codestream()])), LARGER, 12)
    agrees(tiff((tags | {259: 50001}, [encoded(".webp", RGB, cv2.IMWRITE_WEBP_QUALITY, 101)])))
    others = {50000: "Zstandard", 34887: "LERC", 50002: "JPEG XL", 4: "CCITT fax", 6: "old-style JPEG"}
    for code, name in others.items():
        (said,) = read(tmp_path, tiff((tags | {259: code}, [b"x" * 50])))
        assert str(said).startswith(f"the picture cannot be decoded ({name}")
        assert "save it as TIFF without compression, as PNG or as JPEG" in str(said)


def test_a_huge_picture_inside_a_strip_is_not_decoded(tmp_path: Path) -> None:
    huge = bytearray(codestream())
    struct.pack_into(">II", huge, 8, 50_000, 50_000)
    (said,) = read(tmp_path, tiff((page(LARGER)[0] | {259: 34712}, [bytes(huge)])))
    assert "50000 x 50000" in str(said)


@pytest.mark.parametrize("photometric", [2, 6])
def test_jpeg_in_strips_with_common_tables(photometric: int) -> None:
    tags, _ = page(RGB, t259=7, t262=photometric, t278=16)
    stored = RGB if photometric == 6 else cv2.cvtColor(RGB, cv2.COLOR_YCrCb2RGB)
    flags = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)
    strips, common = [], b""
    for y in (0, 16):
        jpeg = encoded(".jpg", stored[y : y + 16], *flags)
        quantisation, frame = jpeg.index(b"\xff\xdb"), jpeg.index(b"\xff\xc0")
        common = jpeg[:2] + jpeg[quantisation:frame] + b"\xff\xd9"
        strips.append(jpeg[:2] + jpeg[frame:])
    if photometric == 6:
        agrees(tiff((tags | {347: common}, strips)), RGB, 12)
    else:  # its channels are not transformed: luma and chroma of another picture, taken as they are
        shown = cv2.cvtColor(stored, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]
        agrees(tiff((tags | {347: common}, strips)), shown, 12)


def test_red_green_and_blue_on_pages_of_their_own(tmp_path: Path) -> None:
    planes = [np.ascontiguousarray(RGB[..., channel]) for channel in range(3)]
    imagej = b"ImageJ=1.53t\nimages=6\nchannels=3\nslices=2\nmode=composite\n"
    ome = b'<OME><Pixels ID="0" DimensionOrder="XYCZT" SizeC="3" SizeT="1" SizeX="44" SizeZ="2"/></OME>'
    for description in (imagej, ome):
        first, *rest = planes * 2
        found = read(tmp_path, tiff(page(first, t270=description), *map(page, rest)))
        assert len(found) == 2
        for one in found:
            np.testing.assert_array_equal(one, RGB)
    assert len(read(tmp_path, tiff(*map(page, planes)))) == 3


def test_pages_that_imagej_does_not_list(tmp_path: Path) -> None:
    stack = np.stack([RGB, 255 - RGB, RGB // 2])
    description = b"ImageJ=1.53t\nimages=3\nslices=3\n"
    data = tiff(page(RGB, t270=description))
    directory = struct.unpack_from("<I", data, 4)[0]
    # pixels begin at byte 8; what follows the first picture is moved behind all of them
    grown = bytearray(tiff(page(RGB, t270=description)))
    data = bytes(grown[:8]) + stack.tobytes()
    moved = bytes(grown[8 + RGB.nbytes :])
    shift = stack.nbytes - RGB.nbytes
    out = bytearray(data + moved)
    struct.pack_into("<I", out, 4, directory + shift)
    count = struct.unpack_from("<H", out, directory + shift)[0]
    for entry in range(directory + shift + 2, directory + shift + 2 + 12 * count, 12):
        tag, kind, length, value = struct.unpack_from("<HHII", out, entry)
        if tag != 273 and length * (4 if kind == 4 else 1) > 4:
            struct.pack_into("<I", out, entry + 8, value + shift)
    found = read(tmp_path, bytes(out))
    assert len(found) == 3
    for one, expected in zip(found, stack, strict=True):
        np.testing.assert_array_equal(one, expected)


def test_what_pillow_writes_is_read() -> None:
    image = pytest.importorskip("PIL.Image").fromarray(RGB)
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate", "jpeg", "lzma"):
        out = io.BytesIO()
        image.save(out, "TIFF", compression=compression)
        agrees(out.getvalue(), RGB, 16 if compression == "jpeg" else 0)
