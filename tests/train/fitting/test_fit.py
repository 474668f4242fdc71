from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from train import cli
from train.data.classes import CLASSES
from train.data.split import split_of
from train.data.windows import Windows
from train.fitting import checkpoint, classifier, fit, loop
from train.fitting.checkpoint import RunState
from train.fitting.classifier import Classifier, loss_of
from train.fitting.distributed import Process, ProcessError
from train.fitting.loop import precision_of
from train.fitting.provenance import SettingsError
from train.fitting.task import FitError, Run
from train.fitting.validation import watched
from train.judging.runs import of_run
from train.network.model import Architecture
from train.recipes.recipe import Input, Operation, Recipe, RecipeError, Training

SMALL = Recipe(
    name="small",
    title="for tests",
    shares={"deepapl": 1.0},
    input=Input(size_px=32, window_px=48),
    architecture=Architecture(stem=4, widths=(4, 8, 8), blocks=(1, 1, 1)),
    training=Training(epochs=2, samples=48, batch=16),
    operation=Operation(datasets=("deepapl",)),
)

TOML = """
name = "small"
title = "for tests"
shares = { deepapl = 1.0 }
input = { size_px = 32, window_px = 48 }
architecture = { stem = 4, widths = [4, 8, 8], blocks = [1, 1, 1] }
training = { epochs = 2, samples = 48, batch = 16 }
operation = { datasets = ["deepapl"] }
"""

PIXELS = np.full((2, 48, 48, 3), 200, np.uint8)


class PowerCutError(Exception):
    pass


def _fit(recipe: Recipe, data: Path, out: Path) -> Path:
    return fit.fit(recipe, data, out, cache=data.parent / "cache", notice=lambda _: None)


def _same(one: Path, other: Path) -> None:
    mine, yours = (torch.load(run / "model.pt", weights_only=True) for run in (one, other))
    assert mine.keys() == yours.keys()
    for name, value in mine.items():
        assert torch.equal(value, yours[name]), name
    ours = [json.loads((run / "metrics.json").read_text()) | {"finished": ""} for run in (one, other)]
    assert ours[0] == ours[1]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_a_run_killed_while_it_writes_ends_like_one_that_was_not(
    deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    """The process dies in the second epoch, its fifth checkpoint half on the disk."""
    data = deepapl()
    whole = _fit(SMALL, data, tmp_path / "whole")
    (tmp_path / "small.toml").write_text(TOML)
    broken = tmp_path / "broken"
    script = f"""
import os, signal
from train import cli
from train.fitting import checkpoint
write, written = checkpoint.atomic.write, []
def dying(path, content, mode):
    if path.name == "checkpoint.pt":
        written.append(path)
    if len(written) == 6:
        checkpoint.atomic.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    write(path, content, mode)
checkpoint.atomic.write = dying
cli.main(["fit", "--recipe", {str(tmp_path / "small.toml")!r}, "--data", {str(data)!r}, "--out",
    {str(broken)!r}, "--cache", {str(tmp_path / "cache")!r}, "--checkpoint-minutes", "0"])
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=600)
    assert killed.returncode == -9, killed.stderr.decode()
    assert len(list(broken.glob(".checkpoint.pt.*.part"))) == 1
    kept = torch.load(broken / "checkpoint.pt", weights_only=True)
    assert (kept["epoch"], kept["step"]) == (1, 1)
    with pytest.raises(FitError, match="not finished"):
        fit.load_network(broken)
    _same(whole, _fit(SMALL, data, broken))
    assert not list(broken.glob("*.part")) + list(broken.glob(".*.part"))
    assert len(json.loads((broken / "environment.json").read_text())) == 2


def test_wherever_a_run_stops_it_ends_the_same(
    deepapl: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = deepapl(patients=20, each=1)
    whole = _fit(SMALL, data, tmp_path / "whole")
    save, seen = checkpoint.save, []

    def stop(state: RunState, out: Path) -> None:
        save(state, out)
        seen.append((state.epoch, state.step))
        raise PowerCutError

    settings = {"cache": tmp_path / "cache", "checkpoint_s": 0.0, "notice": lambda _: None}
    with monkeypatch.context() as patched:
        patched.setattr(loop, "save", stop)
        for _ in range(8):
            with pytest.raises(PowerCutError):
                fit.fit(SMALL, data, tmp_path / "broken", **settings)  # type: ignore[arg-type]
    assert seen == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]
    _same(whole, _fit(SMALL, data, tmp_path / "broken"))


def test_what_it_takes_to_repeat_a_run_lies_beside_it(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    out = _fit(SMALL, deepapl(), tmp_path / "run")
    recipe, settings = fit.settings_of(out)
    assert recipe == SMALL
    assert (settings["precision"], settings["processes"], settings["limit"]) == ("bf16", 1, 0)
    (start,) = json.loads((out / "environment.json").read_text())
    assert start["versions"]["torch"] == torch.__version__
    assert start["threads"]["torch"] == 1
    assert start["command"] == sys.argv
    data = json.loads((out / "data.json").read_text())
    known = data["datasets"]["deepapl"]
    assert (tmp_path / "cache" / f"deepapl-{known['fingerprint']}.npz").is_file()
    assert known["parts"]["train"]["cells"]["blast"] == 2 * len(known["parts"]["train"]["groups"]) > 20
    assert "test" not in known["parts"]
    _, metrics = fit.load_network(out)
    assert metrics["data"]["deepapl"] == known["parts"]
    assert 0 < metrics["operating_point"]["positive"] < 1
    assert metrics["validation"]["counted"].keys() >= {"sensitivity", "abstained"}
    assert metrics["validation"]["all"].keys() >= {"roc_area", "accuracy"}
    parts = known["parts"]["validation"]
    assert metrics["worth"]["positives"]["cells"] == parts["cells"]["blast"]
    assert metrics["worth"]["roc_area"].keys() == {"value", "low", "high"}
    for name in ("curves.png", "confusion.png"):
        assert (out / name).read_bytes()[:4] == b"\x89PNG"


def test_the_loss_falls(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    told: list[str] = []
    recipe = replace(SMALL, training=replace(SMALL.training, epochs=3, samples=96))
    fit.fit(recipe, deepapl(), tmp_path / "run", cache=tmp_path / "cache", notice=told.append)
    absent = [line for line in told if line.startswith("class ")]
    assert f"class basophil: no training cell is labelled so in {tmp_path / 'data'}" in absent
    assert not any("blast:" in line and "erythro" not in line for line in absent)
    *epochs, worth, verdict = [line for line in told[len(absent) :] if "ms a crop" not in line][1:]
    assert [line.split(":")[0] for line in epochs] == [f"epoch {n} of 3" for n in (1, 2, 3)]
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in epochs]
    assert losses[-1] < losses[0] - 0.1
    assert epochs[-1].endswith(", 0 s left")
    assert worth.startswith("validation: ")
    assert "; ROC area " in worth
    assert verdict.startswith("not for a device: ")
    assert "30 are wanted" in verdict


def test_the_best_epoch_is_kept_and_patience_ends(
    deepapl: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = deepapl(20, 1)
    figures = iter([0.5, 0.8, 0.6, 0.8, 0.7])
    averages: list[dict[str, torch.Tensor]] = []

    def validate(network: torch.nn.Module, *_: object) -> dict[str, float]:
        averages.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"deepapl_roc_area": next(figures), "deepapl_balanced_accuracy": 0.1 * len(averages)}

    monkeypatch.setattr(classifier, "validate", validate)
    told: list[str] = []
    training = replace(SMALL.training, epochs=9, samples=16, patience=2, watch=("deepapl_roc_area",))
    recipe = replace(SMALL, training=training)
    out = fit.fit(recipe, data, tmp_path / "run", cache=tmp_path / "cache", notice=told.append)
    network, metrics = fit.load_network(out)
    assert metrics["kept"] == {"epoch": 2, "figure": 0.8}
    assert metrics["epochs"] == len(averages) == 4
    assert metrics["validation"]["deepapl_balanced_accuracy"] == 0.2
    assert told[-3] == "stopped after epoch 4 of 9: none was better since epoch 2"
    for name, value in network.state_dict().items():
        assert torch.equal(value, averages[1][name]), name
    _fit(recipe, data, out)  # a run that stopped stays so
    assert len(averages) == 4


def test_what_is_watched() -> None:
    found = {"a_roc_area": 0.9, "a_balanced_accuracy": 0.4, "b_balanced_accuracy": 0.6, "loss": 3.0}
    assert watched(found, ("roc_area", "balanced_accuracy")) == pytest.approx(0.7)
    assert watched(found, ("balanced_accuracy",)) == pytest.approx(0.5)
    assert watched(found, ("b_balanced_accuracy",)) == pytest.approx(0.6)
    assert watched(found, ()) != watched(found, ())  # NaN
    for watch, patience in ((("loss",), 0), (("pbc_roc_area",), 0), ((), 3), (("roc_area",), -1)):
        with pytest.raises(RecipeError, match=r"training\.(watch|patience)"):
            replace(SMALL, training=replace(SMALL.training, watch=watch, patience=patience))


def test_without_a_figure_to_watch_the_last_epoch_is_kept(
    deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = replace(SMALL, training=replace(SMALL.training, watch=(), samples=16))
    _, metrics = fit.load_network(_fit(recipe, deepapl(20, 1), tmp_path / "run"))
    assert metrics["kept"] == {"epoch": 2, "figure": None}


def test_fp16_scales_the_loss_and_keeps_the_scale(tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    task = Classifier(SMALL, Run(tmp_path, tmp_path, tmp_path, 0, Process(cpu), "fp16", print))
    task.training = Windows(PIXELS, PIXELS[..., 0], *(np.array(["a", "b"]) for _ in range(5)))
    state = checkpoint.start(task, cpu, "fp16")
    before = state.scaler.get_scale()
    loss = state.network(torch.full((2, 3, 32, 32), 90.0)).sum() * float("inf")
    state.scaler.scale(loss).backward()
    state.scaler.step(state.optimiser)
    state.scaler.update()
    assert state.scaler.get_scale() == before / 2
    checkpoint.save(state, tmp_path)
    again = checkpoint.start(task, cpu, "fp16")
    found = checkpoint.kept(tmp_path)
    assert found is not None
    checkpoint.resume(again, found, cpu)
    assert again.scaler.get_scale() == before / 2


def test_precision_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    assert precision_of("auto", torch.device("cpu")) == "bf16"
    for can, chosen in ((True, "bf16"), (False, "fp16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda can=can, **_: can)
        assert precision_of("auto", cuda) == chosen
        assert precision_of("fp32", cuda) == "fp32"
    assert precision_of("auto", torch.device("mps")) == "fp32"


def test_a_folder_holds_one_run(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    data = deepapl(20, 1)
    _fit(replace(SMALL, training=replace(SMALL.training, epochs=1)), data, tmp_path / "run")
    with pytest.raises(SettingsError, match=r"recipe\.training\.seed 1, now 9"):
        _fit(replace(SMALL, training=replace(SMALL.training, epochs=1, seed=9)), data, tmp_path / "run")
    with pytest.raises(FitError, match=r"settings\.json"):
        fit.load_network(tmp_path / "nothing")
    next(data.rglob("*.png")).write_bytes(b"")
    with pytest.raises(SettingsError, match="data set deepapl"):
        _fit(replace(SMALL, training=replace(SMALL.training, epochs=1)), data, tmp_path / "run")


def test_a_run_that_diverges_ends(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    recipe = replace(SMALL, training=replace(SMALL.training, learning_rate=1e30))
    with pytest.raises(FitError, match=r"the loss is (nan|inf); lower training\.learning_rate"):
        _fit(recipe, deepapl(20, 1), tmp_path / "run")


def test_partial_labels_ask_for_no_one_class() -> None:
    logits = torch.zeros((1, len(CLASSES)))
    logits[0, 0] = 8.0
    only_first = torch.zeros((1, len(CLASSES)), dtype=torch.bool)
    only_first[0, 0] = True
    first_three = only_first.clone()
    first_three[0, :3] = True
    other = torch.zeros_like(only_first)
    other[0, 5] = True
    assert loss_of(logits, first_three, 0.0) < loss_of(logits, only_first, 0.0) < 0.01
    assert loss_of(logits, other, 0.0) > 7
    uniform = torch.zeros((1, len(CLASSES)))
    expected = -torch.log(torch.tensor(3 / len(CLASSES)))
    assert torch.isclose(loss_of(uniform, first_three, 0.0), expected)


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="device nope"):
        fit.fit(SMALL, tmp_path, tmp_path / "run", device="nope", cache=tmp_path, notice=print)


def _with_classes(*classes: str, positive: str = "blast") -> Recipe:
    training = replace(SMALL.training, epochs=1, samples=16, batch=8)
    return replace(SMALL, classes=classes, positive=(positive,), training=training)


def test_classes_of_its_own_are_learned_and_others_are_told_and_left_out(
    deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    told: list[str] = []
    recipe = _with_classes("lymphocyte", "blast")
    out = fit.fit(recipe, deepapl(20, 1), tmp_path / "run", cache=tmp_path / "cache", notice=told.append)
    (left_out,) = [line for line in told if "left out" in line]
    assert left_out.startswith("deepapl: ")
    assert "label 'neutrophil': not one of lymphocyte, blast" in left_out
    network, metrics = fit.load_network(out)
    assert network.head.weight.shape[0] == 2  # type: ignore[union-attr]
    assert set(metrics["data"]["deepapl"]["train"]["cells"]) == {"blast", "lymphocyte"}
    found = json.loads((out / "settings.json").read_text())
    assert found["classes"] == ["lymphocyte", "blast"]
    model = of_run(out)
    answer = model.answer(PIXELS[:, :32, :32])
    assert answer.shape == (2, 2)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            _with_classes("blast", "eosinophil", positive="eosinophil"),
            "no training cell of eosinophil; nothing",
        ),
        (_with_classes("blast", "eosinophil"), "training cells of one class only, blast"),
        (_with_classes("cat", "dog", positive="cat"), "no cell falls into the training part"),
    ],
)
def test_classes_that_nothing_can_be_learned_of_are_named(
    recipe: Recipe, words: str, deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(FitError) as refused:
        _fit(recipe, deepapl(20, 1), tmp_path / "run")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nothing_to_choose_the_operating_point_on_is_told(
    deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    data = deepapl(20, 1)
    for patient in (data / "deepapl" / "Data" / "All").iterdir():
        if split_of(patient.name) == "validation":
            shutil.rmtree(patient)
    with pytest.raises(FitError, match="no validation cell to choose the operating point on"):
        _fit(_with_classes("blast", "lymphocyte"), data, tmp_path / "run")


def test_what_is_left_out_is_not_read_and_is_written_down(
    deepapl: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "two.toml").write_text(TOML.replace("deepapl = 1.0", "deepapl = 1.0, pbc = 0.5"))
    words = ["fit", "--recipe", str(tmp_path / "two.toml"), "--data", str(deepapl(20, 1)), "--epochs", "1"]
    assert cli.main([*words, "--out", str(tmp_path / "run"), "--leave-out", "pbc"]) == 0
    told = capsys.readouterr()
    assert f"pbc was left out; edge-train compare {tmp_path / 'run'} --dataset pbc judges" in told.err
    found, settings = fit.settings_of(tmp_path / "run")
    assert (found.name, dict(found.shares), settings["left_out"]) == (
        "small-without-pbc",
        {"deepapl": 1.0},
        ["pbc"],
    )
    assert cli.main([*words, "--out", str(tmp_path / "other"), "--leave-out", "moon"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "--leave-out moon: recipe small has no such data set; it has deepapl, pbc" in line


def test_a_checkpoint_of_an_older_program_is_told(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    data = deepapl(20, 1)
    recipe = replace(SMALL, training=replace(SMALL.training, epochs=1, samples=16))
    out = _fit(recipe, data, tmp_path / "run")
    torch.save({"epoch": 1, "history": []}, out / "checkpoint.pt")
    with pytest.raises(FitError, match=r"checkpoint\.pt: has no average, as of an older program; remove it"):
        _fit(recipe, data, out)
