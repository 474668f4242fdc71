"""The classes of the default bundle, and what a label of somebody else's data set says about them."""

from __future__ import annotations

from collections.abc import Sequence

LEUKOCYTES = (
    "blast",
    "immature-granulocyte",
    "lymphocyte",
    "monocyte",
    "neutrophil",
    "eosinophil",
    "basophil",
)
"""The classes that make up the differential's denominator."""

CLASSES = (*LEUKOCYTES, "erythroblast", "platelet", "smudge-cell", "artefact")
"""Every class, in the order of the classifier's outputs."""

WITHOUT_NUCLEUS = ("platelet", "artefact")
"""The classes that show no nucleus."""

POSITIVE = ("blast",)
"""The classes that the finding is about."""

LEUKOCYTE = "leukocyte"
"""A label that says only that the cell is one of `LEUKOCYTES`."""

NUCLEATED = "nucleated"
"""A label that says only that there is a nucleus: a leukocyte, an erythroblast or a smudge cell."""

NO_BLAST = "no-blast"
"""The same of somebody without leukemia."""

LYMPHOID = "lymphoid"
"""A small nucleus among lymphoblasts: one of them, or a lymphocyte, an erythroblast or a smudge cell."""

_NUCLEATED = (*LEUKOCYTES, "erythroblast", "smudge-cell")
_PARTIAL = {
    LEUKOCYTE: LEUKOCYTES,
    NUCLEATED: _NUCLEATED,
    NO_BLAST: tuple(name for name in _NUCLEATED if name not in POSITIVE),
    LYMPHOID: ("blast", "lymphocyte", "erythroblast", "smudge-cell"),
}


def admitted(label: str, classes: Sequence[str] = CLASSES) -> tuple[str, ...]:
    """Which of a model's classes a label admits: itself, or several where the type is not known.

    Raises
    ------
    ValueError
        The label admits none of them.
    """
    found = tuple(name for name in _PARTIAL.get(label, (label,)) if name in classes)
    if not found:
        known = [name for name, several in _PARTIAL.items() if set(several) & set(classes)]
        raise ValueError(f"label {label!r}: not one of {', '.join((*classes, *known))}")
    return found
