"""Networks from elsewhere as bundles: what the device computes is what their own framework does."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.selftest.golden import Golden
from edge.types import F32, U8
from export.bundle.bundle import Options, build
from export.cli import main
from export.foreign.source import Elsewhere, of
from export.graph import metadata
from export.graph.graph import answers
from export.graph.precisions import MEMBERS
from export.graph.saturation import saturating
from tests.export.conftest import LABELS, SIZE
from tests.export.foreign.conftest import LEVELS, Describe, Lab, tiny
from train.data.windows import Windows

Save = Callable[[onnx.ModelProto], Path]

LAB = "from tests.export.foreign.conftest import Lab\ndef make(): return Lab()\n"


def _said(opened: Bundle, crops: U8) -> F32:
    classifier = Classifier(opened)
    found = classifier.probabilities(crops)
    classifier.close()
    return found


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _crops(count: int = 5) -> U8:
    return np.random.default_rng(1).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def test_a_module_and_its_weights(
    here: Path, lab: Lab, describe: Describe, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "labnet.py").write_text(LAB)
    torch.save({"state_dict": {f"module.{k}": v for k, v in lab.state_dict().items()}}, here / "w.pt")
    out = here / "new" / "lab.bundle"
    arguments = ["bundle", "--torch", "labnet:make", "--weights", "w.pt", "--manifest", str(describe())]
    assert main([*arguments, "--even-so", "--out", str(out)]) == 0
    assert "ort-fp32: within " in capsys.readouterr().out
    opened = bundle.load(out, allow_unsigned=True)
    about = opened.manifest
    assert (about.name, about.version, about.classes, about.positive) == (
        "lab",
        "2026.12.1",
        LABELS,
        ("blast",),
    )
    assert about.everything["licence"] == "CC BY 4.0"
    assert "CC BY 4.0" in opened.members["LICENSE"].decode()
    assert about.thresholds.certain == 0.9
    assert "No cells were given" in opened.members["MODEL_CARD.md"].decode()
    crops = _crops()
    levels = (torch.from_numpy(crops / 255.0) - torch.tensor([0.5, 0.4, 0.45])) / torch.tensor(
        [0.25, 0.2, 0.3]
    )
    with torch.inference_mode():
        wanted = torch.softmax(lab(levels.permute(0, 3, 1, 2).float()) / 1.3, dim=1).numpy()
    np.testing.assert_allclose(_said(opened, crops), wanted, atol=1e-4)
    assert Golden(opened).unlike() == []
    assert main(["verify", str(out)]) == 0
    again = of(Elsewhere(torch="labnet:make", weights=here / "w.pt"), describe(), None, here, print)
    assert metadata.network(again.graph) == metadata.network(opened.graph()) == about.fp32


@pytest.fixture
def of_module(here: Path, lab: Lab) -> Elsewhere:
    (here / "labnet.py").write_text(LAB)
    torch.save(lab.state_dict(), here / "w.pt")
    return Elsewhere(torch="labnet:make", weights=here / "w.pt")


def test_validation_cells_choose_judge_and_calibrate(
    of_module: Elsewhere, describe: Describe, windows: Windows, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.foreign.source.gather", lambda *given: windows)
    path = describe(operation='datasets = ["deepapl"]', more="[shares]\ndeepapl = 1.0\npbc = 0.5")
    lines: list[str] = []
    source = of(of_module, path, here, here / "cache", lines.append)
    options = Options(int8=True, data=here, calibration_cells=1000)
    opened = bundle.opened(
        Path("x"), build(source, options, notice=lines.append).content, allow_unsigned=True
    )
    figures = opened.manifest.everything["precisions"]
    assert set(figures) == {"trt-fp16", "ort-int8", "trt-int8"}
    assert all(found["cells"] == 900 and not found["finetuned"] for found in figures.values())
    assert any(line.startswith("calibrated on 1000 cells") for line in lines)
    assert opened.manifest.everything["metrics"]["validation"]["all"]["accuracy"] > 0.6
    assert opened.manifest.thresholds.positive != 0.4
    if "ort-int8" in opened.manifest.graphs:
        assert saturating(opened.members[MEMBERS["ort-int8"]]) == ()
    card = opened.members["MODEL_CARD.md"].decode()
    assert "what its weights were fitted to, its makers know" in card
    assert "| deepapl: " in card
    names = [node.name for node in onnx.load_from_string(opened.graph()).graph.node]
    assert {"stem.0", "wide.0", "gate.1", "last.0", "head", "head.softmax"} <= set(names)


@pytest.mark.parametrize(
    ("model", "network", "prepare"),
    [
        (tiny(), "", lambda c: np.moveaxis(c.astype(np.float32), 3, 1)),
        (tiny((1, 3, SIZE, SIZE), opset=11), LEVELS, None),
        (tiny(("n", "c", "h", "w")), 'colour = "bgr"\nscale = 255',
         lambda c: np.moveaxis(c[..., ::-1].astype(np.float32) / 255, 3, 1)),
        (tiny(("n", SIZE, SIZE, 3)), 'layout = "nhwc"\nscale = 127.5\nmean = [1.0]',
         lambda c: c.astype(np.float32) / 127.5 - 1),
        (tiny(kind=onnx.TensorProto.UINT8), "", lambda c: np.moveaxis(c, 3, 1)),
        (tiny(kind=onnx.TensorProto.DOUBLE), "", lambda c: np.moveaxis(c.astype(np.float64), 3, 1)),
    ],
    ids=["plain", "opset 11, one at a time", "bgr, any size", "nhwc", "bytes", "double"],
)  # fmt: skip
def test_a_graph_is_fed_as_it_was_made_for(
    model: onnx.ModelProto,
    network: str,
    prepare: Callable[[U8], np.ndarray] | None,
    saved: Save,
    describe: Describe,
    here: Path,
) -> None:
    """Against the unwrapped graph in ONNX's own reference evaluator, which neither runtime nor program is."""
    from onnx.reference import ReferenceEvaluator

    path = saved(model)
    source = of(Elsewhere(onnx=path), describe(network=network), None, here, print)
    crops = _crops(3)
    levels = (crops / 255.0 - (0.5, 0.4, 0.45)) / (0.25, 0.2, 0.3)
    given = np.moveaxis(levels, 3, 1).astype(np.float32) if prepare is None else prepare(crops)
    told = ReferenceEvaluator(model)
    wanted = np.concatenate([told.run(None, {"crops": one[None]})[0] for one in given])
    np.testing.assert_allclose(answers(source.graph, crops), _softmax(wanted / 1.3), atol=1e-4)
    np.testing.assert_allclose(source.reference(crops), _softmax(wanted / 1.3), atol=1e-4)


def test_scikit_learn_by_its_own_converter(here: Path, describe: Describe, windows: Windows) -> None:
    for module in ("sklearn", "skl2onnx"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier

    from train.data.windows import middle

    training = windows.of("train").pick(np.arange(300))
    rows = middle(training.pixels, SIZE).reshape(300, -1).astype(np.float32) / 255
    network = MLPClassifier((8,), max_iter=5, random_state=0)
    network.n_iter_no_change = 5
    truth = np.array([LABELS.index(label) for label in training.labels.tolist()])
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(rows, truth)
        path = here / "mlp.onnx"
        path.write_bytes(to_onnx(network, rows[:1]).SerializeToString())  # with a ZipMap, as it comes
    about = describe(
        gives="probabilities",
        network='layout = "flat"\nscale = 255\noutput = "output_probability"',
        operation="temperature = 1.0\npositive = 0.4\nconfidence = 0.2\ncertain = 0.9",
    )
    source = of(Elsewhere(onnx=path), about, None, here, print)
    opened = bundle.opened(
        Path("x"), build(source, Options(even_so=True), notice=print).content, allow_unsigned=True
    )
    crops = _crops()
    wanted = network.predict_proba(crops.reshape(5, -1).astype(np.float32) / 255)
    np.testing.assert_allclose(_said(opened, crops), wanted, atol=1e-4)
