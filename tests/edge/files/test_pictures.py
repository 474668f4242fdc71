"""The door: what a file is, how large it may be, how it is turned, and that nothing raises or prints."""

from __future__ import annotations

import os
import struct
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from edge.files.formats import heif, limits
from edge.files.pictures import IMAGES, decode, pages, readable
from tests.edge.files import odd
from tests.edge.files.odd import RGB, encoded

SUFFIXES = [".jpg", ".png", ".bmp", ".tif", ".webp"]
SHOWN = {
    1: RGB,
    2: RGB[:, ::-1],
    3: RGB[::-1, ::-1],
    4: RGB[::-1],
    5: RGB.transpose(1, 0, 2),
    6: RGB.transpose(1, 0, 2)[:, ::-1],
    7: RGB.transpose(1, 0, 2)[::-1, ::-1],
    8: RGB.transpose(1, 0, 2)[::-1],
}
"""Where the first row and column of a stored picture stand, by TIFF 6.0's table of orientations."""


def written(folder: Path, data: bytes, name: str = "x.jpg") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def only(path: Path) -> str:
    (said,) = pages(path)
    assert isinstance(said, str)
    return said


def tagged(suffix: str, orientation: int) -> bytes:
    """A picture with its orientation in the place that its format has for it."""
    exif = odd.exif(orientation)
    if suffix == ".tif":
        return odd.tiff(odd.page(RGB, t274=orientation))
    data = encoded(suffix) if suffix != ".webp" else encoded(suffix, RGB, 64, 101)
    if suffix == ".jpg":
        return data[:2] + odd.segment(0xE1, b"Exif\0\0" + exif) + data[2:]
    if suffix == ".png":
        return data[:-12] + odd.chunk(b"eXIf", exif) + data[-12:]
    size = struct.pack("<I", 8) + (43).to_bytes(3, "little") + (29).to_bytes(3, "little")
    return odd.riff((b"VP8X", size), (data[12:16], data[20:]), (b"EXIF", exif))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_picture_stands_as_viewers_show_it(suffix: str, orientation: int) -> None:
    shown = decode(tagged(suffix, orientation))
    assert shown.shape == SHOWN[orientation].shape
    assert np.abs(shown.astype(int) - SHOWN[orientation]).max() <= (6 if suffix == ".jpg" else 0)


def test_an_orientation_without_meaning_changes_nothing() -> None:
    for orientation in (0, 9, 65535):
        np.testing.assert_array_equal(decode(tagged(".tif", orientation)), RGB)
    jpeg = encoded(".jpg")
    for exif in (b"", b"II*\0", b"Exif", odd.exif(6)[:12]):
        broken = jpeg[:2] + odd.segment(0xE1, b"Exif\0\0" + exif) + jpeg[2:]
        np.testing.assert_array_equal(decode(broken), decode(jpeg))


def huge(kind: str, width: int, height: int) -> bytes:
    """A small file that announces a picture of this size."""
    sides = struct.pack(">II", width, height)
    if kind == "jpg":
        data = bytearray(encoded(".jpg"))
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
        return bytes(data)
    if kind == "png":
        return odd.png((b"IHDR", sides + b"\x08\2\0\0\0"), (b"IDAT", zlib.compress(bytes(1000))))
    if kind == "bmp":
        data = bytearray(encoded(".bmp"))
        struct.pack_into("<ii", data, 18, width, -height)
        return bytes(data)
    if kind == "webp":
        edges = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        still = encoded(".webp")
        return odd.riff((b"VP8X", bytes(4) + edges), (still[12:16], still[20:]))
    return odd.tiff(odd.page(RGB, t256=width, t257=height, t278=height), big=kind == "bigtiff")


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "webp", "tiff", "bigtiff"])
def test_a_picture_that_is_too_large_is_told_before_it_is_decoded(tmp_path: Path, kind: str) -> None:
    assert only(written(tmp_path, huge(kind, 20_000, 30_000))) == (
        "the picture has 20000 x 30000 pixels (600 megapixels); at most 128 megapixels are read: "
        "save a smaller one or crop it"
    )
    assert only(written(tmp_path, huge(kind, 12_000, 9_000))) != ""  # of a size that is read, but cut short
    assert "megapixels" not in only(written(tmp_path, huge(kind, 12_000, 9_000)))


def test_a_file_that_is_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_BYTES", 1 << 20)
    with written(tmp_path, encoded(".png")).open("r+b") as file:
        file.truncate((1 << 20) + 1)
    assert only(tmp_path / "x.jpg").startswith("the file has more than 1 MB, more than is read")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>Not found", "is a web page"),
        (b"\xef\xbb\xbf \n<html>", "is a web page"),
        (b"<?xml version='1.0'?><svg/>", "is an XML"),
        (b"%PDF-1.7\n", "is a PDF"),
        (bytes(128) + b"DICM" + bytes(99), "is a DICOM file"),
        (b"GIF89a" + bytes(99), "is a GIF"),
        (b"PK\3\4" + bytes(99), "is a packed archive"),
        (b"\0\0\0\x18ftypmp42" + bytes(99), "is a video"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99), "is a JPEG 2000"),
        (b"ZISRAWFILE" + bytes(99), "is a ZEISS"),
        (b"8BPS\0\1" + bytes(99), "is a Photoshop file"),
        (bytes(4096), "holds zeros"),
        (b"name,class\n1,blast\n", "is text"),
        (bytes(range(7, 256)), "cannot be decoded"),
    ],
)  # fmt: skip
def test_another_kind_of_file_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in only(written(tmp_path, data))
    with pytest.raises(ValueError, match=said):
        decode(data)


@pytest.mark.parametrize("suffix", [".svs", ".ndpi", ".scn", ".mrxs", ".bif"])
def test_whole_slides_are_told_by_name(tmp_path: Path, suffix: str) -> None:
    said = only(written(tmp_path, encoded(".jpg"), f"slide{suffix}"))
    assert said.startswith("is a whole slide (")
    assert "export single fields" in said


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_content_counts_and_not_the_name(tmp_path: Path, suffix: str) -> None:
    (pixels,) = pages(written(tmp_path, encoded(suffix), "x.jpg"))
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == RGB.shape
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - RGB).max() <= 12


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(only(tmp_path / "pipe.jpg")), daemon=True)
    thread.start()
    thread.join(10)
    assert said == ["is a named pipe and no file"]
    assert only(tmp_path / "folder.jpg") == "is a folder and no file"
    assert only(Path("/dev/null")) == "is a device and no file"
    assert only(tmp_path / "gone.jpg") == "the file cannot be read: No such file or directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, encoded(".jpg"))
    path.chmod(0)
    assert only(path) == "the file cannot be read: Permission denied"


def test_suffixes_depend_on_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {".jfif", ".jpe", ".apng", ".jpg", ".webp"} <= set(IMAGES)
    monkeypatch.setattr(heif, "available", lambda: False)
    assert readable() == IMAGES
    monkeypatch.setattr(heif, "available", lambda: True)
    assert {".heic", ".heif", ".avif"} <= set(readable())


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    import subprocess

    code = "import sys, edge.files.pictures; print({'PIL', 'pillow_heif', 'simplejpeg'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_cases_of_clinics(tmp_path: Path) -> None:
    cases = Path(__file__).parents[4] / "shared" / "cases"
    if not cases.is_dir():
        pytest.skip(f"no pictures from the field in {cases}")
    assert [np.shape(one) for one in pages(cases / "03-multipage-stack.tif")] == [(480, 640, 3)] * 4
    twelve, sixteen = (next(pages(cases / name)) for name in ("09-12bit-in-16.tif", "09-same-16bit.tif"))
    assert np.abs(np.subtract(twelve, sixteen, dtype=np.int16)).max() <= 1
    (jpeg2000,) = pages(cases / "10-jpeg2000-in-tiff.tif")
    assert np.abs(np.subtract(jpeg2000, sixteen, dtype=np.int16)).mean() < 6
    assert "40000 x 27000 pixels (1080 megapixels)" in only(cases / "17-1080-megapixel.png")
    assert all(isinstance(one, np.ndarray) for one in pages(cases / "07-phone" / "photo.jfif"))
