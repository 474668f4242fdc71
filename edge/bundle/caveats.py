"""Caveats: what must stay in sight of a model that is used all the same, wherever it is used.

A short text each that goes on after "model": "exported even so: 3 blasts among its validation cells, 30 are
wanted". A bundle's manifest has those of how it was made, `installed` those of how it was put in use.
"""

from __future__ import annotations

from edge.files.strictjson import Table

MOST, LONGEST = 20, 200
"""Of them that a model may have, and characters of one: more would be read by nobody."""


def read(table: Table, key: str = "caveats") -> tuple[str, ...]:
    """One of these at least; ValueError names the field that is wrong."""
    found = table.names(key)
    if len(found) > MOST:
        raise ValueError(f"{key} has {len(found)} texts; {MOST} are the most")
    return found
