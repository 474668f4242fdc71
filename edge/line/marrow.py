"""Erythroblasts in numbers on a slide that was declared blood: it may be marrow, or ask for a reader."""

from __future__ import annotations

from edge.line.rules import Rules
from edge.types import Tally

_ERYTHROBLAST = "erythroblast"
_LEAST_CELLS = 50
_MANY = 0.1
"""Share of nucleated cells. In healthy adults' blood there is none; in marrow they are about a quarter
(Bain, Br J Haematol 1996;94:206). The figure between is a convention of this program."""

MANY_ERYTHROBLASTS = (
    "Many erythroblasts: if this is marrow, say so (--specimen marrow); in blood have the film read."
)


def note(tally: Tally, rules: Rules) -> str | None:
    """What a user must know of a slide with these counts, None where they are blood's."""
    if rules.specimen != "blood" or _ERYTHROBLAST not in rules.classes or _ERYTHROBLAST in rules.leukocytes:
        return None
    erythroblasts = tally.counts.get(_ERYTHROBLAST, 0)
    nucleated = tally.leukocytes + erythroblasts
    if nucleated < _LEAST_CELLS or erythroblasts <= _MANY * nucleated:
        return None
    return MANY_ERYTHROBLASTS
