"""The compiled outlines are those of NumPy, whatever a field shows."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.bench.fields import CROWDED_UM_PER_PX, crowded, draw
from edge.cells import outline
from edge.cells.nuclei import Nuclei
from edge.cells.stain import Cloud, Stain, density
from edge.native import core
from edge.native import outlines as compiled
from edge.optics.specimen import specimen
from edge.types import F32, U8

pytestmark = [
    pytest.mark.skipif(core() is None, reason="the compiled core was not built, or is not wanted"),
    pytest.mark.skipif(
        cv2.__version__ < "5", reason="OpenCV 4 looks at pictures in steps of a 32nd of a pixel"
    ),
]

PITCH_UM = 0.5
GLASS, RED = np.array([0.01, 0.01, 0.01], np.float32), np.array([0.2, 0.45, 0.26], np.float32)


def _stain(half: U8, red: bool = True) -> Stain:
    """What a field of these pixels would be taken for."""
    rng = np.random.default_rng(5)
    glass, cells = (
        rng.normal(mean, 0.02, (200, 3)).astype(np.float32)
        * rng.uniform(0.7, 1.3, (200, 1)).astype(np.float32)
        for mean in (GLASS, RED)
    )
    nothing = np.zeros((max(half.shape[0] // 2, 1), max(half.shape[1] // 2, 1)), np.bool_)
    clouds = Cloud.of(glass, 0.012), Cloud.of(cells, 0.02, 0.3) if red else None
    return Stain(half, PITCH_UM, np.array([1.0, 1.0, -2.0], np.float32), 0.4, nothing, *clouds)


def _nuclei(height: int, width: int, n: int, seed: int = 0) -> Nuclei:
    """Discs here and there, at the edges too; a later one lies on top."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint16)
    middles = rng.uniform((0, 0), (width, height), (n, 2)).astype(np.float32)
    y, x = np.ogrid[:height, :width]
    for i, (across, down) in enumerate(middles):
        labels[np.hypot(x + 0.5 - across, y + 0.5 - down) < rng.uniform(3, 9)] = i + 1
    everywhere = (slice(0, height), slice(0, width))
    return Nuclei(labels, [everywhere] * n, middles, labels.astype(np.uint8))


def _noise(height: int, width: int, seed: int = 0) -> U8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _both(stain: Stain, nuclei: Nuclei, monkeypatch: pytest.MonkeyPatch) -> tuple[F32, F32]:
    """The outlines, compiled and by NumPy."""
    found = outline.outlines(stain, nuclei)
    with monkeypatch.context() as pure:
        pure.setattr(outline, "core", lambda: None)
        return found, outline.outlines(stain, nuclei)


def _same(found: F32, wanted: F32) -> None:
    """Rounding may bring another of two outlines that are as good; one of two hundred at most."""
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    away = np.abs(found - wanted).max(axis=(1, 2), initial=0)
    assert np.count_nonzero(away > 1e-3) <= len(away) / 200


@pytest.mark.parametrize("cells", [10, 100])
def test_of_a_drawn_field(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    view = specimen(next(draw(crowded(cells), 1)), CROWDED_UM_PER_PX, PITCH_UM / 2)
    stain = Stain.of(view)
    nuclei = Nuclei.of(stain)
    assert len(nuclei.boxes) > cells / 2
    _same(*_both(stain, nuclei, monkeypatch))
    _same(*_both(replace(stain, red=None), nuclei, monkeypatch))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (2, 3), (15, 400), (90, 7), (120, 160)])
@pytest.mark.parametrize("red", [True, False])
def test_of_noise_in_any_size(height: int, width: int, red: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stain = _stain(_noise(height, width), red)
    _same(*_both(stain, _nuclei(height, width, 7), monkeypatch))


@pytest.mark.parametrize("level", [0, 90, 240, 255])
def test_of_one_colour(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stain = _stain(np.full((60, 80, 3), level, np.uint8))
    _same(*_both(stain, _nuclei(60, 80, 9), monkeypatch))


def test_of_three_hundred_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    _same(*_both(_stain(_noise(300, 400)), _nuclei(300, 400, 300), monkeypatch))


def test_of_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    found, wanted = _both(_stain(_noise(20, 30)), _nuclei(20, 30, 0), monkeypatch)
    assert found.shape == wanted.shape == (0, outline.ANGLES, 2)


def test_a_nucleus_that_others_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    nuclei = _nuclei(60, 80, 3)
    hidden = replace(nuclei, labels=nuclei.labels * np.uint16(0))
    _same(*_both(_stain(_noise(60, 80)), hidden, monkeypatch))


def test_pictures_that_do_not_lie_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    stain, nuclei = _stain(np.asfortranarray(_noise(60, 80))), _nuclei(60, 80, 5)
    turned = replace(
        nuclei, labels=np.asfortranarray(nuclei.labels), middles=np.asfortranarray(nuclei.middles)
    )
    _same(*_both(stain, turned, monkeypatch))


def test_rays_of_another_number_are_refused() -> None:
    library = core()
    assert library is not None
    levels = density(np.arange(256, dtype=np.uint8)[None])[0]
    colours = compiled.Colours(levels, np.zeros((3, 4), np.float32), None, 0.0)
    ways, radii, costs = (np.zeros(size, np.float32) for size in ((8, 2), (45,), (90,)))
    few = compiled.Rays(ways, radii, costs, 0.3, 4.0, 0.25)
    with pytest.raises(ValueError, match="the core wants"):
        compiled.outlines(
            library, _noise(4, 4), np.zeros((4, 4), np.uint16), np.zeros((1, 2), np.float32), colours, few
        )
