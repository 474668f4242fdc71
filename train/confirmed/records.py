"""The door: record stores in, a data set of the cells that people confirmed and a report out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from edge.records.book import Book
from edge.types import LeukoscopeError
from train.confirmed.figures import figures
from train.confirmed.folder import STATE, Folder, write_changed
from train.confirmed.page import page
from train.confirmed.pictures import pictures
from train.confirmed.stores import opened
from train.confirmed.words import NamedSlide, named_slide
from train.data.bar import followed
from train.data.dataset import Notice


class NothingError(LeukoscopeError):
    """There is nothing to import. Says what to do."""


def import_records(
    stores: Sequence[Path], out: Path, *, keep_names: bool = False, notice: Notice
) -> dict[str, Any]:
    """Add the cells that people named in these stores to the data set in a folder, and report on all of it.

    Parameters
    ----------
    stores : record stores, or folders of backups. out : the folder, made where it is not there.
    keep_names : patients are called what the records call them, not by a pseudonym.

    Returns
    -------
    The report's figures; see `train.confirmed.figures.figures`.

    Raises
    ------
    RecordsError : a store cannot be read. FolderError, NamesError : the folder cannot take it.
    NothingError : nobody named a cell in any of them, nor before.
    """
    with ExitStack() as held:
        found = _named([held.enter_context(opened(store)) for store in stores], stores, notice)
        if not found and not (out / STATE).is_file():
            raise NothingError(
                f"records {', '.join(map(str, stores))}: nobody has named a cell; confirm some first "
                "(edge-slides review, or r on the device's screen)"
            )
        folder = Folder(out, keep_names=keep_names)
        for book, slide in followed(found, "slides", "slide"):
            if not folder.add(slide, pictures(book, slide)):
                notice(f"slide {slide.about['slide']}: a later copy of it was imported before, which stays")
    folder.write()
    told = figures(folder.slides)
    write_changed(out / "report.json", (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    write_changed(out / "report.html", page(told, out).encode())
    if not told["cells"]:
        raise NothingError(
            f"{out}: every cell that somebody named was left out ({_words(told['left_out'])}); "
            f"{out / 'report.html'} lists them"
        )
    return told


def _named(books: Sequence[Book], stores: Sequence[Path], notice: Notice) -> list[tuple[Book, NamedSlide]]:
    """The slides of whose cells somebody named some, or did before."""
    found = []
    for book, store in zip(books, stores, strict=True):
        slides = [named_slide(book, row) for row in reversed(book.listed()) if row["readers"]]
        if not any(slide.cells for slide in slides):
            notice(f"records {store}: nobody has named a cell in them")
        found += [(book, slide) for slide in slides]
    return found


def lines(found: dict[str, Any], out: Path) -> list[str]:
    """The report in a few lines."""
    wide = sum(found["pictures"]["field"].values())
    out_lines = [
        f"{out}: {found['cells']} cells (patients {found['patients']}, slides {found['slides']}), "
        f"{wide} of them with what lies round them",
        *(f"  {name:<22} {n}" for name, n in found["by_class"].items()),
    ]
    for key, text in (
        ("blasts_denied", "machine's blasts that people denied"),
        ("blasts_missed", "people's blasts among the machine's other cells"),
    ):
        one = found[key]
        if one["share"] is not None:
            low, high = one["interval"]
            out_lines.append(
                f"{text}: {one['of_these']} of {one['cells']}, {one['share']:.1%} ({low:.1%} to {high:.1%}), "
                "of those looked at"
            )
    if found["left_out"]:
        out_lines.append(f"left out: {_words(found['left_out'])}")
    return [*out_lines, f"where they differ: {out / 'report.html'}"]


def _words(left_out: dict[str, int]) -> str:
    return ", ".join(f"{n} {why}" for why, n in left_out.items())
