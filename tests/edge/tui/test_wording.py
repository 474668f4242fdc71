"""Words and figures that fit their place."""

from __future__ import annotations

import pytest

from edge.tui.bignum import large
from edge.tui.colours import class_colours, ink_on
from edge.tui.counts import bar
from edge.tui.wording import fit, fit_all, title
from tests.edge.tui.fake_screening import CLASSES, LEUKOCYTES


@pytest.mark.parametrize(
    ("name", "width", "expected"),
    [
        ("blast", 14, "blast"),
        ("immature-granulocyte", 20, "immature granulocyte"),
        ("immature-granulocyte", 14, "immature gran."),
        ("immature-granulocyte", 10, "imm. gra."),
        ("erythroblast", 10, "erythrobl."),
        ("smudge-cell", 3, "smu"),
        ("", 5, ""),
    ],
)
def test_title(name: str, width: int, expected: str) -> None:
    assert title(name, width) == expected


@pytest.mark.parametrize("width", range(1, 30))
def test_titles_never_pass_their_width_and_stay_apart_where_there_is_room(width: int) -> None:
    titles = [title(name, width) for name in CLASSES]
    assert max(map(len, titles)) <= width
    if width >= 3:
        assert len(set(titles)) == len(CLASSES)


def test_fit_keeps_both_ends() -> None:
    assert fit("rtsp://192.168.0.20/microscope", 14) == "rtsp:/..oscope"
    assert fit("short", 14) == "short"
    assert len(fit("anything", 3)) == 3


def test_fit_all_takes_from_the_longest() -> None:
    texts = fit_all(["slide 7", "a camera with a very long name", "ort"], 30)
    assert (texts[0], texts[2]) == ("slide 7", "ort")
    assert sum(map(len, texts)) == 30


@pytest.mark.parametrize(
    ("value", "expected"), [(0, ""), (1, "▌"), (50, "██▌"), (100, "█████"), (900, "█████")]
)
def test_bar(value: float, expected: str) -> None:
    assert bar(value, 100, 5) == expected


def test_a_bar_without_a_scale_is_empty() -> None:
    assert bar(3, 0, 5) == ""


def test_large_digits_stand_in_five_lines_of_one_width() -> None:
    lines = large("0123456789.%")
    assert len(lines) == 5
    assert len({len(line) for line in lines}) == 1
    assert large("1") != large("7")


def test_every_leukocyte_has_a_colour_of_its_own() -> None:
    colours = class_colours(CLASSES, ("blast",), LEUKOCYTES)
    assert list(colours) == list(CLASSES)
    assert len(set(colours.values())) == len(CLASSES)


def test_ink_reads_on_its_paper() -> None:
    assert ink_on((255, 255, 0)) == (0, 0, 0)
    assert ink_on((40, 40, 160)) == (255, 255, 255)
