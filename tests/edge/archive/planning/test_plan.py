"""A plan holds every picture once, slides whole, and is the same however often it is made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyarrow", reason="the extra archive is not installed")
pytest.importorskip("fsspec", reason="the extra archive is not installed")

from edge.archive.entry import Aside, Entry, Task
from edge.archive.order import Order
from edge.archive.place import ArchiveError, Place
from edge.archive.planning import plan as module
from edge.archive.planning import spool
from edge.archive.planning.plan import FILE, Plan, entries_of, tasks_of
from edge.archive.planning.spool import grouped
from edge.types import LeftOut


def order(source: str = "/in", shard_fields: int = 100, task_fields: int = 10, **more: Any) -> Order:
    return Order(source, "b-1", "0" * 64, "1.0", shard_fields=shard_fields, task_fields=task_fields, **more)


def pictures(**slides: int) -> list[Entry]:
    """So many of each slide, one after another."""
    return [
        Entry(s, i, f"{s}/{i}.png", f"/in/{s}/{i}.png", 0.25) for s, n in slides.items() for i in range(n)
    ]


def made(place: Place, entries: list[Entry], *, together: bool = True, **how: Any) -> Plan:
    return Plan.make(iter(entries), Aside(), place, order(**how), together=together)


def written(place: Place) -> dict[str, bytes]:
    return {name: place.read(f"plan/{name}") for name in place.names("plan")}


def tasks(place: Place, plan: Plan) -> list[list[Entry]]:
    return [entries_of(place, task) for shard in plan.shards for task in tasks_of(place, shard.number)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "out"))


def test_small_slides_share_a_task_and_the_largest_come_first(place: Place) -> None:
    plan = made(place, pictures(a=4, b=5, c=3, d=25, e=10, f=1))
    found = [
        [(slide, len(list(of))) for slide, of in groupby(task, lambda e: e.slide)]
        for task in tasks(place, plan)
    ]
    assert found == [[("d", 25)], [("e", 10)], [("a", 4), ("b", 5)], [("c", 3), ("f", 1)]]
    assert tasks_of(place, 0) == [Task(0, 0, 25), Task(0, 1, 10), Task(0, 2, 9), Task(0, 3, 4)]
    assert (plan.fields, plan.slides, [s.tasks for s in plan.shards]) == (48, 6, [4])


def test_a_shard_takes_about_so_many_and_never_parts_a_slide(place: Place) -> None:
    plan = made(place, pictures(a=60, b=30, c=20, d=300, e=1))
    assert [(s.number, s.fields, s.slides) for s in plan.shards] == [
        (0, 90, 2),
        (1, 20, 1),
        (2, 300, 1),
        (3, 1, 1),
    ]
    assert written(place).keys() == {"plan.json", *(f"0000{n}.parquet" for n in range(4))}


def test_all_of_an_entry_is_kept(place: Place) -> None:
    entries = [
        Entry("S/٣", 0, "a\\xff.png", "/in/a\udcff.png", None, "2024-03-01T14:05:00+00:00"),
        Entry("S/٣", 1, "b.png", "s3://bucket/b.png", 0.25),
    ]
    assert tasks(place, made(place, entries)) == [entries]


def scattered(seed: int = 7, slides: int = 40, most: int = 30) -> list[Entry]:
    """Pictures of slides that stand anywhere."""
    random = Random(seed)
    names = [f"S-{i}" for i in range(slides) for _ in range(random.randint(1, most))]
    random.shuffle(names)
    return [Entry(name, place, f"{place}.png", f"/in/{place}.png") for place, name in enumerate(names)]


def expected(entries: list[Entry]) -> dict[str, list[str]]:
    slides: dict[str, list[str]] = {}
    for entry in entries:
        slides.setdefault(entry.slide, []).append(entry.path)
    return slides


@pytest.mark.parametrize("at_once", [1, 10, 100_000])
def test_scattered_slides_are_brought_together(
    place: Place, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(module, "grouped", lambda entries, folder: grouped(entries, folder, at_once))
    entries = scattered()
    plan = made(place, entries, together=False)
    found: dict[str, list[str]] = {}
    for task in tasks(place, plan):
        for slide, of in groupby(task, lambda e: e.slide):
            assert slide not in found
            here = list(of)
            assert [e.place for e in here] == list(range(len(here)))
            found[slide] = [e.path for e in here]
    assert found == expected(entries)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=60), st.integers(1, 20))
def test_grouping_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], at_once: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    entries = [Entry(name, i, f"{i}", f"/{i}") for i, name in enumerate(names)]
    found = list(grouped(entries, folder, at_once))
    assert expected(found) == expected(entries)
    assert len(list(groupby(found, lambda e: e.slide))) == len(set(names))
    assert os.listdir(folder) == []


@pytest.mark.parametrize("together", [True, False])
def test_the_same_input_gives_the_same_plan(tmp_path: Path, together: bool) -> None:
    entries = pictures(a=60, b=30, c=20, d=300, e=1) if together else scattered()
    places = [Place(str(tmp_path / "1")), Place(f"memory://{uuid4().hex}/out")]
    plans = [made(place, entries, together=together) for place in places]
    assert plans[0] == plans[1] == Plan.read(places[0]) == Plan.read(places[1])
    assert written(places[0]) == written(places[1])


def test_a_plan_that_was_cut_off_is_made_anew(place: Place) -> None:
    entries = pictures(a=60, b=60, c=60)

    def cut_off() -> Iterator[Entry]:
        yield from entries[:150]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Plan.make(cut_off(), Aside(), place, order(shard_fields=10), together=True)
    assert place.names("plan") == {"00000.parquet"}
    assert Plan.read(place) is None
    place.write("plan/00007.parquet", b"of another try")
    plan = made(place, entries)
    assert written(place).keys() == {"plan.json", "00000.parquet", "00001.parquet", "00002.parquet"}
    assert Plan.read(place) == plan


@pytest.mark.parametrize("name", ["done/00000.json", "work/00000/000000.json"])
def test_what_is_begun_is_not_planned_again(place: Place, name: str) -> None:
    place.write(name, b"{}")
    with pytest.raises(
        ArchiveError, match=r"plan/plan\.json is gone, by which a part is screened; put it back"
    ):
        made(place, pictures(a=1))


def test_progress_and_what_was_left_out_is_told(place: Place) -> None:
    told: list[int] = []
    aside = Aside()

    def entries() -> Iterator[Entry]:
        yield from pictures(a=1500, b=1000)
        aside.add("videos", "a.mp4")
        aside.add("videos", "b.mp4", 2)

    plan = Plan.make(entries(), aside, place, order(), told.append, together=True)
    assert told == [1000, 2000, 2500]
    assert plan.left_out == (LeftOut("videos", 3, "a.mp4"),)
    assert Plan.read(place) == plan


def test_the_same_picture_twice_in_a_slide_is_kept_and_told(place: Place) -> None:
    entries = [
        Entry(s, 0, p, f"/in/{p}") for s, p in (("S", "a"), ("T", "a"), ("S", "b"), ("S", "a"), ("S", "a"))
    ]
    plan = made(place, entries, together=False)
    assert plan.fields == 5
    assert [(note.count, note.first) for note in plan.notes] == [(2, "a of slide S")]
    assert [(e.place, e.source) for (task,) in [tasks(place, plan)] for e in task if e.slide == "S"] == [
        (0, "a"), (1, "b"), (2, "a"), (3, "a"),
    ]  # fmt: skip


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_a_folder_and_a_manifest_of_it_give_the_same_slides(tmp_path: Path) -> None:
    touch(tmp_path / "in", *(f"{s}/{i}.png" for s in ("a", "b/c") for i in range(3)), "a/x.mp4", "notes.txt")
    listed = Plan.of(order(str(tmp_path / "in")), one := Place(str(tmp_path / "1")))
    rows = "".join(f"in/{s}/{i}.png,{s}\n" for i in range(3) for s in ("a", "b/c"))
    (tmp_path / "m.csv").write_text(f"path,slide\n{rows}")
    told: list[int] = []
    of_manifest = Plan.of(order(str(tmp_path / "m.csv")), two := Place(str(tmp_path / "2")), told.append)
    keys = [
        [(e.slide, e.place, e.path) for task in tasks(p, plan) for e in task]
        for p, plan in ((one, listed), (two, of_manifest))
    ]
    assert keys[0] == keys[1]
    assert (told, [left.first for left in listed.left_out]) == ([6], ["a/x.mp4"])
    touch(tmp_path / "in", "z/later.png")
    assert Plan.of(order(str(tmp_path / "in")), one) == listed  # what is planned stays so


def test_an_input_without_pictures_says_what_is_there(tmp_path: Path, place: Place) -> None:
    touch(tmp_path / "in", "a/1.mp4", "a/2.mp4", "b/3.svs", "list.csv")
    with pytest.raises(
        ArchiveError,
        match=r"/in: has no pictures; left out: videos: .* \(2, first: a/1\.mp4\); whole slides .*; "
        r"1 other file, such as tables and texts; pictures end in .*\.png.* manifest in \.parquet",
    ):
        Plan.of(order(str(tmp_path / "in")), place)
    assert Plan.read(place) is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match="/empty: has no pictures; pictures end in"):
        Plan.of(order(str(tmp_path / "empty")), place)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"shards": [{"number": 0}], "left_out": [], "notes": []}']
)
def test_a_damaged_plan_is_told(place: Place, content: bytes) -> None:
    place.write(FILE, content)
    with pytest.raises(ArchiveError, match=r"plan/plan\.json cannot be read \(.*\); put it back"):
        Plan.read(place)


def test_a_damaged_or_missing_shard_is_told(place: Place) -> None:
    made(place, pictures(a=3))
    whole = place.read("plan/00000.parquet")
    with pytest.raises(ArchiveError, match=r"plan/00001\.parquet cannot be read"):
        tasks_of(place, 1)
    with pytest.raises(ArchiveError, match=r"plan/00000\.parquet cannot be read"):
        entries_of(place, Task(0, 9, 1))
    for content in (b"", whole[:-20], whole[: len(whole) // 2]):
        place.write("plan/00000.parquet", content)
        with pytest.raises(ArchiveError, match=r"plan/00000\.parquet cannot be read"):
            tasks_of(place, 0)


def test_no_room_for_the_list_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool.pa.ipc, "new_file", full)
    with pytest.raises(ArchiveError, match=r"list of pictures cannot be written there: .*No space.*TMPDIR"):
        made(place, pictures(a=3))


def test_memory_does_not_grow_with_the_pictures(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many pictures only a few thousand are alive at once."""
    alive = most = 0

    class Counted(Entry):
        def __init__(self, *values: Any, **named: Any) -> None:
            nonlocal alive, most
            super().__init__(*values, **named)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    monkeypatch.setattr(spool, "Entry", Counted)
    entries = (Counted(f"S-{i % 500}", i, f"{i}", f"/{i}") for i in range(40_000))
    monkeypatch.setattr(module, "grouped", lambda entries, folder: grouped(entries, folder, 1000))
    plan = Plan.make(entries, Aside(), place, order(shard_fields=5000, task_fields=200))
    assert (plan.fields, plan.slides) == (40_000, 500)
    assert most < 10_000
