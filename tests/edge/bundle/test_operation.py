"""How often a model errs: the laboratories' table, and the site's own figures in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.bundle import bundle, operation
from edge.bundle.operation import ErrorRates, Spread, of_site, site_file

ELSEWHERE = ErrorRates(Spread(0.3, 0.1, 0.6), Spread(0.1, 0.0, 0.4), "left out")
HERE = Spread(0.004, 0.0, 0.012)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / operation.SITE_FILE
    path.write_text(site_file("a@0.2", HERE, "3 healthy slides"))
    return path


def test_the_sites_own_false_blasts_stand_in_place_of_the_laboratories(site: Path) -> None:
    rates = of_site(site, "a@0.2", ELSEWHERE)
    assert rates == ErrorRates(ELSEWHERE.sensitivity, HERE, "3 healthy slides", "site")


def test_another_models_figures_are_not_taken(site: Path) -> None:
    assert of_site(site, "a@0.3", ELSEWHERE) is None
    assert of_site(site.with_name("absent.json"), "a@0.2", ELSEWHERE) is None


def test_a_site_that_measured_both_needs_no_table(tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(site_file("a@0.2", HERE, "control slides", Spread(0.8, 0.7, 0.9)))
    rates = of_site(path, "a@0.2", None)
    assert rates is not None
    assert rates.sensitivity.low == 0.7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "must be an object"),
        ('{"format": 9}', "format is 9"),
        ('{"format": 1, "network": "a@0.2", "source": "x"}', "false_blasts is missing"),
        (site_file("a@0.2", HERE, "x").replace("0.012", "7"), "high is 7"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        of_site(path, "a@0.2", ELSEWHERE)


def test_without_any_sensitivity_it_is_said(site: Path) -> None:
    with pytest.raises(ValueError, match="measures no sensitivity"):
        of_site(site, "a@0.2", None)


def test_the_simulated_microscopes_figures_are_of_the_shipped_model() -> None:
    about = bundle.load(bundle.shipped_path()).manifest
    rates = of_site(operation.DEMO_FILE, about.network, None)
    assert rates is not None
    assert rates.place == "site"
    assert rates.false_blasts.high < 0.05 < rates.sensitivity.low
    assert about.operation is not None
    assert about.operation.place == "laboratories"
