"""JPEG, PNG, WebP, BMP, HEIC and AVIF in their variants, and the damage that each can tell."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.files.formats import heif, limits
from edge.files.pictures import decode, pages
from tests.edge.files import odd
from tests.edge.files.odd import GREY, GREY_RGB, RGB, encoded

DETAIL = cv2.normalize(
    cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8), (0, 0), 2),
    None, 0, 255, cv2.NORM_MINMAX,
)  # fmt: skip
"""Detail everywhere, so that damage anywhere shows."""


def read(folder: Path, data: bytes) -> list[np.ndarray | str]:
    path = folder / "x.jpg"
    path.write_bytes(data)
    return list(pages(path))


def agrees(data: bytes, expected: np.ndarray, tolerance: int = 0) -> None:
    pixels = decode(data)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


def pillow(kind: str, image: object, **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)  # type: ignore[attr-defined]
    return out.getvalue()


# JPEG


@pytest.mark.parametrize(
    "flags",
    [
        (),
        (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        (cv2.IMWRITE_JPEG_RST_INTERVAL, 3),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x411111),
    ],
)
def test_a_jpeg_is_read_as_opencv_reads_it(flags: tuple[int, ...]) -> None:
    jpeg = encoded(".jpg", DETAIL, *flags)
    np.testing.assert_array_equal(decode(jpeg), cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1)[..., ::-1])
    grey = encoded(".jpg", DETAIL[..., 0], *flags)
    assert np.ptp(decode(grey), axis=2).max() == 0


def test_inks_are_turned_into_light() -> None:
    image = pytest.importorskip("PIL.Image").fromarray(RGB).convert("CMYK")
    agrees(pillow("JPEG", image, quality=97, subsampling=0), RGB, 20)
    with pytest.raises(ValueError, match="stored in a way that is not read: save it as PNG"):
        decode(pillow("JPEG", image, quality=97, subsampling=2))  # black as coarse as chroma
    jpeg = pillow("JPEG", image, quality=97, subsampling=0)
    marker = jpeg.index(b"\xff\xee")
    agrees(jpeg[:marker] + jpeg[marker + 16 :], 255 - decode(jpeg), 255)  # not inverted without the marker


def test_red_green_and_blue_without_transform() -> None:
    image = pytest.importorskip("PIL.Image").fromarray(RGB)
    agrees(pillow("JPEG", image, quality=97, keep_rgb=True), RGB, 8)


def test_only_the_first_picture_of_a_phone_is_read(tmp_path: Path) -> None:
    jpeg, preview = encoded(".jpg"), encoded(".jpg", RGB[::2, ::2])
    listed = jpeg[:2] + odd.segment(0xE2, b"MPF\0" + bytes(40)) + jpeg[2:]
    assert len(read(tmp_path, listed + jpeg)) == 1
    assert len(read(tmp_path, jpeg + preview)) == 1
    assert len(read(tmp_path, jpeg + b"\0\0\0\x18ftypmp42" + bytes(99))) == 1


def test_every_picture_of_a_dumped_stream_is_read(tmp_path: Path) -> None:
    jpegs = [encoded(".jpg", one) for one in (RGB, 255 - RGB, RGB // 2)]
    found = read(tmp_path, b"".join(jpegs))
    for one, jpeg in zip(found, jpegs, strict=True):
        np.testing.assert_array_equal(one, decode(jpeg))
    *good, said = read(tmp_path, b"".join(jpegs)[:-30])
    assert len(good) == 2
    assert "cut short" in str(said)


def test_padding_before_the_end_is_no_damage() -> None:
    jpeg = encoded(".jpg", DETAIL)
    for padding in (b"\0", b"\xff\xff", bytes(7)):
        np.testing.assert_array_equal(decode(jpeg[:-2] + padding + jpeg[-2:]), decode(jpeg))


def test_what_cameras_write_wrongly_into_the_head_is_no_damage() -> None:
    jpeg = encoded(".jpg", DETAIL)
    version, scan = jpeg.index(b"JFIF\0") + 5, jpeg.index(b"\xff\xda")
    selection = scan + 2 + int.from_bytes(jpeg[scan + 2 : scan + 4], "big") - 3
    odd_head = bytearray(jpeg)
    odd_head[version] = 2
    odd_head[selection : selection + 3] = bytes(3)
    np.testing.assert_array_equal(decode(bytes(odd_head)), decode(jpeg))
    with pytest.raises(ValueError, match="cut short or damaged"):
        decode(bytes(odd_head[:-200]) + b"\xff\xd9")
    without_tables = jpeg
    while (at := without_tables.find(b"\xff\xc4")) >= 0:  # as in MJPEG
        length = int.from_bytes(without_tables[at + 2 : at + 4], "big")
        without_tables = without_tables[:at] + without_tables[at + 2 + length :]
    np.testing.assert_array_equal(decode(without_tables), decode(jpeg))


@pytest.mark.parametrize(
    ("at", "byte", "said"), [(1, 0xC3, "lossless"), (1, 0xC6, "hierarchical"), (4, 12, "3 channels, 12 bits")]
)
def test_a_kind_of_jpeg_that_is_not_read_is_named(at: int, byte: int, said: str) -> None:
    jpeg = bytearray(encoded(".jpg"))
    jpeg[jpeg.index(b"\xff\xc0") + at] = byte
    with pytest.raises(ValueError, match=f"the JPEG is .*{said}.*: save it as"):
        decode(bytes(jpeg))


@pytest.mark.parametrize("flag", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 5)])
@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"\x5a", b""])
def test_a_hole_in_a_jpeg_is_told(flag: tuple[int, ...], filling: bytes) -> None:
    jpeg = encoded(".jpg", np.tile(DETAIL, (3, 3, 1)), *flag)
    scan = jpeg.index(b"\xff\xda")
    told = 0
    for at in np.linspace(scan + 20, len(jpeg) - 600, 20).astype(int):
        try:
            decode(jpeg[:at] + filling * 512 + jpeg[at + 512 :])
        except ValueError as error:
            told += str(error).startswith("the file is cut short or damaged")
    assert told >= 19  # a stream that falls into step again after as many blocks as were lost leaves no trace


# PNG


def png_of(
    rows: np.ndarray, bits: int, colour: int, *more: tuple[bytes, bytes], interlaced: bool = False
) -> bytes:
    """A PNG of samples (H, W) or (H, W, channels)."""
    height, width = rows.shape[:2]
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    raw = b""
    for left, top, across, down in passes:
        for row in rows[top::down, left::across]:
            numbers = row.astype(np.int64).ravel()
            stored = (numbers[:, None] >> np.arange(bits)[::-1] & 1).ravel().astype(np.uint8)
            raw += b"\0" + np.packbits(stored).tobytes() if numbers.size else b""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    return odd.png((b"IHDR", head), *more, (b"IDAT", zlib.compress(raw)))


@pytest.mark.parametrize("interlaced", [False, True])
def test_every_kind_of_png(interlaced: bool) -> None:
    def agree(
        rows: np.ndarray, bits: int, colour: int, expected: np.ndarray, *more: tuple[bytes, bytes]
    ) -> None:
        agrees(png_of(rows, bits, colour, *more, interlaced=interlaced), expected)

    agree(RGB, 8, 2, RGB)
    agree(RGB.astype(np.uint16) * 257, 16, 2, RGB)
    agree(np.dstack([RGB, GREY]), 8, 6, RGB)
    agree(np.dstack([GREY, 255 - GREY]), 8, 4, GREY_RGB)
    for bits in (1, 2, 4, 8):
        low = GREY.astype(np.int64) >> (8 - bits)
        scaled = (low * 255 // ((1 << bits) - 1)).astype(np.uint8)
        agree(low, bits, 0, np.dstack([scaled] * 3))
        colours = np.random.default_rng(2).integers(0, 256, (1 << bits, 3), np.uint8)
        agree(low, bits, 3, colours[low], (b"PLTE", colours.tobytes()))


def test_a_narrow_interlaced_png_has_empty_passes() -> None:
    agrees(png_of(RGB[:3, :3], 8, 2, interlaced=True), RGB[:3, :3])


def test_a_cameras_bits_in_a_png() -> None:
    for used in (10, 12, 14):
        levels = np.round(RGB.astype(float) * ((1 << used) - 1) / 255).astype(np.uint16)
        agrees(png_of(levels, 16, 2), RGB, 1)
        agrees(png_of(levels, 16, 2, (b"sBIT", bytes([used] * 3))), RGB, 1)
    dark = (RGB // 20).astype(np.uint16) * 16
    agrees(png_of(dark, 16, 2, (b"sBIT", b"\x0c\x0c\x0c")), RGB // 20, 1)


def test_damage_in_a_png_is_told(tmp_path: Path) -> None:
    whole = png_of(DETAIL, 8, 2)
    body = zlib.decompress(whole[whole.index(b"IDAT") + 4 : -16])
    head = (b"IHDR", whole[16:29])
    packed = zlib.compress(body)
    agrees(odd.png(head, (b"IDAT", packed[:500]), (b"IDAT", packed[500:])), DETAIL)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x20
    for data in (
        odd.png(head, (b"IDAT", packed[:500]), (b"IDAT", packed[600:])),  # a chunk is lost
        odd.png(head, (b"IDAT", packed[:500])),
        odd.png(head, (b"IDAT", zlib.compress(body[:-400]))),
        odd.png(head, (b"IDAT", packed[:-4] + b"abcd")),  # the rows' own checksum
        odd.png(head, (b"IDAT", zlib.compress(b"\7" + body[1:]))),  # a filter that does not exist
        odd.png(head),
        odd.png((b"IDAT", packed)),
        bytes(flipped),
        whole[:-12],
    ):
        (said,) = read(tmp_path, data)
        assert str(said).startswith("the file is cut short or damaged")


# animations


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_every_picture_of_an_animation_is_read(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = pytest.importorskip("PIL.Image")
    shown = [RGB, 255 - RGB, RGB[::-1]]
    first, *rest = [image.fromarray(one) for one in shown]
    data = pillow(kind, first, save_all=True, append_images=rest, lossless=True)
    monkeypatch.setattr(limits, "MEGAPIXELS", 0.002)  # a picture fits, three do not
    one, said = read(tmp_path, data)
    np.testing.assert_array_equal(one, RGB)
    assert said == "of 3 pictures in the file only the first could be read: save each as a file of its own"
    monkeypatch.undo()
    if not hasattr(cv2, "imdecodeanimation"):
        return
    for one, expected in zip(read(tmp_path, data), shown, strict=True):
        np.testing.assert_array_equal(one, expected)


# WebP and BMP


def test_webp_of_either_kind() -> None:
    agrees(encoded(".webp", RGB, cv2.IMWRITE_WEBP_QUALITY, 101), RGB)
    agrees(encoded(".webp", RGB, cv2.IMWRITE_WEBP_QUALITY, 95), RGB, 40)


@pytest.mark.parametrize("kept", [4, 11, 15, 25, 60, -1])
def test_a_webp_that_is_cut_is_told(tmp_path: Path, kept: int) -> None:
    for quality in (80, 101):
        (said,) = read(tmp_path, encoded(".webp", DETAIL, cv2.IMWRITE_WEBP_QUALITY, quality)[:kept])
        assert isinstance(said, str)


def bmp(rows: bytes, width: int, height: int, bits: int, compression: int = 0, palette: bytes = b"") -> bytes:
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 0, 0, len(palette) // 4, 0
    )
    offset = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 7, 7, offset) + header + palette + rows


def test_bmp_of_palettes_and_run_lengths(tmp_path: Path) -> None:
    palette = bytes([10, 20, 200, 0, 30, 220, 40, 0])
    red, green = [200, 20, 10], [40, 220, 30]
    for bits, row in ((1, b"\x50\0\0\0"), (4, b"\x01\x01\0\0"), (8, b"\0\1\0\1")):
        pixels = decode(bmp(row * 2, 4, 2, bits, 0, palette))
        assert pixels[0].tolist() == [red, green, red, green]
    runs = b"\x04\1\0\0" + b"\x02\0\x02\1\0\0" + b"\0\1"
    assert decode(bmp(runs, 4, 2, 8, 1, palette)).tolist() == [[red, red, green, green], [green] * 4]
    whole = bmp(runs, 4, 2, 8, 1, palette)
    for cut in (whole[:-2], whole[:-5], bmp(runs[:-4], 4, 2, 8, 1, palette)):
        (said,) = read(tmp_path, cut)
        assert said == "the file is cut short or damaged"
    (said,) = read(tmp_path, bmp(bytes(20), 4, 2, 24, 4))
    assert "another format inside" in str(said)


# HEIC and AVIF


def test_a_heic_without_the_extra_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "available", lambda: False)
    for brand, what in ((b"heic", "a HEIC"), (b"mif1", "a HEIC"), (b"avif", "an AVIF")):
        (said,) = read(tmp_path, b"\0\0\0\x18ftyp" + brand + bytes(40))
        assert said == (
            f"is {what} picture and cannot be read here: install leukoscope[heif], set the phone to "
            "'most compatible', or save it as JPEG"
        )


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_heic_and_an_avif(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    image = pytest.importorskip("PIL.Image").fromarray(np.repeat(np.repeat(RGB, 4, 0), 4, 1))
    for orientation, expected in ((1, RGB), (6, RGB.transpose(1, 0, 2)[:, ::-1])):
        image.getexif()[0x0112] = orientation
        # either library turns the tag into the format's own, each when it is asked in its way
        data = pillow(kind, image, quality=95, **({"exif": image.getexif()} if kind == "AVIF" else {}))
        assert (b"irot" in data) == (orientation == 6), "the turn is stored as part of the format"
        (found,) = read(tmp_path, data)
        assert isinstance(found, np.ndarray)
        large = np.repeat(np.repeat(expected, 4, 0), 4, 1).astype(int)
        assert found.shape == large.shape
        assert np.abs(found - large).mean() < 4
        for cut in (data[:100], data[: len(data) // 2]):
            (said,) = read(tmp_path, cut)
            assert str(said).startswith("the file is cut short or damaged")
            assert "\n" not in str(said)
    monkeypatch.setattr(limits, "MEGAPIXELS", 0.01)
    (said,) = read(tmp_path, data)
    assert "120 x 176 pixels" in str(said) or "176 x 120 pixels" in str(said)


# whatever happens to a file

SMALL: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(".jpg", DETAIL),
    "progressive": lambda: encoded(".jpg", DETAIL, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "png": lambda: encoded(".png", DETAIL),
    "bmp": lambda: encoded(".bmp", DETAIL),
    "webp": lambda: encoded(".webp", DETAIL),
    "tiff": lambda: odd.tiff(odd.page(DETAIL), odd.page(DETAIL[::-1])),
    "bigtiff": lambda: odd.tiff(odd.page(DETAIL.astype(np.uint16) * 257), order=">", big=True),
    "deflate": lambda: odd.tiff((odd.page(DETAIL, t259=8)[0], [zlib.compress(DETAIL.tobytes())])),
    "lzw": lambda: encoded(".tif", DETAIL),
}
HARM = ("flip", "zeros", "noise", "cut", "drop")


def harmed(data: bytes, how: str, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data)))
    count = min(len(data) - at, int(2 ** rng.uniform(0, 10)))
    if how == "flip":
        return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]
    middle = {"zeros": bytes(count), "noise": rng.bytes(count), "drop": b""}.get(how, b"")
    return data[:at] if how == "cut" else data[:at] + middle + data[at + count :]


@pytest.mark.parametrize("kind", SMALL)
def test_whatever_happens_to_a_file_gives_pictures_or_reasons(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = SMALL[kind]()
    rng = np.random.default_rng(3)
    for turn in range(60):
        for found in read(tmp_path, harmed(whole, HARM[turn % len(HARM)], rng)):
            if isinstance(found, str):
                assert found.isprintable()
                assert found
            else:
                assert found.dtype == np.uint8
                assert found.shape[2:] == (3,)
    assert capfd.readouterr() == ("", "")


def test_nothing_reaches_standard_error(tmp_path: Path) -> None:
    import subprocess

    jpeg = encoded(".jpg", DETAIL)
    (tmp_path / "a").write_bytes(jpeg[:500] + bytes(100) + jpeg[600:])
    (tmp_path / "b").write_bytes(
        odd.png((b"IHDR", encoded(".png", DETAIL)[16:29]), (b"IDAT", b"x\x9c" + bytes(99)))
    )
    (tmp_path / "c").write_bytes(odd.tiff((odd.page(RGB)[0] | {259: 5}, [b"\x80\x0b" + bytes(30)])))
    code = (
        "import sys; from pathlib import Path; from edge.files.pictures import pages\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()): print(*map(type, pages(path)))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert run.stderr == ""
    assert len(run.stdout.splitlines()) == 3
