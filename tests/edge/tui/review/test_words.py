"""Where the cursor is, and the words for cells, readers and findings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.line.finding import LOOK
from edge.review.agreement import Agreement
from edge.review.cells import Cell
from edge.tui.review.cell import by_machine
from edge.tui.review.headline import Headline
from edge.tui.review.result import compared
from edge.tui.review.walk import Walk
from edge.types import Finding, Tally

CLASSES = ("blast", "lymphocyte", "monocyte")
PLAIN = Cell(
    id=1,
    named="blast",
    probabilities=np.array([0.83, 0.15, 0.02], np.float32),
    suspicion=0.83,
    doubt=0.17,
    suspicious=True,
    uncertain=False,
    counted=True,
    settled=True,
    cut=False,
    area_um2=120.0,
    nucleus_area_um2=90.0,
    source="demo",
    frame=0,
    box_px=(0, 0, 100, 100),
    um_per_px=0.1,
)
CELLS = [replace(PLAIN, id=i) for i in (7, 3, 9, 4, 2)]
FINDING = Finding(
    kind="no-blasts-seen",
    headline="2 suspicious cells among 400: look at them",
    reason="2 blasts among 400 leukocytes: clearly fewer than 5%.",
    advice=f"{LOOK} This does not rule out leukemia; refer if the patient is ill.",
    blast_fraction=0.005,
    interval=(0.001, 0.018),
    level=0.95,
    corrected=0.0,
    corrected_interval=(0.0, 0.03),
)


def test_the_cursor_stays_among_the_cells() -> None:
    walk = Walk(CELLS)
    walk.move(-1)
    assert walk.at == 0
    walk.move(99)
    assert walk.here is CELLS[-1]
    assert Walk(()).here is None
    empty = Walk(())
    for act in (empty.toggle, lambda: empty.move(1), lambda: empty.extend(-1), lambda: empty.said([])):
        act()
        assert (empty.at, empty.spoken_of) == (0, [])


def test_a_word_is_of_what_is_selected_in_the_order_shown() -> None:
    walk = Walk(CELLS)
    assert walk.spoken_of == [7]
    walk.move(3)
    walk.toggle()
    walk.move(-3)
    walk.toggle()
    assert walk.spoken_of == [3, 4]
    walk.said(walk.spoken_of)
    assert (walk.selected, walk.here) == (set(), CELLS[4])


def test_selecting_goes_both_ways_and_back() -> None:
    walk = Walk(CELLS)
    walk.move(2)
    walk.extend(-1)
    walk.extend(-1)
    assert walk.spoken_of == [7, 3, 9]
    walk.toggle()
    assert walk.spoken_of == [3, 9]


def test_other_cells_are_shown_round_the_same_one() -> None:
    walk = Walk(CELLS)
    walk.find(4)
    walk.show([CELLS[0], CELLS[3]])
    assert walk.at == 1
    walk.show([CELLS[1]])
    assert walk.here is CELLS[1]
    assert not walk.find(99)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (PLAIN, ("blast, probably (83%)", "or lymphocyte (15%)")),
        (replace(PLAIN, probabilities=np.array([0.97, 0.02, 0.01])), ("blast, surely (97%)", "")),
        (replace(PLAIN, uncertain=True), ("blast, unsure (83%)", "or lymphocyte (15%)")),
        (replace(PLAIN, named="monocyte"), ("monocyte, hardly (2%)", "or blast (83%)")),
    ],
)
def test_what_the_machine_says_in_words(cell: Cell, told: tuple[str, str]) -> None:
    assert by_machine(cell, CLASSES) == told


def test_a_model_of_one_class_has_no_rival() -> None:
    cell = replace(PLAIN, named="leukocyte", probabilities=np.ones(1, np.float32))
    assert by_machine(cell, ["leukocyte"]) == ("leukocyte, surely (100%)", "")


@pytest.mark.parametrize(
    ("kappa", "strength"),
    [(0.9, "almost perfect"), (0.7, "substantial"), (0.0, "slight"), (-0.2, "worse than by chance")],
)
def test_readers_are_compared_in_words(kappa: float, strength: str) -> None:
    found = Agreement(("CD", "AB"), 9, kappa, ((4, "blast", "lymphocyte"),))
    told = compared(found, "AB")
    assert told[0] == "Of 9 cells CD and you say the same of 8."
    assert strength in told[1]
    assert told[-1].split() == ["4", "blast", "lymphocyte"]


def test_readers_without_a_kappa_are_compared_without() -> None:
    assert compared(Agreement(("CD", "AB"), 3, None, ()), "EF") == ["Of 3 cells CD and AB say the same of 3."]


@pytest.mark.parametrize("size", [(60, 3), (80, 4), (160, 3)])
def test_the_finding_and_what_to_do_are_in_sight_at_every_size(size: tuple[int, int]) -> None:
    headline = Headline()
    headline.show(FINDING, Tally(counts={}, candidates=2), 2)
    lines = [str(line) for line in headline.lay_out(*size)]
    assert len(lines) <= size[1]
    assert max(map(len, lines)) <= size[0]
    told = " ".join(lines)
    still = "2 left" if size[0] < 80 else "2 suspicious left"
    for words in (FINDING.headline, still, "2 blasts among 400", "does not rule out leukemia"):
        assert words in told
