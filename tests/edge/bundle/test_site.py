"""What a site knows of a network: its threshold, its rates, its correction of the last layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge.bundle.manifest import Thresholds
from edge.bundle.operation import ErrorRates, Spread
from edge.bundle.site import Correction, in_words
from tests.conftest import CLASSES
from tests.edge.bundle.sites import HEALTHY, HERE, correction, site

ELSEWHERE = ErrorRates(Spread(0.3, 0.1, 0.6), Spread(0.1, 0.0, 0.4), "left out")
MEASURED, LENT = Spread(0.8, 0.7, 0.9), Spread(0.7, 0.5, 0.9)


def test_false_blasts_are_the_sites_and_the_sensitivity_the_nearest_that_is_known() -> None:
    lending = replace(ELSEWHERE, sensitivity_at_site=LENT)
    for own, elsewhere, wanted in (
        (None, ELSEWHERE, ELSEWHERE.sensitivity),
        (None, lending, LENT),
        (MEASURED, lending, MEASURED),
        (MEASURED, None, MEASURED),
    ):
        assert site(sensitivity=own).rates(elsewhere) == ErrorRates(wanted, HERE, HEALTHY.source, "site")
    assert site().rates(None) is None


def test_a_site_with_only_a_correction_keeps_the_rates_of_elsewhere() -> None:
    only = site(healthy=None, correction=correction(), sensitivity=MEASURED)
    assert only.rates(ELSEWHERE) is ELSEWHERE
    assert only.rates(None) is None


def test_what_was_certain_is_so_only_above_the_sites_threshold() -> None:
    assert site().thresholds(Thresholds(0.2, 0.4, 0.25)) == Thresholds(0.31, 0.4, 0.31)
    assert site().thresholds(Thresholds(0.2, 0.4, 0.9)) == Thresholds(0.31, 0.4, 0.9)
    shipped = Thresholds(0.2, 0.4, 0.9)
    assert site(healthy=None, correction=correction()).thresholds(shipped) is shipped


def test_a_correction_adds_to_log_probabilities() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(len(CLASSES)), 5).astype(np.float32)
    features = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(correction()(shares, features), shares, rtol=1e-5)
    twice = correction(blast=np.log(2))(shares, features)
    odds = shares[:, 0] / (1 - shares[:, 0])
    np.testing.assert_allclose(twice[:, 0] / (1 - twice[:, 0]), 2 * odds, rtol=1e-4)
    np.testing.assert_allclose(twice.sum(axis=1), 1, rtol=1e-5)


def test_features_that_are_no_numbers_leave_a_cell_as_it_ships() -> None:
    shares = np.full((4, 2), 0.5, np.float32)
    read = Correction(np.array([[1], [0]], np.float32), np.full(2, 1e-6, np.float32), {}, "", {})
    huge = replace(read, weights=read.weights * np.float32(1e6))
    features = np.array([[np.nan], [np.inf], [-np.inf], [1]], np.float32)
    for corrected in (read(shares, features), huge(shares, features * np.float32(1e38))):
        np.testing.assert_array_equal(corrected[:3], shares[:3])
        assert np.isfinite(corrected).all()
    assert read(shares, features)[3, 0] > 0.7


def test_its_record_and_the_words_for_it() -> None:
    signed = replace(site(correction=correction()), key="ab" * 32, file="0123456789abcdef")
    assert signed.record() == {
        "file": "0123456789abcdef",
        "made_at": "2026-11-02T08:00:00+00:00",
        "made_by": "a box",
        "key": "ab" * 32,
        "threshold": 0.31,
        "cells": 1204,
        "slides": 2,
        "corrected_by": 40,
    }
    assert in_words(signed.record()) == (
        "positive from 0.31 on, by 1204 normal cells of 2 slides; last layer fitted to 40 cells "
        "(made 2026-11-02, file 0123456789abcdef, key abababababababab)"
    )
    unsigned = replace(site(healthy=None, correction=correction()), file="0" * 16, made_at="")
    assert in_words(unsigned.record()) == f"last layer fitted to 40 cells (file {'0' * 16})"
