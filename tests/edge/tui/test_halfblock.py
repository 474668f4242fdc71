"""Pictures as escape sequences: what is written decodes to the pixels that were meant."""

from __future__ import annotations

import re

import numpy as np
import pytest
from rich.console import Console
from rich.segment import Segment
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from edge.tui.halfblock import Blocks, PictureStrip
from edge.tui.picture import shrink


def picture(height: int = 12, width: int = 9) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def decode(line: str) -> tuple[list[tuple[int, ...]], str]:
    """Numbers in force at each character, and the characters, as a terminal reads them."""
    numbers: tuple[int, ...] = ()
    colours, text = [], ""
    for sequence, character in re.findall("\x1b\\[([0-9;]*)m|(.)", line):
        if character:
            colours.append(numbers)
            text += character
        else:
            numbers = tuple(int(n) for n in sequence.split(";"))
    assert numbers == (0,), "colours leak out of the picture"
    return colours, text


def test_true_colour_decodes_to_the_pixels() -> None:
    image = picture()
    lines = Blocks.of(image).lines("truecolor")
    assert len(lines) == 6
    for y, line in enumerate(lines):
        colours, text = decode(line)
        assert text == "▀" * 9
        for x, numbers in enumerate(colours):
            assert numbers[:2] == (38, 2)
            assert numbers[5:7] == (48, 2)
            assert numbers[2:5] == tuple(image[2 * y, x])
            assert numbers[7:10] == tuple(image[2 * y + 1, x])


def test_an_odd_last_row_of_pixels_is_left_out() -> None:
    assert len(Blocks.of(picture(7)).lines("truecolor")) == 3


def test_equal_neighbours_share_one_sequence() -> None:
    (line,) = Blocks.of(np.full((2, 50, 3), 7, np.uint8)).lines("truecolor")
    assert line.count("\x1b[") == 2  # colours on, colours off
    assert decode(line)[1] == "▀" * 50


def xterm(number: int) -> tuple[int, int, int]:
    """Colour `number` of xterm's 256, the configurable 16 excepted (256colres.pl of its sources)."""
    assert number >= 16
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    r, g, b = (number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6
    level = (0, 95, 135, 175, 215, 255)
    return level[r], level[g], level[b]


def test_256_colours_come_near_the_pixels() -> None:
    image = picture()
    for y, line in enumerate(Blocks.of(image).lines("256")):
        for x, numbers in enumerate(decode(line)[0]):
            assert (numbers[:2], numbers[3:5]) == ((38, 5), (48, 5))
            for number, pixel in ((numbers[2], image[2 * y, x]), (numbers[5], image[2 * y + 1, x])):
                # the cube's widest gap is 95, half of it and the rounding to 5 bits either way
                assert np.abs(np.array(xterm(number)) - pixel).max() <= 48 + 8


@pytest.mark.parametrize("system", ["standard", "windows", None])
def test_16_colours_name_the_obvious_ones(system: str | None) -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[0] = (170, 0, 0), (255, 255, 255), (0, 0, 0)
    image[1] = (0, 0, 170), (0, 0, 0), (85, 255, 255)
    (line,) = Blocks.of(image).lines(system)
    assert decode(line)[0] == [(31, 44), (97, 40), (30, 106)]


def test_words_stand_over_the_picture_and_are_cut_at_its_edge() -> None:
    blocks = Blocks.of(picture(4, 6))
    blocks.write("blast", 0, 3, (1, 2, 3), (4, 5, 6))
    blocks.write("µ", 1, 0, (1, 2, 3), (4, 5, 6))
    blocks.write("unseen", 9, 0, (1, 2, 3), (4, 5, 6))
    first, second = (decode(line) for line in blocks.lines("truecolor"))
    assert first[1] == "▀▀▀bla"
    assert first[0][3] == (38, 2, 1, 2, 3, 48, 2, 4, 5, 6)
    assert second[1] == "µ▀▀▀▀▀"


def test_pixels_come_back() -> None:
    image = picture()
    np.testing.assert_array_equal(Blocks.of(image).pixels(), image)


def test_a_strip_cut_in_two_shows_the_same_picture() -> None:
    blocks = Blocks.of(picture(2, 20))
    (strip,) = blocks.strips("truecolor")
    console = Console(force_terminal=True, color_system="truecolor")
    whole = decode(strip.render(console))
    left, right = strip.divide([7, 20])
    assert (left.cell_length, right.cell_length) == (7, 13)
    parts = decode(left.render(console)), decode(right.render(console))
    assert parts[0][0] + parts[1][0] == whole[0]
    assert strip.crop(0, 20) is strip
    assert strip.crop(15).cell_length == 5


def test_segments_carry_the_same_colours_as_the_sequences() -> None:
    image = np.repeat(picture(2, 5), 2, axis=1)
    (strip,) = Blocks.of(image).strips("truecolor")
    segments = list(strip)
    assert [segment.text for segment in segments] == ["▀▀"] * 5
    for x, segment in enumerate(segments):
        assert segment.style is not None
        assert segment.style.color is not None
        assert segment.style.bgcolor is not None
        assert segment.style.color.triplet == tuple(image[0, 2 * x])
        assert segment.style.bgcolor.triplet == tuple(image[1, 2 * x])


def test_textual_writes_a_picture_strip_as_it_is() -> None:
    """What the speed rests on: Textual's screen update asks the strip itself for its escape sequences."""
    console = Console(force_terminal=True, color_system="truecolor")
    (line,) = Blocks.of(picture(2, 8)).lines("truecolor")
    (strip,) = Blocks.of(picture(2, 8)).strips("truecolor")
    update = LayoutUpdate([strip.divide([8])], Region(0, 0, 8, 1))
    assert line in update.render_segments(console)


def test_textual_finds_segments_where_it_looks_for_them() -> None:
    """What windows over the picture rest on: Textual reads `_segments` of any strip it joins."""
    (strip,) = Blocks.of(picture(2, 8)).strips("truecolor")
    joined = Strip.join([strip, Strip([Segment("words")])])
    assert joined.text.endswith("words")
    assert list(joined)[:-1] == list(strip)


def test_the_terminal_decides_the_colours_of_a_cut_strip() -> None:
    (row,) = Blocks.of(picture(2, 8)).strips("truecolor")
    cut = row.crop(2, 4)
    assert isinstance(cut, PictureStrip)
    assert cut.render(Console(force_terminal=True, color_system="256")).startswith("\x1b[38;5;")


@pytest.mark.parametrize("size", [(6, 4), (60, 40), (200, 100)])
def test_shrink_keeps_flat_colours_and_gives_the_size_asked_for(size: tuple[int, int]) -> None:
    image = np.full((900, 1440, 3), (200, 150, 170), np.uint8)
    out = shrink(image, *size)
    assert out.shape == (size[1], size[0], 3)
    assert (out == (200, 150, 170)).all()
