"""What the classes of a differential are called in other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

LOINC = "http://loinc.org"


@dataclass(frozen=True)
class Code:
    """A term of a terminology: `system` is its address, `display` the term's own words."""

    system: str
    code: str
    display: str

    @property
    def source(self) -> str:
        """Where the term is described."""
        return f"https://loinc.org/{self.code}"


_IN_BLOOD: Mapping[str, Code] = MappingProxyType({
    name: Code(LOINC, code, f"{cells}/Leukocytes in Blood")
    for name, code, cells in (
        ("blast", "26446-5", "Blasts"),
        ("immature-granulocyte", "38518-7", "Immature granulocytes"),
        ("lymphocyte", "26478-8", "Lymphocytes"),
        ("monocyte", "26485-3", "Monocytes"),
        ("neutrophil", "26511-6", "Neutrophils"),
        ("eosinophil", "26450-7", "Eosinophils"),
        ("basophil", "30180-4", "Basophils"),
    )
})  # fmt: skip


def share_code(name: str, specimen: str, unit: str) -> Code | None:
    """The term for a class's share of the counted leukocytes; None where none is certain.

    Parameters
    ----------
    name : of the class. specimen : 'blood' or 'marrow': LOINC has other terms for marrow, with other
        denominators. unit : what is counted (see `edge.types.Tally`); a share of fields is none of cells.
    """
    return _IN_BLOOD.get(name) if specimen == "blood" and unit == "leukocyte" else None
