"""A backup put back: checked whole first, then the device's own files, then the records in one step.

A power cut leaves the records that were there, perhaps with settings of the backup already; the same command
again does all of it. Whatever was there lies in a folder aside.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from edge.custody.backup import FOLDERS, FORMAT, MANIFEST, RECORDS, is_ours
from edge.custody.storefile import alone, check_space, free_name, put_in_place, remove, stamp
from edge.custody.verify import Failure, Inspection, verify
from edge.files import atomic, strictjson
from edge.files.medium import digest_of
from edge.records.database import RecordsError, connect
from edge.records.migrations import MIGRATIONS

_LARGEST_MANIFEST = 1_000_000  # bytes

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Kept:
    """A backup as its manifest has it: when it was made, and the SHA-256 in hex of each file."""

    folder: Path
    made_at: str
    version: str
    slides: int
    files: dict[str, str]


@dataclass(frozen=True)
class Restored:
    """What came of it.

    Attributes
    ----------
    backup : that was put back. files : others than the records that were. aside : where what was there lies,
        None where nothing was. failures : what is wrong with the records, and was in the backup already.
    """

    backup: Kept
    files: tuple[str, ...]
    aside: Path | None
    failures: tuple[Failure, ...]


def read(folder: Path) -> Kept:
    """A backup's manifest.

    Raises
    ------
    RecordsError : it is no backup, or one of a newer program.
    """
    try:
        with (folder / MANIFEST).open("rb") as file:
            table = strictjson.read(file.read(_LARGEST_MANIFEST))
        if table.whole("format", 1) > FORMAT or table.whole("schema", 1) > len(MIGRATIONS):
            raise RecordsError(
                f"backup {folder}: was made by a newer version of this program ({table.text('version')}); "
                "update the program"
            )
        files = table.table("files")
        kept = Kept(
            folder, table.text("made_at"), table.text("version"), table.whole("slides", 0, 10**9),
            {name: files.text(name) for name in files.values},
        )  # fmt: skip
    except FileNotFoundError:
        raise RecordsError(f"backup {folder}: there is no {MANIFEST} in it; name a backup's folder") from None
    except OSError as error:
        raise RecordsError(f"backup {folder}: cannot be read ({error.strerror}); name another") from None
    except ValueError as error:
        raise RecordsError(f"backup {folder}: {MANIFEST} is damaged ({error}); take another backup") from None
    if RECORDS not in kept.files or not all(map(_belongs, kept.files)):
        raise RecordsError(f"backup {folder}: {MANIFEST} names what is no part of a backup; take another")
    return kept


def _belongs(name: str) -> bool:
    """Whether a backup has files of this name: nothing that leads out of the data folder."""
    *folders, last = PurePosixPath(name).parts
    return name == RECORDS or (is_ours(last) and len(folders) <= 1 and set(folders) <= set(FOLDERS))


def check(kept: Kept, tell: Tell) -> None:
    """See that every file of a backup is as it was written.

    Raises
    ------
    RecordsError : one is not.
    """
    for i, (name, digest) in enumerate(kept.files.items()):
        tell(i, len(kept.files), f"checking {name}")
        try:
            found = digest_of(kept.folder / name)
        except OSError as error:
            raise RecordsError(
                f"backup {kept.folder}: {name} cannot be read ({error.strerror}); take another backup"
            ) from None
        if found != digest:
            raise RecordsError(
                f"backup {kept.folder}: {name} is not as it was written; take another backup, or save "
                f"what can be read with: edge-slides repair --records {kept.folder / name}"
            )


def restore(folder: Path, records: Path, home: Path | None, tell: Tell, *, replace: bool = False) -> Restored:
    """Put a backup back. Slides screened from now on get another origin; those in it keep theirs.

    Parameters
    ----------
    folder : the backup. records : where its records go. home : the data folder, where its other files go;
        None leaves the device's own as they are.
    replace : records that are there make place, and are kept aside.

    Raises
    ------
    RecordsError : it was not done, and why; see above for what is left where.
    """
    kept = read(folder)
    _refuse_to_overwrite(records, replace)
    check(kept, tell)
    others = {}
    if home is not None:  # read by who runs the program, who may look where the records' owner may not
        others = {home / name: (folder / name).read_bytes() for name in kept.files if name != RECORDS}
    new = records.with_name(f".{records.name}.restore.part")
    try:
        with alone(records), (folder / RECORDS).open("rb") as source, atomic.as_owner(records):
            atomic.make_folder(records.parent)
            failures = _staged(source, new, tell)
            aside = free_name(records.parent / f"before-restore-{stamp()}")
            for path, content in others.items():
                _put(content, path, aside / path.relative_to(home or path))
            if records.exists():
                atomic.make_folder(aside)
            put_in_place(new, records, aside / records.name)
    except OSError as error:
        raise RecordsError(
            f"records {records}: cannot be restored ({error.strerror or error}); what was there still is"
        ) from error
    finally:
        with suppress(OSError):
            remove(new)
    return Restored(
        kept,
        tuple(name for name in kept.files if home and name != RECORDS),
        aside if aside.exists() else None,
        tuple(failures),
    )


def _refuse_to_overwrite(records: Path, replace: bool) -> None:
    if replace or not records.exists():
        return
    if records.is_dir():
        raise RecordsError(f"records {records}: is a folder; name a file in it with --records")
    try:
        with Inspection(records) as there:
            slides = str(len(there.names()))
    except RecordsError:
        slides = "damaged"
    if slides != "0":
        raise RecordsError(
            f"records {records}: there are {slides} slides there already; --replace keeps them aside and "
            "puts the backup in their place, edge-slides merge adds the backup's slides to them"
        )


def _staged(source: BinaryIO, new: Path, tell: Tell) -> list[Failure]:
    """The backup's records beside those that are there: up to date, looked at, with an own origin."""
    check_space(new.parent, os.fstat(source.fileno()).st_size)
    remove(new)
    with open(new, "xb", opener=atomic.opener) as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    with closing(connect(new, 5.0)) as database:
        try:
            database.execute("UPDATE origin SET id = lower(hex(randomblob(16)))")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise RecordsError(f"backup {source.name}: is damaged ({error}); take another backup") from error
    with Inspection(new) as there:
        failures, names = there.file(), there.names()
        for checked in verify(there, names, lambda i, name: tell(i, len(names), f"looking at {name}")):
            failures += checked.failures
    return failures


def _put(content: bytes, path: Path, aside: Path) -> None:
    """Put a file in the place of another, which is kept aside first."""
    atomic.make_folder(path.parent)
    if path.exists():
        atomic.make_folder(aside.parent)
        atomic.write(aside, path.read_bytes())
    atomic.write(path, content)
