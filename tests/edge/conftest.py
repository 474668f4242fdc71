"""What tests of the device application share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

import pytest

from edge.bundle import bundle, onnxfile
from edge.cameras.demo import camera
from edge.machine.profile import data_folder, load_profile
from edge.selftest import outcome, selftest

# programs that tests start need not compile every module anew, whatever the shell says that tests run in
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_scope_of = cache(camera.scope_of)
_smear, _sensor = lru_cache(4)(camera.Smear), lru_cache(4)(camera.Sensor)
_check = lru_cache(16)(onnxfile.check)


@pytest.fixture(autouse=True)
def _drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated cameras of one seed look at one slide, through one sensor: neither changes as they look."""
    monkeypatch.setattr(camera, "scope_of", _scope_of)
    monkeypatch.setattr(camera, "Smear", _smear)
    monkeypatch.setattr(camera, "Sensor", _sensor)


@pytest.fixture(autouse=True)
def _walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph in which no fault was found is not walked through again: most tests open the same bundle."""
    monkeypatch.setattr(onnxfile, "check", _check)


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Makes the files of a made-up machine, `tree({"sys/...": "content"})`, and says where its root is."""

    def make(files: dict[str, str]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return make


@pytest.fixture(scope="session")
def _outcome(made_once: Callable[..., Path]) -> Path:
    """The outcome of the shipped bundle's self-test where INT8 is faster, which a busy machine may deny."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(selftest, "_against_fp32", lambda *_: (2.0, []))
            selftest.choose(bundle.load(), load_profile().runtime, folder=folder, tell=print).close()

    return made_once("selftest", make) / outcome.FILE


@pytest.fixture
def tested(_outcome: Path) -> None:
    """This test's data folder holds the outcome of a self-test, so that a start has nothing to say of it."""
    shutil.copy(_outcome, data_folder())
