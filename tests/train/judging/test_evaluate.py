from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import bundle
from edge.bundle.bundle import Thresholds
from edge.cells.classify import Classifier, decide
from tests.train.conftest import COLOURS
from tests.train.conftest import draw as paint
from train.cli import main
from train.data.cut import cut
from train.data.dataset import DataError, DataSet, Picture, Spot
from train.data.registry import dataset
from train.judging import estimates
from train.judging.contestants import of_bundle
from train.judging.evaluate import evaluate
from train.recipes.recipe import GROUPS, names
from train.statistics.bootstrap import Figure, draw
from train.statistics.metrics import undrawn


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
    right, sure = calls.classes == truth, ~calls.uncertain
    assert whole.figures["accuracy"].value == pytest.approx(right[sure].mean())
    assert whole.every["accuracy"].value == pytest.approx(right.mean())
    assert whole.abstained == pytest.approx(calls.uncertain.mean())
    assert whole.table.sum() == sure.sum()
    assert whole.table_of_all.sum() == len(pictures) == sum(whole.cells.values())
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
    assert written["figures_all_cells"].keys() < written["figures"].keys()
    tables = {name: np.array(written[name]) for name in ("confusion", "confusion_all_cells")}
    assert tables["confusion_all_cells"].sum() == sum(written["cells"].values())
    assert (tables["confusion"] <= tables["confusion_all_cells"]).all()
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


def test_what_is_counted_by_hand() -> None:
    """Of two blasts one is left undecided; the sensitivity is of the other, the ranking of both."""
    probabilities = np.array([[0.9, 0.1, 0], [0.1, 0.45, 0.45], [0.2, 0.8, 0], [0.35, 0.3, 0.35]], np.float32)
    truth = np.array([0, 0, 1, 1], np.int32)
    calls = decide(probabilities, _Rules(Thresholds(0.3, 0.5, 0.9), (0,)))
    assert calls.uncertain.tolist() == [False, True, False, False]
    names = ("blast", "lymphocyte", "monocyte")
    draws = undrawn(4)
    found = estimates.counted(draws, truth, calls, names, [0])
    assert {k: v.tolist() for k, v in found.items() if k in ("sensitivity", "specificity", "roc_area")} == {
        "sensitivity": [1.0], "specificity": [0.5], "roc_area": [0.5],
    }  # fmt: skip
    assert found["accuracy"].tolist() == pytest.approx([2 / 3])
    every = estimates.decided(draws, truth, calls, names, [0])
    assert every["sensitivity"].tolist() == [0.5]
    assert every.keys() == found.keys() - {
        "roc_area", "pr_area", "calibration_error", "calibration_error_positive",
    }  # fmt: skip
    classes = estimates.by_class(draws, truth, calls, names)
    assert [float(classes["blast"][name][0]) for name in ("recall", "abstained")] == [1.0, 0.5]
    shares = estimates.called_positive(draws, truth, calls, names, [0])
    assert {name: float(share[0]) for name, share in shares.items()} == {
        "all-but-immature-granulocyte": 0.5, "lymphocyte": 0.5,
    }  # fmt: skip


def test_nothing_is_counted_where_it_abstains_on_every_cell() -> None:
    probabilities = np.full((3, 3), 1 / 3, np.float32)
    truth, draws = np.array([0, 1, 2], np.int32), draw(["a", "b", "c"], rounds=5)
    calls = decide(probabilities, _Rules(Thresholds(0.5, 0.9, 0.9), (0,)))
    found = estimates.counted(draws, truth, calls, ("blast", "lymphocyte", "monocyte"), [0])
    assert np.isnan(found["sensitivity"][0])
    assert np.isnan(found["accuracy"][0])
    assert np.isnan(Figure.of(found["accuracy"]).low)


@dataclass(frozen=True)
class _Rules:
    thresholds: Thresholds
    positive_indices: tuple[int, ...]


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
    assert two.called_positive["all-but-immature-granulocyte"].value == 1
    assert two.called_positive["immature-granulocyte"].value == 0
    assert whole.classes["blast"]["precision"].value == pytest.approx(1 / 2)
    assert whole.classes["blast"]["roc_area"].value == pytest.approx(3 / 6)
    assert [(m.truth, m.called) for m in result.mistakes] == [
        ("blast", "monocyte"), ("lymphocyte", "blast"), ("smudge-cell", "artefact"),
    ]  # fmt: skip
    assert result.mistakes[0].cell.picture.name == "1.png"
    # however much it abstains, the two calls of blasts are counted, and one of them is right
    assert whole.curve[0].undecided == 0
    assert whole.curve[0].accuracy.value == pytest.approx(2 / 5)
    assert whole.curve[-1].undecided == pytest.approx(3 / 5)
    assert whole.curve[-1].accuracy.value == pytest.approx(1 / 2)
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
            paint(tmp_path / "lab" / patient / label / "0.png", COLOURS["blast"], 0)
    out = tmp_path / "out.json"
    arguments = ["evaluate", "--bundle", str(make_bundle()), "--dataset", "folder:lab", "--um-per-px", "0.1"]
    arguments += ["--data", str(tmp_path), "--class-of", "strange=artefact", "--json", str(out)]
    assert main(arguments) == 0
    found = json.loads(out.read_text())
    assert found["dataset"] == "lab"
    assert found["cells"] == {"blast": 2, "lymphocyte": 2, "artefact": 2}
    assert found["groups"] == 2
