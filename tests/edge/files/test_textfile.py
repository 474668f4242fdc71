from __future__ import annotations

from pathlib import Path

import pytest

from edge.files import textfile


@pytest.mark.parametrize(
    "content", [b"name = 1\n\xd0\xb0\n", b"\xef\xbb\xbfname = 1\r\n\xd0\xb0\r\n", b"name = 1\r\xd0\xb0\r"]
)
def test_what_programs_save_as_utf_8_is_the_same_text(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(content)
    assert textfile.read(tmp_path / "x.txt") == "name = 1\nа\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "eins\nfür = 1".encode("latin-1"),
            r"not a text file in UTF-8 \(byte 0xfc in line 2\); save it as UTF-8",
        ),
        ("name".encode("utf-16"), "not a text file in UTF-8 but in UTF-16; save it as UTF-8"),
        ("name".encode("utf-32"), "in UTF-16"),
        (b"\x89PNG\r\n", "byte 0x89 in line 1"),
    ],
)
def test_another_encoding_is_told(content: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        textfile.decoded(content)
