"""Manifests as laboratories have them: from Excel, pandas or a database; and what is wrong with some."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("pyarrow", reason="the extra archive is not installed")
pytest.importorskip("fsspec", reason="the extra archive is not installed")

import pyarrow as pa
import pyarrow.parquet as parquet

from edge.archive.entry import Aside, Entry
from edge.archive.place import ArchiveError, Place
from edge.archive.planning import manifest


def written(folder: Path, content: str | bytes | dict[str, Any], name: str = "") -> Place:
    """A manifest in a folder: a CSV's text or bytes, or the columns of a Parquet."""
    path = folder / (name or ("m.parquet" if isinstance(content, dict) else "m.csv"))
    if isinstance(content, dict):
        parquet.write_table(pa.table(content), path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Place(str(path))


def read(place: Place, **how: Any) -> list[Entry]:
    assert manifest.is_one(place)
    return list(manifest.entries(place, Aside(), **how))


PLAIN = "path,slide,um_per_px\na/1.png,S-1,0.25\nb/2.png,S-2,\na/3.png,S-1,0.5\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("path,slide", " Path , SLIDE"),
        PLAIN.replace(",", ";").replace("0.", "0,"),
        '"path","slide","um_per_px"\n"a/1.png","S-1","0.25"\n\n"b/2.png",S-2,""\n,,\na/3.png, S-1 ,0.5',
        "patient,path,um_per_px,slide,note\nAB,a/1.png,.25,S-1,\nAB,b/2.png,,S-2,x\nC,a/3.png,5e-1,S-1,\n",
        gzip.compress(PLAIN.encode(), mtime=0),
    ],
)
def test_csv_as_programs_write_it(tmp_path: Path, content: str | bytes) -> None:
    entries = read(written(tmp_path, content, "m.csv.gz" if content[:1] == b"\x1f" else "M.CSV"))
    assert [(e.slide, e.place, e.source, e.um_per_px, e.taken_at) for e in entries] == [
        ("S-1", 0, "a/1.png", 0.25, None),
        ("S-2", 1, "b/2.png", None, None),
        ("S-1", 2, "a/3.png", 0.5, None),
    ]
    assert entries[0].path == str(tmp_path / "a/1.png")


def test_names_with_anything_in_them(tmp_path: Path) -> None:
    entries = read(written(tmp_path, 'path;slide\n"a;b\nc ""d"".png";Señor/٣\n'))
    assert [(e.slide, e.path) for e in entries] == [("Señor/٣", f'{tmp_path}/a;b\nc "d".png')]
    assert entries[0].source == 'a;b\\x0ac "d".png'


@pytest.mark.parametrize(
    "columns",
    [
        {"path": ["a.png", "b.png"], "slide": ["12", "13"], "um_per_px": [0.25, None]},
        {"path": ["a.png", "b.png"], "slide": [12, 13], "um_per_px": [0.25, float("nan")]},
        {"path": ["a.png", "b.png"], "slide": [12.0, 13.0], "um_per_px": [Decimal("0.25"), None]},
        {
            "Path": pa.array(["a.png", "b.png"]).dictionary_encode(),
            "slide ": pa.array(["12", "13"], pa.large_string()),
            "UM_PER_PX": ["0.25", ""],
            "patient": ["x", None],
        },
    ],
)
def test_parquet_as_programs_write_it(tmp_path: Path, columns: dict[str, Any]) -> None:
    entries = read(written(tmp_path, columns))
    assert [(e.slide, e.source, e.um_per_px) for e in entries] == [
        ("12", "a.png", 0.25),
        ("13", "b.png", None),
    ]


def test_a_large_parquet_is_read_in_pieces(tmp_path: Path) -> None:
    size = 10_000
    columns = {"path": [f"{i}.png" for i in range(size)], "slide": [f"S-{i % 7}" for i in range(size)]}
    entries = read(written(tmp_path, columns))
    assert [(e.place, e.source) for e in entries] == [(i, f"{i}.png") for i in range(size)]


def test_where_pictures_lie(tmp_path: Path) -> None:
    rows = "path,slide\na/1.png,S\n../b.png,S\n/data/c.png,S\ns3://bucket/d.png,S\n"
    local = [e.path for e in read(written(tmp_path, rows))]
    assert local == [f"{tmp_path}/a/1.png", f"{tmp_path.parent}/b.png", "/data/c.png", "s3://bucket/d.png"]
    place = Place(f"memory://{uuid4().hex}/lists/m.csv")
    place.files.pipe_file(place.root, rows.encode())
    folder = place.address.removesuffix("/lists/m.csv")
    assert [e.path for e in read(place)] == [f"{folder}/lists/a/1.png", f"{folder}/b.png", *local[2:]]


def test_independent_pictures_are_slides_by_their_path(tmp_path: Path) -> None:
    entries = read(written(tmp_path, "path,slide\na/1.png,S\ns3://bucket/2.png,S\n"), independent=True)
    assert [e.slide for e in entries] == ["a/1.png", "s3://bucket/2.png"]


@pytest.mark.parametrize(
    ("told", "taken_at"),
    [
        ("2024-03-01T14:05:00Z", "2024-03-01T14:05:00+00:00"),
        ("2024-03-01 14:05", "2024-03-01T14:05:00+00:00"),
        ("2024-03-01T14:05:00.25+02:00", "2024-03-01T12:05:00+00:00"),
        ("2024-03-01", "2024-03-01T00:00:00+00:00"),
        (datetime(2024, 3, 1, 14, 5), "2024-03-01T14:05:00+00:00"),
        (datetime(2024, 3, 1, 14, 5, tzinfo=timezone(timedelta(hours=2))), "2024-03-01T12:05:00+00:00"),
        (datetime(2024, 3, 1, 14, 5, tzinfo=UTC).date(), "2024-03-01T00:00:00+00:00"),
        ("", None),
        (None, None),
    ],
)
def test_when_it_was_taken(tmp_path: Path, told: Any, taken_at: str | None) -> None:
    (entry,) = read(written(tmp_path, {"path": ["a.png"], "slide": ["S"], "taken_at": [told]}))
    assert entry.taken_at == taken_at
    if isinstance(told, str):
        (entry,) = read(written(tmp_path, f"path,slide,taken_at\na.png,S,{told}\n"))
        assert entry.taken_at == taken_at


def test_what_is_no_picture_is_left_out(tmp_path: Path) -> None:
    place, aside = written(tmp_path, "path,slide\na.mp4,S\nb.png,S\nc.mp4,S\nd,S\n"), Aside()
    assert [(e.source, e.place) for e in manifest.entries(place, aside)] == [("b.png", 0), ("d", 1)]
    ((reason, count, first),) = [(each.reason, each.count, each.first) for each in aside.counted]
    assert (reason.split(":")[0], count, first) == ("videos", 2, "a.mp4")


HEAD = "path,slide,um_per_px\na.png,S,\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("file,slide,x y\na,b,c\n", "has no column path; there are file, slide, x y; rename or add it"),
        ("a\tb\n1\t2\n", "has no column path and slide; there are a, b;"),
        ("path,slide,Path\na,b,c\n", "has two columns path; leave one out"),
        (HEAD + ",S,\n", "row 3, column path: is empty; fill it in or leave the row out"),
        (HEAD + "\n\na.png, ,\n", "row 5, column slide: is empty; fill it in"),
        (HEAD + "b.png,S,a lot\n", "row 3, column um_per_px: a lot is no number; give micrometres"),
        (HEAD + "b.png,S,nan\n", "row 3, column um_per_px: nan is no number"),
        (HEAD + "b.png,S,250\n", "row 3, column um_per_px: 250 is no pixel .*; .* 0.01 to 10, or nothing"),
        (HEAD + "b.png,S,-0.2\n", "row 3, column um_per_px: -0.2 is no"),
        (HEAD + f"b.png,{'S' * 65},\n", "row 3, column slide: 'S.*: has 65 characters, more than 64; type"),
        (HEAD + "b.png,a\u200bb,\n", "row 3, column slide: .*invisible character U\\+200B"),
        (HEAD + "b.png,---,\n", "row 3, column slide: .*has no letter or digit"),
        (HEAD + "b.png,S\n", "row 3: has 2 columns, not 3; put what has a ',' in it in quotes"),
        ("path,slide,taken_at\na.png,S,yesterday\n", "row 2, column taken_at: yesterday is no date; write"),
        (HEAD + '"b.png,S,\n', "row [34]: .*; save it as CSV in UTF-8"),
        (HEAD.encode() + b"M\xfcller.png,S,\n", "after row .: is no UTF-8 .*; save it as CSV in UTF-8"),
        (HEAD.encode("utf-16"), "is UTF-16; save it as CSV in UTF-8"),
        (b"PK\x03\x04xlsx", "is a workbook or archive; save it as CSV in UTF-8"),
        (b"", "is empty; list a picture in each row"),
        ("path,slide\n", "has no rows; list a picture in each"),
        (b"\x1f\x8bdamaged", "cannot be read"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-12], "cannot be read"),
        ({"slide": ["S"]}, "has no column path; there are slide; rename or add it"),
        ({"path": ["a.png", None], "slide": ["S", "S"]}, "row 2, column path: is empty"),
        ({"path": ["a.png"], "slide": ["S"], "um_per_px": [11.0]}, "row 1, column um_per_px: 11.0 is no"),
        ({"path": ["a.png"], "slide": ["S"], "um_per_px": [[0.2]]}, r"row 1, column um_per_px: \[0.2\] is"),
        ({"path": pa.array([], pa.string()), "slide": pa.array([], pa.string())}, "has no rows"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_row_and_column(tmp_path: Path, content: Any, told: str) -> None:
    place = written(tmp_path, content)
    with pytest.raises(ArchiveError, match=f"{place.address}: {told}") as raised:
        read(place)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["m.parquet", "m.pq"])
def test_a_parquet_that_is_none(tmp_path: Path, name: str) -> None:
    for content in (b"path,slide\na.png,S\n", b"PAR1 and no more"):
        with pytest.raises(ArchiveError, match=rf"{name}: is no Parquet file \(.*\); write it again"):
            read(written(tmp_path, content, name))


def test_a_parquet_by_another_name_is_read(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"path": ["a.png"], "slide": ["S"]}), tmp_path / "m.csv")
    assert [e.slide for e in read(Place(str(tmp_path / "m.csv")))] == ["S"]


def test_what_is_a_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "archive.csv"
    folder.mkdir()
    assert not manifest.is_one(Place(str(folder)))
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(ArchiveError, match=r"a\.png: is a file and no manifest; give a folder of pictures"):
        manifest.is_one(Place(str(tmp_path / "a.png")))
    with pytest.raises(ArchiveError, match=r"b\.csv: no such file or folder; give one"):
        manifest.is_one(Place(str(tmp_path / "b.csv")))
