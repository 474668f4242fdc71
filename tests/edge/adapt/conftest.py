"""What tests of adapting share: the shipped model with its features told, and its command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge import device
from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from tests.conftest import pack


def featured(path: Path, **changes: Any) -> Path:
    """The shipped bundle's FP32 graph, with what its last layer reads as a second output."""
    import onnx
    from onnx import TensorProto, helper

    shipped = bundle.load(bundle.shipped_path())
    about = shipped.manifest
    model = onnx.load_from_string(shipped.graph())
    if "features" not in [output.name for output in model.graph.output]:
        last = [node for node in model.graph.node if node.op_type == "Gemm"][-1]
        model.graph.node.append(helper.make_node("Identity", [last.input[0]], ["features"]))
        model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", None]))
    plain = about.graphs["ort-fp32"]
    members = {name: shipped.members[name] for name in about.files if name not in about.graphs.values()}
    values = {key: value for key, value in about.everything.items() if key != "files"}
    graphs = {"graphs": values["graphs"] | {"classifier": {"ort-fp32": plain}}, "precisions": {}}
    return pack(path, values | graphs | changes, members | {plain: model.SerializeToString()})


@pytest.fixture(scope="session")
def model_path(made_once: Callable[..., Path]) -> Path:
    return made_once("featured", lambda folder: featured(folder / "featured.bundle")) / "featured.bundle"


@pytest.fixture(scope="session")
def model(model_path: Path) -> Bundle:
    return bundle.load(model_path, allow_unsigned=True)


@pytest.fixture
def adapt(model_path: Path) -> Callable[..., int]:
    """Run `edge-device adapt` with the model that tells its features."""

    def run(*words: object) -> int:
        about = ("--bundle", model_path, "--allow-unsigned")
        return device.main(["adapt", *map(str, (*words, *about))])

    return run
