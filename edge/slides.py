"""`edge-slides`: the records under people's hands. Exports are `edge.report`'s, the file `edge.custody`'s."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import command
from edge.custody import commands as custody
from edge.report import commands as export
from edge.review import selection
from edge.types import LeukoscopeError

if TYPE_CHECKING:  # `--help` waits for neither records nor arrays
    from edge.records.book import Book
    from edge.review.review import Review

PROG = "edge-slides"

EXAMPLES = """\
examples:
  edge-slides list                                 every slide, the newest first
  edge-slides list --search 4711 --json -          those of a patient, as JSON lines
  edge-slides list --since 2026-11-01 --finding refer
  edge-slides show 2026-11-01T0912-k7m2qx5w4f      one slide: counts, finding, cells
  edge-slides review 2026-11-01T0912-k7m2qx5w4f    look at its cells, on the screen
  edge-slides confirm SLIDE --cell 7 --cell 12 --as blast --by AB
  edge-slides sign SLIDE --by AB                   close it
  edge-slides reopen SLIDE --by AB --reason TEXT   take that back, to correct it
  edge-slides close SLIDE                          finish one that a power cut left open
  edge-slides export SLIDE --format html,pdf --out /media/stick
  edge-slides backup /media/stick                  records, settings, keys, models

exit status: 0 done, 1 could not do it, 2 wrong usage, 3 a check failed
For research use only. It does not replace a haematologist.
"""

_ID = "2026-11-01T0912-k7m2qx5w4f"


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-slides`; returns its exit status (0 done, 1 could not, 2 wrong usage, 3 a check failed)."""
    arguments = _parser().parse_args(argv)
    return command.run(PROG, lambda: int(arguments.run(arguments)))


def _parser() -> command.Parser:
    parser = command.Parser(
        prog=PROG,
        description="Look through the slides that were screened, and say what they show.",
        example=EXAMPLES,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(
        name: str, summary: str, run: Callable[[argparse.Namespace], int], example: str
    ) -> command.Parser:
        added = command.add(commands, name, summary, f"edge-slides {name}{example}", run)
        if example:
            added.add_argument("slide", metavar="ID", help="identifier of the slide, as `list` shows it")
        added.add_argument(
            "--records", type=Path, metavar="PATH", help="record store (default: where edge-run writes)"
        )
        return added

    listing = add("list", "list the slides, the newest first", _list, "")
    selection.add_to(listing)
    _add_json(listing, "one JSON object a line for each slide")
    _add_json(add("show", "show one slide with its cells", _show, f" {_ID}"), "all of it as one JSON object")
    review = add("review", "look at a slide's cells on the screen", _review, f" {_ID}")
    review.add_argument("--by", metavar="INITIALS", help="who looks (default: asks)")
    example = f" {_ID} --cell 7 --as blast --by AB"
    confirm = add("confirm", "say what cells are, as the review does", _confirm, example)
    confirm.add_argument(
        "--cell", action="append", required=True, type=command.whole(0), metavar="N",
        help="number of a cell, as `show` lists them; may be given several times",
    )  # fmt: skip
    confirm.add_argument(
        "--as", dest="named", required=True, metavar="CLASS", help="one of the bundle's classes"
    )
    confirm.add_argument("--by", required=True, metavar="INITIALS", help="who says so")
    sign = add("sign", "close a slide with the finding that it has", _sign, f" {_ID} --by AB")
    sign.add_argument("--by", required=True, metavar="INITIALS", help="who signs")
    close = add("close", "finish a slide that was cut off with what is on the disk", _close, f" {_ID}")
    close.add_argument("--by", metavar="INITIALS", help="who closes it (default: nobody's are noted)")
    example = f" {_ID} --by AB --reason 'cell 7 is a lymphocyte'"
    reopen = add("reopen", "take a signature back, to correct the slide", _reopen, example)
    reopen.add_argument("--by", required=True, metavar="INITIALS", help="who takes it back")
    reopen.add_argument("--reason", required=True, metavar="TEXT", help="why, which stays in the records")
    for one in (confirm, sign, close, reopen):
        _add_json(one, "the slide as it is then, as `list` does")
    export.add_to(commands, records_path)
    custody.add_to(commands, records_path)
    return parser


def _add_json(parser: command.Parser, what: str) -> None:
    parser.add_argument("--json", metavar="PATH or -", help=f"write {what}, to standard output for -")


def records_path(asked: Path | None, root: Path = Path("/")) -> Path:
    """Where the records lie: as asked, else the service's if this user may look, else the user's own."""
    from edge.doctor import service
    from edge.machine.profile import data_folder

    if asked is not None:
        return asked
    home = None if "LEUKOSCOPE_HOME" in os.environ else service.home(root)
    return (home if home and os.access(home, os.R_OK | os.X_OK) else data_folder()) / "records.db"


def _read(arguments: argparse.Namespace) -> Book:
    from edge.records.book import Book

    return Book(records_path(arguments.records), reads_only=True)


def _list(arguments: argparse.Namespace) -> int:
    from edge.records.slidejson import slide_record
    from edge.review.lines import table
    from edge.review.selection import Selection

    asked = Selection.of(arguments)
    with _read(arguments) as book:
        slides = [*asked.slides(book)]
        if arguments.json is not None:
            _write(arguments.json, (slide_record(slide) for slide in slides))
        if arguments.json == "-":
            return command.DONE
        if slides:
            command.put("\n".join(table(slides)))
        else:
            command.put("no slide is like that" if asked.asks else "no slide was screened yet")
    return command.DONE


def _show(arguments: argparse.Namespace) -> int:
    from edge.review.lines import page
    from edge.review.unfinished import judged
    from edge.review.whole import whole

    with _read(arguments) as book:
        slide = judged(book, book.found(arguments.slide))
        if arguments.json is not None:
            _write(arguments.json, [whole(book, slide)])
        if arguments.json != "-":
            command.put("\n".join(page(book, slide)))
    return command.DONE


def _review(arguments: argparse.Namespace) -> int:
    streams = (sys.__stdin__, sys.__stderr__)
    if not all(stream and stream.isatty() for stream in streams) or os.environ.get("TERM") == "dumb":
        raise LeukoscopeError(
            "review: there is no terminal to draw it on; use `edge-slides confirm` without one"
        )
    from edge.records.book import Book
    from edge.review.review import Review
    from edge.tui.review.app import ReviewApp
    from edge.tui.terminal import own_terminal

    with Book(records_path(arguments.records)) as book, ExitStack() as held:

        def opened(by: str) -> Review:
            return held.enter_context(Review(book, arguments.slide, by))

        book.at_hand(arguments.slide)  # what is wrong with it is told before anybody is asked
        review = opened if arguments.by is None else opened(arguments.by)
        with own_terminal():
            app = ReviewApp(review)
            app.run()
    return command.FAILED if app.return_code else command.DONE


def _confirm(arguments: argparse.Namespace) -> int:
    from edge.records.book import Book
    from edge.review.review import Review

    with Book(records_path(arguments.records)) as book, Review(book, arguments.slide, arguments.by) as review:
        review.say(arguments.cell, arguments.named)
        _tell_others(review)
        cells = ", ".join(map(str, dict.fromkeys(arguments.cell)))
        said = f"slide {review.slide}, cell {cells}: {arguments.named} by {review.by}"
        _tell(arguments, book, review.slide, said, _found(book, review.slide))
    return command.DONE


def _sign(arguments: argparse.Namespace) -> int:
    from edge.records.book import Book
    from edge.review.review import Review

    with Book(records_path(arguments.records)) as book, Review(book, arguments.slide, arguments.by) as review:
        if left := review.counted_left:
            command.say(
                PROG, f"{review.by} has said nothing of {left} suspicious cells of slide {review.slide}"
            )
        signature = review.sign()
        _tell_others(review)
        lines = [f"slide {review.slide}: signed by {signature.by}"]
        if signature.kappa is not None:
            pair = " and ".join(signature.readers)
            lines.append(f"{pair} named {signature.both} cells both, with a kappa of {signature.kappa:.2f}")
        _tell(arguments, book, review.slide, *lines, _found(book, review.slide))
    return command.DONE


def _close(arguments: argparse.Namespace) -> int:
    from edge.records.book import Book
    from edge.review.unfinished import close

    with Book(records_path(arguments.records)) as book:
        name = book.found(arguments.slide)["id"]
        close(book, name, arguments.by)
        _tell(arguments, book, name, f"slide {name}: closed", _found(book, name))
    return command.DONE


def _reopen(arguments: argparse.Namespace) -> int:
    from edge.records.book import Book

    with Book(records_path(arguments.records)) as book:
        name = book.found(arguments.slide)["id"]
        book.reopen(name, arguments.by, arguments.reason)
        _tell(arguments, book, name, f"slide {name}: open again; review it, then sign it anew")
    return command.DONE


def _tell(arguments: argparse.Namespace, book: Book, slide: str, *lines: str) -> None:
    """What was done, to people or to programs."""
    from edge.records.slidejson import slide_record

    if arguments.json is not None:
        _write(arguments.json, [slide_record(book.found(slide))])
    if arguments.json != "-":
        command.put("\n".join(lines))


def _tell_others(review: Review) -> None:
    if others := review.beside():
        command.say(PROG, f"{', '.join(others)} has slide {review.slide} open too; what each says is kept")


def _found(book: Book, slide: str) -> str:
    """What the slide says now."""
    finding = book.finding(slide)
    if finding is None:
        return "It is still being screened."
    return "\n".join(filter(None, (f"{finding.headline}: {finding.reason}", finding.advice)))


def _write(target: str, records: Iterable[Any]) -> None:
    text = "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
    command.write("--json", target, text)


if __name__ == "__main__":
    sys.exit(main())
