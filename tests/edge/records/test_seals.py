"""What the records' digests are over, which must never change."""

from __future__ import annotations

from hashlib import sha256

from edge.records.seals import digest, digest_of_reading


def test_columns_count_by_name_with_kind_and_length() -> None:
    row = {"y": 2.5, "class": "blåst", "cut": True, "crop": b"\x00\xff", "x": 3, "context": None}
    told = b"class s 6 bl\xc3\xa5st" + b"crop b 2 \x00\xff" + b"cut n 3 1.0" + b"x n 3 3.0" + b"y n 3 2.5"
    assert digest(row) == sha256(told).digest()


def test_what_only_orders_rows_in_one_store_does_not_count() -> None:
    assert digest({"x": 1, "id": 7, "reading": 3, "boot": 2, "sha256": b"old"}) == digest({"x": 1})
    assert digest({"x": 1, "id": "a slide's name"}) != digest({"x": 1})


def test_of_a_reading_its_cells_count_in_order() -> None:
    reading, cells = {"frame": 0}, [{"cell": 1}, {"cell": 2}]
    told = b"frame n 3 0.0" + b"".join(sha256(b"cell n 3 %d.0" % i).digest() for i in (1, 2))
    assert digest_of_reading(reading, cells) == sha256(told).digest()
    assert digest_of_reading(reading, cells[::-1]) != digest_of_reading(reading, cells)
