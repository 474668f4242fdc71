"""A slide under a person's eye: order, words, undo, blindness, what follows, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.people import Place
from edge.records.store import Store
from edge.review.review import Review
from edge.types import Said
from tests.edge.records.example import HEADER
from tests.edge.records.slides import field, screened
from tests.edge.records.test_migrations import version_2

ROOT = Path(__file__).parents[3]

NAMED = ["lymphocyte", "blast", "lymphocyte", "blast", "artefact", *["lymphocyte"] * 55]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    screened(tmp_path / "records.db", NAMED, uncertain=[0], cut=[2])
    return tmp_path / "records.db"


@pytest.fixture
def book(path: Path) -> Iterator[Book]:
    with Book(path) as book:
        yield book


@pytest.fixture
def review(book: Book) -> Iterator[Review]:
    with Review(book, "s", "ab") as review:
        yield review


def test_the_most_suspicious_come_first(review: Review) -> None:
    assert [cell.id for cell in review.cells[:2]] == [2, 4]
    assert [cell.named for cell in review.cells].index("lymphocyte") == 2
    rest = review.cells[2:]
    assert rest == tuple(sorted(rest, key=lambda cell: (-cell.suspicion, -cell.doubt)))
    assert len(review.cells) == len(NAMED)
    first = review.cell(1)
    assert (first.uncertain, first.counted, first.cut) == (True, False, False)
    assert (first.frame, first.source) == (0, "Im0.jpg")
    assert (review.classes, review.positives) == (("blast", "lymphocyte", "artefact"), ("blast",))


def test_the_count_is_the_machines_until_somebody_speaks(review: Review, book: Book) -> None:
    machine = book.found("s")["machine"]
    assert review.finding.kind == machine["finding"]
    assert review.finding.reason == machine["reason"]
    assert review.tally.counts == machine["tally"]["counts"] == {"blast": 2, "lymphocyte": 55, "artefact": 1}
    assert (review.tally.frames, review.tally.candidates) == (6, 2)


def test_two_confirmed_blasts_have_the_film_read_and_the_records_say_so(review: Review, book: Book) -> None:
    review.confirm([2])
    assert review.finding.kind == "keep-scanning"
    review.confirm([4])
    assert review.finding.kind == "read-film"
    found = book.found("s")
    assert (found["finding"], found["confirmed"]) == ("read-film", {"blast": 2})
    assert found["machine"]["finding"] == "keep-scanning"
    assert book.finding("s") == review.finding


def test_a_cell_that_the_line_left_out_counts_once_it_is_named(review: Review) -> None:
    review.say([1, 3], "blast")
    assert (review.tally.counts["blast"], review.tally.leukocytes) == (4, 59)
    review.say([3], None)
    assert (review.tally.counts["blast"], review.tally.leukocytes) == (3, 58)


def test_words_stand_above_the_machines(review: Review) -> None:
    assert [cell.id for cell in review.only("blast")] == [2, 4]
    assert review.counted_left == sum(cell.suspicious for cell in review.cells)
    review.say([2, 10], "artefact")
    assert [cell.id for cell in review.only("blast")] == [4]
    assert [cell.id for cell in review.only("artefact")] == [2, 5, 10]
    assert (review.mine(2), review.mine(4), review.named(2)) == ("artefact", None, "artefact")
    assert (
        review.counted_left == sum(cell.suspicious for cell in review.cells) - 1 - review.cell(10).suspicious
    )
    assert review.only(None) == list(review.cells)
    assert (review.tally.positives, review.tally.overruled) == (1, 1)


def test_undo_goes_back_to_the_beginning_and_past_the_end_of_a_program(review: Review, book: Book) -> None:
    review.say([2], "artefact")
    review.say([2, 4, 9], "lymphocyte")
    review.confirm([2, 5])
    assert review.undo() == "2 cells: confirmed"
    assert (review.mine(2), review.mine(5)) == ("lymphocyte", None)
    review.close()
    with Review(book, "s", "AB") as again:
        again.say([4], None)
        assert again.undo() == "cell 4: taken back"
        assert again.undo() == "3 cells: lymphocyte"
        assert [again.mine(cell) for cell in (2, 4, 9)] == ["artefact", None, None]
        again.say([4], "blast")
        assert again.undo() == "cell 4: blast"
        assert again.undo() == "cell 2: artefact"
        assert again.undo() is None
        assert [cell for cell in range(1, 61) if again.mine(cell)] == []
    assert len(book.said("s")) == 16  # nothing of it was taken out


def test_readers_are_blind_to_each_other_until_they_have_finished(review: Review, book: Book) -> None:
    review.say([2, 4], "lymphocyte")
    review.say([7], "blast")
    with Review(book, "s", "MK") as second:
        assert (review.reading, second.reading) == (1, 2)
        assert second.others == ["AB"]
        assert review.beside() == ["MK"]
        assert (second.named(2), second.theirs(2), second.tally.positives) == ("blast", {}, 2)
        assert second.tally.confirmed == {}
        second.confirm([2, 4])
        second.say([7, 8], "blast")
        assert second.finding.kind == "refer"
        assert (second.theirs(2), second.agreement()) == ({}, None)
        assert review.theirs(2) == {}
        second.finish()
        assert second.theirs(2) == {"AB": "lymphocyte"}
        assert second.agreement() is None  # the first has not finished
        assert (second.tally.confirmed, second.named(7)) == ({"blast": 2}, "blast")
        assert review.tally.confirmed == {"lymphocyte": 2, "blast": 1}
        review.finish()
        review.say([2], "blast")  # they talk about it: kept, and no part of the agreement
        assert review.theirs(2) == {"MK": "blast"}
        agreement = review.agreement()
        assert agreement is not None
        assert agreement.readers == ("MK", "AB")
        assert (agreement.both, agreement.differing) == (
            3,
            ((2, "blast", "lymphocyte"), (4, "blast", "lymphocyte")),
        )
        assert second.agreement() == agreement
    with Review(book, "s", "MK") as again:
        assert again.finished
        assert again.theirs(2) == {"AB": "blast"}


def test_what_is_kept_follows_from_everybodys_words(review: Review, book: Book) -> None:
    review.say([2], "blast")
    with Review(book, "s", "MK") as second:
        second.say([4], "blast")
        assert second.finding.kind == "keep-scanning"
    assert book.found("s")["finding"] == "read-film"


def test_who_speaks_later_hears_what_others_said_meanwhile(review: Review, book: Book) -> None:
    with Review(book, "s", "MK") as second:
        second.confirm([2])
    review.finish()
    assert review.theirs(2) == {"MK": "blast"}


def test_a_signature_closes_the_slide(review: Review, book: Book) -> None:
    review.confirm([2, 4])
    review.finish()
    with Review(book, "s", "MK") as second:
        second.confirm([4])
        second.say([2], "lymphocyte")
        signature = second.sign()
        assert (signature.by, signature.readers, signature.both, signature.kappa) == (
            "MK",
            ("AB", "MK"),
            2,
            0,
        )
        assert second.signature == signature
        assert book.found("s")["state"] == "signed"
        for add in (lambda: second.confirm([4]), lambda: second.sign(), lambda: review.undo()):
            with pytest.raises(RecordsError, match="MK signed it"):
                add()
        assert second.mine(2) == "lymphocyte"
        assert second.tally.confirmed == {"blast": 1}
    with Review(book, "s", "AB") as later:
        assert later.theirs(2) == {"MK": "lymphocyte"}


def test_who_says_nothing_signs_what_the_readers_said(review: Review, book: Book) -> None:
    review.confirm([2, 4])
    review.finish()
    with Review(book, "s", "MK") as second:
        second.confirm([2, 4])
        second.finish()
    with Review(book, "s", "XY") as chief:
        signature = chief.sign()
    assert (signature.by, signature.readers, signature.both) == ("XY", ("AB", "MK"), 2)
    assert signature.finding == "read-film"


def test_a_slide_is_signed_as_the_machine_left_it_where_nobody_spoke(review: Review, book: Book) -> None:
    signature = review.sign()
    assert (signature.finding, signature.readers) == ("keep-scanning", ())
    assert book._rows("SELECT * FROM findings") == []


@pytest.mark.parametrize("cell", [0, 99])
def test_a_word_that_is_refused_changes_nothing(review: Review, book: Book, cell: int) -> None:
    review.confirm([2])
    before = (review.tally, review.finding)
    for add in (
        lambda: review.say([2, cell], "blast"),
        lambda: review.confirm([cell]),
        lambda: review.say([2], "no class"),
    ):
        with pytest.raises(RecordsError, match=f"cell {cell}: slide s has no such|class 'no class'"):
            add()
    assert (review.tally, review.finding) == before
    assert review.undo() == "cell 2: blast"
    assert len(book.said("s")) == 2


def test_nothing_said_is_nothing_kept(review: Review, book: Book) -> None:
    review.say([], "blast")
    review.confirm([])
    assert book.said("s") == []


def test_the_place_is_kept(review: Review, book: Book) -> None:
    assert review.place is None
    review.keep_place(4, "blast")
    with Review(book, "s", "AB") as again:
        assert again.place == Place(4, "blast")


def test_pictures_come_with_those_beside_them(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    first = review.crop(review.cells[0].id)
    assert first is not None
    assert first.shape == (96, 96, 3)
    monkeypatch.setattr(Book, "crops", lambda *_: pytest.fail("read again"))
    assert review.crop(review.cells[30].id) is not None
    assert review.surroundings(2) is not None
    assert review.surroundings(review.cells[-1].id) is None


def test_a_slide_of_an_older_version_can_be_reviewed(tmp_path: Path) -> None:
    with Book(version_2(tmp_path)) as book, Review(book, "old", "AB") as review:
        assert (review.positives, review.leukocytes) == (("blast",), ("blast", "lymphocyte"))
        assert (review.finding.kind, review.finding.corrected) == ("refer", None)
        assert review.finding.reason == "When it was screened: many blasts"
        review.say([2], "lymphocyte")
        assert (review.finding.kind, review.tally.leukocytes) == ("refer", 2)
        review.say([1], "lymphocyte")
        assert (review.finding.kind, review.tally.positives) == ("keep-scanning", 0)
        review.undo()
        assert review.finding.kind == "refer"
        assert review.surroundings(1) is None
        assert review.sign().finding == "refer"


def test_rules_that_nobody_understands_are_told(tmp_path: Path) -> None:
    screened(tmp_path / "r.db", ["blast"], header=replace(HEADER, rules={"classes": 3}))
    with (
        Book(tmp_path / "r.db") as book,
        pytest.raises(RecordsError, match=r"slide s: .* update the program"),
    ):
        Review(book, "s", "AB")


def test_a_slide_under_way_here_is_reviewed_and_its_screening_hears(path: Path) -> None:
    heard: list[Said] = []
    with Store(path) as store, Book(path) as book:
        store.begin_slide("now", HEADER)
        store.add(field(0, ["blast", "blast", "lymphocyte"]))
        store.flush()
        with Review(book, "now", "AB", hear=heard.extend) as review:
            review.confirm([1, 2])
            assert review.finding.kind == "read-film"
            with Review(book, "now", "MK", hear=heard.extend) as other:
                other.say([3], "blast")
            review.undo()
        assert [(word.cell, word.by, word.named) for word in heard] == [
            (1, "AB", "blast"), (2, "AB", "blast"), (3, "MK", "blast"),
            (3, "MK", "blast"), (1, "AB", None), (2, "AB", None),
        ]  # fmt: skip
        assert book.found("now")["finding"] is None  # its screening says what was found, at the end
        with (
            pytest.raises(RecordsError, match="is being screened; end it"),
            Review(book, "now", "AB") as review,
        ):
            review.sign()


_REVIEW = """
import sys
from edge.records.book import Book
from edge.review.review import Review
with Book(sys.argv[1]) as book, Review(book, "s", "MK") as review:
    print("open", flush=True)
    for line in sys.stdin:
        review.confirm([int(line)])
        review.keep_place(int(line))
        print("said", flush=True)
"""


def test_kill_9_loses_no_word_nor_what_follows_from_it(path: Path) -> None:
    command = [sys.executable, "-c", _REVIEW, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        for cell in (2, 4):
            process.stdin.write(f"{cell}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "said\n"
        process.kill()
    with Book(path) as book, Review(book, "s", "MK") as review:
        assert (review.mine(2), review.mine(4)) == ("blast", "blast")
        assert review.others == []
        assert review.place == Place(4)
        assert book.found("s")["finding"] == "read-film"
        assert review.undo() == "cell 4: blast"
