"""What people call a class → what the bundle calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def plain(name: str) -> str:
    """A name in small letters, one space between words, no plural."""
    words = re.sub(r"[\W_]+", " ", name.casefold()).strip()
    return words[:-1] if words.endswith("s") and words not in ("eos",) and len(words) > 3 else words


_SYNONYMS: Mapping[str, str] = {
    "band": "neutrophil", "band neutrophil": "neutrophil", "neu": "neutrophil", "neut": "neutrophil",
    "polymorph": "neutrophil", "seg": "neutrophil", "segmented": "neutrophil",
    "segmented neutrophil": "neutrophil", "stab": "neutrophil",
    "ly": "lymphocyte", "lym": "lymphocyte", "lymph": "lymphocyte",
    "mo": "monocyte", "mono": "monocyte",
    "eo": "eosinophil", "eos": "eosinophil",
    "ba": "basophil", "baso": "basophil",
    "ig": "immature-granulocyte", "immature granulocyte": "immature-granulocyte",
    "metamyelocyte": "immature-granulocyte", "myelocyte": "immature-granulocyte",
    "promyelocyte": "immature-granulocyte",
    "lymphoblast": "blast", "monoblast": "blast", "myeloblast": "blast",
    "nrbc": "erythroblast", "normoblast": "erythroblast", "nucleated red cell": "erythroblast",
    "plt": "platelet", "thrombocyte": "platelet",
    "basket cell": "smudge-cell", "gumprecht": "smudge-cell", "smudge": "smudge-cell",
    "artifact": "artefact", "debris": "artefact",
}  # fmt: skip
"""What people say -> class of the shipped bundle. A promyelocyte is one of normal marrow: whoever means the
abnormal ones of leukemia says blast."""

_MEANT = {plain(said): name for said, name in _SYNONYMS.items()}


def class_of(name: str, classes: Sequence[str]) -> str | None:
    """The class of the bundle that somebody means; None for none of them."""
    known = {plain(one): one for one in classes}
    found = known.get(plain(name)) or _MEANT.get(plain(name))
    return found if found in classes else None
