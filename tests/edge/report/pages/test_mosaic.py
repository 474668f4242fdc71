"""The grey picture under the map: every field where it lies, and nothing that differs between machines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import simplejpeg

from edge.report.pages.mosaic import mosaic
from edge.report.scanmap import ScanMap
from edge.types import U8


class _Thumbs:
    """Small pictures by frame."""

    def __init__(self, pictures: dict[int, U8]) -> None:
        self._pictures = pictures

    def thumbs(self) -> Iterator[tuple[int, bytes]]:
        for frame, pixels in self._pictures.items():
            yield frame, simplejpeg.encode_jpeg(pixels[..., None], 95, "GRAY")


def _mosaic(rows: list[dict[str, object]], pictures: dict[int, U8]) -> U8:
    scanned = ScanMap.of(rows)
    assert scanned
    jpeg = mosaic(scanned, _Thumbs(pictures))  # type: ignore[arg-type]
    assert jpeg == mosaic(scanned, _Thumbs(pictures))  # type: ignore[arg-type]
    return simplejpeg.decode_jpeg(jpeg, "GRAY")[..., 0]


def _row(
    frame: int, side_um: float, overlaps: list[tuple[int, float, float]] | None = None
) -> dict[str, object]:
    return {
        "frame": frame, "width": 100, "height": 100, "um_per_px": side_um / 100,
        "overlaps": overlaps or [], "kept": True,
    }  # fmt: skip


def test_fields_lie_where_the_map_has_them_and_what_is_not_lit_stays_white() -> None:
    one, other = np.full((40, 40), 160, np.uint8), np.full((40, 40), 220, np.uint8)
    other[:, 30:] = 0
    sheet = _mosaic([_row(3, 60), _row(5, 60, [(3, 45.0, 0.0)])], {3: one, 5: other, 9: one})
    assert sheet.shape == (40, 70)
    assert abs(int(sheet[20, 10]) - 160) < 4
    assert abs(int(sheet[20, 45]) - 220) < 4
    assert sheet[20, 66] > 250


def test_a_large_slide_is_averaged_down() -> None:
    checks = np.where(np.indices((2000, 2000)).sum(0) % 2, 150, 250).astype(np.uint8)
    sheet = _mosaic([_row(0, 3000)], {0: checks})
    assert sheet.shape == (1000, 1000)
    assert abs(float(sheet.mean()) - 200) < 2
