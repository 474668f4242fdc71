"""The field round a cell, for a person's second look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.records.book import Book
from edge.records.rows import CONTEXT_UM, Shown, cell_rows, field_row
from edge.records.store import Store
from edge.types import U8, Frame, Reading, Reduced
from tests.edge.records.example import CLASSES, HEADER, reading
from tests.edge.records.slides import field, screened


def seen(width: int, height: int, um_per_px: float, x: float, y: float) -> Reading:
    """A cell at (x, y) of a field in which red tells how far right, green how far down a pixel lies."""
    plain = reading(0, 1)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([across % 256, down % 256, 0 * down], axis=2).astype(np.uint8)
    frame = Frame(pixels, 0, "x.png", plain.frame.captured_at, 0.0)
    cells = replace(plain.cells, centres_px=np.array([[x, y]], np.float32), width=width, height=height)
    return replace(plain, frame=frame, cells=cells, um_per_px=um_per_px)


def context(reading: Reading, cells: int = 1) -> U8:
    """Round the first cell, as of so many."""
    return Shown.of(reading, cells).around(reading.cells.centres_px[0])


@pytest.mark.parametrize("cells", [1, 20])
@pytest.mark.parametrize("um_per_px", [0.05, 0.1, 0.25, 0.5, 2.0])
def test_it_is_56_um_wide_and_no_finer_than_a_quarter(um_per_px: float, cells: int) -> None:
    side = round(CONTEXT_UM / um_per_px)
    found = context(seen(3 * side, 3 * side, um_per_px, 1.5 * side, 1.5 * side), cells)
    assert found.shape == (min(side, 224), min(side, 224), 3)
    assert found[:, :, 2].max() == 0  # no edge of the field


def test_the_cell_is_in_the_middle_also_at_the_edge_which_is_white() -> None:
    assert context(seen(400, 400, 0.25, 200, 150))[112, 112].tolist() == [200, 150, 0]
    corner = context(seen(400, 400, 0.25, 0, 10))
    assert corner[112, 112].tolist() == [0, 10, 0]
    assert (corner[:, :112] == 255).all()
    assert (corner[:102] == 255).all()
    assert corner[111, 223].tolist() == [111, 9, 0]
    assert context(seen(400, 400, 0.25, 399, 399))[113:, 113:].min() == 255


@pytest.mark.parametrize("um_per_px", [0.01, 0.1, 10.0])
def test_a_field_smaller_than_it_is_shown_whole(um_per_px: float) -> None:
    found = context(seen(40, 30, um_per_px, 20, 15))
    assert found.shape[0] == found.shape[1] == max(min(round(CONTEXT_UM / um_per_px), 224), 1)


def test_it_is_kept_for_cells_worth_a_second_look_only() -> None:
    one = field(0, ["blast", "lymphocyte", "lymphocyte", "lymphocyte", "artefact"], uncertain=[4], cut=[3])
    one.probabilities[:] = np.array(
        [[0.9, 0.1, 0], [0.06, 0.9, 0.04], [0.04, 0.9, 0.06], [0.5, 0.5, 0], [0, 0.4, 0.6]]
    )
    kept = [row["context"] is not None for row in cell_rows(one, CLASSES, ["blast"])]
    assert kept == [True, True, False, True, True]
    again = replace(one, new=~one.new, counted=~one.new)
    assert not any(row["context"] for row in cell_rows(again, CLASSES, ["blast"]))
    unknown = [row["context"] is not None for row in cell_rows(one, CLASSES, [])]
    assert unknown == [False, False, False, False, True]


def test_it_is_read_back(tmp_path: Path) -> None:
    screened(tmp_path / "r.db", ["blast", *["lymphocyte"] * 9])
    with Book(tmp_path / "r.db") as book:
        found = book.surroundings("s", 1)
        assert found is not None
        assert found.shape == (224, 224, 3)
        assert book.surroundings("s", 10) is None
        assert book.surroundings("s", 99) is None


def test_a_frame_without_pixels_has_none_to_keep(tmp_path: Path) -> None:
    with Store(tmp_path / "r.db") as store:
        store.begin_slide("s", HEADER)
        store.add(reading(0, 0, fault="cut short"))
        store.flush()
        (kept,) = store.readings("s")
    assert kept["fault"] == "cut short"


def halved(whole: Reading) -> Reading:
    """The same reading of a frame that was decoded at half its size."""
    pixels = whole.frame.pixels
    half = np.ascontiguousarray(pixels[::2, ::2])
    reduced = Reduced(half, whole.frame.size, lambda: pixels)
    return replace(whole, frame=replace(whole.frame, pixels=half, reduced=reduced))


@pytest.mark.parametrize("um_per_px", [0.1, 0.2])
def test_half_the_pixels_show_the_same_place(um_per_px: float) -> None:
    whole = seen(250, 241, um_per_px, 120, 90)
    found, wanted = context(halved(whole)), context(whole)
    assert found.shape == wanted.shape
    white = [(one == 255).all(axis=2) for one in (found, wanted)]
    assert np.mean(white[0] != white[1]) < 0.02
    inside = ~white[0] & ~white[1]
    assert np.abs(found[inside].astype(int) - wanted[inside]).mean() < 2


@pytest.mark.parametrize("um_per_px", [0.07, 0.1, 0.3])
@pytest.mark.parametrize("place", [(120, 90), (3, 238), (249, 0)])
def test_of_many_cells_it_is_the_same_as_of_one(um_per_px: float, place: tuple[int, int]) -> None:
    one = seen(250, 241, um_per_px, *place)
    found, wanted = context(one, 20), context(one)
    assert found.shape == wanted.shape
    white = [(each == 255).all(axis=2) for each in (found, wanted)]
    assert np.mean(white[0] != white[1]) < 0.02
    inside = ~white[0] & ~white[1]
    assert np.abs(found[inside].astype(int) - wanted[inside]).mean() < 3


def test_of_half_a_picture_all_of_it_is_kept() -> None:
    whole = seen(250, 240, 0.1, 120, 90)
    assert field_row(halved(whole)) == field_row(whole)
