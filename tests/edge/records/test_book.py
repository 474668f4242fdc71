"""The records under people's hands: what they say is kept, in order, and nothing is taken out."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.noted import LONGEST_NOTE
from edge.records.people import Place
from edge.records.slidejson import slide_record
from edge.records.store import Store
from edge.types import Apl
from tests.edge.records.example import FINDING, HEADER, TALLY
from tests.edge.records.slides import field, screened

ROOT = Path(__file__).parents[3]
NAMED = ["blast", "blast", "lymphocyte", "lymphocyte", "artefact", *["lymphocyte"] * 9]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    screened(tmp_path / "records.db", NAMED)
    return tmp_path / "records.db"


@pytest.fixture
def book(path: Path) -> Iterator[Book]:
    with Book(path) as book:
        yield book


def test_words_are_kept_in_order_and_others_read_them_at_once(book: Book, path: Path) -> None:
    first = book.say("s", [1, 2], "blast", "ab")
    second = book.say("s", [2], None, "AB")
    book.say("s", [3], "artefact", "MK")
    with Book(path, reads_only=True) as other:
        said = other.said("s")
    assert [(word.cell, word.by, word.named) for word in said] == [
        (1, "AB", "blast"), (2, "AB", "blast"), (2, "AB", None), (3, "MK", "artefact"),
    ]  # fmt: skip
    assert said[:2] == first
    assert first[0].step == first[1].step != second[0].step
    assert said[2:3] == second
    assert said == sorted(said, key=lambda word: word.at)
    assert book.said("s", after=said[1].number) == said[2:]


def test_what_was_added_is_never_changed(book: Book) -> None:
    book.say("s", [1], "blast", "AB")
    book.note("s", "AB", patient="7", note="pale")
    book.judged("s", FINDING, TALLY, "AB")
    book.finish("s", "AB")
    book.sign("s", "AB")
    for table in ("words", "notes", "findings", "finished", "signatures"):
        for change in (f"UPDATE {table} SET initials = 'XY'", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.Error, match="only added to"):
                book._database.execute(change)


@pytest.mark.parametrize(
    ("cells", "named", "by", "told"),
    [
        ([1, 99], "blast", "AB", r"cell 99: slide s has no such cell; it has 1 to 14"),
        ([0], "blast", "AB", "cell 0: "),
        ([1], "Blast", "AB", r"class 'Blast': .* no such class; it has blast, lymphocyte, artefact"),
        ([1], "x\x1b" * 5000, "AB", r"class 'x\\x1bx.*\.\.\.': "),
        ([1], "blast", "", "initials '': are not"),
    ],
)
def test_a_word_that_cannot_be_so_is_refused_whole(
    book: Book, cells: list[int], named: str, by: str, told: str
) -> None:
    with pytest.raises(RecordsError, match=told) as refused:
        book.say("s", cells, named, by)
    assert "\n" not in str(refused.value)
    assert book.said("s") == []
    book.say("s", [1], "blast", "AB")
    assert len(book.said("s")) == 1


def test_a_slide_that_is_not_there_is_told_with_those_it_may_be(book: Book, path: Path) -> None:
    for slide in ("2026-11-01T0912-k7m2qx5w4f", "2026-11-02T1000-abcdefghij"):
        screened(path, ["blast"], slide)
    for typed, told in (
        ("0912", "did you mean 2026-11-01T0912-k7m2qx5w4f?"),
        ("2026-11-02T1000-abcdefghjj", "did you mean 2026-11-02T1000-abcdefghij"),
        ("zzz", "is not in the records; `edge-slides list`"),
        ("y" * 10_000, "is not in the records;"),
        ("a\x1b[2J", "invisible character U+001B"),
        ("a\udcff", "U+DCFF"),
        ("  ", "is not in the records;"),
    ):
        with pytest.raises(RecordsError) as refused:
            book.found(typed)
        assert told in str(refused.value)
        assert len(str(refused.value)) < 300
    assert book.found(" s ")["id"] == "s"


def test_the_list_tells_what_people_look_for(book: Book, path: Path) -> None:
    screened(path, ["lymphocyte"] * 3, "cut", finish=False)
    screened(path, ["lymphocyte"] * 3, "last")
    book.note("s", "AB", patient="Zoë 7", age=41, sex="Female")
    book.say("s", [1], "blast", "AB")
    book.judged("s", FINDING, TALLY, "AB")
    with Store(path) as store:  # this test's own process screens it
        store.begin_slide("now", HEADER)
        rows = {row["id"]: row for row in book.listed()}
        assert list(rows) == ["now", "last", "cut", "s"]
        assert [row["state"] for row in rows.values()] == ["under way", "finished", "under way", "finished"]
    book._database.execute("UPDATE slides SET process = '1:1' WHERE id = 'cut'")
    cut = book.found("cut")
    assert (cut["state"], cut["finding"], cut["cells_counted"]) == ("cut off", None, 3)
    assert cut["counts"] == {"blast": 0, "lymphocyte": 3, "artefact": 0}
    assert (rows["s"]["patient"], rows["s"]["age"], rows["s"]["sex"]) == ("Zoë 7", 41, "female")
    assert (rows["s"]["finding"], rows["s"]["corrected"]) == ("refer", 0.5)
    assert (rows["s"]["cells_counted"], rows["s"]["readers"]) == (TALLY.leukocytes, ["AB"])
    assert book.finding("s") == FINDING
    book.sign("s", "MK")
    assert book.found("s")["state"] == "signed"
    for search, found in (
        ("zoe\u0308", ["s"]),
        ("REFER", ["s"]),
        ("mk", ["s"]),
        ("ab", ["s"]),
        ("%", []),
        ("las", ["last"]),
    ):
        assert [row["id"] for row in book.listed(search)] == found


def test_notes_are_kept_and_the_newest_holds(book: Book) -> None:
    book.note("s", "AB", patient="7", age="41")
    book.note("s", "MK", patient="8", sex="male", note="clotted\nsecond film")
    book.note("s", "MK", age=0)
    assert book.about("s").age == 0
    book.note("s", "MK", age=None, note="again")
    about = book.about("s")
    assert (about.patient, about.age, about.sex) == ("8", None, "male")
    assert [(note.by, note.text) for note in about.notes] == [("MK", "clotted\nsecond film"), ("MK", "again")]
    assert book.about("other").patient is None


@pytest.mark.parametrize(
    ("field_", "value"),
    [
        ("patient", " "), ("patient", "7\u202e8"), ("age", "-1"), ("age", 131), ("age", "4 years"),
        ("age", "9" * 5000), ("sex", "x"), ("note", ""), ("note", "a\x1b"),
        ("note", "x" * (LONGEST_NOTE + 1)), ("mood", "good"),
    ],
    ids=lambda value: str(value)[:10],
)  # fmt: skip
def test_a_note_that_cannot_be_so_is_refused(book: Book, field_: str, value: str | int) -> None:
    with pytest.raises(RecordsError) as refused:
        book.note("s", "AB", **{field_: value})
    assert len(str(refused.value)) < 200
    assert book.about("s") == book.about("other")


def test_a_signed_slide_is_closed_but_for_notes(book: Book) -> None:
    signature = book.sign("s", "MK", readers=("AB", "MK"), kappa=0.8, both=12)
    assert book.signature("s") == signature
    assert (signature.by, signature.readers, signature.kappa, signature.both) == ("MK", ("AB", "MK"), 0.8, 12)
    for add in (
        lambda: book.say("s", [1], "blast", "AB"),
        lambda: book.note("s", "AB", patient="7"),
        lambda: book.judged("s", FINDING, TALLY, "AB"),
        lambda: book.finish("s", "AB"),
        lambda: book.sign("s", "AB"),
    ):
        with pytest.raises(RecordsError, match=r"slide s: MK signed it on 20.* and closed it"):
            add()
    book.note("s", "AB", note="seen again")
    assert [note.text for note in book.about("s").notes] == ["seen again"]


def test_a_slide_without_a_finding_cannot_be_signed(book: Book, path: Path) -> None:
    with Store(path) as store:
        store.begin_slide("now", HEADER)
        with pytest.raises(RecordsError, match="is being screened; end it"):
            book.sign("now", "AB")
    book._database.execute("UPDATE slides SET process = '' WHERE id = 'now'")
    with pytest.raises(RecordsError, match="no finding that could be signed"):
        book.sign("now", "AB")


def test_places_are_each_persons_own(book: Book) -> None:
    assert book.place("s", "AB") is None
    book.keep_place("s", "AB", 3, "blast")
    book.keep_place("s", "MK", 7)
    book.keep_place("s", "ab", 4)
    assert book.place("s", "AB") == Place(4, None)
    assert book.place("s", "MK") == Place(7, None)


def test_finishing_twice_is_finishing_once(book: Book) -> None:
    book.say("s", [1], "blast", "AB")
    for _ in range(2):
        book.finish("s", "AB")
    (done,) = book.finished("s")
    assert (done.by, done.word) == ("AB", book.said("s")[-1].number)


def test_crops_come_as_the_classifier_saw_them(book: Book) -> None:
    crops = book.crops("s", [1, 14, 99])
    assert sorted(crops) == [1, 14]
    assert crops[1].shape == (96, 96, 3)
    one = book.crop("s", 1)
    assert one is not None
    assert (one == crops[1]).all()
    assert book.crop("s", 99) is None


def test_a_view_is_the_one_that_was_counted(path: Path) -> None:
    with Store(path) as store:
        store.begin_slide("seen twice", HEADER)
        store.add(field(0, ["lymphocyte", "blast"], uncertain=[0], cut=[1]))
        again = field(1, ["blast", "blast"])
        again.ids[:], again.new[:] = [2, 1], False
        store.add(again)
        store.add(field(2, ["artefact", "lymphocyte"], uncertain=[1]))
        store.flush()
    with Book(path) as book:
        views = book.views("seen twice")
    assert [view["cell"] for view in views] == [2, 1, 21, 22]
    assert [view["class"] for view in views] == ["blast", "blast", "artefact", "lymphocyte"]
    assert [view["counted"] for view in views] == [True, True, False, False]
    assert [view["settled"] for view in views] == [True, True, True, False]
    assert [view["source"] for view in views] == ["Im1.jpg", "Im1.jpg", "Im2.jpg", "Im2.jpg"]


_VISIT = """
import sys
from edge.records.book import Book
with Book(sys.argv[1]) as book, book.open_by("s", sys.argv[2]) as others:
    print(",".join(others), flush=True)
    for line in sys.stdin:
        book.say("s", [int(line)], "artefact", sys.argv[2])
        print("said", flush=True)
"""


def visit(path: Path, by: str) -> subprocess.Popen[str]:
    """Somebody who opens the slide in another process, and says a word for every number he is given."""
    command = [sys.executable, "-c", _VISIT, str(path), by]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_two_at_one_slide_are_told_of_each_other_and_both_are_heard(book: Book, path: Path) -> None:
    with book.open_by("s", "AB") as others:
        assert others == []
        with visit(path, "MK") as process:
            assert process.stdin
            assert process.stdout
            assert process.stdout.readline() == "AB\n"
            assert book.beside("s", "AB") == ["MK"]
            for cell in range(1, 6):
                process.stdin.write(f"{cell}\n")
                process.stdin.flush()
                book.say("s", [cell], "blast", "AB")
                assert process.stdout.readline() == "said\n"
            with book.open_by("s", "MK") as others:  # the same person at two machines' windows
                assert others == ["AB", "MK"]
            process.kill()
        assert book.beside("s", "AB") == []
    assert [word.by for word in book.said("s")].count("MK") == 5
    assert {(word.cell, word.by, word.named) for word in book.said("s")} == {
        *((cell, "MK", "artefact") for cell in range(1, 6)),
        *((cell, "AB", "blast") for cell in range(1, 6)),
    }


def test_a_word_that_was_acknowledged_survives_kill_9(path: Path) -> None:
    with visit(path, "MK") as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "\n"
        for cell in (3, 1):
            process.stdin.write(f"{cell}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "said\n"
        process.kill()
    with Book(path) as book:
        assert [(word.cell, word.by) for word in book.said("s")] == [(3, "MK"), (1, "MK")]


_SCREEN = """
import sys
from edge.records.store import Store
from tests.edge.records.example import HEADER
from tests.edge.records.slides import field
with Store(sys.argv[1]) as store:
    store.begin_slide("now", HEADER)
    store.add(field(0, ["blast", "lymphocyte"]))
    store.flush()
    print("screening", flush=True)
    sys.stdin.read()
"""


def test_a_slide_that_another_program_screens_is_left_to_it(book: Book, path: Path) -> None:
    command = [sys.executable, "-c", _SCREEN, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as screen:
        assert screen.stdout
        assert screen.stdout.readline() == "screening\n"
        assert book.found("now")["state"] == "under way"
        for add in (
            lambda: book.say("now", [1], "blast", "AB"),
            lambda: book.finish("now", "AB"),
            lambda: book.sign("now", "AB"),
        ):
            with pytest.raises(RecordsError, match="slide now: is being screened by another program"):
                add()
        book.note("now", "AB", patient="7")
        screen.kill()
    assert book.found("now")["state"] == "cut off"
    book.say("now", [1], "blast", "AB")
    book.keep_place("now", "AB", 2)
    with Book(path) as again:
        assert again.place("now", "AB") == Place(2)
        assert [word.cell for word in again.said("now")] == [1]


def test_who_screens_a_slide_may_hear_words_on_it(path: Path) -> None:
    with Store(path) as store, Book(path) as book:
        store.begin_slide("now", HEADER)
        for index in range(20):
            store.add(field(index, ["blast"] * 3))
            if index:
                store.committed()
                store.flush()
                book.say("now", [10 * index + 1], "blast", "AB")
        store.finish_slide(FINDING, TALLY)
        assert [word.cell for word in book.said("now")] == [10 * index + 1 for index in range(1, 20)]
        assert len(store.readings("now")) == 20


def test_records_that_are_not_there_are_not_made(tmp_path: Path) -> None:
    for reads_only in (False, True):
        with pytest.raises(RecordsError, match="there is no such file; choose another with --records"):
            Book(tmp_path / "none.db", reads_only=reads_only)
        with pytest.raises(RecordsError, match="is a folder"):
            Book(tmp_path, reads_only=reads_only)
    assert list(tmp_path.iterdir()) == []


def test_what_blasts_look_like_is_kept_with_a_positive_finding(book: Book) -> None:
    assert slide_record(book.found("s"))["apl"] is None
    apl = Apl(1.5, True, 0.05)
    book.judged("s", replace(FINDING, apl=apl), replace(TALLY, apl=apl), "AB")
    kept = book.finding("s")
    assert kept is not None
    assert kept.apl == apl
    assert slide_record(book.found("s"))["apl"] == {"score": 1.5, "alert": True}
    book.judged("s", replace(FINDING, kind="keep-scanning"), replace(TALLY, apl=apl), "AB")
    assert slide_record(book.found("s"))["apl"] is None
