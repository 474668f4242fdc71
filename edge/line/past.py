"""What a slide had come to whose screening was cut off, read back from the records so that it can go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.line.ledger import Ledger
from edge.line.mapped import Seen
from edge.line.rules import Rules
from edge.optics.scale import Before
from edge.records.database import RecordsError
from edge.records.rows import Row
from edge.types import F32, Bools, Said, SlideHeader

if TYPE_CHECKING:  # who begins a slide needs no second look into the records
    from edge.records.book import Book


@dataclass(frozen=True, eq=False)
class Past:
    """A slide up to the moment when it was cut off; as it stands, one that was not begun.

    Attributes
    ----------
    slide : its row, as `edge.records.slidelist.SlideList.found` gives it.
    fields : those that were not turned down, in order.
    counted : cell and class of what entered the tally, in order. said : what people said since.
    problems : why fields were turned down, and how often.
    frames, rejected, repeated : see `edge.types.Tally`. next_frame : the first index that is free.
    sources : how many frames of each were read.
    scale : of the last field that was not turned down; None without one.
    """

    slide: Row = field(default_factory=dict)
    fields: Sequence[Seen] = ()
    counted: Sequence[tuple[int, str]] = ()
    said: Sequence[Said] = ()
    problems: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    rejected: int = 0
    repeated: int = 0
    next_frame: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    scale: Before | None = None

    @classmethod
    def of(cls, book: Book, slide: str) -> Past:
        """Read back a slide that was cut off.

        Raises
        ------
        RecordsError : there is no such slide, it was not cut off, or too little of it was kept.
        """
        row = book.found(slide)
        name = row["id"]
        if row["state"] != "cut off":
            raise RecordsError(f"slide {name}: {_otherwise(row)}")
        placed = book.placed(name)
        if any(one["overlaps"] is None for one in placed):
            raise RecordsError(
                f"slide {name}: was begun by an older version of this program, which kept too little to go "
                f"on with; close it: edge-slides close {name}"
            )
        accepted = [one for one in placed if not one["problems"]]
        return cls(
            slide=row,
            fields=[_seen(one) for one in accepted],
            counted=book.settled(name),
            said=book.said(name),
            problems=Counter(problem for one in placed for problem in one["problems"]),
            frames=len(placed),
            rejected=len(placed) - len(accepted),
            repeated=sum(one["repeated"] for one in placed),
            next_frame=max((one["frame"] + 1 for one in placed), default=0),
            sources=Counter(one["source"] for one in placed),
            scale=_scale(accepted[-1]) if accepted else None,
        )

    def check(self, header: SlideHeader, *, mapped: bool) -> None:
        """See that the slide can go on with this.

        Parameters
        ----------
        mapped : fields are laid on a map, which they are unless each is a cell in its middle.

        Raises
        ------
        RecordsError : it was begun with something else; names both.
        """
        row = self.slide
        laid = any(one.thumb is not None for one in self.fields)
        for what, before, now, how in (
            ("model", _model(row), _model(vars(header)), "--bundle"),
            ("site", _site(row["site"]), _site(header.site), "--site"),
            ("specimen", _specimen(row["rules"]), _specimen(header.rules), "--specimen"),
            ("camera", row["camera"], header.camera, "--camera"),
            ("pictures", _pictures(laid), _pictures(mapped if self.fields else laid), "--single-cell"),
        ):
            if before != now:
                raise RecordsError(
                    f"slide {row['id']}: was begun with {what} {before}, and this is {now}; go on with the "
                    f"same ({how}), or close it: edge-slides close {row['id']}"
                )


def ledger_of(rules: Rules, counted: Sequence[tuple[int, str]], said: Sequence[Said]) -> Ledger:
    """The ledger of what was counted, cell and class in order, and of what people said."""
    ledger = Ledger(rules)
    if counted:
        ledger.count(
            np.array([cell for cell, _ in counted], np.int32),
            np.array([rules.classes.index(named) for _, named in counted], np.int32),
        )
    if said:
        ledger.hear(said)
    return ledger


def _seen(row: Row) -> Seen:
    cells = row["cells"]
    places = np.array([(cell["x"], cell["y"]) for cell in cells], np.float32).reshape(-1, 2)
    return Seen(
        frame=row["frame"],
        overlaps=tuple(row["overlaps"]),
        thumb=row["thumb"],
        ids=np.array([cell["cell"] for cell in cells], np.int32),
        places_um=_float32(places * row["um_per_px"]),
        settled=_flags(cells, "settled"),
        abstained=_flags(cells, "abstained"),
    )


def _float32(values: Any) -> F32:
    return np.asarray(values, np.float32)


def _flags(cells: Sequence[Row], name: str) -> Bools:
    return np.array([bool(cell[name]) for cell in cells], np.bool_)


def _scale(row: Row) -> Before:
    return Before(row["um_per_px"], row["um_per_px_from"], (row["width"], row["height"]))


def _otherwise(row: Row) -> str:
    """Why one does not go on with a slide that was not cut off."""
    match row["state"]:
        case "under way":
            return "is being screened by another program on this machine; end it there"
        case "signed":
            return (
                f"{row['signed_by']} signed it on {row['signed_at'][:10]} and closed it; take that back "
                f"first: edge-slides reopen {row['id']} --by INITIALS --reason TEXT"
            )
        case _:
            return f"was finished on {row['finished_at'][:10]}; begin another, with another identifier"


def _model(about: Any) -> str:
    return f"{about['bundle']} ({about['bundle_sha256'][:8]})"


def _site(site: Any) -> str:
    return f"file {site['file']}" if site else "none"


def _specimen(rules: Any) -> str:
    return str((rules or {}).get("specimen", "blood"))


def _pictures(mapped: bool) -> str:
    return "of fields" if mapped else "of single cells"
