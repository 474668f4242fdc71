"""What people may type for a slide, a patient and themselves."""

from __future__ import annotations

import pytest

from edge.records.database import RecordsError
from edge.records.identifiers import LONGEST, checked, initials, isolated

ARABIC = "مريض ٧"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  2026-11-01T0912-k7m2qx5w4f\n", "2026-11-01T0912-k7m2qx5w4f"),
        ("A 1", "A 1"),
        ("Zoe\u0308", "Zoë"),
        (ARABIC, ARABIC),
        ("रक्त-7", "रक्त-7"),
        ("7" * LONGEST, "7" * LONGEST),
    ],
)
def test_what_can_be_seen_is_kept(typed: str, kept: str) -> None:
    assert checked(typed) == kept


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "slide '': is empty"),
        ("   \t ", "is empty"),
        ("a\x1b[31mb", r"'a\x1b[31mb': has the invisible character U+001B"),
        ("a\nb", "U+000A"),
        ("a\x00", "U+0000"),
        ("17\u202e71", "U+202E"),
        ("a\u200bb", "U+200B"),
        ("\u200b", "U+200B"),
        ("a\u00adb", "U+00AD"),
        ("a\u00a0b", "U+00A0"),
        ("\u3164", "U+3164"),
        ("a\ufe0f", "U+FE0F"),
        ("a\udcffb", "U+DCFF"),
        ("---", "has no letter or digit"),
        ("x" * 10_000, f"'{'x' * 24}...': has 10000 characters, more than {LONGEST}"),
    ],
)
def test_what_cannot_be_seen_is_refused_in_one_short_line(typed: str, told: str) -> None:
    with pytest.raises(RecordsError) as refused:
        checked(typed)
    line = str(refused.value)
    assert told in line
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 200


def test_initials_are_one_person_however_typed() -> None:
    assert initials(" ab ") == initials("AB") == "AB"
    assert [initials(text) for text in ("a", "M.K.", "J-P", "é1", "ABCDEFGH")] == [
        "A", "M.K.", "J-P", "É1", "ABCDEFGH",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "typed", ["", " ", "A B", "-A", "ABCDEFGHI", "A\x00", "A_B", "\u202eAB", "x" * 10_000]
)
def test_what_are_no_initials_is_refused(typed: str) -> None:
    with pytest.raises(RecordsError, match="are not 1 to 8 letters, digits, dots or hyphens") as refused:
        initials(typed)
    assert len(str(refused.value)) < 200


def test_right_to_left_text_is_kept_to_itself() -> None:
    assert isolated("A 1") == "A 1"
    assert isolated(ARABIC) == f"\u2068{ARABIC}\u2069"
