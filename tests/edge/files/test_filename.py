"""Names of files: safe on every medium, and no two alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.files.filename import file_name


@pytest.mark.parametrize(
    "name",
    ["2026-11-30T0912-k7m2qx5w4f", "S-00001", "slide 1", "Im001_1", "boot12-0007-k7m2qx5w4f", "مريض", "ñ.2"],
)
def test_ordinary_identifiers_stay(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b", "a%2Fb"), ("..", "%2E%2E"), (".", "%2E"), ("", "%"), (".hidden", "%2Ehidden"),
        ("CON", "%43ON"), ("con.txt", "%63on.txt"), ("lpt1", "%6Cpt1"), ("console", "console"),
        ("a\x00\nb", "a%00%0Ab"), ("end.", "end%2E"), ("end ", "end%20"), ("a:b", "a%3Ab"), ("50%", "50%25"),
        ("\udcff", "%ED%B3%BF"), ("a\u202eb", "a%E2%80%AEb"),
    ],
)  # fmt: skip
def test_what_no_medium_holds_is_escaped(text: str, name: str) -> None:
    assert file_name(text) == name


def test_what_is_too_long_ends_in_its_hash() -> None:
    names = [file_name("a" * 300), file_name("a" * 301), file_name("é" * 64 + "/" * 64), file_name("ẞ" * 64)]
    assert len(set(names)) == 4
    assert all(len(name.encode()) <= 120 for name in names)


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_two_texts_get_the_same_name(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)


@given(st.text(max_size=80))
def test_every_name_is_safe(text: str) -> None:
    name = file_name(text)
    assert name
    assert name == name.strip(" .") or name[0] not in ". "
    assert name[-1] not in ". "
    assert name.isprintable()
    assert not set(name) & set('"*/:<>?\\|')
    assert len(name.encode()) <= 120
