"""`edge-slides` as people and programs use it: JSON, tables, and one clear line for every mistake."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from fcntl import ioctl
from pathlib import Path
from select import select
from struct import pack
from termios import TIOCSWINSZ
from typing import Any

import pytest

from edge import slides
from edge.machine.profile import data_folder
from edge.records.book import Book
from edge.records.store import Store
from tests.edge.bundle.sites import site
from tests.edge.records.example import CLASSES, HEADER
from tests.edge.records.slides import screened
from tests.edge.records.test_migrations import version_2

ROOT = Path(__file__).parents[2]
NAMED = ["blast", "blast", *["lymphocyte"] * 28]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path() -> Path:
    """Where edge-run writes."""
    screened(data_folder() / "records.db", NAMED)
    return data_folder() / "records.db"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command: its status, what it printed, and what it complained of."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = slides.main([*map(str, arguments)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, *capsys.readouterr()

    return run


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_list_as_json_has_what_is_promised(run: Run, path: Path) -> None:
    screened(path, ["lymphocyte"], "later")
    with Book(path) as book:
        book.note("s", "AB", patient="Zoë مريض", age=0)
    status, out, err = run("list", "--json", "-")
    assert (status, err) == (0, "")
    later, first = objects(out)
    assert (later["slide"], first["slide"]) == ("later", "s")
    promised = (
        "slide patient started_at finished_at finding counts cells_counted confirmed signed_by bundle device"
    )
    added = "blast_fraction_corrected blast_interval_corrected signed_at state"
    assert set(f"{promised} {added}".split()) <= first.keys()
    assert (first["patient"], first["age"], later["patient"]) == ("Zoë مريض", 0, None)
    assert (first["counts"], first["cells_counted"]) == ({"blast": 2, "lymphocyte": 28, "artefact": 0}, 30)
    assert first["bundle"] == {
        "name": "leukocytes 4",
        "sha256": "ab" * 32,
        "trusted": True,
        "classes": [*CLASSES],
    }
    assert (first["device"], first["state"], first["signed_by"]) == ("generic-x86-64", "finished", None)


def test_a_slide_as_json_has_its_cells_and_every_word(run: Run, path: Path, tmp_path: Path) -> None:
    for cell, named, by in ((1, "artefact", "AB"), (1, "blast", "ab"), (1, "blast", "MK")):
        assert run("confirm", "s", "--cell", cell, "--as", named, "--by", by)[0] == 0
    assert run("show", "s", "--json", tmp_path / "s.json")[0] == 0
    (slide,) = objects((tmp_path / "s.json").read_text())
    first, *others = slide["cells"]
    assert [(said["by"], said["as"]) for said in first["said"]] == [
        ("AB", "artefact"), ("AB", "blast"), ("MK", "blast"),
    ]  # fmt: skip
    assert all(said["at"].startswith("20") for said in first["said"])
    assert (first["id"], first["class"], first["source"]) == (1, "blast", "Im0.jpg")
    assert len(first["box_px"]) == 4
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert [other["said"] for other in others] == [[]] * 29
    assert slide["confirmed"] == {"blast": 1}


def test_a_slides_site_is_told(run: Run, path: Path) -> None:
    known = replace(site(), file="0123456789abcdef", key="ab" * 32).record()
    screened(path, ["lymphocyte"], "here", header=replace(HEADER, site=known))
    assert objects(run("show", "here", "--json", "-")[1])[0]["site"] == known
    assert objects(run("show", "s", "--json", "-")[1])[0]["site"] is None
    page = run("show", "here")[1]
    assert "site      positive from 0.31 on, by 1204 normal cells of 2 slides" in page
    assert max(map(len, page.splitlines())) < 80
    assert "site " not in run("show", "s")[1]


def test_confirming_tells_what_follows(run: Run, path: Path) -> None:
    status, out, err = run("confirm", "s", "--cell", 1, "--cell", 2, "--as", "blast", "--by", "ab")
    assert (status, err) == (0, "")
    assert out == (
        "slide s, cell 1, 2: blast by AB\n"
        "HAVE THE FILM READ TODAY: 2 blasts confirmed by people among 30 leukocytes.\n"
        "Have an expert read the film today: blasts in blood are a same-day call. Keep the slide. Look at "
        "the suspicious cells in the review.\n"
    )
    assert objects(run("list", "--json", "-")[1])[0]["finding"] == "read-film"


def test_signing_closes_and_tells_what_nobody_looked_at(run: Run, path: Path) -> None:
    run("confirm", "s", "--cell", 1, "--as", "lymphocyte", "--by", "AB")
    status, out, err = run("sign", "s", "--by", "AB")
    assert (status, out.splitlines()[0]) == (0, "slide s: signed by AB")
    assert "AB has said nothing of" in err
    status, out, err = run("confirm", "s", "--cell", 2, "--as", "blast", "--by", "MK")
    assert (status, out) == (1, "")
    assert err.startswith("edge-slides: slide s: AB signed it on 20")
    (slide,) = objects(run("list", "--json", "-")[1])
    assert (slide["signed_by"], slide["state"]) == ("AB", "signed")
    assert slide["signed_at"] >= slide["finished_at"]


def test_a_signature_is_taken_back_with_a_reason_and_the_slide_is_signed_anew(run: Run, path: Path) -> None:
    run("sign", "s", "--by", "AB")
    command = "edge-slides reopen s --by INITIALS --reason TEXT"
    for arguments in (["confirm", "s", "--cell", 1, "--as", "blast"], ["sign", "s"], ["close", "s"]):
        status, _, err = run(*arguments, "--by", "MK")
        assert status == 1
        assert command in err.splitlines()[-1]
    assert run("reopen", "s", "--by", "MK")[0] == 2
    assert run("reopen", "s", "--by", "MK", "--reason", " ")[0] == 1
    status, out, err = run("reopen", "s", "--by", "mk", "--reason", "cell 1 is a lymphocyte")
    assert (status, out, err) == (0, "slide s: open again; review it, then sign it anew\n", "")
    assert run("reopen", "s", "--by", "MK", "--reason", "x")[2].endswith("there is nothing to reopen\n")
    assert run("confirm", "s", "--cell", 1, "--as", "lymphocyte", "--by", "MK")[0] == 0
    assert run("sign", "s", "--by", "MK")[0] == 0
    (slide,) = objects(run("show", "s", "--json", "-")[1])
    first, second = slide["signatures"]
    assert (first["by"], first["reopened"]["by"], first["reopened"]["reason"]) == (
        "AB", "MK", "cell 1 is a lymphocyte",
    )  # fmt: skip
    assert (second["by"], second["reopened"], slide["signed_by"]) == ("MK", None, "MK")
    shown = run("show", "s")[1]
    assert "signed    AB, " in shown
    assert "reopened  MK, " in shown
    assert "signed    MK, " in shown


def test_a_slide_that_was_cut_off_is_told_and_closed_with_what_is_on_the_disk(run: Run, path: Path) -> None:
    screened(path, NAMED, "lost", finish=False)
    run("confirm", "s", "--cell", 1, "--as", "blast", "--by", "AB")
    with Store(path) as store:
        store.begin_slide("empty", HEADER)
    assert "is being screened by this program" in run("close", "lost")[2]
    with sqlite3.connect(path) as database:
        database.execute("UPDATE slides SET process = '1:0' WHERE finished_at IS NULL")
    assert run("confirm", "lost", "--cell", 1, "--as", "lymphocyte", "--by", "AB")[0] == 0
    page = " ".join(run("show", "lost")[1].split())
    assert "edge-run --camera … --slide lost --go-on, or close it: edge-slides close lost" in page
    (before,) = (one for one in objects(run("list", "--json", "-")[1]) if one["slide"] == "lost")
    status, out, err = run("close", "lost", "--by", "ab")
    assert (status, err) == (0, "")
    assert out.startswith(f"slide lost: closed\n{before['headline']}: {before['reason']}")
    (after,) = objects(run("show", "lost", "--json", "-")[1])
    assert (after["state"], after["notes"][0]["by"]) == ("finished", "AB")
    assert after["machine_finding"] == before["finding"] == after["finding"]
    with Book(path) as book:
        last = book.readings("lost")[-1]
        assert after["finished_at"] == last["captured_at"]
        assert book.found("lost")["sha256"]
    assert "was finished; only one that was cut off is closed" in run("close", "lost")[2]
    assert run("close", "empty")[1] == (
        "slide empty: closed\nNOT READABLE: It was cut off before its first field.\nScreen the slide again.\n"
    )


def test_tables_fit_a_terminal_of_80_columns(run: Run, path: Path) -> None:
    screened(path, NAMED, "2026-11-01T0912-k7m2qx5w4f")
    screened(path, NAMED, "x" * 64, uncertain=[2])
    with Book(path) as book:
        book.note("s", "ABCDEFGH", patient="4" * 64, age=41, sex="female", note="pale\n" + "word " * 50)
    run("confirm", "s", "--cell", 1, "--cell", 30, "--as", "lymphocyte", "--by", "ABCDEFGH")
    run("confirm", "s", "--cell", 1, "--as", "lymphocyte", "--by", "BCDEFGHI")
    run("sign", "s", "--by", "ABCDEFGH")
    listed, shown = run("list")[1], run("show", "s")[1]
    for line in f"{listed}{shown}".splitlines():
        assert len(line) < 80, line
    assert f"{'x' * 64}\n" in listed
    assert f"  patient {'4' * 64}" in listed
    assert "signed by ABCDEFGH" in listed
    for told in ("years, female", "pale", "ABCDEFGH: lymphocyte, BCDEFGHI: lymphocyte", "and 9 more"):
        assert told in shown, shown
    assert "lymphocyte?" in run("show", "x" * 64)[1]


def test_a_search_that_finds_nothing_says_so(run: Run, path: Path) -> None:
    assert run("list", "--search", "nobody\x1b")[:2] == (0, "no slide is like that\n")
    assert run("list", "--search", "nobody", "--json", "-")[:2] == (0, "")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["show", "t"], 1, "slide 't': is not in the records; `edge-slides list` shows all"),
        (["show", "a\x1b[2J"], 1, r"slide 'a\x1b[2J': has the invisible character U+001B"),
        (["show", "y" * 10_000], 1, "...': is not in the records"),
        (["show", "  "], 1, "is not in the records"),
        (["show", "مريض"], 1, r"slide '\u0645\u0631\u064a\u0636': is not in the records"),
        (["show", "a\u200b"], 1, "U+200B"),
        (["show", "a\udcff"], 1, "U+DCFF"),
        (["sign", "s", "--by", "A\u202eB"], 1, r"initials 'A\u202eB': are not"),
        (["sign", "s", "--by", ""], 1, "initials '': are not"),
        (["confirm", "s", "--cell", 99, "--as", "blast", "--by", "AB"], 1,
         "cell 99: slide s has no such cell; it has 1 to 30 (see edge-slides show)"),
        (["confirm", "s", "--cell", 1, "--as", "myeloblast", "--by", "AB"], 1,
         "class 'myeloblast': the bundle of slide s has no such class; it has blast, lymphocyte, artefact"),
        (["confirm", "s", "--cell", "-1", "--as", "blast", "--by", "AB"], 2, "'-1' is not a whole number"),
        (["confirm", "s", "--cell", "9" * 5000, "--as", "blast", "--by", "AB"], 2, "is not a whole number"),
        (["confirm", "s", "--as", "blast", "--by", "AB"], 2, "--cell"),
        (["review", "s", "--by", "AB"], 1, "there is no terminal to draw it on"),
        (["list", "--records", "/nowhere/r.db"], 1, "records /nowhere/r.db: there is no such file"),
        (["list", "--json", "/nowhere/x"], 1, "--json /nowhere/x: cannot be written"),
        ([], 2, "COMMAND"),
    ],
)  # fmt: skip
def test_every_mistake_is_one_clear_line(
    run: Run, path: Path, arguments: list[object], status: int, told: str
) -> None:
    ended, out, err = run(*arguments)
    assert (ended, out) == (status, "")
    assert told in err
    assert err.startswith("edge-slides")
    assert err.count("\n") == 1
    assert len(err) < 400
    with Book(path) as book:
        assert book.said("s") == []


def test_help_has_examples_and_statuses(run: Run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert "edge-slides confirm SLIDE --cell 7 --cell 12 --as blast --by AB" in out
    assert "exit status" in out
    assert run("--version")[1].startswith("leukoscope ")
    for name in ("list", "show", "review", "confirm", "sign", "close", "reopen"):
        assert f"example: edge-slides {name}" in run(name, "--help")[1]


def test_records_of_an_older_version_are_shown_and_added_to(run: Run, tmp_path: Path) -> None:
    path = version_2(tmp_path)
    (slide,) = objects(run("list", "--json", "-", "--records", path)[1])
    assert (slide["slide"], slide["finding"], slide["confirmed"], slide["blast_fraction_corrected"]) == (
        "old", "refer", {}, None,
    )  # fmt: skip
    assert "REFER" in run("show", "old", "--records", path)[1]
    status, out, _ = run("confirm", "old", "--cell", 1, "--as", "blast", "--by", "AB", "--records", path)
    assert (status, out.splitlines()[1]) == (0, "REFER: When it was screened: many blasts")


_SCREEN = """
import sys
from edge.records.store import Store
from tests.edge.records.example import HEADER
with Store(sys.argv[1]) as store:
    store.begin_slide("now", HEADER)
    print("screening", flush=True)
    sys.stdin.read()
"""


def test_a_slide_that_another_program_screens_is_shown_and_left_to_it(run: Run, path: Path) -> None:
    command = [sys.executable, "-c", _SCREEN, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as screen:
        assert screen.stdout
        assert screen.stdout.readline() == "screening\n"
        assert objects(run("list", "--json", "-")[1])[0]["state"] == "under way"
        assert "under way" in run("show", "now")[1]
        for arguments in (["confirm", "now", "--cell", 1, "--as", "blast"], ["sign", "now"]):
            status, out, err = run(*arguments, "--by", "AB")
            assert (status, out) == (1, "")
            assert err.startswith("edge-slides: slide now: is being screened by another program")
        screen.kill()
    (slide,) = (one for one in objects(run("list", "--json", "-")[1]) if one["slide"] == "now")
    assert slide["state"] == "cut off"
    assert slide["machine_finding"] is None
    assert slide["finding"] is not None  # of what is on the disk


def test_who_has_the_slide_open_too_is_named(run: Run, path: Path) -> None:
    with Book(path) as book, book.open_by("s", "MK"):
        status, _, err = run("confirm", "s", "--cell", 1, "--as", "blast", "--by", "AB")
        assert (status, err) == (0, "edge-slides: MK has slide s open too; what each says is kept\n")


def on_a_terminal(*arguments: object, keys: Sequence[tuple[str, bytes]]) -> int:
    """Runs the command on a terminal of 80×24, where each key is pressed once what it waits for is shown."""
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "edge.slides", *map(str, arguments)]
    environment = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, env=environment
    ) as process:
        os.close(slave)
        waiting, shown = list(keys), ""
        while process.poll() is None:
            if select([master], [], [], 0.1)[0]:
                with suppress(OSError):  # the other end is closed
                    shown += os.read(master, 65536).decode(errors="replace")
            if waiting and waiting[0][0] in shown:
                os.write(master, waiting.pop(0)[1])
                shown = ""
        os.close(master)
        assert not waiting, shown[-500:]
        return process.returncode


def test_the_review_screen_opens_and_what_is_said_there_is_kept(path: Path) -> None:
    assert on_a_terminal("review", "s", keys=[("initials", b"ab\r"), ("lympho", b"\rq")]) == 0
    assert on_a_terminal("review", "s", "--by", "MK", keys=[("lympho", b"q")]) == 0
    with Book(path) as book:
        assert [(word.cell, word.by, word.named) for word in book.said("s")] == [(1, "AB", "blast")]
        assert book.beside("s", "AB") == []


def test_the_services_records_are_taken_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = slides.records_path(None, tmp_path)
    assert own == data_folder() / "records.db"
    monkeypatch.delenv("LEUKOSCOPE_HOME")
    unit = tmp_path / "etc/systemd/system/leukoscope.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("Environment=LEUKOSCOPE_HOME=/var/lib/leukoscope\n")
    assert slides.records_path(None, tmp_path) == data_folder() / "records.db"
    (tmp_path / "var/lib/leukoscope").mkdir(parents=True)
    assert slides.records_path(None, tmp_path) == tmp_path / "var/lib/leukoscope/records.db"
    assert slides.records_path(tmp_path / "mine.db", tmp_path) == tmp_path / "mine.db"


def test_as_a_program_it_reads_without_a_screen_and_a_reader_may_go_away(path: Path) -> None:
    code = (
        "import sys\n"
        "from edge.slides import main\n"
        "status = main(['list', '--json', '-'])\n"
        "sys.exit(status or any(name.startswith(('textual', 'onnxruntime')) for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    with Store(path) as store:
        for i in range(200):
            store.begin_slide(f"many {i}", HEADER)
    command = f"{sys.executable} -m edge.slides list | head -n 1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ))
    assert (done.stdout[:5], done.stderr) == ("slide", "")
