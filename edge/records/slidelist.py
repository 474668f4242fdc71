"""The records' slides as people look for them: newest first, with what people said since."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from edge.records.database import RecordsError
from edge.records.identifiers import checked, shortened
from edge.records.queries import Queries
from edge.records.rows import Row, decoded
from edge.records.states import boot_of, state_of

_JUDGED = (
    "finding", "headline", "reason", "advice", "blast_fraction", "interval_low", "interval_high",
    "interval_level", "corrected", "corrected_low", "corrected_high", "cells_needed", "tally",
)  # fmt: skip
"""Columns of a slide that people's words may change."""


class SlideList(Queries):
    """Asks a record store for its slides."""

    def listed(self, search: str = "") -> list[Row]:
        """Slides with this text in their identifier, patient, finding or initials; the newest first.

        The columns of table `slides`, those of the finding the newest ones there are, and

        - `machine`: the finding's columns as the screening left them;
        - `patient`, `age`, `sex`: as noted last, None where nobody did;
        - `counts`, `cells_counted`, `confirmed`: of the tally, or as far as a slide that was cut off came;
        - `signed_by`, `signed_at`: None while it is open;
        - `readers`: initials of those who said a word of its cells, in order;
        - `state`: see `edge.records.states.State`;
        - `gone_on`: each time that it was gone on with after it was cut off, when (`at`) and with what.
        """
        wanted = unicodedata.normalize("NFC", search).casefold().strip()
        return [row for row in reversed(self._listed()) if wanted in searched(row)]

    def found(self, slide: str) -> Row:
        """One slide's row as `listed` gives it; RecordsError names those it may have been meant to be."""
        name = slide.strip()
        if not name.isprintable():
            checked(slide)
        rows = self._listed("WHERE id IN (?, ?)", name, unicodedata.normalize("NFC", name))
        if rows:
            return rows[0]
        known = [str(row["id"]) for row in self._rows("SELECT id FROM slides ORDER BY rowid DESC")]
        from difflib import get_close_matches  # whoever screens a slide never asks

        near = [one for one in known if name and name.casefold() in one.casefold()]
        near = (near or get_close_matches(name[:100], known, cutoff=0.5))[:3]
        meant = f"; did you mean {' or '.join(near)}?" if near else ";"
        raise RecordsError(
            f"slide {shortened(slide)}: is not in the records{meant} `edge-slides list` shows all"
        )

    def _listed(self, which: str = "", *values: object) -> list[Row]:
        """The slides that a WHERE clause leaves, the oldest first."""
        slides = self._slides(which, *values)
        among = f"slide IN (SELECT id FROM slides {which})"
        newest = f"id IN (SELECT max(id) FROM findings WHERE {among} GROUP BY slide)"
        found = self._rows(f"SELECT * FROM findings WHERE {newest}", *values)
        judged = {row["slide"]: decoded(row, "tally") for row in found}
        standing = f"SELECT * FROM signatures WHERE {among} AND id NOT IN (SELECT signature FROM reopened)"
        signed = {row["slide"]: row for row in self._rows(standing, *values)}
        about: dict[str, Row] = {}
        for row in self._rows(f"SELECT * FROM notes WHERE {among} AND field != 'note' ORDER BY id", *values):
            about.setdefault(row["slide"], {})[row["field"]] = row["value"]
        readers: dict[str, list[str]] = {}
        said = f"SELECT slide, initials FROM words WHERE {among} GROUP BY slide, initials ORDER BY min(id)"
        for row in self._rows(said, *values):
            readers.setdefault(row["slide"], []).append(row["initials"])
        boots = {row["number"]: row["boot_id"] for row in self._rows("SELECT * FROM boots")}
        times = self._times()
        for slide in slides:
            name = slide["id"]
            signature = signed.get(name)
            slide["signed_by"] = signature and signature["initials"]
            slide["signed_at"] = signature and times.of(*(signature[k] for k in ("boot", "at", "at_s")))[0]
            slide["state"] = state_of(slide, boots.get(boot_of(slide)))
            slide["machine"] = {column: slide[column] for column in _JUDGED}
            if (
                name in judged and slide["state"] != "under way"
            ):  # or it was judged before it was gone on with
                slide |= {column: judged[name][column] for column in _JUDGED}
            slide |= {"patient": None, "age": None, "sex": None} | about.get(name, {})
            slide["readers"] = readers.get(name, [])
            slide |= self._counts(slide)
        return slides

    def _counts(self, slide: Row) -> Mapping[str, Any]:
        tally = slide["tally"]
        if tally:
            confirmed = tally.get("confirmed", {})
            return {"counts": tally["counts"], "cells_counted": tally["leukocytes"], "confirmed": confirmed}
        rows = self._rows(
            "SELECT class, count(*) AS n FROM readings CROSS JOIN cells ON cells.reading = readings.id "
            "WHERE slide = ? AND counted GROUP BY class",
            slide["id"],
        )
        counts = dict.fromkeys(slide["classes"], 0) | {row["class"]: row["n"] for row in rows}
        return {"counts": counts, "cells_counted": sum(counts.values()), "confirmed": {}}


def searched(slide: Row) -> str:
    """What a search looks through."""
    texts = (slide["id"], slide["patient"], slide["finding"], slide["headline"], slide["signed_by"])
    return "\n".join([*(str(text) for text in texts if text), *slide["readers"]]).casefold()
