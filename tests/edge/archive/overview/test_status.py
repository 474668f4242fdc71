"""What a person sees of an archive while it is screened, and after."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.archive import runs
from edge.archive.overview import parts, status
from edge.archive.place import ArchiveError, Place
from edge.archive.run import running
from edge.machine import clock, processes
from tests.edge.archive import made


@pytest.fixture
def chance() -> random.Random:
    return random.Random(5)


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """On a disk, and where there are only objects."""
    place = Place(str(tmp_path / "out") if request.param == "disk" else f"memory://{tmp_path}/out")
    yield place
    place.remove("")


@pytest.fixture
def half(place: Place, chance: random.Random) -> Place:
    """Three shards of 400 pictures and one of 200: the first whole, two tasks of the second done."""
    made.begin(place, 140)
    made.shard(place, 0, [made.slide(chance, f"A{i}", blasts=0.5 if i == 3 else None) for i in range(40)])
    for number in (0, 1):
        slides = [
            made.slide(chance, f"B{number}{i}", fault="cut short" if i == 0 else None) for i in range(5)
        ]
        made.task(place, 1, number, slides, "node-b")
    return place


def _text(place: Place) -> str:
    return "\n".join(status.lines(status.of(place)))


def test_a_folder_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"nowhere: does not exist; give the --out"):
        status.of(Place(str(tmp_path / "nowhere")))
    with pytest.raises(ArchiveError, match=r"is no archive's output; give the --out"):
        status.of(Place(str(tmp_path)))


def test_it_tells_what_is_done_of_what_is_planned(half: Place) -> None:
    found = status.of(half)
    assert (found.pictures, found.done.fields, found.done.slides, found.shards) == (500, 500, 50, 1)
    text = _text(half)
    assert "500 of 1,400 (35.7%)" in text
    assert "50 of 140" in text
    assert "1 of 4" in text
    assert "leukocytes 3, fp32" in text
    assert "s3://laboratory/slides" in text
    assert "refer 1" in text
    assert "node-a: 400 fields, 2.50 fields/s a worker" in text
    assert "node-b: 100 fields" in text


def test_bad_files_and_what_was_left_out_are_named_with_their_reasons(half: Place) -> None:
    text = _text(half)
    assert "2, counted as turned down" in text
    assert "B00/0.jpg: cut short" in text
    assert "B10/0.jpg: cut short" in text
    assert "12: no picture (first: notes.txt)" in text


def test_of_many_bad_files_the_first_are_named(place: Place, chance: random.Random) -> None:
    made.begin(place, 40)
    made.shard(place, 0, [made.slide(chance, f"A{i}", fault="empty") for i in range(40)])
    found = status.of(place)
    assert found.done.faults == 40
    assert len(found.bad) == status.SHOWN
    assert "40, counted as turned down: the first" in _text(place)


def _run(place: Place, name: str = "20260301T100000-abcdef", **changed: Any) -> None:
    """A note of a run, of this process and begun now unless it says otherwise."""
    told = {
        "started": runs.now().isoformat(timespec="seconds"), "address": "local", "version": "0.1.0",
        "host": socket.gethostname(), "boot": clock.boot_id(), "process": processes.name(), "ended": None,
        "how": None,
    } | changed  # fmt: skip
    place.write(f"runs/{name}.json", json.dumps(told).encode())


def _later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the wall clock be so much later."""
    moment = runs.now() + timedelta(seconds=seconds)
    for module in (runs, parts, status):
        monkeypatch.setattr(module, "now", lambda: moment)


def test_a_run_of_the_program_is_told_as_it_notes_itself(half: Place) -> None:
    with running(half, "local"):
        assert status.of(half).state == "under way"
    found = status.of(half)
    assert found.state == "ended"
    assert "done after" in _text(half)


def test_rate_and_time_left_are_of_this_run(half: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    _run(half, started=(runs.now() - timedelta(seconds=60)).isoformat())  # before its first task was done
    _later(monkeypatch, 190)
    found = status.of(half)
    assert found.state == "under way"
    assert found.rate == pytest.approx(2.0, rel=0.02)
    assert found.left_s == pytest.approx(450, rel=0.02)
    text = _text(half)
    assert "2.0 fields/s, 7 min" in text
    assert "the last task was done 3 min" in text


def test_what_an_earlier_run_did_is_not_of_this_ones_rate(
    half: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    _later(monkeypatch, 10)
    _run(half)
    found = status.of(half)
    assert found.rate is None
    assert found.left_s is None


def test_a_shard_put_together_now_may_hold_what_was_screened_before(
    place: Place, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.begin(place, 80)
    monkeypatch.setattr(made, "AT", runs.now() - timedelta(days=1))
    made.shard(place, 0, [made.slide(chance, f"A{i}") for i in range(40)])
    _run(place, started=(runs.now() - timedelta(minutes=1)).isoformat())
    assert status.of(place).rate is None


def test_a_run_whose_program_is_gone_was_cut_off(half: Place) -> None:
    _run(half, process="1999999999:1")
    assert status.of(half).state == "cut off"
    assert "it was cut off; run it again: it goes on where it stopped" in _text(half)


def test_a_run_of_before_the_machine_was_started_again_was_cut_off(half: Place) -> None:
    _run(half, boot="00000000-0000-0000-0000-000000000000")
    assert status.of(half).state == "cut off"


def test_of_a_run_on_another_machine_nothing_is_pretended(half: Place) -> None:
    _run(half, host="elsewhere")
    assert "on elsewhere; whether it still runs can be seen there; the last task was done" in _text(half)


def test_an_ended_run_says_how(half: Place) -> None:
    _run(half, started="2026-03-01T10:00:00+00:00", ended="2026-03-01T12:30:00+00:00", how="the disk is full")
    text = _text(half)
    assert "the disk is full after 2 h 30 min; run it again: it goes on where it stopped" in text


def test_the_run_that_began_last_is_told(half: Place) -> None:
    _run(half, "20260301T100000-ffffff", ended="2026-03-01T12:30:00+00:00", how="stopped")
    _run(half, "20260302T100000-000000")
    assert status.of(half).state == "under way"


def test_before_there_is_a_plan_it_says_that_the_input_is_listed(place: Place) -> None:
    made.ORDER.write(place)
    _run(place)
    found = status.of(place)
    assert found.plan is None
    assert not found.whole
    assert "the input is being listed" in _text(place)


def test_pages_of_a_file_do_not_make_more_than_all(place: Place, chance: random.Random) -> None:
    made.begin(place, 20)
    made.shard(place, 0, [made.slide(chance, f"A{i}") for i in range(30)])
    found = status.of(place)
    assert found.whole
    assert found.pictures == 200
    assert found.done.fields == 300
    assert "200 of 200 (100.0%), with all their pages 300" in _text(place)


def test_a_shard_that_is_put_together_meanwhile_is_counted_once(half: Place, chance: random.Random) -> None:
    made.shard(half, 1, [made.slide(chance, f"B{i}") for i in range(40)])  # its fragments are still there
    found = status.of(half)
    assert (found.pictures, found.shards) == (800, 2)


def test_what_is_being_written_and_foreign_files_do_no_harm(half: Place) -> None:
    half.write("done/notes.txt", b"mine")
    half.write("work/00001/000002.fields.parquet", b"PAR1 half of")
    half.write("runs/readme.txt", b"mine")
    assert status.of(half).pictures == 500


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("done/00000.json", b"{"),
        ("done/00000.json", b'{"fields": -1}'),
        ("runs/20990101T000000000000.json", b"[]"),
        ("runs/20990101T000000000000.json", b'{"started": "soon", "address": "", "host": "", "process": ""}'),
        ("plan/plan.json", b"null"),
    ],
)
def test_what_is_damaged_is_named(half: Place, name: str, content: bytes) -> None:
    half.write(name, content)
    with pytest.raises(ArchiveError, match=name):
        status.of(half)


def test_a_name_that_would_act_on_a_terminal_is_written_out(place: Place, chance: random.Random) -> None:
    made.begin(place, 10)
    made.shard(place, 0, [made.slide(chance, "A", fault="\x1b[2J", fields={"source": "a\x1b]0;x\x07.jpg"})])
    assert "\x1b" not in _text(place)
    assert "\\x1b" in _text(place)


def test_the_record_is_json_with_all_of_it(half: Place) -> None:
    _run(half)
    found = json.loads(json.dumps(status.record(status.of(half)), allow_nan=False))
    assert found["pictures"] == 500
    assert found["pictures_planned"] == 1400
    assert not found["whole"]
    assert found["state"] == "under way"
    assert found["run"]["address"] == "local"
    assert found["bad"][0] == {"source": "B00/0.jpg", "slide": "B00", "reason": "cut short"}
    assert found["left_out"][0]["count"] == 12
    assert found["nodes"]["node-b"] == {"fields": 100, "seconds": 40.0}


def test_it_waits_for_no_cluster_and_no_model() -> None:
    code = "import edge.archive.overview.status, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"ray", "onnxruntime", "textual", "pandas", "torch"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (90_061, "1 d 1 h"),
        (86_400 * 400, "400 d"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert status.duration(seconds) == told
