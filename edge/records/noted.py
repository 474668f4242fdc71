"""What may be written down about a slide beside its cells."""

from __future__ import annotations

import unicodedata

from edge.records.database import RecordsError
from edge.records.identifiers import checked, shortened
from edge.records.people import SEXES

LONGEST_NOTE = 2000
"""Characters."""

_OLDEST = 130


def noted(field: str, value: str | int | None) -> str | int | None:
    """What is written down in a field for this value, as people typed it; None takes it back.

    Raises
    ------
    RecordsError : there is no such field, or it cannot hold that.
    """
    if field not in ("patient", "age", "sex", "note"):
        raise RecordsError(f"{field}: is nothing that is noted of a slide; note patient, age, sex or note")
    if value is None and field != "note":
        return None
    if field == "patient":
        return checked(str(value), "patient")
    text = unicodedata.normalize("NFC", "" if value is None else str(value)).strip()
    if field == "age":
        if not text.isdecimal() or len(text) > 3 or int(text) > _OLDEST:
            raise RecordsError(f"age {shortened(text)}: is not a number of years from 0 to {_OLDEST}")
        return int(text)
    if field == "sex" and text.casefold() not in SEXES:
        raise RecordsError(f"sex {shortened(text)}: is none of {', '.join(SEXES)}")
    if field == "sex":
        return text.casefold()
    if not text or len(text) > LONGEST_NOTE or not text.replace("\n", "").isprintable():
        raise RecordsError(
            f"note {shortened(text)}: is not 1 to {LONGEST_NOTE} characters that can be seen; shorten it"
        )
    return text
