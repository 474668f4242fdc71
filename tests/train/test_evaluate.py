from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge import bundle
from edge.classify import Classifier
from train.cli import main
from train.datasets import DataError, dataset
from train.evaluate import evaluate
from train.windows import cut


def test_figures_are_those_of_the_device(
    deepapl: Callable[..., Path], make_bundle: Callable[..., Path]
) -> None:
    data, opened = deepapl(), bundle.load(make_bundle(), allow_unsigned=True)
    source = dataset("deepapl")
    result = evaluate(opened, source, data, split="test", rounds=50, notice=pytest.fail)
    pictures = [p for p in source.read(source.root(data), pytest.fail) if p.spots[0].split == "test"]
    classifier = Classifier(opened)
    crops = np.concatenate([cut(p, opened.manifest.pitch_um, opened.manifest.size_px) for p in pictures])
    calls = classifier(crops)
    classifier.close()
    truth = np.array([opened.manifest.classes.index(p.spots[0].label) for p in pictures])
    assert result.figures["accuracy"].value == pytest.approx((calls.classes == truth).mean())
    assert result.abstained == pytest.approx(calls.uncertain.mean())
    assert result.table.sum() == len(pictures) == sum(result.cells.values())
    assert result.groups == len({p.spots[0].group for p in pictures})
    np.testing.assert_array_equal(result.judged.probabilities, calls.probabilities)


def test_the_command_writes_json_and_pictures(
    deepapl: Callable[..., Path],
    make_bundle: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, pictures = tmp_path / "out.json", tmp_path / "pictures"
    arguments = ["evaluate", "--bundle", str(make_bundle()), "--dataset", "deepapl", "--data", str(deepapl())]
    assert main([*arguments, "--json", str(out), "--pictures", str(pictures)]) == 0
    written = json.loads(out.read_text())
    assert written["interval"] == "95%, bootstrap by patient"
    for name in (
        "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1",
        "roc_area", "pr_area", "calibration_error",
    ):  # fmt: skip
        figure = written["figures"][name]
        assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"]
    assert {p.name for p in pictures.iterdir()} == {
        "deepapl-test-confusion.png",
        "deepapl-test-ranking.png",
        "deepapl-test-reliability.png",
    }
    assert "bootstrap by patient" in capsys.readouterr().out


def test_json_on_standard_output_is_all_there_is(
    deepapl: Callable[..., Path], make_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--bundle", str(make_bundle()), "--dataset", "deepapl", "--data", str(deepapl())]
    assert main([*arguments, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["dataset"] == "deepapl"


def test_real_fields_are_evaluated(shared_data: Path, make_bundle: Callable[..., Path]) -> None:
    opened = bundle.load(make_bundle(), allow_unsigned=True)
    result = evaluate(
        opened, dataset("pbc"), shared_data, split="test", limit=12, rounds=20, notice=pytest.fail
    )
    assert sum(result.cells.values()) == 12
    # no blasts among healthy people: nothing to rank
    assert np.isnan(result.figures["roc_area"].value)
    assert result.as_json()["figures"]["roc_area"]["value"] is None


def test_a_part_without_cells_is_told(deepapl: Callable[..., Path], make_bundle: Callable[..., Path]) -> None:
    strange = make_bundle(classes=[f"c{i}" for i in range(11)], leukocytes=["c0"], positive=["c0"])
    opened = bundle.load(strange, allow_unsigned=True)
    with pytest.raises(DataError, match="deepapl"):
        evaluate(opened, dataset("deepapl"), deepapl(), notice=pytest.fail)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evaluate", "--dataset", "mystery", "--data", "."], "mystery"),
        (["fit", "--recipe", "mystery", "--data", ".", "--out", "x"], "mystery"),
        (["fit", "--recipe", "leukocytes", "--data", "nowhere", "--out", "x"], "nowhere"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    named: str,
    make_bundle: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle_of = ["--bundle", str(make_bundle())] if arguments[0] == "evaluate" else []
    assert main([*arguments, *bundle_of]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert named in lines[0]


@pytest.mark.parametrize("arguments", [[], ["fit"], ["evaluate", "--split", "some"], ["x"]])
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    out = capsys.readouterr().out
    assert "deepapl" in out
    assert "CC BY 4.0" in out
    assert main(["recipes"]) == 0
    assert capsys.readouterr().out.startswith("leukocytes: ")


def test_help_needs_no_torch() -> None:
    code = (
        "import sys, train.cli, export.cli\n"
        "for main in (train.cli.main, export.cli.main):\n"
        "    try: main(['--help'])\n"
        "    except SystemExit: pass\n"
        "assert not {'torch', 'onnx', 'onnxruntime', 'matplotlib'} & set(sys.modules), 'heavy import'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "example: edge-train fit" in done.stdout
