"""`edge-slides export`: slides as files for people, hospitals and other programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edge import command
from edge.files.text import printable
from edge.review import selection
from edge.types import LeukoscopeError

if TYPE_CHECKING:  # `--help` waits for neither records nor arrays
    from edge.records.book import Book

EXAMPLE = "edge-slides export 2026-11-01T0912-k7m2qx5w4f --format html,pdf --out /media/stick"

_FORMATS = ("html", "pdf", "csv", "json", "labels", "fhir", "dicom")
_PAPERS = ("a4", "letter")


def add_to(commands: command.Commands[command.Parser], records: Callable[[Path | None], Path]) -> None:
    """Add `export` to the subcommands of `edge-slides`; `records` says where the store lies."""

    def run(arguments: argparse.Namespace) -> int:
        return _run(arguments, records(arguments.records))

    parser = command.add(commands, "export", "write reports: HTML, PDF, CSV, JSON, FHIR, DICOM", EXAMPLE, run)
    parser.add_argument("slides", nargs="*", metavar="ID", help="identifiers of slides, as `list` shows them")
    parser.add_argument("--all", action="store_true", help="every slide of the records")
    selection.add_to(parser)
    parser.add_argument(
        "--format", type=_formats, default=("html",), metavar="NAMES",
        help=f"one or more of {', '.join(_FORMATS)}, with commas between (default: html)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--paper", choices=_PAPERS, default="a4", help="of PDF and print (default: a4)")
    parser.add_argument(
        "--without-patient", action="store_true", help="leave out patient, age, sex and notes"
    )
    parser.add_argument(
        "--json", metavar="PATH or -", help="write which files there are, one JSON object a slide"
    )
    parser.add_argument(
        "--date", type=selection.moment, default=datetime.now(UTC), metavar="ISO",
        help="when the reports say that they were made (default: now)",
    )  # fmt: skip
    parser.add_argument("--records", type=Path, metavar="PATH", help="record store")


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    if not names or (strange := [name for name in names if name not in _FORMATS]):
        shown = printable(strange[0]) if names else "nothing"
        raise argparse.ArgumentTypeError(f"{shown} is none of {', '.join(_FORMATS)}")
    return names


def _run(arguments: argparse.Namespace, records: Path) -> int:
    from edge.files.delivery import Delivery
    from edge.records.book import Book
    from edge.report.crew import export
    from edge.report.export import Order
    from edge.report.formats import writer

    with Book(records, reads_only=True) as book:
        slides = _names(arguments, book)
    order = Order(arguments.format, arguments.paper, arguments.date, arguments.without_patient)
    for name in order.formats:
        writer(name)  # what is not installed is told before a folder is made
    told, files = [], int("csv" in order.formats)  # the table of all slides
    with Delivery(arguments.out) as delivery, command.Progress(len(slides)) as progress:
        progress.show(0, f"1 of {len(slides)}: {slides[0]}")
        for i, one in enumerate(export(order, records, slides, delivery), 1):
            progress.show(i, f"{i} of {len(slides)}: {one.slide}")
            files += len(one.files)
            if arguments.json is not None:
                told.append({"slide": one.slide, "files": one.files})
    if arguments.json is not None:
        lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in told)
        command.write("--json", arguments.json, "".join(lines))
    if arguments.json != "-":
        many = f"{len(slides)} slides" if len(slides) != 1 else f"slide {slides[0]}"
        command.put(printable(f"{many}: {files} files in {arguments.out}"))
        if delivery.safe_to_pull_out:
            command.put(delivery.safe_to_pull_out)
    return command.DONE


def _names(arguments: argparse.Namespace, book: Book) -> list[str]:
    """The slides asked for, each once, all of them known."""
    asked = selection.Selection.of(arguments)
    if not arguments.slides and not arguments.all and not asked.asks:
        raise LeukoscopeError(
            f"export: name slides, or give --all, {selection.FLAGS}; `edge-slides list` shows them"
        )
    named = [book.found(slide)["id"] for slide in arguments.slides]
    if arguments.all or asked.asks:
        named += [slide["id"] for slide in asked.slides(book)]
    if not named:
        raise LeukoscopeError("export: no slide is like that; `edge-slides list` shows all")
    return list(dict.fromkeys(named))
