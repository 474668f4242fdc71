"""The samples of a TIFF page, put together from its strips or tiles (TIFF 6.0, sections 3, 14 and 15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge.files.formats import codecs, ifd, limits

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
DEPTHS = {UNSIGNED: (1, 2, 4, 8, 10, 12, 14, 16, 32), SIGNED: (8, 16, 32), FLOAT: (16, 32, 64)}
"""Bits that samples of each format may have."""
SUBSAMPLED = 6
MOST_SAMPLES = 8
"""Most channels of a picture; more have pictures of spectra only."""
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Bytes whose first pixel is in their lowest bit, as FillOrder 2 has it, turned round."""


@dataclass(frozen=True)
class Layout:
    """How a page's samples lie in the file; widths and heights in pixels, of the page and of a part of it."""

    width: int
    height: int
    samples: int
    bits: int
    format: int
    compression: int
    photometric: int
    planes: int
    """1 with the samples of a pixel side by side, else one a channel."""
    tile_width: int
    tile_height: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def across(self) -> int:
        """Tiles beside each other."""
        return -(-self.width // self.tile_width)

    @property
    def per_plane(self) -> int:
        """Strips or tiles of a plane."""
        return self.across * -(-self.height // self.tile_height)


def layout(page: ifd.Directory) -> Layout:
    """How a page's samples lie.

    Raises
    ------
    ValueError : the page is too large, of a kind that is not read, or its tags contradict each other.
    """
    width, height = page.number(ifd.WIDTH, 0), page.number(ifd.HEIGHT, 0)
    limits.check(width, height)
    compression = page.number(ifd.COMPRESSION, codecs.NONE)
    codecs.check(compression)
    bits, form = page.numbers(ifd.BITS, (1,)), page.number(ifd.SAMPLE_FORMAT, UNSIGNED)
    samples = page.number(ifd.SAMPLES, 1)
    form = UNSIGNED if form == 4 else form  # 4: the writer did not know
    known = len(set(bits)) == 1 and bits[0] in DEPTHS.get(form, ()) and 0 < samples <= MOST_SAMPLES
    if not known:
        raise ValueError(
            f"the picture has {samples} channels of {bits[0]} bits and cannot be read: "
            "save it with 8 or 16 bits a channel"
        )
    tiled = ifd.TILE_OFFSETS in page.tags
    tile_width = page.number(ifd.TILE_WIDTH, 0) if tiled else width
    tile_height = page.number(ifd.TILE_HEIGHT, 0) if tiled else page.number(ifd.ROWS_PER_STRIP, height)
    tile_height = tile_height if tiled else min(tile_height, height)
    limits.check(tile_width, tile_height)
    found = Layout(
        width, height, samples, bits[0], form, compression, page.number(ifd.PHOTOMETRIC, 1),
        samples if page.number(ifd.PLANAR, 1) == 2 else 1, tile_width, tile_height,
        page.numbers(ifd.TILE_OFFSETS if tiled else ifd.STRIP_OFFSETS),
        page.numbers(ifd.TILE_BYTES if tiled else ifd.STRIP_BYTES),
    )  # fmt: skip
    return _with_counts(found)


def _with_counts(found: Layout) -> Layout:
    """The layout, once it names all its strips or tiles; old writers left out how long an only one is."""
    expected = found.per_plane * found.planes
    counts = found.counts
    if not counts and found.compression == codecs.NONE:
        counts = tuple(
            _row_bytes(found) * min(found.tile_height, found.height - i % found.per_plane * found.tile_height)
            for i in range(expected)
        )
    have = min(len(found.offsets), len(counts))
    if have < expected:
        raise ValueError(f"the page is damaged: {have} of {expected} parts are in the file")
    return Layout(**{**vars(found), "counts": counts})


def _row_bytes(found: Layout) -> int:
    return (found.tile_width * (found.samples // found.planes) * found.bits + 7) // 8


def samples(file: BinaryIO, page: ifd.Directory, found: Layout) -> NDArray[Any]:
    """The samples of a page, (H, W, channels): uint8, uint16, uint32 or float32, negative ones as 0.

    Raises
    ------
    ValueError : a strip or tile is missing, damaged or not of the size that the page's tags say.
    """
    size = file.seek(0, 2)
    if any(at + count > size or not count for at, count in _parts(found)):
        raise ValueError("the page is cut short or damaged: parts of it lie beyond the file's end")
    wanted = _row_bytes(found) * found.height * found.planes
    if found.compression == codecs.NONE and sum(found.counts) < wanted:
        raise ValueError("the page is cut short or damaged: rows are missing")
    picture: NDArray[Any] | None = None
    for number, (at, count) in enumerate(_parts(found)):
        plane, within = divmod(number, found.per_plane)
        top, left = (within // found.across) * found.tile_height, (within % found.across) * found.tile_width
        rows, columns = min(found.tile_height, found.height - top), min(found.tile_width, found.width - left)
        tiled = ifd.TILE_OFFSETS in page.tags
        file.seek(at)
        try:
            part = _part(file.read(count), page, found, found.tile_height if tiled else rows)
        except ValueError as error:
            total = found.per_plane * found.planes
            raise ValueError(f"the page is damaged in part {number + 1} of {total}: {error}") from error
        if picture is None:
            channels = found.samples if found.planes > 1 else part.shape[2]
            picture = np.empty((found.height, found.width, channels), part.dtype)
        if part.shape[0] < rows or part.shape[1] < columns or part.dtype != picture.dtype:
            raise ValueError("the page is damaged: a part of it has another size")
        where = slice(plane, plane + 1) if found.planes > 1 else slice(None)
        picture[top : top + rows, left : left + columns, where] = part[:rows, :columns]
    assert picture is not None, "a layout has a part at least"
    return picture


def _parts(found: Layout) -> list[tuple[int, int]]:
    """Where each strip or tile lies and how many bytes it has."""
    expected = found.per_plane * found.planes
    return list(zip(found.offsets[:expected], found.counts[:expected], strict=True))


def _part(data: bytes, page: ifd.Directory, found: Layout, rows: int) -> NDArray[Any]:
    """The samples of one strip or tile, (rows, tile width, channels)."""
    if found.compression in codecs.PICTURES:
        transformed = found.photometric == SUBSAMPLED and found.planes == 1
        return codecs.picture(
            data, found.compression, tables=page.text(ifd.JPEG_TABLES), transformed=transformed
        )
    if page.number(ifd.FILL_ORDER, 1) == 2:
        data = data.translate(REVERSED)
    row_bytes, channels = _row_bytes(found), found.samples // found.planes
    raw = codecs.unpack(data, found.compression, rows, row_bytes)
    predictor = page.number(ifd.PREDICTOR, 1)
    if predictor == 3 and found.format == FLOAT:
        raw = _undo_float_predictor(raw, rows, channels, found.bits // 8)
        values = np.frombuffer(raw, f">f{found.bits // 8}")
    elif found.bits in (8, 16, 32, 64):
        kind = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}[found.format]
        values = np.frombuffer(raw, f"{page.order}{kind}{found.bits // 8}")
    else:
        values = _unpack_bits(raw, rows, found.tile_width * channels, found.bits)
    values = values.astype(values.dtype.newbyteorder("="), copy=False).reshape(rows, -1, channels)
    if predictor == 2:
        values = np.cumsum(values, axis=1, dtype=values.dtype)
    return _unsigned(values)


def _undo_float_predictor(raw: bytes, rows: int, channels: int, size: int) -> bytes:
    """Bytes of like significance, side by side and differenced, in order again (TIFF Technical Note 3)."""
    planes = np.frombuffer(raw, np.uint8).reshape(rows, -1, channels)
    summed = np.cumsum(planes, axis=1, dtype=np.uint8).reshape(rows, size, -1)
    return np.ascontiguousarray(summed.transpose(0, 2, 1)).tobytes()


def _unpack_bits(raw: bytes, rows: int, count: int, bits: int) -> NDArray[Any]:
    """`count` numbers of 1, 2, 4, 10, 12 or 14 bits a row; a row begins with a byte."""
    stored = np.unpackbits(np.frombuffer(raw, np.uint8).reshape(rows, -1), axis=1)[:, : count * bits]
    kind = np.uint8 if bits < 8 else np.uint16
    values = np.zeros((rows, count), kind)
    for bit in range(bits):
        values = (values << 1) | stored[:, bit::bits]
    return values


def _unsigned(values: NDArray[Any]) -> NDArray[Any]:
    """Signed and floating-point samples without what is below black and what is no number."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        return np.asarray(np.maximum(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), 0))
    if values.dtype.kind == "i":
        return np.asarray(np.maximum(values, 0)).view(values.dtype.str.replace("i", "u"))
    return values
