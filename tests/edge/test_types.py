"""Shapes and dtypes are checked where objects are made; cells are brought into the frame."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.types import Cells, FilesRead, Frame, Reduced


def _cells() -> Cells:
    labels = np.zeros((40, 60), np.int32)
    labels[10:30, 10:30] = 1
    labels[5:15, 40:55] = 2
    nuclei = np.zeros((40, 60), np.bool_)
    nuclei[15:25, 15:25] = True
    return Cells(
        labels=labels,
        nuclei=nuclei,
        boxes=np.array([[10, 10, 30, 30], [40, 5, 55, 15]], np.float32),
        centres=np.array([[20, 20], [47.5, 10]]),
        area_um2=np.array([25.0, 9.4], np.float32),
        nucleus_area_um2=np.array([6.2, 0.0], np.float32),
        cut=np.zeros(2, np.bool_),
    )


def test_a_frame_of_the_wrong_kind_is_refused() -> None:
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match=r"Frame\.pixels.*float64"):
        Frame(np.zeros((4, 4, 3)), 0, "x", now, 0.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Frame\.pixels.*\(4, 4\)"):
        Frame(np.zeros((4, 4), np.uint8), 0, "x", now, 0.0)


def test_a_frame_decoded_at_half_its_size_is_told_in_pixels_as_it_was_taken() -> None:
    decoded = []
    whole = np.zeros((101, 75, 3), np.uint8)
    half = Reduced(whole[::2, ::2], (75, 101), lambda: decoded.append(1) or whole)
    frame = Frame.of(half, 0, "x", datetime.now(UTC), 0.0)
    assert (frame.size, frame.width, frame.height, frame.reduction) == ((75, 101), 75, 101, 2)
    assert frame.pixels.shape == (51, 38, 3)
    assert frame.at_least(0.1, 0.25) is frame
    assert not decoded
    large = frame.at_least(0.15, 0.25)
    assert (large.size, large.reduction, large.pixels is whole) == (frame.size, 1, True)
    assert (frame.whole is whole, large.whole is whole, len(decoded)) == (True, True, 1)
    with pytest.raises(ValueError, match=r"Reduced\.pixels"):
        Reduced(whole, (75, 101), lambda: whole)


def test_a_whole_frame_is_itself() -> None:
    frame = Frame(np.zeros((4, 6, 3), np.uint8), 0, "x", datetime.now(UTC), 0.0)
    assert (frame.size, frame.reduction, frame.whole is frame.pixels) == ((6, 4), 1, True)
    assert frame.at_least(1.0, 0.25) is frame


@pytest.mark.parametrize("name", ["boxes", "centres", "area_um2", "cut", "nuclei", "labels"])
def test_cells_that_do_not_fit_each_other_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(_cells(), **{name: np.zeros((3, 7), np.float16)})


def test_cells_are_brought_into_the_frame() -> None:
    cells = _cells().in_frame(100, 150)
    assert cells.boxes_px.tolist() == [[25, 25, 75, 75], [100, 12, 138, 38]], "outwards to whole pixels"
    assert cells.centres_px.tolist() == [[50, 50], [118.75, 25]]
    assert (cells.area_um2 == cells.found.area_um2).all()
    assert len(cells) == 2


def test_no_box_reaches_beyond_the_frame() -> None:
    odd = replace(_cells(), boxes=np.array([[-1, 0, 60, 40], [0, 0, 60.5, 40]], np.float32))
    for height, width in ((99, 149), (100, 150), (101, 152)):
        assert (odd.in_frame(height, width).boxes_px == [0, 0, width, height]).all()


def test_no_cells() -> None:
    for none in (Cells.none(40, 60), Cells.none()):
        assert len(none) == 0
        assert none.in_frame(100, 150).boxes_px.shape == (0, 4)
        assert none.in_frame(0, 0).centres_px.shape == (0, 2)


@pytest.mark.parametrize(
    ("read", "left", "note"),
    [
        (30, [], None),
        (1, [("cut short", "2.jpg")], "1 picture read, 1 not: cut short (2.jpg)"),
        (5, [("HEIC", "1.heic"), ("HEIC", "2.heic")], "5 pictures read, 2 not: HEIC (first: 1.heic)"),
        (0, [("a", "1"), ("b", "2"), ("b", "3")], "0 pictures read, 3 not: b (2, first: 2); a (1)"),
        (9, [(reason, "x") for reason in "abcdef"],
         "9 pictures read, 6 not: a (x); b (x); c (x); d (x); 2 more for other reasons"),
    ],
)  # fmt: skip
def test_what_was_not_read_is_one_line(read: int, left: list[tuple[str, str]], note: str | None) -> None:
    assert FilesRead.of(read, left).note == note
