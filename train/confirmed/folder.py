"""The folder of a data set of confirmed cells: what is in it, and how more is added.

`records.json` is the whole of it but for the pictures; the table, and the report, are made of it anew each
time. A slide that is imported again takes the place of what was imported before, so that nothing doubles.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edge.files import atomic
from edge.report.table import table
from edge.types import LeukoscopeError
from train.confirmed.names import Names, file_name, salt
from train.confirmed.pictures import CellPicture
from train.confirmed.words import NamedCell, NamedSlide

STATE, TABLE, README, PICTURES = "records.json", "cells.csv", "README.txt", "pictures"
FORMAT = 1

COLUMNS = (
    "path", "class", "patient", "um_per_px", "x", "y", "slide", "cell", "machine", "machine_p", "by",
    "agreed", "bundle", "specimen", "store",
)  # fmt: skip

DIFFER = "readers-differ"
"""Why a cell has no class: two readers call it differently. Other reasons are those of `pictures`."""

_TEXT = """\
Cells that people confirmed or corrected on devices, a row each in cells.csv. Made by edge-train
import-records.

path       the picture, the cell at x, y (px); of .png what lies round it was kept too, .jpg is the crop alone
class      by people. machine, machine_p: what the machine had said, and the probability that it gave it
patient    whom the cell is of; 'slide-...' where nobody noted a patient. Never divide one between parts
um_per_px  size of a pixel
by, agreed initials of who named it, and how many of them call it what stands in class
store      the record store that the slide was screened into; with slide and cell it is the cell's identity

{names}
Identifiers of slides, and initials, are as they were typed.
records.json is what the next import adds to. report.html says where machine and people differ.
For research use only. Licence of the pictures: whatever their owner says.
"""
_PSEUDONYMS = """\
Patients have pseudonyms, made of their identifiers with salt.txt: the same patient has the same name
after the next import too. Whoever has salt.txt can tell whether an identifier is among them: keep it, and
do not hand it over with the pictures."""
_PLAIN = "Patients are called what the records call them (--keep-names): treat this folder like the records."


class FolderError(LeukoscopeError):
    """A folder cannot take what is imported. Says what to do."""


class Folder:
    """A data set of confirmed cells in a folder; it is made, or found and added to.

    Parameters
    ----------
    path : the folder. keep_names : patients are called what the records call them.

    Raises
    ------
    FolderError : something else is in it, or its patients are called otherwise.
    NamesError : its salt is gone.
    """

    def __init__(self, path: Path, *, keep_names: bool) -> None:
        self.path = path
        self.slides: list[dict[str, Any]] = self._found(keep_names)
        self._keep_names = keep_names
        atomic.make_folder(path)
        self._write_state()  # the first thing, so that whatever stops this, the folder is known again
        self.names = Names(None if keep_names else salt(path, fresh=not self.slides))

    def _found(self, keep_names: bool) -> list[dict[str, Any]]:
        """The slides that are in it."""
        if self.path.exists() and not self.path.is_dir():
            raise FolderError(f"--out {self.path}: is a file; name a folder")
        state = self.path / STATE
        if not state.is_file():
            if self.path.is_dir() and (other := sorted(p.name for p in self.path.iterdir() if not _torn(p))):
                raise FolderError(f"--out {self.path}: has {other[0]!r} in it; name a folder of its own")
            return []
        try:
            known = json.loads(state.read_text(encoding="utf-8"))
            if known["format"] != FORMAT:
                raise FolderError(
                    f"--out {self.path}: was written by another version of this program; import all stores "
                    "into another folder"
                )
            slides: list[dict[str, Any]] = known["slides"]
            before = known["patients"] == "names"
        except (ValueError, KeyError, TypeError):
            raise FolderError(f"{state}: is damaged; import all stores into another folder") from None
        if before != keep_names and slides:
            word = "their own names; add --keep-names" if before else "pseudonyms; leave out --keep-names"
            raise FolderError(f"--out {self.path}: patients have {word}, or name another folder")
        return slides

    def add(self, slide: NamedSlide, pictures: Iterable[tuple[int, CellPicture | str]]) -> bool:
        """Take a slide, in the place of what was known of it; False where that is later than this copy."""
        about = slide.about
        key = (about["store"], about["slide"])
        before = next((one for one in self.slides if (one["store"], one["slide"]) == key), None)
        if before is not None and tuple(before["said"]) > slide.said:
            return False
        group = self.names.group(slide.patient, about["slide"])
        stem = f"{file_name(about['slide'])}-{hashlib.sha256(repr(key).encode()).hexdigest()[:6]}"
        found = dict(pictures)
        cells = [
            self._cell(
                cell, found.get(cell.seen.id, DIFFER), f"{PICTURES}/{file_name(group)}/{stem}-{cell.seen.id}"
            )
            for cell in slide.cells
        ]
        entry = about | {"patient": group, "said": list(slide.said), "cells": cells}
        others = [one for one in self.slides if one is not before]
        self.slides = sorted([*others, entry], key=lambda one: (one["store"], one["slide"]))
        return True

    def _cell(self, cell: NamedCell, found: CellPicture | str, stem: str) -> dict[str, Any]:
        known: dict[str, Any] = {
            "cell": cell.seen.id,
            "machine": cell.seen.named,
            "machine_p": round(cell.machine_p, 4),
            "words": dict(cell.words),
            "class": cell.people,
        }
        if isinstance(found, str):
            return known | {"left_out": found}
        path = stem + found.suffix
        _write_picture(self.path / path, found.content)
        middle = found.side_px / 2
        scale = {"um_per_px": round(found.um_per_px, 6), "x": middle, "y": middle}
        return known | {"left_out": None, "path": path, "picture": found.origin, **scale}

    def write(self) -> None:
        """Write what is known of the cells, the table and its README; pictures that nothing names go."""
        self._write_state()
        write_changed(self.path / TABLE, table(COLUMNS, map(_row, cells(self.slides))))
        text = _TEXT.format(names=_PLAIN if self._keep_names else _PSEUDONYMS)
        write_changed(self.path / README, text.encode())
        named = {self.path / cell["path"] for _, cell in cells(self.slides)}
        for path in sorted((self.path / PICTURES).rglob("*"), reverse=True):
            if path.is_file() and path not in named:
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()

    def _write_state(self) -> None:
        state = {
            "format": FORMAT,
            "patients": "names" if self._keep_names else "pseudonyms",
            "slides": self.slides,
        }
        write_changed(self.path / STATE, (json.dumps(state, indent=1, ensure_ascii=False) + "\n").encode())


def cells(slides: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The cells that are in the data set, each after its slide."""
    for slide in slides:
        for cell in slide["cells"]:
            if cell["left_out"] is None:
                yield slide, cell


def _row(found: tuple[dict[str, Any], dict[str, Any]]) -> list[Any]:
    slide, cell = found
    return [
        cell["path"], cell["class"], slide["patient"], cell["um_per_px"], cell["x"], cell["y"],
        slide["slide"], cell["cell"], cell["machine"], cell["machine_p"], " ".join(cell["words"]),
        sum(word == cell["class"] for word in cell["words"].values()), slide["bundle"], slide["specimen"],
        slide["store"],
    ]  # fmt: skip


def write_changed(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, unless that is what it holds."""
    if path.is_file() and path.read_bytes() == content:
        return
    atomic.make_folder(path.parent)
    atomic.write(path, content)


def _write_picture(path: Path, content: bytes) -> None:
    """The same without waiting for the disk: what a power cut tears the next import writes again."""
    if path.is_file() and path.read_bytes() == content:
        return
    atomic.make_folder(path.parent)
    with open(path, "wb", opener=atomic.opener) as file:
        file.write(content)


def _torn(path: Path) -> bool:
    """What a kill left half written."""
    return path.name.startswith(".") and path.name.endswith(".part")
