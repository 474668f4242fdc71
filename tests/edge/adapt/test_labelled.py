"""A last layer fitted to a few cells, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from edge.adapt import labelled
from edge.adapt.labelled import LabelledError, Named
from edge.bundle.site import Correction

CLASSES = ("blast", "lymphocyte", "monocyte", "neutrophil", "artefact")
BLAST, LYMPHOCYTE, MONOCYTE, NEUTROPHIL, ARTEFACT = range(5)


def cells(n: int, kinds: tuple[int, ...], seed: int = 0, groups: int = 0) -> Named:
    """Cells whose features tell their kind, which the model as it ships confuses."""
    rng = np.random.default_rng(seed)
    labels = np.array([kinds[i % len(kinds)] for i in range(n)], np.int32)
    features = rng.normal(0, 0.3, (n, 12)).astype(np.float32)
    features[np.arange(n), labels] += 1.5
    probabilities = rng.dirichlet(np.full(5, 2.0), n).astype(np.float32)
    return Named(
        probabilities, features, labels, np.array([f"p{i % groups}" if groups else "" for i in range(n)])
    )


def correction(of: Named, strength: float = 0.1) -> Correction:
    return Correction(*labelled.fit(of, strength), {}, "", {})


def test_cells_that_it_never_saw_are_named_better() -> None:
    learned, others = cells(40, (LYMPHOCYTE, MONOCYTE, NEUTROPHIL)), cells(300, (LYMPHOCYTE, NEUTROPHIL), 1)
    after = correction(learned)(others.probabilities, others.features)
    shown = [LYMPHOCYTE, MONOCYTE, NEUTROPHIL]
    right = np.array(shown)[after[:, shown].argmax(axis=1)] == others.labels
    before = np.array(shown)[others.probabilities[:, shown].argmax(axis=1)] == others.labels
    assert before.mean() < 0.6
    assert right.mean() > 0.95
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-5)


def test_what_was_not_shown_keeps_its_probability() -> None:
    learned, blasts = cells(60, (LYMPHOCYTE, NEUTROPHIL)), cells(100, (BLAST,), 2)
    found = correction(learned)
    assert not found.weights[[BLAST, MONOCYTE, ARTEFACT]].any()
    after = found(blasts.probabilities, blasts.features)
    for kept in (BLAST, MONOCYTE, ARTEFACT):
        np.testing.assert_array_equal(after[:, kept], blasts.probabilities[:, kept])
    assert not np.allclose(after[:, LYMPHOCYTE], blasts.probabilities[:, LYMPHOCYTE])


def test_blasts_that_were_shown_are_learned() -> None:
    learned, blasts = cells(60, (BLAST, LYMPHOCYTE)), cells(100, (BLAST,), 2)
    after = correction(learned)(blasts.probabilities, blasts.features)
    assert (after[:, BLAST] > blasts.probabilities[:, BLAST]).mean() > 0.95


def test_nothing_at_all_is_as_it_ships() -> None:
    some = cells(20, (LYMPHOCYTE, NEUTROPHIL))
    none = Correction(np.zeros((5, 12), np.float32), np.zeros(5, np.float32), {}, "", {})
    np.testing.assert_array_equal(none(some.probabilities, some.features), some.probabilities)
    weak = correction(some, 1e9)(some.probabilities, some.features)
    np.testing.assert_allclose(weak, some.probabilities, atol=1e-4)


def test_a_feature_that_is_no_number_changes_nothing() -> None:
    some = cells(20, (LYMPHOCYTE, NEUTROPHIL))
    found, broken = correction(some), some.features.copy()
    broken[3, 1], broken[4, 2] = np.nan, np.inf
    after = found(some.probabilities, broken)
    assert np.isfinite(after).all()
    np.testing.assert_array_equal(after[3:5], some.probabilities[3:5])


def test_it_is_where_the_likelihood_has_no_slope() -> None:
    some, strength = cells(30, (LYMPHOCYTE, MONOCYTE, NEUTROPHIL)), 0.3
    shown = [LYMPHOCYTE, MONOCYTE, NEUTROPHIL]
    x = some.features.astype(np.float64)
    middle = x.mean(axis=0)
    scale = np.sqrt(((x - middle) ** 2).sum(axis=1).mean())
    x = np.append((x - middle) / scale, np.ones((len(x), 1)), axis=1)
    weights, bias = (part[shown].astype(np.float64) for part in labelled.fit(some, strength))
    theta = np.append(weights.T * scale, (bias + weights @ middle)[None], axis=0)
    logits = np.log(some.probabilities[:, shown]) + x @ theta
    said = np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])
    slope = x.T @ ((some.labels[:, None] == shown) - said) - strength * theta
    assert np.abs(slope).max() < 2e-2


def test_one_class_alone_teaches_nothing() -> None:
    weights, bias = labelled.fit(cells(20, (NEUTROPHIL,)), 1)
    assert not weights.any()
    assert not bias.any()


def test_the_strength_is_what_cells_left_out_ask_for() -> None:
    some = cells(40, (LYMPHOCYTE, NEUTROPHIL))
    strength, answers = labelled.chosen(some)
    assert strength < labelled.STRENGTHS[0]
    assert labelled.likelihood(answers, some.labels) > labelled.likelihood(some.probabilities, some.labels)
    rng = np.random.default_rng(5)  # names that have nothing to do with the cells
    noise = Named(some.probabilities, some.features, rng.choice([1, 3], 40).astype(np.int32), some.groups)
    assert labelled.chosen(noise)[0] == labelled.STRENGTHS[0]


def test_what_is_left_out_had_no_part_in_the_fit() -> None:
    some = cells(24, (LYMPHOCYTE, NEUTROPHIL))
    answers = labelled.left_out(some, 0.1)
    rest = correction(some.of(np.arange(1, 24)))
    np.testing.assert_allclose(answers[0], rest(some.probabilities[:1], some.features[:1])[0], atol=1e-5)


def test_what_belongs_together_is_left_out_together() -> None:
    alone, grouped = cells(30, (1, 2, 3)), cells(30, (1, 2, 3), groups=5)
    assert [len(part) for part in labelled.parts(alone)] == [1] * 30
    assert sorted(len(part) for part in labelled.parts(grouped)) == [6] * 5
    assert len(labelled.parts(cells(30, (1, 2), groups=2))) == 30  # two people are too few to tell
    # a series for each class says nothing of people
    by_class = Named(alone.probabilities, alone.features, alone.labels, alone.labels.astype(str))
    assert len(labelled.parts(by_class)) == 30
    many = labelled.parts(cells(250, (1, 2, 3)))
    assert len(many) == 10
    np.testing.assert_array_equal(np.sort(np.concatenate(many)), np.arange(250))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("p3_017.png", "p3"),
        ("a/Anna-2.bmp", "Anna"),
        ("017.png", ""),
        ("IMG12 (3).jpg", "IMG12 (3)"),
        ("x", "x"),
    ],
)
def test_what_files_of_a_series_have_in_common(name: str, wanted: str) -> None:
    assert labelled.prefix(name) == wanted


@pytest.mark.parametrize(
    ("some", "told"),
    [
        (cells(12, (1, 3)), "12 named cells (6 lymphocyte, 6 neutrophil): 8 more are needed"),
        (cells(30, (3,)), "30 named cells, all neutrophil: name cells of another class too"),
        (cells(0, (3,)), "0 named cells (none): 20 more are needed"),
    ],
)
def test_too_little_to_learn_from(some: Named, told: str) -> None:
    with pytest.raises(LabelledError) as caught:
        labelled.check(some, CLASSES)
    assert told in str(caught.value)
