from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import bundle
from edge.cells.classify import Classifier
from tests.train.conftest import COLOURS, draw
from train.cli import main
from train.data.dataset import DataError, DataSet, Picture, Spot
from train.data.registry import dataset
from train.data.windows import cut
from train.judging.contestants import of_bundle
from train.judging.evaluate import evaluate
from train.recipes.recipe import GROUPS, names


def test_figures_are_those_of_the_device(
    deepapl: Callable[..., Path], make_bundle: Callable[..., Path]
) -> None:
    data, opened = deepapl(), bundle.load(make_bundle(), allow_unsigned=True)
    source = dataset("deepapl")
    result = evaluate(of_bundle(opened), [source], data, split="test", rounds=50, notice=pytest.fail)
    pictures = [p for p in source.read(source.root(data), pytest.fail) if p.spots[0].split == "test"]
    classifier = Classifier(opened)
    crops = np.concatenate([cut(p, opened.manifest.model_input) for p in pictures])
    calls = classifier(crops)
    classifier.close()
    truth = np.array([opened.manifest.classes.index(p.spots[0].label) for p in pictures])
    whole = result.whole
    assert whole.figures["accuracy"].value == pytest.approx((calls.classes == truth).mean())
    assert whole.abstained == pytest.approx(calls.uncertain.mean())
    assert whole.table.sum() == len(pictures) == sum(whole.cells.values())
    assert whole.groups == len({p.spots[0].group for p in pictures})
    np.testing.assert_array_equal(whole.judged.probabilities, calls.probabilities)
    assert result.parts == {"deepapl": whole}


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
        "roc_area", "pr_area", "calibration_error", "accuracy_differential", "calibration_error_positive",
    ):  # fmt: skip
        figure = written["figures"][name]
        assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"]
    kinds = ("abstention", "classes", "confusion", "mistakes", "ranking", "reliability")
    assert {p.name for p in pictures.iterdir()} == {f"deepapl-test-{kind}.png" for kind in kinds}
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
        of_bundle(opened),
        [dataset("pbc")],
        shared_data,
        split="test",
        limit=12,
        rounds=20,
        notice=pytest.fail,
    )
    assert sum(result.whole.cells.values()) == 12
    # no blasts among healthy people: nothing to rank
    assert np.isnan(result.whole.figures["roc_area"].value)
    assert result.as_json()["figures"]["roc_area"]["value"] is None


def test_a_part_without_cells_is_told(deepapl: Callable[..., Path], make_bundle: Callable[..., Path]) -> None:
    strange = make_bundle(classes=[f"c{i}" for i in range(11)], leukocytes=["c0"], positive=["c0"])
    opened = bundle.load(strange, allow_unsigned=True)
    told: list[str] = []
    with pytest.raises(DataError, match="deepapl"):
        evaluate(of_bundle(opened), [dataset("deepapl")], deepapl(), notice=told.append)
    (line,) = told
    assert line.startswith("deepapl: ")
    assert "12 blast" in line
    assert "left out; the model names c0, c1" in line


def test_figures_by_hand(make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two laboratories, five cells: every figure can be worked out on paper."""
    opened = bundle.load(make_bundle(), allow_unsigned=True)
    names = opened.manifest.classes
    #        set    patient  is                  called              sure of it
    cells = (
        ("one", "a", "blast", "blast", 0.9),
        ("one", "b", "blast", "monocyte", 0.95),
        ("one", "b", "smudge-cell", "artefact", 0.6),
        ("two", "c", "lymphocyte", "blast", 0.7),
        ("two", "d", "immature-granulocyte", "immature-granulocyte", 0.8),
    )
    pixels = np.zeros((40, 40, 3), np.uint8)

    def source(name: str) -> DataSet:
        pictures = [
            Picture(f"{i}.png", 0.1, (Spot(cell[2], cell[1], "test"),), lambda: pixels)
            for i, cell in enumerate(cells)
            if cell[0] == name
        ]
        return replace(dataset("simulated"), name=name, groups="patient", read=lambda *_: pictures)

    said = [[sure if n == called else (1 - sure) / 10 for n in names] for *_, called, sure in cells]
    # the classifier asks its graph of two crops by itself, when it is opened
    answers = iter([np.array(said[:2], np.float32), *np.array(said, np.float32)[:, None]])
    monkeypatch.setattr(Classifier, "probabilities", lambda *_: next(answers))
    result = evaluate(
        of_bundle(opened), [source("one"), source("two")], Path("."), rounds=50, notice=pytest.fail
    )

    whole, one, two = result.whole, result.parts["one"], result.parts["two"]
    assert whole.figures["accuracy"].value == pytest.approx(2 / 5)
    # the immature granulocyte is not asked about, a smudge cell may be called artefact
    assert whole.figures["accuracy_differential"].value == pytest.approx(2 / 4)
    assert one.figures["sensitivity"].value == pytest.approx(1 / 2)
    assert np.isnan(two.figures["sensitivity"].value)
    assert two.figures["specificity"].value == pytest.approx(1 / 2)
    assert two.called_positive["all-but-immature-granulocyte"]["called"].value == 1
    assert two.called_positive["immature-granulocyte"]["called"].value == 0
    assert whole.classes["blast"]["precision"].value == pytest.approx(1 / 2)
    assert whole.classes["blast"]["roc_area"].value == pytest.approx(3 / 6)
    assert [(m.truth, m.called) for m in result.mistakes] == [
        ("blast", "monocyte"), ("lymphocyte", "blast"), ("smudge-cell", "artefact"),
    ]  # fmt: skip
    assert result.mistakes[0].cell.picture.name == "1.png"
    # the surest decision left: one cell above 0.9, and it is wrong
    assert whole.curve[0].undecided == 0
    assert whole.curve[0].accuracy.value == pytest.approx(2 / 5)
    assert whole.curve[-1].undecided == pytest.approx(4 / 5)
    assert whole.curve[-1].accuracy.value == 0
    gaps = (1 - 0.9, 0.95, 0.6, 0.7, 1 - 0.8)
    assert whole.figures["calibration_error"].value == pytest.approx(sum(gaps) / 5)
    assert [b.cells for b in whole.likeliest] == [1] * 5
    found = result.as_json()
    assert found["dataset"] == "one,two"
    assert "patient (one)" in found["interval"]
    assert found["by_dataset"]["two"]["figures"]["sensitivity"]["value"] is None
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evaluate", "--dataset", "mystery", "--data", "."], "mystery"),
        (["evaluate", "--dataset", "folder", "--data", "nowhere"], "nowhere"),
        (["evaluate", "--dataset", "folder", "--class-of", "x=mystery"], "mystery"),
        (["evaluate", "--dataset", "folder", "--group-by", "(x"], "(x"),
        (["evaluate", "--dataset", "folder", "--um-per-px", "100"], "100"),
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


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fit"],
        ["evaluate", "--split", "some"],
        ["x"],
        ["compare", "--dataset", "deepapl"],
        ["evaluate", "--dataset", ","],
        ["evaluate", "--dataset", "deepapl", "--um-per-px", "0.1"],
        ["evaluate", "--dataset", "folder", "--class-of", "blast"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    out = capsys.readouterr().out
    assert "deepapl" in out
    assert "CC BY 4.0" in out
    assert "0.083 µm per pixel: as the device measures it on red cells" in out
    assert main(["recipes"]) == 0
    listed = capsys.readouterr().out.splitlines()
    titles = [line for line in listed if not line.startswith("  ")]
    assert titles == [f"{title}:" for title in GROUPS]
    assert listed[1].startswith("  leukocytes: ")
    assert sorted(line.strip().partition(": ")[0] for line in listed if line not in titles) == names()


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


def test_cells_that_chose_the_thresholds_are_told(
    deepapl: Callable[..., Path], make_bundle: Callable[..., Path]
) -> None:
    recipe = {"shares": {"deepapl": 1.0}, "operation": {"datasets": ["deepapl"]}}
    opened = bundle.load(make_bundle(training={"recipe": recipe}), allow_unsigned=True)
    told: dict[str, list[str]] = {}
    for split in ("test", "validation", "all"):
        lines = told.setdefault(split, [])
        evaluate(
            of_bundle(opened),
            [dataset("deepapl")],
            deepapl(),
            split=split,
            rounds=5,
            limit=3,
            notice=lines.append,
        )
    assert not told["test"]
    assert "chose its thresholds on" in told["validation"][0]
    assert "was trained on" in told["all"][0]


@pytest.mark.parametrize(
    ("learned", "asked", "flatters"),
    [
        ("deepapl@random", "deepapl", True),
        ("deepapl", "deepapl@2/5", True),
        ("deepapl@2/5", "deepapl@3/5", True),
        ("deepapl@2/5", "deepapl@2/5", False),
        ("pbc@random", "deepapl", False),
    ],
)
def test_another_split_of_what_was_learned_is_told(
    learned: str, asked: str, flatters: bool, deepapl: Callable[..., Path], make_bundle: Callable[..., Path]
) -> None:
    opened = bundle.load(make_bundle(training={"recipe": {"shares": {learned: 1.0}}}), allow_unsigned=True)
    told: list[str] = []
    evaluate(of_bundle(opened), [dataset(asked)], deepapl(), rounds=5, limit=3, notice=told.append)
    assert [f"learned {learned}, another split of deepapl" in line for line in told] == [True] * flatters


def test_a_folder_of_ones_own_is_judged(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    for patient in ("p1", "p2"):
        for label in ("Myeloblast", "Lymphocytes", "strange"):
            draw(tmp_path / "lab" / patient / label / "0.png", COLOURS["blast"], 0)
    out = tmp_path / "out.json"
    arguments = ["evaluate", "--bundle", str(make_bundle()), "--dataset", "folder:lab", "--um-per-px", "0.1"]
    arguments += ["--data", str(tmp_path), "--class-of", "strange=artefact", "--json", str(out)]
    assert main(arguments) == 0
    found = json.loads(out.read_text())
    assert found["dataset"] == "lab"
    assert found["cells"] == {"blast": 2, "lymphocyte": 2, "artefact": 2}
    assert found["groups"] == 2
