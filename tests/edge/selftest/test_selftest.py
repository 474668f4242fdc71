"""The golden cases on this machine: what passes, what falls back with which words, what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge import runtimes
from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.machine.processor import instructions
from edge.machine.profile import RuntimeSettings
from edge.runtimes import GraphError
from edge.selftest import outcome, selftest
from edge.selftest.golden import Golden
from edge.selftest.selftest import SelftestError, choose
from tests.conftest import golden as cases
from tests.conftest import graph, graph_for_black

Make = Callable[..., Path]
Two = Callable[..., Bundle]


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Says how many times as fast as FP32 everything is."""
    return lambda speed: monkeypatch.setattr(selftest, "_against_fp32", lambda *_: (speed, []))


def _choose(model: Bundle, lines: list[str], folder: Path | None = None, runtime: str = "ort") -> str:
    settings = RuntimeSettings(runtime, "auto", 1)  # type: ignore[arg-type]
    classifier = choose(model, settings, folder=folder, tell=lines.append)
    classifier.close()
    return classifier.runtime


def test_the_shipped_bundle_passes(lines: list[str], tmp_path: Path) -> None:
    chosen = _choose(bundle.load(bundle.shipped_path()), lines, tmp_path, "auto")
    assert chosen in bundle.load(bundle.shipped_path()).manifest.usable
    assert not [line for line in lines if "does not pass" in line]


def test_the_faster_precision_is_taken(
    two_precisions: Two, lines: list[str], timed: Callable[[float], None]
) -> None:
    timed(2.0)
    assert _choose(two_precisions(), lines) == "ort-int8"
    assert lines == []


def test_int8_that_is_no_faster_is_not_used(
    two_precisions: Two, lines: list[str], timed: Callable[[float], None]
) -> None:
    timed(1.01)
    assert _choose(two_precisions(), lines) == "ort-fp32"
    assert lines == ["ort-int8 is 1.01 times as fast as FP32 on this machine: not used"]


def test_int8_that_answers_otherwise_falls_back_with_a_line(
    two_precisions: Two, lines: list[str], tmp_path: Path
) -> None:
    model = two_precisions({"int8.onnx": graph(seed=1)})
    classifier = choose(model, RuntimeSettings("ort", "auto", 1), folder=tmp_path, tell=lines.append)
    assert classifier.runtime == "ort-fp32"
    (line,) = lines
    assert line.startswith(
        "ort-int8 does not pass its self-test on this machine (golden/0.png: a probability"
    )
    assert line.endswith("not used")
    assert classifier.note == line
    again = choose(model, RuntimeSettings("ort", "auto", 1), folder=tmp_path, tell=lines.append)
    assert lines == [line, line]
    assert again.note == line


def test_a_graph_that_does_not_run_falls_back_too(two_precisions: Two, lines: list[str]) -> None:
    model = onnx.load_from_string(graph())
    model.graph.node[0].op_type = "Nonsense"
    assert _choose(two_precisions({"int8.onnx": bytes(model.SerializeToString())}), lines) == "ort-fp32"
    assert "does not load" in lines[0]


def test_a_graph_that_loads_and_fails_when_it_runs_falls_back_too(
    two_precisions: Two, lines: list[str]
) -> None:
    assert _choose(two_precisions({"int8.onnx": graph_for_black()}), lines) == "ort-fp32"
    (line,) = lines
    words = "ort-int8 does not pass its self-test on this machine (runtime ort: the graph failed"
    assert line.startswith(words)


def test_int8_is_taken_where_fp32_fails_when_it_runs(two_precisions: Two, lines: list[str]) -> None:
    assert _choose(two_precisions({"classifier.onnx": graph_for_black()}), lines) == "ort-int8"
    assert lines == []


def test_a_segmenter_that_fails_when_it_runs_is_told_with_its_bundle(
    two_precisions: Two, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise GraphError("runtime ort: the graph failed (no)")

    model = two_precisions()
    monkeypatch.setattr(Golden, "unlike", fail)
    with pytest.raises(
        SelftestError, match=r"self-test of bundle .*small.bundle: runtime ort: the graph failed"
    ):
        _choose(model, lines)


def test_a_precision_that_the_gate_refused_is_not_tried(make_bundle: Make, lines: list[str]) -> None:
    whole = {"classifier.onnx": graph(), "int8.onnx": graph()}
    graphs = {"classifier": {"ort-fp32": "classifier.onnx", "ort-int8": "int8.onnx"}}
    refused = {"ort-int8": {"usable": False, "why": "sensitivity fell by 0.02"}}
    path = make_bundle(members=whole | cases(whole), graphs=graphs, precisions=refused)
    assert _choose(bundle.load(path, allow_unsigned=True), lines) == "ort-fp32"
    assert lines == []


def test_when_even_fp32_fails_nothing_runs(two_precisions: Two, lines: list[str], tmp_path: Path) -> None:
    other = graph(seed=1)
    with pytest.raises(SelftestError, match=r"ort-fp32 does not pass .*nothing is screened with it"):
        _choose(two_precisions({"int8.onnx": other, "classifier.onnx": other}), lines, tmp_path)
    assert not (tmp_path / outcome.FILE).exists()


def test_a_runtime_that_is_not_there(two_precisions: Two, lines: list[str]) -> None:
    with pytest.raises(GraphError, match="abacus"):
        _choose(two_precisions(), lines, runtime="abacus")


# -- what is measured ----------------------------------------------------------------------------------------


def _outcome(model: Bundle, lines: list[str], folder: Path) -> outcome.Outcome:
    settings = RuntimeSettings("ort", "auto", 1)
    choose(model, settings, folder=folder, tell=lines.append).close()
    found = selftest.last(model, settings, folder=folder)
    assert found is not None
    return found


def test_every_precision_is_told_with_time_and_error(
    two_precisions: Two, lines: list[str], tmp_path: Path
) -> None:
    found = _outcome(two_precisions(), lines, tmp_path)  # the same graph under two names
    assert found.instructions == instructions()
    assert [trial.variant for trial in found.trials] == ["ort-int8", "ort-fp32"]
    for trial in found.trials:
        assert trial.few_ms is not None
        assert trial.many_ms is not None
        assert min(trial.few_ms, trial.many_ms) > 0
        assert trial.largest is not None
        assert trial.mean is not None
        assert 0 <= trial.mean <= trial.largest < 1e-4  # rounded to five digits
        assert (trial.why == "") == (trial.variant == found.variant)
        assert not trial.why or "times as fast" in trial.why


def test_what_fails_is_told_without_figures(two_precisions: Two, lines: list[str], tmp_path: Path) -> None:
    found = _outcome(two_precisions({"int8.onnx": graph(seed=1)}), lines, tmp_path)
    failed, used = found.trials
    assert (failed.variant, failed.few_ms, failed.largest) == ("ort-int8", None, None)
    assert failed.why.startswith("does not pass its self-test on this machine (golden/0.png: a probability")
    assert (used.variant, used.why, used.few_ms) == ("ort-fp32", "", None)  # there was nothing to time it by
    assert used.largest is not None


def test_the_change_against_fp32_is_that_of_the_graph(two_precisions: Two) -> None:
    model = two_precisions({"int8.onnx": graph(seed=1)})
    golden = Golden(model)
    crops = np.concatenate([case.crops for case in golden.cases])
    one, other = (
        Classifier(model, variant=variant).probabilities(crops) for variant in ("ort-int8", "ort-fp32")
    )
    largest, mean = golden.change(Classifier(model, variant="ort-int8"))
    assert largest == pytest.approx(np.abs(one - other).max(), abs=1e-4)
    assert mean == pytest.approx(np.abs(one - other).mean(), abs=1e-4)


# -- what is kept --------------------------------------------------------------------------------------------


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one for each time that the golden cases are run."""
    ran: list[str] = []
    original = Golden.differences

    def counted(self: Golden, classifier: Classifier) -> list[str]:
        ran.append(classifier.runtime)
        return original(self, classifier)

    monkeypatch.setattr(Golden, "differences", counted)
    return ran


def test_the_outcome_is_kept(
    two_precisions: Two, lines: list[str], tmp_path: Path, runs: list[str],
    monkeypatch: pytest.MonkeyPatch, timed: Callable[[float], None],
) -> None:  # fmt: skip
    timed(2.0)
    for _ in range(3):
        assert _choose(two_precisions(), lines, tmp_path) == "ort-int8"
    assert runs == ["ort-int8"]
    monkeypatch.setattr("edge.runtimes.ort.OnnxRuntime.version", "onnxruntime 99")
    _choose(two_precisions(), lines, tmp_path)
    assert runs == ["ort-int8"] * 2
    monkeypatch.setattr(selftest, "called", lambda: "another")
    _choose(two_precisions(), lines, tmp_path)
    assert runs == ["ort-int8"] * 3
    kept = json.loads((tmp_path / outcome.FILE).read_text())
    assert [outcome["variant"] for outcome in kept.values()] == ["ort-int8"] * 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', "null", "\x00", '{"a": {"variant": 3}}'])
def test_a_damaged_file_is_written_anew(
    two_precisions: Two, lines: list[str], tmp_path: Path, runs: list[str], content: str
) -> None:
    (tmp_path / outcome.FILE).write_text(content)
    for _ in range(2):
        _choose(two_precisions(), lines, tmp_path)
    assert runs.count("ort-int8") == 1
    assert lines == lines[:1]


def test_a_kept_outcome_that_is_nonsense_is_run_again(
    two_precisions: Two, lines: list[str], tmp_path: Path, runs: list[str]
) -> None:
    _choose(two_precisions(), lines, tmp_path)
    kept = json.loads((tmp_path / outcome.FILE).read_text())
    wrong_trial = {"trials": [{"variant": "ort-fp32", "few_ms": "quick", "why": ""}]}
    for change in ({"variant": "trt-int4"}, {"version": 1}, {"speed": -1}, {"trials": 1}, wrong_trial):
        before = len(runs)
        wrong = {key: outcome | change for key, outcome in kept.items()}
        (tmp_path / outcome.FILE).write_text(json.dumps(wrong))
        _choose(two_precisions(), lines, tmp_path)
        assert len(runs) > before


@pytest.mark.parametrize("failure", [PermissionError(13, "no"), OSError(28, "No space left on device")])
def test_a_folder_that_cannot_be_written_stops_nothing(
    two_precisions: Two,
    lines: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: OSError,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("edge.files.atomic.write", fail)
    assert _choose(two_precisions(), lines, tmp_path / "new")
    (tmp_path / "file").touch()
    assert _choose(two_precisions(), lines, tmp_path / "file" / "below")


def test_only_the_newest_outcomes_are_kept(two_precisions: Two, lines: list[str], tmp_path: Path) -> None:
    (tmp_path / outcome.FILE).write_text(json.dumps({str(i): {} for i in range(50)}))
    _choose(two_precisions(), lines, tmp_path)
    kept = json.loads((tmp_path / outcome.FILE).read_text())
    assert len(kept) == 20
    assert next(iter(kept)) == "31"


# -- TensorRT, played by ONNX Runtime ------------------------------------------------------------------------


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine on which TensorRT works, but for the precisions in the list."""
    broken: list[str] = []
    real = runtimes.open_runtime

    def opened(kind: str, content: bytes, *, precision: str, **settings: Any) -> runtimes.Runtime:
        if kind == "trt" and precision in broken:
            raise GraphError(f"runtime trt: TensorRT does not take the graph for {precision}")
        runtime = real("ort", content, precision=precision, **settings)
        runtime.name = f"{kind}-{precision}"
        return runtime

    monkeypatch.setattr("edge.cells.classify.open_runtime", opened)
    monkeypatch.setattr(selftest, "why_not", lambda kind: None)
    monkeypatch.setattr(selftest, "_against_fp32", lambda *_: (2.0, []))
    return broken


@pytest.fixture
def five(make_bundle: Make) -> Bundle:
    """A bundle with every variant."""
    whole = {f"{name}.onnx": graph() for name in ("classifier", "fp16", "int8")}
    members = {"ort-fp32": "classifier", "ort-int8": "int8", "trt-fp32": "classifier", "trt-fp16": "fp16",
               "trt-int8": "int8"}  # fmt: skip
    path = make_bundle(
        members=whole | cases(whole),
        graphs={"classifier": {variant: f"{name}.onnx" for variant, name in members.items()}},
        precisions={v: {"usable": True, "why": ""} for v in ("ort-int8", "trt-fp16", "trt-int8")},
    )
    return bundle.load(path, allow_unsigned=True)


def test_the_order_of_falling_back(five: Bundle, gpu: list[str], lines: list[str]) -> None:
    order = ["trt-int8", "trt-fp16", "trt-fp32", "ort-int8"]
    for failed, wanted in zip((None, "int8", "fp16", "fp32"), order, strict=True):
        gpu += [failed] if failed else []
        lines.clear()
        assert _choose(five, lines, runtime="auto") == wanted
        assert [line.split()[0] for line in lines] == order[: order.index(wanted)]
    with pytest.raises(SelftestError, match="TensorRT does not take the graph for fp32"):
        _choose(five, lines, runtime="trt")
    assert _choose(five, lines, runtime="ort") == "ort-int8"


def test_an_outcome_with_tensorrt_is_not_one_without(
    five: Bundle, gpu: list[str], lines: list[str], tmp_path: Path, runs: list[str]
) -> None:
    _choose(five, lines, tmp_path, "auto")
    _choose(five, lines, tmp_path, "ort")
    _choose(five, lines, tmp_path, "auto")
    assert runs == ["trt-int8", "ort-int8"]
