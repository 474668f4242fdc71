"""The compiled core cuts and joins as OpenCV and NumPy do."""

from __future__ import annotations

from ctypes import CDLL

import cv2
import numpy as np
import pytest

from edge.bench.fields import CROWDED_UM_PER_PX, crowded, draw
from edge.cells import lobes
from edge.cells.lobes import U16, Bodies, Box, joined
from edge.cells.nuclei import Nuclei
from edge.cells.stain import Cloud, Stain, density
from edge.native import core
from edge.native import lobes as native
from edge.optics.specimen import specimen
from edge.types import I32, U8

PITCH_UM = 0.5
NECKS = native.Necks(112.0, 4.0, lobes.CONVEX, lobes.TIE_PX, lobes.MIDDLES)
Found = tuple[U16, list[Box], U16]


@pytest.fixture
def library() -> CDLL:
    found = core()
    if found is None:
        pytest.skip("the compiled core was not built, or is not wanted")
    return found


def _stain(half: U8, pitch_um: float = PITCH_UM) -> Stain:
    noise = np.random.default_rng(0).normal(0, 0.05, (200, 3)).astype(np.float32)
    sure = np.zeros((1, 1), np.bool_)
    return Stain(half, pitch_um, np.ones(3, np.float32), 0.3, sure, Cloud.of(noise, 0.012), None)


def _coloured(mask: U8, seed: int) -> Stain:
    """Bodies among patches of glass and of what is not."""
    rng = np.random.default_rng(seed)
    patches = cv2.GaussianBlur(rng.random(mask.shape, np.float32), (7, 7), 0) > 0.5
    half = np.where((patches & (mask == 0))[:, :, None], 238, rng.integers(60, 200, (*mask.shape, 3)))
    return _stain(half.astype(np.uint8))


def _discs(places: list[tuple[float, float]], radii: list[float], size: tuple[int, int]) -> U8:
    mask = np.zeros(size, np.uint8)
    for (x, y), radius in zip(places, radii, strict=True):
        cv2.circle(mask, (round(x * 16), round(y * 16)), round(radius * 16), 1, -1, cv2.LINE_8, 4)
    return mask


def _grid(columns: int, rows: int, step: float, radius: float, seed: int = 0) -> U8:
    """So many discs, none where or as large as it should be, those at the edges cut."""
    rng = np.random.default_rng(seed)
    places = [(x * step, y * step) for y in range(rows) for x in range(columns)]
    shifted = [(x + rng.normal(), y + rng.normal()) for x, y in places]
    radii = [radius + rng.uniform(-1.5, 1.5) for _ in places]
    return _discs(shifted, radii, (round(rows * step), round(columns * step)))


def _noise(size: tuple[int, int], grain: int, level: float, seed: int = 0) -> U8:
    soft = cv2.GaussianBlur(np.random.default_rng(seed).random(size, np.float32), (grain, grain), 0)
    return (soft > level).astype(np.uint8)


def _found(mask: U8, stain: Stain) -> Found:
    bodies = Bodies.of(mask, stain.pitch_um)
    areas = np.bincount(bodies.labels.ravel(), minlength=len(bodies.boxes) + 1)[1:]
    bodies.cut(areas.tolist(), stain.pitch_um)
    return bodies.labels, bodies.boxes, joined(bodies, stain)


def _compared(mask: U8, stain: Stain, monkeypatch: pytest.MonkeyPatch) -> Found:
    """What both ways find, which is the same."""
    compiled = _found(mask, stain)
    with monkeypatch.context() as patch:
        patch.setattr(lobes, "core", lambda: None)
        pure = _found(mask, stain)
    np.testing.assert_array_equal(compiled[0], pure[0])
    assert compiled[1] == pure[1]
    np.testing.assert_array_equal(compiled[2], pure[2])
    return compiled


MASKS: dict[str, U8] = {
    "1 x 1": np.ones((1, 1), np.uint8),
    "2 x 3": np.array([[1, 0, 1], [0, 1, 1]], np.uint8),
    "15 x 400": _grid(20, 1, 20.0, 11.0)[:15],
    "400 x 1": _noise((400, 1), 3, 0.4),
    "nothing": np.zeros((60, 80), np.uint8),
    "all": np.ones((60, 80), np.uint8),
    "salt": (np.random.default_rng(0).random((50, 60)) < 0.2).astype(np.uint8),
    "fine noise": _noise((120, 160), 5, 0.51),
    "coarse noise": _noise((120, 160), 15, 0.5),
    "line": np.eye(60, 80, dtype=np.uint8),
    "one clump": _grid(8, 5, 19.0, 10.0),
    "lobes": _grid(10, 8, 13.0, 5.5),
    "three hundred": _grid(20, 15, 18.0, 6.0),
}


@pytest.mark.parametrize("name", MASKS)
def test_both_ways_find_the_same(name: str, library: CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        _compared(MASKS[name], _coloured(MASKS[name], seed), monkeypatch)


def test_a_clump_is_cut_into_its_cells(library: CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = _discs([(30.0 + 19 * i, 30.0) for i in range(6)], [10.0] * 6, (60, 160))
    labels, boxes, _ = _compared(mask, _stain(np.full((60, 160, 3), 238, np.uint8)), monkeypatch)
    assert len(np.unique(labels)) == 1 + 6
    for label in np.unique(labels)[1:].tolist():
        rows, columns = boxes[label - 1]
        assert np.count_nonzero(labels[rows, columns] == label) == np.count_nonzero(labels == label)


@pytest.mark.parametrize(("between", "nuclei"), [(120, 1), (238, 2)])
def test_lobes_are_joined_in_cytoplasm_not_on_glass(
    between: int, nuclei: int, library: CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = _discs([(20.0, 20.0), (32.0, 20.0), (26.0, 31.0)], [5.0, 5.0, 5.0], (60, 60))
    labels, _, owner = _compared(mask, _stain(np.full((60, 60, 3), between, np.uint8)), monkeypatch)
    assert len(np.unique(labels)) == 1 + 3
    assert len(np.unique(owner)) == 1 + (1 if nuclei == 1 else 3)


@pytest.mark.parametrize("pitch_um", [0.3, 0.47, 0.8])
def test_other_pitches(pitch_um: float, library: CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one clump", "lobes", "coarse noise"):
        half = _coloured(MASKS[name], 1).half
        _compared(MASKS[name], _stain(half, pitch_um), monkeypatch)


@pytest.mark.parametrize("cells", [9, 100])
def test_drawn_fields(cells: int, library: CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    for pixels in draw(crowded(cells), 2):
        stain = Stain.of(specimen(pixels, CROWDED_UM_PER_PX, 0.25))
        compiled = Nuclei.of(stain)
        with monkeypatch.context() as patch:
            patch.setattr(lobes, "core", lambda: None)
            pure = Nuclei.of(stain)
        np.testing.assert_array_equal(compiled.labels, pure.labels)
        assert len(pure.boxes) >= cells / 2


def _boxes(*boxes: tuple[int, int, int, int]) -> I32:
    return np.array(boxes, np.int32).reshape(-1, 4)


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 31, 5), (0, 0, 5, 21), (6, 0, 5, 5), (0, 6, 5, 5)])
def test_a_box_beyond_the_picture_is_refused(box: tuple[int, int, int, int], library: CDLL) -> None:
    labels = np.zeros((20, 30), np.uint16)
    with pytest.raises(ValueError, match="boxes beyond the picture"):
        native.cut(library, labels, _boxes(box), np.array([500], np.int32), NECKS)
    bodies = Bodies(labels, [(slice(box[1], box[3]), slice(box[0], box[2]))])
    with pytest.raises(ValueError, match="boxes beyond the picture"):
        joined(bodies, _stain(np.zeros((20, 30, 3), np.uint8)))


def test_a_label_without_a_box_is_refused(library: CDLL) -> None:
    with pytest.raises(ValueError, match="fewer than labels"):
        joined(Bodies(np.full((4, 4), 2, np.uint16), []), _stain(np.zeros((4, 4, 3), np.uint8)))


def test_a_picture_of_another_size_is_refused(library: CDLL) -> None:
    with pytest.raises(ValueError, match="the core wants uint8"):
        joined(Bodies(np.zeros((4, 4), np.uint16), []), _stain(np.zeros((4, 5, 3), np.uint8)))


def test_a_wrong_area_does_no_harm(library: CDLL) -> None:
    labels = np.zeros((20, 30), np.uint16)
    labels[2:5, 3:9] = 1
    cut = native.cut(library, labels, _boxes((3, 2, 9, 5)), np.array([10**6], np.int32), NECKS)
    assert cut.tolist() == [[3, 2, 9, 5]]
    assert np.count_nonzero(labels) == 18


def test_glass_is_what_the_stain_takes_for_it() -> None:
    half = np.arange(200, 256, dtype=np.uint8).repeat(3).reshape(1, -1, 3)
    colours = density(half)
    stain = _stain(half)
    assert (stain.empty(colours) == (stain.glass.distance2(colours) < lobes.GLASS_DISTANCE2)).all()
    assert stain.empty(colours).any()
    assert not stain.empty(colours).all()
