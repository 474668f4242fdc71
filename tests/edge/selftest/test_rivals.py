"""A model that is to be put in use against the one that is: kinds, labelled cells, and what is fair."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.bundle.manifest import Thresholds
from edge.bundle.model_input import WHITE_BALANCE, ModelInput
from edge.bundle.references import References
from edge.selftest.rivals import Brought, Drawn, Verdict, drawn_cells, judge, judge_both, tail, unlike
from tests.conftest import CLASSES


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return bundle.load(bundle.shipped_path())


def _with(model: Bundle, **changes: Any) -> Bundle:
    return replace(model, manifest=replace(model.manifest, **changes))


def test_a_model_of_the_same_kind_that_knows_the_same_is_welcome(shipped: Bundle) -> None:
    assert unlike(_with(shipped, classes=tuple(reversed(CLASSES)), version="2"), shipped) == ()
    verdict = judge(shipped, shipped)
    assert verdict.reasons == ()
    assert verdict.told.endswith("(44 drawn here, 44 that both bring)")
    known, asked = (int(word) for word in verdict.told.split()[1:4:2])
    assert (asked, known > 80) == (88, True)
    assert verdict.told.startswith(f"knows {known} of 88 labelled cells, the one in use ")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": "field"}, "names whole fields, the one in use names cells"),
        ({"classes": tuple(CLASSES[:-1])}, "names other classes than the one in use (without artefact)"),
        ({"classes": ("blast", "lymphocyte", "other"), "leukocytes": ("blast", "lymphocyte")},
         "(without immature-granulocyte, monocyte, neutrophil and 6 more, with other)"),
        ({"leukocytes": tuple(CLASSES[:6])}, "counts other classes than the one in use (without basophil)"),
        ({"positive": ("blast", "monocyte")},
         "calls other classes positive than the one in use (with monocyte)"),
    ],
)  # fmt: skip
def test_another_kind_is_named(shipped: Bundle, changes: dict[str, Any], words: str) -> None:
    (told,) = unlike(_with(shipped, **changes), shipped)
    assert words in told
    assert len(f"installed even so: {told}") <= 200


def test_a_network_of_chance_is_found_out(shipped: Bundle, make_bundle: Callable[..., Path]) -> None:
    guesses = bundle.load(make_bundle(), allow_unsigned=True)
    chance, worse = judge(guesses, shipped).reasons
    assert chance.startswith("is hardly better than chance: it knows ")
    assert "of 44 labelled cells, the one in use " in worse  # none that only the one in use brings
    assert judge(guesses, None).reasons[0].startswith("is hardly better than chance")
    assert judge(shipped, guesses).reasons == ()


def test_a_caveat_is_not_shed_by_another_model_that_is_no_better(shipped: Bundle) -> None:
    doubting = _with(shipped, thresholds=Thresholds(0.95, 0.95, 1.0))  # leaves many undecided
    (told,) = judge(doubting, shipped).reasons
    assert told.startswith("knows ")
    marked = replace(doubting, installed_with=("installed even so: knows less",))
    assert judge_both(doubting, doubting, shipped).reasons == ()
    assert judge_both(doubting, marked, shipped).reasons == (told.replace("one in use", "shipped one"),)
    assert judge_both(shipped, marked, shipped).reasons == ()
    fields = _with(marked, task="field")
    assert judge_both(fields, fields, shipped).reasons == ()


def test_one_that_abstains_knows_nothing(shipped: Bundle) -> None:
    silent = _with(shipped, thresholds=Thresholds(1.0, 1.0, 1.0))
    assert len(judge(silent, shipped).reasons) == 2


def test_of_cells_that_one_brings_as_many_are_taken_of_the_other(
    shipped: Bundle,
) -> None:
    listed = shipped.manifest.references
    assert listed is not None
    own = [replace(label, name=f"{label.name} anew") for label in listed.labels]
    labels = tuple(own[i] if i % 2 and i < 24 else label for i, label in enumerate(listed.labels))
    other = _with(shipped, references=References(listed.picture, labels), version="2")
    assert judge(other, shipped).told.endswith(
        "(44 drawn here, 32 that both bring, 12 of those that either brings, for it knows them)"
    )
    none = _with(shipped, references=None)
    assert judge(none, shipped).told.endswith("(44 drawn here)")


def test_models_without_cells_are_judged_by_their_kind_alone(shipped: Bundle) -> None:
    fields = _with(shipped, task="field")
    assert judge(fields, fields) == Verdict((), "names whole fields: not judged by labelled cells")
    assert len(judge(fields, shipped).reasons) == 1
    assert len(judge(shipped, fields).reasons) == 1
    strange = _with(shipped, classes=tuple(name.upper() for name in CLASSES), references=None)
    assert judge(strange, shipped).told == "no labelled cell can be shown to both: not compared by cells"


def test_drawn_cells_are_the_same_every_time_and_of_all_classes() -> None:
    cells = drawn_cells(tuple(CLASSES))
    assert Counter(cell.named for cell in cells) == dict.fromkeys(CLASSES, 4)
    digest = hashlib.sha256(b"".join(cell.pixels.tobytes() for cell in cells)).digest()
    drawn_cells.cache_clear()
    again = drawn_cells(tuple(CLASSES))
    assert hashlib.sha256(b"".join(cell.pixels.tobytes() for cell in again)).digest() == digest
    assert drawn_cells(("nothing",)) == ()
    assert len(drawn_cells(("blast", "other"))) == 44


def test_what_a_crop_can_be_cut_from() -> None:
    crop = np.arange(96 * 96 * 3, dtype=np.uint32).astype(np.uint8).reshape(96, 96, 3)
    plain = ModelInput(0.25, 96, (WHITE_BALANCE,))
    cell = Brought("blast", crop, plain)
    assert cell.shown(plain) is crop
    smaller = cell.shown(ModelInput(0.25, 80, (WHITE_BALANCE,)))
    assert smaller is not None
    np.testing.assert_array_equal(smaller, crop[8:88, 8:88])
    for other in (
        ModelInput(0.25, 112, (WHITE_BALANCE,)),
        ModelInput(0.2, 80, (WHITE_BALANCE,)),
        ModelInput(0.25, 80, ()),
        ModelInput(0.25, 96, (WHITE_BALANCE, "resize:80")),
    ):
        assert cell.shown(other) is None
    assert Drawn("blast", crop, 0.1).shown(ModelInput(0.25, 96, (), whole=True)) is None


def test_the_sign_test_is_exact() -> None:
    assert tail(0, 0, 0.5) == 1.0
    assert tail(5, 5, 0.5) == pytest.approx(1 / 32)
    assert tail(4, 5, 0.5) == pytest.approx(6 / 32)
    assert tail(2, 3, 0.2) == pytest.approx(3 * 0.04 * 0.8 + 0.008)
