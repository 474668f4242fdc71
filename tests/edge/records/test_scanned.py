"""What is no identifier is refused, whatever code it comes in."""

from __future__ import annotations

import numpy as np
import pytest

from edge.records.database import RecordsError
from edge.records.scanned import Scanned, identifier, scanned
from tests.edge.optics.printed import code, held


@pytest.mark.parametrize(
    "text",
    [
        "S-2024-0042",
        "S24-12345 A1-1",
        "=W0000 24 123456",
        "2024/0042",
        " S-1\n",
        "مريض-٤٢",
        "样本42",
        "P_7.b+c#d",
    ],
)
def test_what_labels_say_is_an_identifier(text: str) -> None:
    assert identifier(text) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "javascript:alert(1)",
        "'; DROP TABLE slides; --",
        "$(reboot)",
        "#!/bin/sh",
        "rm -rf /",
        "https://example.org/S-1",
        "www.example.org",
        "mailto:a@example.org",
        "WIFI:S:ward;P:secret;;",
        "BEGIN:VCARD\nN:Doe",
        "{{7*7}}",
        "../../etc/passwd",
        "",
        "   ",
        "---",
        "S-1\x1b[2J",
        "S-1\x00",
        "S\u202e-1",
        "X" * 65,
        "X" * 4000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_labels_do_not_say_is_refused_in_one_clear_line(text: str) -> None:
    with pytest.raises(RecordsError, match=r"^code ['\"].*: .*; ") as refused:
        identifier(text)
    told = str(refused.value)
    assert told.isprintable()
    assert len(told) < 200


def test_identifiers_of_a_picture_are_told_from_the_rest() -> None:
    pixels = held(code("S-1", scale=5), code("<script>alert(1)</script>"), code("P-7", scale=3))
    found = scanned(pixels)
    assert found.identifiers == ("S-1", "P-7")
    assert found.refused is not None
    assert "script" in found.refused


def test_a_picture_without_codes() -> None:
    assert scanned(np.full((480, 640, 3), 200, np.uint8)) == Scanned()
