"""The site's file: written, signed, read again; what was altered or is no such file."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.bundle import bundle, devicekey, sitefile
from edge.bundle.devicekey import DeviceKeyError
from edge.bundle.operation import Spread
from edge.machine.profile import data_folder
from tests.conftest import CLASSES
from tests.edge.bundle.sites import correction, site

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / sitefile.FILE


def _signed(path: Path, change: Change) -> Path:
    """A site's file by this device in which something was changed before it was signed."""
    key = Ed25519PrivateKey.generate()
    whole = json.loads(sitefile.text(site(correction=correction(), sensitivity=Spread(0.8, 0.7, 0.9)), key))
    change(whole["site"])
    told = json.dumps(whole["site"], sort_keys=True, separators=(",", ":")).encode()
    whole["signature"]["ed25519"] = base64.b64encode(key.sign(told)).decode()
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(whole))
    return path


def test_it_is_read_as_it_was_written(path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(len(CLASSES), 3)).astype(np.float32)
    fitted = replace(correction(), weights=weights, bias=weights[:, 0] / 3)
    wanted = site(correction=fitted, sensitivity=Spread(0.8, 0.7, 0.9))
    sitefile.write(path, wanted)
    found = sitefile.read(path)
    assert found.correction is not None
    np.testing.assert_array_equal(found.correction.weights, fitted.weights)
    np.testing.assert_array_equal(found.correction.bias, fitted.bias)
    assert replace(found.correction, weights=weights, bias=fitted.bias).__dict__ == fitted.__dict__
    assert (found.network, found.healthy, found.sensitivity, found.made_at, found.made_by) == (
        wanted.network, wanted.healthy, wanted.sensitivity, wanted.made_at, wanted.made_by,
    )  # fmt: skip
    assert found.key == devicekey.own()
    assert found.file == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_devices_own_is_found_by_its_fingerprint() -> None:
    assert sitefile.own("") is None
    sitefile.write(sitefile.own_path(), site())
    kept = sitefile.read(sitefile.own_path())
    found = sitefile.own(kept.file)
    assert found is not None
    assert found.healthy == kept.healthy
    assert sitefile.own("0" * 16) is None


def test_the_key_is_made_once_and_its_owners_alone(path: Path) -> None:
    assert devicekey.own() is None
    sitefile.write(path, site())
    kept = data_folder() / devicekey.FILE
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    before = kept.read_bytes()
    sitefile.write(path, site())
    assert kept.read_bytes() == before


def test_a_key_that_is_damaged_is_told(path: Path) -> None:
    sitefile.write(path, site())
    (data_folder() / devicekey.FILE).write_text("gone bad")
    with pytest.raises(DeviceKeyError, match=r"device\.pem: holds no Ed25519 key; move it away"):
        sitefile.write(path, site())
    assert not sitefile.is_of_another_device(sitefile.read(path))  # screening goes on


def test_another_devices_is_read_and_known_for_it(path: Path) -> None:
    sitefile.write(path, site())
    assert not sitefile.is_of_another_device(sitefile.read(path))
    (data_folder() / devicekey.FILE).unlink()
    assert sitefile.is_of_another_device(sitefile.read(path))


@pytest.mark.parametrize("was", ["0.31", '"a@0.2"', "2 healthy", '"ed25519": "'])
def test_what_was_altered_is_refused(path: Path, was: str) -> None:
    sitefile.write(path, site())
    told = path.read_text()
    assert was in told
    path.write_text(told.replace(was, was.replace("2", "4").replace("0.31", "0.29").replace(': "', ': "A')))
    with pytest.raises(ValueError, match="was altered since it was made"):
        sitefile.read(path)


def test_how_it_is_laid_out_on_the_page_does_not_matter(path: Path) -> None:
    sitefile.write(path, site())
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert sitefile.read(path).healthy == site().healthy


def test_only_the_shipped_one_may_be_unsigned(path: Path, tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(sitefile.text(site()))
    with pytest.raises(ValueError, match="is not signed by the device that measured it"):
        sitefile.read(path)
    shipped = sitefile.read(sitefile.DEMO)
    assert (shipped.key, sitefile.is_of_another_device(shipped)) == ("", False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "must be an object"),
        ('{"format": 1, "network": "a@0.2"}', "format is 1"),
        ('{"format": 2}', "site is missing"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        sitefile.read(path)
    with pytest.raises(ValueError, match="is no file"):
        sitefile.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        sitefile.read(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told.pop("network"), "network is missing"),
        (lambda told: told.update(made_at="yesterday"), "made_at is 'yesterday'"),
        (lambda told: (told.pop("healthy"), told.pop("correction")), "neither a threshold"),
        (lambda told: told["healthy"].update(threshold=1.2), "healthy.threshold is 1.2"),
        (lambda told: told["healthy"].update(called=2000), "healthy.called is 2000"),
        (lambda told: told["healthy"].update(cells=0), "healthy.cells is 0"),
        (lambda told: told["healthy"]["false_blasts"].update(high=7), "healthy.false_blasts.high is 7"),
        (lambda told: told["healthy"]["by_type"].update({"": {}}), "a class is called ''"),
        (lambda told: told["correction"].update(features=4), "correction.weights is a list of 33"),
        (lambda told: told["correction"].update(bias=[0.0]), "correction.bias is a list of 1"),
        (lambda told: told["correction"]["weights"].__setitem__(5, "x"), r"correction.weights\[5\] is 'x'"),
        (lambda told: told["correction"]["weights"].__setitem__(5, 1e9), r"correction.weights\[5\] is 1"),
        (lambda told: told["correction"]["gate"].update(change="much"), "correction.gate.change is 'much'"),
        (lambda told: told["sensitivity"].update(mean=0.1), "are not in order"),
    ],
)
def test_every_field_is_checked(path: Path, change: Change, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sitefile.read(_signed(path, change))


def test_what_is_no_number_is_not_written(path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        sitefile.write(path, site(correction=correction(blast=float("nan"))))
    assert not path.exists()


def test_the_simulated_microscopes_figures_are_of_the_shipped_model() -> None:
    about, found = bundle.load(bundle.shipped_path()).manifest, sitefile.read(sitefile.DEMO)
    assert found.network == about.network
    assert found.thresholds(about.thresholds) == about.thresholds
    rates = found.rates(None)
    assert rates is not None
    assert rates.place == "site"
    assert rates.false_blasts.high < 0.05 < rates.sensitivity.low
