"""What people call classes."""

from __future__ import annotations

import pytest

from edge.adapt.names import class_of
from tests.conftest import CLASSES


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("neutrophil", "neutrophil"),
        ("Neutrophils", "neutrophil"),
        ("segmented", "neutrophil"),
        ("BLASTS", "blast"),
        ("Smudge Cells", "smudge-cell"),
        ("smudge_cell", "smudge-cell"),
        ("IG", "immature-granulocyte"),
        ("myelocytes", "immature-granulocyte"),
        ("promyelocyte", "immature-granulocyte"),
        ("normoblast", "erythroblast"),
        ("debris", "artefact"),
        ("EOS", "eosinophil"),
        ("unknown", None),
        ("", None),
    ],
)
def test_a_folder_is_understood(said: str, meant: str | None) -> None:
    assert class_of(said, CLASSES) == meant


def test_what_the_bundle_has_not_is_nothing() -> None:
    assert class_of("blasts", ("healthy", "other")) is None
    assert class_of("Healthy", ("healthy", "other")) == "healthy"
