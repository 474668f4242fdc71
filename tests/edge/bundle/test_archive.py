"""Zips that are damaged, or that try something: each gets its own words, and none fills the memory."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle import archive

GOOD = {"manifest.json": b"{}", "golden/0.png": bytes(range(256)) * 20}
QUICK = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def _zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in members:
            made.writestr(name, content)
    return out.getvalue()


def _refusal(content: bytes) -> str:
    with pytest.raises(ValueError, match=r"\S") as refused:
        archive.members(content)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_good_one_is_unpacked() -> None:
    assert archive.members(_zip(*GOOD.items(), ("folder/", b""))) == GOOD
    assert archive.members(_zip(*GOOD.items(), method=zipfile.ZIP_STORED)) == GOOD


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated(share: float) -> None:
    content = _zip(*GOOD.items())
    assert "damaged or not a bundle" in _refusal(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/passwd", "..", "a\\..\\..\\b", "C:/windows/a", "\\\\host\\a"]
)
def test_zip_slip(name: str) -> None:
    assert "points outside; not opened" in _refusal(_zip((name, b"x")))


@pytest.mark.parametrize("name", [".hidden", "a//b", "a\nb", "ä", "a b", "a" * 300, "./a"])
def test_odd_names(name: str) -> None:
    assert "has an odd name" in _refusal(_zip((name, b"x")))


def test_the_same_name_twice() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = _zip(("a", b"1"), ("a", b"2"))
    assert "member a is in it twice" in _refusal(content)


def test_too_many_members() -> None:
    assert "more than 256 members" in _refusal(_zip(*((f"m{i}", b"") for i in range(300))))


def test_packed_in_another_way() -> None:
    assert "otherwise than by deflate" in _refusal(_zip(("a", b"x" * 100), method=zipfile.ZIP_LZMA))
    encrypted = bytearray(_zip(("a", b"x")))
    at = encrypted.index(b"PK\x01\x02") + 8
    encrypted[at] |= 1
    assert "encrypted" in _refusal(bytes(encrypted))


def test_a_zip_bomb_by_its_ratio() -> None:
    assert "200 times its size, as a zip bomb" in _refusal(_zip(("a", bytes(20_000_000))))


def test_a_zip_bomb_by_the_size_it_claims() -> None:
    content = _lying(bytes(1000), claimed=3_000_000_000)
    assert "member a has 2,861.0 MiB, 64.0 MiB are allowed; not opened; --large opens it" in _refusal(content)


def test_a_zip_bomb_of_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 2**20)
    content = _zip(*((f"m{i}", os.urandom(300_000)) for i in range(4)))
    assert "its members have 1.1 MiB, 1.0 MiB are allowed" in _refusal(content)
    assert len(archive.members(content, large=True)) == 4


def test_a_header_that_lies_costs_no_memory() -> None:
    """The directory says 1,000 bytes, the data unpack to 200 MB."""
    content = _lying(bytes(200_000_000), claimed=1000)
    tracemalloc.start()
    try:
        assert "damaged or not a bundle (Bad CRC-32" in _refusal(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_a_header_that_lies_well_gives_what_it_claims() -> None:
    content = _lying(b"a" * 5000, claimed=1000, checksum=zlib.crc32(b"a" * 1000))
    assert archive.members(content) == {"a": b"a" * 1000}


def test_a_member_without_a_name() -> None:
    nameless = bytearray(_zip(("a", b"x")))
    start = nameless.index(b"PK\x01\x02") + 28
    nameless[start : start + 2] = b"\x00\x00"
    assert "damaged" in _refusal(bytes(nameless))


def test_a_member_shorter_than_it_claims() -> None:
    assert "has another size than it claims; not opened" in _refusal(_lying(b"abc", claimed=4))


def _lying(content: bytes, claimed: int, checksum: int | None = None) -> bytes:
    """A zip of one member whose headers claim another size."""
    packed = bytearray(_zip(("a", content)))
    for header, at in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        start = packed.index(header) + at
        if checksum is not None:
            packed[start : start + 4] = struct.pack("<I", checksum)
        packed[start + 8 : start + 12] = struct.pack("<I", claimed)
    return bytes(packed)


@QUICK
@given(st.binary(max_size=300))
def test_random_bytes(content: bytes) -> None:
    assert _refused_or_clean(content)


@QUICK
@given(st.data())
def test_a_good_zip_with_bytes_changed(data: st.DataObject) -> None:
    content = bytearray(_zip(("manifest.json", b'{"a": 1}'), ("golden/0.png", bytes(range(200)))))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert _refused_or_clean(bytes(content))


@QUICK
@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=12), st.binary(max_size=40)), max_size=4),
    st.binary(max_size=40),
)
def test_odd_members_and_a_foreign_start(members: list[tuple[str, bytes]], before: bytes) -> None:
    try:
        content = _zip(*dict(members).items())
    except (ValueError, UnicodeEncodeError):
        return
    assert _refused_or_clean(before + content)


def _refused_or_clean(content: bytes) -> bool:
    """Whether it is refused in one line, or unpacked under names that lie inside; nothing else is raised."""
    try:
        members = archive.members(content)
    except ValueError as error:
        return "\n" not in str(error)
    return all(map(archive.is_member_name, members))
