"""What the classes of a differential are called in other programs.

LOINC's names are those of its version 2.78, https://loinc.org/CODE; where each was looked up stands with the
table in docs/fhir.md.
This material contains content from LOINC (http://loinc.org). LOINC is copyright Regenstrief Institute, Inc.
and the LOINC Committee and is available at no cost under the license at http://loinc.org/license.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge.line.rules import Rules

BLOOD: Mapping[str, tuple[str, str]] = MappingProxyType({
    "blast": ("26446-5", "Blasts/100 leukocytes in Blood"),
    "immature-granulocyte": ("38518-7", "Immature granulocytes/100 leukocytes in Blood"),
    "lymphocyte": ("26478-8", "Lymphocytes/100 leukocytes in Blood"),
    "monocyte": ("26485-3", "Monocytes/100 leukocytes in Blood"),
    "neutrophil": ("26511-6", "Neutrophils/100 leukocytes in Blood"),
    "eosinophil": ("26450-7", "Eosinophils/100 leukocytes in Blood"),
    "basophil": ("30180-4", "Basophils/100 leukocytes in Blood"),
    "erythroblast": ("19048-8", "Nucleated erythrocytes/100 leukocytes [Ratio] in Blood"),
    "smudge-cell": ("34992-8", "Smudge cells/100 leukocytes in Blood"),
    "unidentified": ("44095-8", "Unidentified cells/100 leukocytes in Blood by Manual count"),
})  # fmt: skip
"""Class of a bundle that counts leukocytes -> LOINC's code and name for it among 100 leukocytes of blood."""


def among_leukocytes(name: str, rules: Rules) -> tuple[str, str] | None:
    """LOINC's code and name for a class among 100 leukocytes; None where it has none that says the same.

    Of marrow LOINC counts among 100 nucleated cells, erythroblasts included, and this program among 100
    leukocytes.
    """
    return BLOOD.get(name) if rules.unit == "leukocyte" and rules.specimen == "blood" else None
