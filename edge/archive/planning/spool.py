"""Pictures that wait on this machine's disk, so that memory holds few of them however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from edge.archive.entry import Entry
from edge.archive.place import ArchiveError

SCHEMA = pa.schema(
    [
        ("slide", pa.string()),
        ("place", pa.int32()),
        ("source", pa.string()),
        ("path", pa.binary()),  # names of files are bytes, and some are no UTF-8
        ("um_per_px", pa.float64()),
        ("taken_at", pa.string()),
    ]
)
"""Of a plan's Parquet files: `edge.archive.entry.Entry`."""

_AT_ONCE = 20_000  # pictures that memory holds: about 15 MB
_WAYS = 64
_DEEPEST = 3
_CHUNK = 4096


class Spool:
    """A file of groups of pictures, which is read again group by group; a context manager.

    Parameters
    ----------
    path : where it lies while it is open.

    Raises
    ------
    ArchiveError : from every method: no room there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._groups = 0

    def __enter__(self) -> Self:
        with self._room():
            self._writer: Any = pa.ipc.new_file(
                str(self._path), SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4")
            )
        return self

    def __exit__(self, *_: object) -> None:
        with self._room():
            self._closed()
        self._path.unlink(missing_ok=True)

    def add(self, entries: Sequence[Entry]) -> int:
        """Put a group there; returns its number."""
        with self._room():
            self._writer.write_batch(batch_of(entries))
        self._groups += 1
        return self._groups - 1

    def groups(self, numbers: Iterable[int] | None = None) -> Iterator[Any]:
        """Those groups as Arrow's record batches, by default all in order; no more are added then."""
        with self._room():
            self._closed()
        with pa.OSFile(str(self._path)) as stream:
            reader = pa.ipc.open_file(stream)
            for number in range(self._groups) if numbers is None else numbers:
                yield reader.get_batch(number)

    def _closed(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArchiveError(
                f"{self._path.parent}: the list of pictures cannot be written there: {error}; make room, or "
                "set TMPDIR to a folder that has some"
            ) from error


def grouped(
    entries: Iterable[Entry], folder: Path, at_once: int = _AT_ONCE, depth: int = 0
) -> Iterator[Entry]:
    """The pictures with those of a slide together, in the order in which they came.

    As long as there are more than memory takes they are parted by a hash of their slide.

    Parameters
    ----------
    folder : where they wait. at_once : pictures that memory takes.
    depth : how often they were parted; so often that one slide is left, it is taken however large it is.
    """
    coming = iter(entries)
    first = list(islice(coming, at_once + 1))
    if depth == _DEEPEST:
        first += coming
        at_once = len(first)
    if len(first) <= at_once:
        slides: dict[str, list[Entry]] = {}
        for entry in first:
            slides.setdefault(entry.slide, []).append(entry)
        yield from chain.from_iterable(slides.values())
        return
    with ExitStack() as stack:
        parts = [stack.enter_context(Spool(folder / f"{depth}-{way}.arrow")) for way in range(_WAYS)]
        _part(chain(first, coming), parts, depth)
        del first
        for part in parts:
            within = chain.from_iterable(map(entries_in, part.groups()))
            yield from grouped(within, folder, at_once, depth + 1)


def _part(entries: Iterator[Entry], parts: Sequence[Spool], depth: int) -> None:
    """Put each to those of the same hash. Every depth looks at another byte of it."""

    def way(entry: Entry) -> int:
        return blake2b(entry.slide.encode(), digest_size=_DEEPEST).digest()[depth] % len(parts)

    while chunk := list(islice(entries, _CHUNK)):
        ways: dict[int, list[Entry]] = {}
        for entry in chunk:
            ways.setdefault(way(entry), []).append(entry)
        for number, some in ways.items():
            parts[number].add(some)


def batch_of(entries: Sequence[Entry]) -> Any:
    """As one of Arrow's record batches, of `SCHEMA`."""
    columns = {name: [getattr(entry, name) for entry in entries] for name in SCHEMA.names}
    columns["path"] = [path.encode("utf-8", "surrogateescape") for path in columns["path"]]
    return pa.RecordBatch.from_pydict(columns, schema=SCHEMA)


def entries_in(batch: Any) -> Iterator[Entry]:
    """Those of a record batch or table of `SCHEMA`."""
    columns = [batch.column(name).to_pylist() for name in SCHEMA.names]
    for slide, place, source, path, um_per_px, taken_at in zip(*columns, strict=True):
        yield Entry(slide, place, source, path.decode("utf-8", "surrogateescape"), um_per_px, taken_at)
