from __future__ import annotations

import os

import pytest

from edge.files.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Im001_1.jpg", "Im001_1.jpg"),
        ("esc\x1b[2J.jpg", "esc\\x1b[2J.jpg"),
        ("bell\a.jpg", "bell\\x07.jpg"),
        ("two\nlines\r\t", "two\\x0alines\\x0d\\x09"),
        ("delete\x7f, C1 \x9b2J", "delete\\x7f, C1 \\x9b2J"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("\u2066isolated\u2069", "\\u2066isolated\\u2069"),
        ("line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029"),
        ("tag\U000e0041", "tag\\U000e0041"),
        (os.fsdecode(b"\xff1.png"), "\\xff1.png"),
        ("half \ud83d", "half \\ud83d"),
        ("мазок 図\u3000é.jpg", "мазок 図\u3000é.jpg"),
        ("می\u200cخواهم 👩\u200d🔬.png", "می\u200cخواهم 👩\u200d🔬.png"),
        ("at 9.41\u202fAM\u00a0.png", "at 9.41\u202fAM\u00a0.png"),
    ],
)
def test_what_acts_on_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    shown.encode()


def test_no_control_character_is_left() -> None:
    told = printable("".join(map(chr, (*range(0x20), *range(0x7F, 0xA0)))))
    assert told.isascii()
    assert told.isprintable()


def test_names_in_a_locale_without_utf_8_are_read_all_the_same() -> None:
    assert printable("мазок".encode().decode("ascii", "surrogateescape")) == "мазок"
    assert printable("м".encode().decode("ascii", "surrogateescape") + "\udcff") == "м\\xff"
    assert printable("\ud800") == "\\ud800"
