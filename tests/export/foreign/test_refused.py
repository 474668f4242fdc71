"""Whatever does not fit is told in one line that names it, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from export.cli import main
from tests.export.conftest import SIZE
from tests.export.foreign.conftest import POINT, Describe, tiny

Save = Callable[[onnx.ModelProto], Path]


@pytest.fixture
def refused(here: Path, describe: Describe, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command says that must fail: `refused("--onnx", path, gives="probabilities", ...)`."""

    def told(*arguments: object, manifest: Path | None = None, **described: object) -> str:
        given = [str(each) for each in arguments]
        path = manifest or describe(**described)
        out = here / "x.bundle"
        assert main(["bundle", *given, "--manifest", str(path), "--out", str(out)]) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert not out.exists()
        return line

    return told


def _two_inputs() -> onnx.ModelProto:
    model = tiny()
    model.graph.input.append(helper.make_tensor_value_info("age", TensorProto.FLOAT, ["n", 1]))
    return model


def _two_outputs() -> onnx.ModelProto:
    model = tiny()
    model.graph.output.append(helper.make_tensor_value_info("means", TensorProto.FLOAT, ["n", 4, 1, 1]))
    return model


def _unknown(domain: str = "com.acme") -> onnx.ModelProto:
    model = tiny()
    model.graph.node[-1].op_type, model.graph.node[-1].domain = "Frobnicate", domain
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


def _with_nan() -> onnx.ModelProto:
    return tiny(weights=np.full((4, 3, 3, 3), np.nan, np.float32))


def _for_one() -> onnx.ModelProto:
    """A graph that adds up whatever is shown together."""
    model = tiny((1, 3, SIZE, SIZE))
    model.graph.node[-1].op_type = "ReduceSum"
    model.graph.node[-1].input.append("axes")
    model.graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "axes"))
    return model


def _only_for_one() -> onnx.ModelProto:
    """A graph with a batch of one in its weights."""
    model = tiny((1, 3, SIZE, SIZE))
    model.graph.node[-1].op_type = "Reshape"
    model.graph.node[-1].input.append("row")
    model.graph.node.insert(0, helper.make_node("Identity", ["one row"], ["row"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 4], np.int64), "one row"))
    return model


@pytest.mark.parametrize(
    ("model", "described", "words"),
    [
        (_two_inputs(), {}, "has 2 inputs (crops, age); one of pictures is needed"),
        (_two_outputs(), {}, "has 2 outputs (probabilities, means); name one as network.output"),
        (_two_outputs(), {"network": 'output = "mean"'}, "has no output 'mean', but probabilities, means"),
        (_unknown(), {}, "operator Frobnicate of com.acme is not in ONNX Runtime"),
        (_unknown(""), {}, "operator Frobnicate of ai.onnx is not in ONNX Runtime"),
        (_with_nan(), {}, "gives NaN or infinite numbers; see scale, mean and deviation"),
        (_for_one(), {}, "what it says of a picture hangs on the others in the batch"),
        (_only_for_one(), {}, "takes one picture at a time; export it with a batch of any size"),
        (tiny(classes=7), {}, "gives 7 numbers a picture, and classes names 4"),
        (tiny(("n", 1, SIZE, SIZE)), {}, "(n, 1, 32, 32), not (n, 3, 32, 32); it takes 1 channels, and"),
        (tiny(("n", SIZE, SIZE, 3)), {}, "write network.layout = 'nhwc'"),
        (tiny(("n", 3, 224, 224)), {}, "it takes 224 px, and input.size_px is 32"),
        (tiny(), {"network": 'layout = "flat"'}, "network.layout = 'flat' gives (n, 3072)"),
        (tiny(kind=TensorProto.INT64), {}, "its input crops is int64, which no picture is"),
        (tiny(kind=TensorProto.UINT8), {}, "takes grey levels as bytes; leave scale, mean and deviation out"),
        (tiny(), {"gives": "probabilities"}, 'which are no probabilities; write network.gives = "logits"'),
    ],
)  # fmt: skip
def test_a_graph_that_does_not_fit(
    model: onnx.ModelProto,
    described: dict[str, object],
    words: str,
    saved: Save,
    refused: Callable[..., str],
) -> None:
    path = saved(model)
    line = refused("--onnx", path, **described)
    assert line.startswith(f"edge-export: --onnx {path}: ")
    assert words in line


def test_weights_in_another_file(here: Path, saved: Save, refused: Callable[..., str]) -> None:
    model = tiny()
    onnx.save(model, here / "lab.onnx", save_as_external_data=True, location="lab.data", size_threshold=0)
    (here / "lab.data").unlink()
    line = refused("--onnx", here / "lab.onnx")
    assert "keeps its weights in another file" in line
    assert "lab.data" in line


def test_weights_beside_the_file_are_read(here: Path, describe: Describe) -> None:
    from export.foreign.source import Elsewhere, of

    model, path = tiny(), here / "lab.onnx"
    onnx.save(model, path, save_as_external_data=True, location="lab.data", size_threshold=0)
    assert len(of(Elsewhere(onnx=path), describe(), None, here, print).graph) > 400


def test_no_graph_at_all(here: Path, refused: Callable[..., str]) -> None:
    (here / "empty.onnx").touch()
    (here / "text.onnx").write_text("no graph")
    assert "empty.onnx: is empty" in refused("--onnx", here / "empty.onnx")
    assert "text.onnx: is not an ONNX graph" in refused("--onnx", here / "text.onnx")
    assert "gone.onnx: No such file" in refused("--onnx", here / "gone.onnx")


MODULE = """
import torch
from torch import nn
from tests.export.foreign.conftest import Lab
def make(): return Lab()
def needs(classes): return Lab()
def text(): return "network"
def fails(): raise KeyError("out of stock")
class Two(Lab):
    def forward(self, x): return {"kinds": super().forward(x), "ages": x.mean(dim=(1, 2, 3))}
class Named(Lab):
    def forward(self, x): return "blast"
"""


@pytest.mark.parametrize(
    ("place", "described", "words"),
    [
        ("labnet", {}, "is not MODULE:FUNCTION"),
        ("labnot:make", {}, "no module labnot in "),
        ("labnet:maker", {}, "module labnet has no function maker; it has "),
        ("labnet:needs", {}, "needs arguments (missing a required argument: 'classes')"),
        ("labnet:text", {}, "gives a str, not a torch.nn.Module"),
        ("labnet:fails", {}, "fails (KeyError: 'out of stock')"),
        ("labnet:Two", {}, "gives 2 outputs, kinds, ages; name one as network.output"),
        ("labnet:Named", {}, "gives a str, not a tensor"),
        ("labnet:make", {"network": 'layout = "nhwc"'}, "fails on pictures of 32 × 32 × 3 (RuntimeError"),
        ("broken:make", {}, "module broken cannot be imported (SyntaxError"),
        ("needy:make", {}, "module needy needs nowhere_to_be_found, which is not installed"),
    ],
)
def test_a_function_that_makes_no_network(
    place: str, described: dict[str, object], words: str, here: Path, refused: Callable[..., str]
) -> None:
    (here / "labnet.py").write_text(MODULE)
    (here / "broken.py").write_text("def (")
    (here / "needy.py").write_text("import nowhere_to_be_found")
    assert f"--torch {place}: {words}" in refused("--torch", place, **described)


def test_weights_that_do_not_fit_are_told_by_their_first_key(here: Path, refused: Callable[..., str]) -> None:
    from tests.export.foreign.conftest import Lab

    (here / "labnet.py").write_text(MODULE)
    whole = Lab().state_dict()
    for changed, words in (
        ({k: v for k, v in whole.items() if k != "wide.0.weight"}, "has no wide.0.weight"),
        (whole | {"head.weight": torch.zeros(9, 16)}, "head.weight is (9, 16), the network's is (4, 16)"),
        (whole | {"tail.weight": torch.zeros(1)}, "has tail.weight, which the network has not"),
        ([1, 2], "holds a list, not weights by name"),
    ):
        torch.save(changed, here / "w.pt")
        assert f"w.pt: {words}" in refused("--torch", "labnet:make", "--weights", here / "w.pt")
    torch.save(Lab(), here / "w.pt")
    assert "holds more than weights, and is not opened" in refused(
        "--torch", "labnet:make", "--weights", here / "w.pt"
    )
    (here / "w.pt").write_text("weights")
    assert "no file of weights" in refused("--torch", "labnet:make", "--weights", here / "w.pt")
    assert "gone.pt: no such file" in refused("--torch", "labnet:make", "--weights", here / "gone.pt")


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"gives": "odds"}, "network.gives is 'odds'; choose 'logits', 'probabilities'"),
        ({"network": "scale = 0"}, "network.scale is 0.0; it must be above 0, as 255"),
        ({"network": "mean = [1, 2]"}, "network.mean has 2 values; one for all channels, or three"),
        ({"network": "deviation = [1, 0, 1]"}, "every one must be above 0"),
        ({"network": "colours = 3"}, "network.colours: unknown key 'colours' in [network]"),
        ({"operation": "positive = 2"}, "operation.positive is 2; it must be a number from 0 to 1"),
        ({"operation": POINT.replace("certain", "sure")}, "operation.sure: unknown key 'sure'"),
        ({"operation": "positive = 0.5"}, "operation.temperature is missing, and no cells are there"),
        ({"more": "[shares]\nnobody = 1.0"}, "shares.nobody: data set 'nobody': unknown"),
        ({"size_px": 8}, "input.size_px: 8 is not between 32"),
        ({"more": "= 3"}, "not valid TOML"),
    ],
)
def test_a_description_that_cannot_be(
    described: dict[str, object], words: str, saved: Save, refused: Callable[..., str]
) -> None:
    line = refused("--onnx", saved(tiny()), **described)
    assert "edge-export: --manifest " in line
    assert words in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--onnx", "x", "--weights", "w"], "--weights: is for --torch"),
        (["--onnx", "x", "--finetune"], "--finetune: is for networks of ours"),
        (["--run", "x"], "--manifest: is for --onnx and --torch"),
        (["--torch", "m:f", "--quantize", "int8"], "--quantize int8: needs calibration cells"),
    ],
)
def test_flags_that_do_not_go_together(
    arguments: list[str], words: str, here: Path, refused: Callable[..., str]
) -> None:
    (here / "m.py").write_text(MODULE.replace("make", "f"))
    assert words in refused(*arguments)
