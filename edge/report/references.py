"""What is usual in a differential of adults' blood, to hold a slide against."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ADULT = 18
"""Years from which `DIFFERENTIAL` holds; children have more lymphocytes the younger they are."""

DIFFERENTIAL: Mapping[str, tuple[float, float]] = MappingProxyType({
    "neutrophil": (0.40, 0.80),
    "lymphocyte": (0.20, 0.40),
    "monocyte": (0.02, 0.10),
    "eosinophil": (0.01, 0.06),
    "basophil": (0.00, 0.02),
    "immature-granulocyte": (0.00, 0.01),
    "blast": (0.00, 0.00),
})  # fmt: skip
"""Class -> lower and upper end of the reference range, as shares of leukocytes."""

MAIN = frozenset(("neutrophil", "lymphocyte", "monocyte"))
"""Without one of these a bundle counts a part of the leukocytes only, of which no share is usual."""

SOURCE = (
    "Reference ranges of adults' blood: Dacie and Lewis Practical Haematology, 12th ed. 2017, chapter 2; "
    "immature granulocytes and blasts: none in health, up to 1% of the former. A laboratory's own ranges go "
    "before these."
)


def reference(name: str, age: int | None, specimen: str) -> tuple[float, float] | None:
    """The range of a class; None where none holds: of children, of marrow, of classes that it does not have.

    Parameters
    ----------
    age : years, None where nobody said. specimen : 'blood' or 'marrow'.
    """
    if specimen != "blood" or (age is not None and age < ADULT):
        return None
    return DIFFERENTIAL.get(name)
