from __future__ import annotations

import numpy as np
import pytest

from edge.cells.measure import measured
from edge.cells.segment import segment
from edge.line.likeness import FEATURES, LEAST_CELLS, OTHER_SIZE, UNLIKE, Likeness, looks, medians, outside
from edge.optics.specimen import Specimen
from edge.types import Cells
from tests.conftest import drawn_field

PITCH_UM = 0.25


def view_of(colour: tuple[int, int, int] = (90, 50, 150), side: int = 40) -> tuple[Specimen, Cells]:
    """A field with one square cell of this side in pixels, its nucleus of this colour."""
    pixels = np.full((128, 128, 3), 240, np.uint8)
    labels = np.zeros((128, 128), np.int32)
    labels[40 : 40 + side, 40 : 40 + side] = 1
    pixels[labels > 0] = colour
    cells = measured(labels, labels > 0, [(slice(0, 128), slice(0, 128))], PITCH_UM)
    return Specimen(pixels, PITCH_UM, 1.0, np.full(3, 240, np.float32), 1.0), cells


def familiar() -> dict[str, tuple[float, float]]:
    """Ranges round what `view_of` shows."""
    (seen,) = looks(*view_of(), np.zeros(1, np.int32)).tolist()
    return {
        name: (value - 0.1 * abs(value), value + 0.1 * abs(value))
        for name, value in zip(FEATURES, seen, strict=True)
    }


def test_looks_are_those_of_the_cell() -> None:
    (seen,) = looks(*view_of(), np.zeros(1, np.int32))
    red, green, blue, difference, area, glass = seen.tolist()
    assert red == pytest.approx(np.log(240 / 90), abs=1e-3)
    assert green == pytest.approx(np.log(240 / 50), abs=1e-3)
    assert blue == pytest.approx(np.log(240 / 150), abs=1e-3)
    assert difference == pytest.approx(red - blue, abs=1e-3)
    assert area == 100
    assert glass == 240


def test_what_a_cell_does_not_show_is_unknown() -> None:
    view, cells = view_of(side=128)
    bare = measured(cells.labels, np.zeros_like(cells.nuclei), [(slice(0, 128), slice(0, 128))], PITCH_UM)
    seen = looks(view, bare, np.zeros(1, np.int32))
    assert np.isnan(seen[0, :3]).all()
    assert outside(medians(seen), dict.fromkeys(FEATURES[:3], (0.0, 1.0))) == []


@pytest.mark.parametrize(
    ("colour", "side", "told"),
    [
        ((90, 50, 150), 40, None),
        ((150, 50, 90), 40, UNLIKE),  # red and blue exchanged
        ((215, 200, 230), 40, UNLIKE),  # hardly stained
        ((90, 50, 150), 80, OTHER_SIZE),
        ((150, 50, 90), 80, UNLIKE),
    ],
)
def test_a_slide_is_held_against_what_is_familiar(
    colour: tuple[int, int, int], side: int, told: str | None
) -> None:
    likeness = Likeness(familiar())
    view, cells = view_of(colour, side)
    notes = []
    for _ in range(4 * LEAST_CELLS):
        likeness.see(view, cells, np.ones(1, np.bool_))
        notes.append(likeness.note())
    assert notes[: LEAST_CELLS - 1] == [None] * (LEAST_CELLS - 1), "too few cells say nothing"
    assert notes[LEAST_CELLS - 1] == told
    assert set(notes[LEAST_CELLS:]) == {None}, "it is told once"


def test_what_changes_later_is_told_later() -> None:
    likeness = Likeness(familiar())
    notes = []
    for colour in [(90, 50, 150)] * LEAST_CELLS + [(150, 50, 90)] * 5 * LEAST_CELLS:
        likeness.see(*view_of(colour), np.ones(1, np.bool_))
        notes.append(likeness.note())
    assert [note for note in notes if note] == [UNLIKE]
    assert notes[LEAST_CELLS - 1] is None


def test_a_few_odd_cells_say_nothing() -> None:
    likeness = Likeness(familiar())
    for i in range(2 * LEAST_CELLS):
        likeness.see(*view_of((150, 50, 90) if i % 3 == 0 else (90, 50, 150)), np.ones(1, np.bool_))
        assert likeness.note() is None


def test_cells_that_are_not_counted_are_not_looked_at() -> None:
    likeness = Likeness(familiar())
    for _ in range(2 * LEAST_CELLS):
        likeness.see(*view_of((150, 50, 90)), np.zeros(1, np.bool_))
        assert likeness.note() is None


def test_without_ranges_nothing_is_said_and_unknown_ones_are_let_be() -> None:
    for ranges in ({}, {"of_a_later_version": (0.0, 1.0)}):
        likeness = Likeness(ranges)
        for _ in range(LEAST_CELLS):
            likeness.see(*view_of((150, 50, 90)), np.ones(1, np.bool_))
        assert likeness.note() is None


def test_cells_of_a_drawn_field_have_looks() -> None:
    pixels = drawn_field()[3][0]
    view = Specimen(pixels, PITCH_UM, 1.0, np.full(3, 240, np.float32), 1.0)
    cells = segment(view)
    seen = looks(view, cells, np.arange(len(cells), dtype=np.int32))
    assert seen.shape == (len(cells), len(FEATURES))
    assert np.isfinite(seen).all()
    assert (seen[:, 3] > 0).all(), "nuclei absorb more red than blue"
