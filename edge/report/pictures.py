"""A slide's kept pictures, as the bytes that they were kept in, read when they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from edge.records.book import Book
from edge.records.rows import Row


class Pictures:
    """What the records hold of one slide in pictures; nothing is kept in memory.

    Bytes as they lie in the records are the same on every machine, which pictures encoded anew are not.
    """

    def __init__(self, book: Book, slide: str) -> None:
        self._book, self._slide = book, slide

    def crops(self, cells: Collection[int]) -> dict[int, bytes]:
        """Cell -> JPEG of what the classifier saw of it; those that were kept."""
        return self._book.jpegs("crop", self._slide, cells)

    def surroundings(self, cells: Collection[int]) -> dict[int, bytes]:
        """Cell -> JPEG of the field round it, 56 µm wide; kept of suspicious and uncertain ones."""
        return self._book.jpegs("context", self._slide, cells)

    def thumbs(self) -> Iterator[tuple[int, bytes]]:
        """Frame and grey JPEG of each field that the slide map kept; see `edge.line.thumbnail`."""
        return self._book.thumbs(self._slide)

    def outlines(self) -> Iterator[list[Row]]:
        """Field by field the cells whose outline was kept there.

        Columns `frame`, `source`, `width`, `height` of the field, and `cell`, `x0`, `y0`, `outline`,
        `nucleus`; see `edge.records.outlines`.
        """
        return self._book.outlined(self._slide)

    def fields(self) -> Iterator[Row]:
        """Whole fields, where they were kept: columns `frame`, `source`, `um_per_px`, `captured_at`, `width`,
        `height` and `jpeg`, one after the other.
        """
        return self._book.whole_fields(self._slide)
