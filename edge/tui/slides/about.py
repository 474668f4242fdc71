"""What is known of a slide and its patient: of one in the records, and of one that is to begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.identifiers import checked, isolated
from edge.records.noted import noted
from edge.records.people import SEXES, UNKNOWN, About, Note
from edge.tui.slides.form import Blank, Form
from edge.tui.wording import fit
from edge.types import U8, LeukoscopeError

_PATIENT = (
    Blank("patient", "type it, or hold its code under the camera", scanned=True),
    Blank("age", "years"),
    Blank("sex", "f, m or o"),
)
_NOTES = 3  # of those written down before, the newest
_WIDE = 56  # characters of one


class SlideScreen(Form[str]):
    """Patient, age, sex and notes of a slide; gives the initials of who wrote something, None for nobody.

    Parameters
    ----------
    path : the record store's file. slide : its identifier, which is given when a slide begins and stays.
    newest : see `Form`. by : initials to begin with.
    """

    def __init__(
        self, path: str | Path, slide: str, newest: Callable[[], U8 | None] | None = None, by: str = ""
    ) -> None:
        blanks = (*_PATIENT, Blank("note", "in words"), Blank("initials", "yours, such as AB"))
        super().__init__(f"Slide {isolated(fit(slide, _WIDE))}", blanks, newest)
        self._path, self._slide, self._by = Path(path), slide, by
        self._known = UNKNOWN

    def on_mount(self) -> None:
        self.fill(initials=self._by)
        try:
            with Book(self._path, reads_only=True) as book:
                self._holds(book)
                known = self._known = book.about(self._slide)
        except LeukoscopeError as error:
            self.tell(str(error))
            return
        self.fill(**{name: _text(value) for name, value in _patient(known).items()})
        self.remind([_noted(note) for note in known.notes[-_NOTES:]])

    def save(self, given: dict[str, str]) -> None:
        before = _patient(self._known)
        changed = {name: value for name, value in _checked(given).items() if value != before[name]}
        words = {"note": given["note"]} if given["note"] else {}
        if not changed and not words:
            self.dismiss(None)
            return
        with Book(self._path) as book:
            self._holds(book)
            self._not_meanwhile(book.about(self._slide), changed)
            book.note(self._slide, given["initials"], **changed, **words)
        self.dismiss(given["initials"])

    def _holds(self, book: Book) -> None:
        if not book.holds(self._slide):
            raise RecordsError(f"slide {self._slide}: begins with its first field; write this down then")

    def _not_meanwhile(self, now: About, changed: dict[str, str | int | None]) -> None:
        """Say so once where another person wrote into the same blanks since this form was opened."""
        shown, self._known = _patient(self._known), now
        others = {name: value for name, value in _patient(now).items() if value != shown[name]}
        self.fill(**{name: _text(value) for name, value in others.items() if name not in changed})
        if both := sorted(others.keys() & changed.keys()):
            what = " and ".join(f"{name} is {isolated(_text(others[name]) or 'not known')}" for name in both)
            raise RecordsError(
                f"slide {self._slide}: another person wrote meanwhile that {what}; ctrl+s once more writes "
                "yours, and theirs stays in the records"
            )


@dataclass(frozen=True)
class Beginning:
    """A slide that is to begin: its identifier, None for a generated one, and what is known of it."""

    slide: str | None
    about: About


class BeginScreen(Form[Beginning]):
    """Asks for the identifier of a new slide, and for its patient; gives them, None for no new slide.

    Parameters
    ----------
    path : the record store's file, where there must be no such slide; None where nothing is recorded.
    newest : see `Form`. closing : what becomes of the slide under way, in words.
    """

    DONE = "begin it"

    def __init__(
        self, path: str | Path | None, newest: Callable[[], U8 | None] | None = None, closing: str = ""
    ) -> None:
        slide = Blank("slide", "empty: this machine makes one", scanned=True)
        super().__init__("New slide", (slide, *_PATIENT), newest)
        self._path, self._end = path, closing

    def on_mount(self) -> None:
        self.remind([self._end] if self._end else [])

    def save(self, given: dict[str, str]) -> None:
        slide = checked(given["slide"]) if given["slide"] else None
        about = About(**_checked(given))  # type: ignore[arg-type]  # as `noted` gives them
        if slide is not None and self._path is not None:
            with Book(self._path, reads_only=True) as book:
                if book.holds(slide):
                    if book.found(slide)["state"] == "cut off":
                        raise RecordsError(
                            f"slide {isolated(slide)}: was cut off; go on with it in the list of slides (l, "
                            "then g), or choose another identifier"
                        )
                    free = next(name for n in count(2) if not book.holds(name := f"{slide}-{n}"))
                    raise RecordsError(
                        f"slide {isolated(slide)}: is in the records already; choose another identifier, "
                        f"such as {isolated(free)}"
                    )
        self.dismiss(Beginning(slide, about))


def _patient(about: About) -> dict[str, str | int | None]:
    return {"patient": about.patient, "age": about.age, "sex": about.sex}


def _checked(given: dict[str, str]) -> dict[str, str | int | None]:
    """Patient, age and sex as the records have them; the first letters of a sex are enough."""
    text = given["sex"].casefold()
    sex = next((one for one in SEXES if text and one.startswith(text)), given["sex"])
    typed = {"patient": given["patient"], "age": given["age"], "sex": sex}
    return {name: noted(name, value or None) for name, value in typed.items()}


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _noted(note: Note) -> str:
    return f"{note.at[:10]} {note.by}: {isolated(fit(note.text.replace(chr(10), ' '), _WIDE - 20))}"
