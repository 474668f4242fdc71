"""One assembly for every command: what the profile asks for is what computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge import cli, device
from edge.bench.rig import rig
from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.segment import segment
from edge.line.engine import open_engine
from edge.machine.profile import data_folder, load_profile
from edge.runtimes import GraphError
from edge.selftest import outcome, selftest

Profile = Callable[..., Path]


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """INT8 is always faster, and OpenCV has its threads back afterwards."""
    monkeypatch.setattr(selftest, "_against_fp32", lambda *_: (2.0, []))
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Writes a profile of one's own: this machine's but for the runtime's precision."""

    def make(precision: str) -> Path:
        shipped = Path(str(cli.__file__)).parents[1] / "firmware_config/profiles/generic-x86-64.toml"
        text = shipped.read_text().replace('precision = "auto"', f'precision = "{precision}"')
        path = tmp_path / f"{precision}.toml"
        path.write_text(text)
        return path

    return make


def _kept() -> list[dict[str, Any]]:
    """The outcomes of the self-tests that were made."""
    return list(json.loads((data_folder() / outcome.FILE).read_text()).values())


@pytest.mark.parametrize(("precision", "variant"), [("fp32", "ort-fp32"), ("auto", "ort-int8")])
def test_the_profiles_precision_is_taken(
    profile: Profile, two_precisions: Callable[..., Bundle], precision: str, variant: str
) -> None:
    asked = load_profile(str(profile(precision)))
    asked = replace(asked, images=replace(asked.images, threads=3))
    with closing(open_engine(asked, two_precisions(), None, pytest.fail)) as engine:
        assert engine.classifier.runtime == variant
        assert (engine.find, engine.profile) == (segment, asked)
        assert cv2.getNumThreads() == 3
    engine.close()


def test_the_runtime_that_was_asked_for_goes_before_the_profiles(
    two_precisions: Callable[..., Bundle],
) -> None:
    profile = load_profile()
    elsewhere = replace(profile, runtime=replace(profile.runtime, kind="trt"))
    with closing(open_engine(elsewhere, two_precisions(), "ort", pytest.fail)) as engine:
        assert engine.profile.runtime == replace(profile.runtime, kind="ort")
    with pytest.raises(GraphError, match="abacus"):
        open_engine(profile, two_precisions(), "abacus", pytest.fail)  # type: ignore[arg-type]


def test_every_command_takes_the_profiles_precision(
    profile: Profile,
    two_precisions: Callable[..., Bundle],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, opened = str(profile("fp32")), two_precisions()
    with rig(opened.path, allow_unsigned=True, profile_name=given) as rigged:
        assert rigged.describe()["variant"] == "ort-fp32"
    monkeypatch.setattr(bundle, "opened", lambda *_, **__: opened)  # as if it were signed
    assert device.main(["update", str(opened.path), "--even-so", "--profile", given]) == 0
    run = ["--camera", "demo", "--headless", "--no-records", "--max-frames", "1", "--json", "-"]
    assert cli.main([*run, "--bundle", str(opened.path), "--allow-unsigned", "--profile", given]) == 0
    start = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    assert json.loads(start)["runtime"] == "ort-fp32"
    assert [outcome["variant"] for outcome in _kept()] == ["ort-fp32"], "made once, and found again"
