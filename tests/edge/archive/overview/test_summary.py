"""An archive's summary as a page: what it says, and that it runs nothing and lets nothing act."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from edge.archive.overview import gather, summary
from edge.archive.place import ArchiveError, Place
from tests.edge.archive import made


@pytest.fixture
def chance() -> random.Random:
    return random.Random(5)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "out"))


def _page(place: Place) -> str:
    summary.write(place)
    return place.read("summary.html").decode()


def _text(html: str) -> str:
    body = html.partition("</head>")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def _made(place: Place, *slides: Any) -> str:
    made.begin(place, len(slides))
    made.shard(place, 0, slides)
    return _page(place)


def test_it_tells_who_needs_somebody_the_most_suspicious_first(place: Place, chance: random.Random) -> None:
    html = _made(
        place,
        made.slide(chance, "S-few", blasts=0.25),
        made.slide(chance, "S-none", blasts=0.0),
        made.slide(chance, "S-many", blasts=0.8),
    )
    text = _text(html)
    assert "2 of 3 slides need somebody" in text
    assert text.index("S-many") < text.index("S-few")
    assert "S-none" not in text
    assert "For research use only" in text


def test_a_slide_whose_fraction_nobody_knows_stands_last(place: Place, chance: random.Random) -> None:
    unknown = {"blast_fraction_corrected": None, "blast_interval_corrected": None}
    text = _text(
        _made(
            place, made.slide(chance, "S-A", blasts=0.5, own=unknown), made.slide(chance, "S-B", blasts=0.5)
        )
    )
    assert text.index("S-B") < text.index("S-A")
    assert "not known" in text


def test_of_very_many_the_first_are_shown_and_all_counted(
    place: Place, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "MOST_SLIDES", 5)
    made.begin(place, 80)
    for number in (0, 1):
        made.shard(place, number, [made.slide(chance, f"S{number}-{i:02d}", blasts=0.5) for i in range(40)])
    found = gather.gather(place)
    assert [row["slide"] for row in found.slides] == [f"S0-{i:02d}" for i in range(5)]
    assert "80 of 80 slides need somebody" in _text(_page(place))


def test_caveats_and_a_model_that_nobody_vouches_for_stand_in_sight(
    place: Place, chance: random.Random
) -> None:
    made.begin(place, 1, replace(made.ORDER, trusted=False, caveats=("exported even so: 3 blasts",)))
    made.shard(place, 0, [made.slide(chance, "S-1")])
    html = _page(place)
    before = html.partition("<nav")[0]
    assert "NOT signed by a trusted key: not for patients" in before
    assert "model exported even so: 3 blasts" in before


def test_what_is_not_finished_says_so(place: Place, chance: random.Random) -> None:
    made.begin(place, 80)
    made.shard(place, 0, [made.slide(chance, f"S{i}") for i in range(40)])
    made.task(place, 1, 0, [made.slide(chance, f"T{i}", blasts=0.9) for i in range(5)])
    text = _text(_page(place))
    assert "NOT FINISHED: 450 of 800 pictures are screened. This page tells of the 400" in text
    assert "0 of 40 slides need somebody" in text


def test_before_anything_is_whole_there_is_a_page_that_says_so(place: Place) -> None:
    made.begin(place, 10)
    text = _text(_page(place))
    assert "NOT FINISHED: 0 of 100 pictures" in text
    assert "Nothing is screened yet" in text


def test_reasons_bad_files_and_what_was_left_out_are_told(place: Place, chance: random.Random) -> None:
    blurred = {"problems": ["out of focus", "too dark: 12%"]}
    html = _made(
        place,
        made.slide(chance, "S-1", fault="the file is cut short"),
        made.slide(chance, "S-2", fields=blurred),
    )
    text = _text(html)
    assert re.search(r"– out of focus \d+ ", text)
    assert "– too dark 10 50.0%" in text
    assert "S-1/0.jpg S-1 the file is cut short" in text
    assert "no picture 12 notes.txt" in text


def test_a_drift_is_said_in_words(place: Place) -> None:
    made.drifting(place)
    text = _text(_page(place))
    assert re.search(r"In 2024-10 µm per pixel was high: 0\.12\d\d, usually 0\.10\d\d\.", text)
    assert "Sharpness fell over the months" in text
    assert re.search(r"From 2025-\d\d to 2025-12 uncertain cells were high", text)
    assert "robust standard deviations" in text


def test_without_dates_nothing_is_said_of_months(place: Place, chance: random.Random) -> None:
    text = _text(_made(place, made.slide(chance, "S-1", None)))
    assert "No date is known of any field" in text
    assert "not known 1 10" in text


def test_names_of_the_input_cannot_act(place: Place, chance: random.Random) -> None:
    name = "<script>alert(1)</script>\u202e"
    html = _made(place, made.slide(chance, name, blasts=0.9, fault="<b>&"))
    assert "<script" not in html
    assert "<b>" not in html
    assert "\u202e" not in html


def test_it_is_one_file_that_loads_nothing(place: Place, chance: random.Random) -> None:
    html = _made(place, made.slide(chance, "S-1"))
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import|https?://", html)
    assert "default-src 'none'" in html


def test_a_table_that_is_gone_or_damaged_is_named(place: Place, chance: random.Random) -> None:
    _made(place, made.slide(chance, "S-1"))
    content = place.read("slides/00000.parquet")
    place.write("slides/00000.parquet", content[: len(content) // 2])
    with pytest.raises(ArchiveError, match=r"slides/00000\.parquet is damaged .* remove done/00000\.json"):
        summary.write(place)
    place.remove("slides/00000.parquet")
    with pytest.raises(ArchiveError, match=r"slides/00000\.parquet is gone"):
        summary.write(place)


def test_it_writes_to_object_storage_too(tmp_path: Path, chance: random.Random) -> None:
    place = Place(f"memory://{tmp_path}/out")
    try:
        assert "1 of 1 slide" in _text(_made(place, made.slide(chance, "S-1", blasts=0.9)))
    finally:
        place.remove("")
