"""Cells drawn and measured by the compiled core are those of NumPy and OpenCV, whatever is drawn."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from edge.bench.fields import CROWDED_UM_PER_PX, crowded, draw
from edge.cells import measure
from edge.cells.lobes import Box
from edge.cells.nuclei import Nuclei
from edge.cells.outline import outlines
from edge.cells.stain import Stain
from edge.native import core
from edge.optics.litfield import WHOLE, LitField
from edge.optics.specimen import specimen
from edge.types import F32, I32, Bools, Cells

pytestmark = pytest.mark.skipif(core() is None, reason="the compiled core was not built, or is not wanted")

PITCH_UM = 0.25
Drawing = tuple[I32, Bools, list[Box]]


def _nuclei(height: int, width: int, n: int, seed: int = 0) -> Nuclei:
    """Discs here and there, at the edges too, whose edges rise as they like; a later one lies on top."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint16)
    middles = rng.uniform((0, 0), (width, height), (n, 2)).astype(np.float32)
    y, x = np.ogrid[:height, :width]
    boxes = []
    for i, (across, down) in enumerate(middles.tolist()):
        radius = rng.uniform(2, 9)
        labels[np.hypot(x + 0.5 - across, y + 0.5 - down) < radius] = i + 1
        rows, columns = ((max(int(v - radius), 0), int(v + radius) + 1) for v in (down, across))
        boxes.append((slice(rows[0], min(rows[1], height)), slice(columns[0], min(columns[1], width))))
    rise = np.where(labels > 0, rng.integers(128, 256, labels.shape), rng.integers(0, 129, labels.shape))
    return Nuclei(labels, boxes, middles, rise.astype(np.uint8))


def _corners(nuclei: Nuclei, reach: float = 14.0, seed: int = 1) -> F32:
    """Outlines round them, rough enough to cross themselves."""
    rng = np.random.default_rng(seed)
    turn = np.arange(40) * 2 * np.pi / 40
    radii = rng.uniform(0.6 * reach, reach, (len(nuclei.boxes), 1)) + rng.normal(
        0, 0.5, (len(nuclei.boxes), 40)
    )
    ways = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    return (nuclei.middles[:, None] + ways * radii[..., None]).astype(np.float32)


def _both(
    nuclei: Nuclei, corners: F32, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> tuple[Drawing, Drawing]:
    """What is drawn, compiled and by OpenCV."""
    found = measure.drawn(nuclei, corners, *shape)
    with monkeypatch.context() as pure:
        pure.setattr(measure, "core", lambda: None)
        return found, measure.drawn(nuclei, corners, *shape)


def _same(found: Drawing, wanted: Drawing, share: float = 1e-3) -> None:
    """`share` of what is drawn may differ.

    Where the picture cuts an outline OpenCV bends it by a pixel, and on Arm it rounds otherwise than on x86.
    """
    assert found[0].dtype == wanted[0].dtype
    assert found[2] == wanted[2]
    assert np.count_nonzero(found[1] != wanted[1]) <= share * int(np.count_nonzero(wanted[1]))
    assert np.count_nonzero(found[0] != wanted[0]) <= share * int(np.count_nonzero(wanted[0]))


def _alike(found: Cells, wanted: Cells) -> None:
    """NumPy before 2 counts middles in double precision."""
    for field in fields(Cells):
        a, b = getattr(found, field.name), getattr(wanted, field.name)
        assert (a is None and b is None) or np.allclose(a, b, rtol=1e-6, equal_nan=True), field.name


def _measured(
    labels: I32,
    nuclear: Bools,
    boxes: list[Box],
    monkeypatch: pytest.MonkeyPatch,
    lit: LitField = WHOLE,
) -> Cells:
    """Measured both ways, which agree."""
    found = measure.measured(labels, nuclear, boxes, PITCH_UM, lit)
    with monkeypatch.context() as pure, np.errstate(invalid="ignore"):
        pure.setattr(measure, "core", lambda: None)
        _alike(found, measure.measured(labels, nuclear, boxes, PITCH_UM, lit))
    return found


@pytest.mark.parametrize("cells", [10, 100])
def test_of_a_drawn_field(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    view = specimen(next(draw(crowded(cells), 1)), CROWDED_UM_PER_PX, PITCH_UM)
    stain = Stain.of(view)
    nuclei = Nuclei.of(stain)
    height, width = view.pixels.shape[:2]
    found, wanted = _both(nuclei, outlines(stain, nuclei), (height, width), monkeypatch)
    _same(found, wanted)
    _measured(*found, monkeypatch)
    stop = LitField(np.array([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)], np.float32))
    assert _measured(*found, monkeypatch, stop).cut.any()


def test_outlines_apart_are_filled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(40):
        nuclei = replace(_nuclei(60, 60, 1, seed), middles=np.array([(30, 30)], np.float32))
        found, wanted = _both(nuclei, _corners(nuclei, 24, seed), (120, 120), monkeypatch)
        assert np.array_equal(found[0], wanted[0])


@pytest.mark.parametrize("n", [1, 5, 300])
def test_outlines_in_each_other(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nuclei = _nuclei(240, 320, n)
    found, wanted = _both(nuclei, _corners(nuclei), (480, 640), monkeypatch)
    _same(found, wanted, 5e-3)
    _measured(*found, monkeypatch)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 2), (2, 3), (3, 2), (31, 801), (180, 15), (15, 400)]
)
def test_in_any_size(height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nuclei = _nuclei(max(height // 2, 1), max(width // 2, 1), 6)
    found, wanted = _both(nuclei, _corners(nuclei), (height, width), monkeypatch)
    assert found[2] == wanted[2]
    assert np.count_nonzero(found[1] != wanted[1]) <= 2e-3 * max(int(np.count_nonzero(wanted[1])), 500)
    assert np.count_nonzero(found[0] != wanted[0]) <= 0.05 * found[0].size
    _measured(*wanted, monkeypatch)


def test_of_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    nuclei = _nuclei(20, 30, 0)
    found, wanted = _both(nuclei, _corners(nuclei), (40, 60), monkeypatch)
    _same(found, wanted)
    assert len(_measured(*found, monkeypatch)) == 0


def test_a_cell_without_pixels_has_no_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.zeros((30, 40), np.int32)
    labels[3:9, 5:20] = 2
    boxes = [(slice(4, 12), slice(7, 30)), (slice(0, 30), slice(0, 40))]
    found = _measured(labels, labels > 0, boxes, monkeypatch)
    assert np.isnan(found.centres[0]).all()
    assert found.boxes[1].tolist() == [5, 3, 20, 9]
    assert found.centres[1].tolist() == [12.5, 6.0]


def test_noise_is_measured_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, (77, 131)).astype(np.int32)
    boxes = [(slice(3 * i, 77 - i), slice(5 * i, 131 - 7 * i)) for i in range(5)]
    _measured(labels, rng.random(labels.shape) < 0.3, boxes, monkeypatch)
    _measured(np.asfortranarray(labels), np.asfortranarray(labels > 2), boxes, monkeypatch)


def test_one_cell_that_is_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = np.ones((480, 700), np.int32)
    found = _measured(everything, everything > 0, [(slice(0, 480), slice(0, 700))], monkeypatch)
    assert found.centres.tolist() == [[350.0, 240.0]]
    assert found.cut.all()
