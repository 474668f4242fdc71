"""What tests share: the real images if they are at hand, and small bundles made on the spot."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]

CLASSES = [
    "blast", "immature-granulocyte", "lymphocyte", "monocyte", "neutrophil", "eosinophil", "basophil",
    "erythroblast", "platelet", "smudge-cell", "artefact",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the user's records."""
    monkeypatch.setenv("LEUKOSCOPE_HOME", str(tmp_path_factory.mktemp("leukoscope")))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real microscopy data sets; the test is skipped where they are not at hand."""
    folder = Path(os.environ.get("LEUKOSCOPE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images in {folder}; set LEUKOSCOPE_DATA to the folder of the data sets")
    return folder


def graph(classes: int = len(CLASSES), size: int = 96) -> bytes:
    """A small classifier: the crop's mean colour, a fixed linear map, softmax."""
    from onnx import TensorProto, checker, helper, numpy_helper

    weights = np.random.default_rng(0).normal(0, 4, (3, classes)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["crops"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "full"], ["unit"]),
        helper.make_node("MatMul", ["unit", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        numpy_helper.from_array(np.array(255, np.float32), "full"),
        numpy_helper.from_array(weights, "weights"),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", size, size, 3])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes])],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def manifest(**changes: Any) -> dict[str, Any]:
    """A valid manifest but for `changes`; `files` is filled in by `pack`."""
    return {
        "format": 1,
        "name": "small",
        "version": "test",
        "task": "cell",
        "classes": CLASSES,
        "leukocytes": CLASSES[:7],
        "positive": ["blast"],
        "input": {"pitch_um": 0.25, "size_px": 96, "steps": ["white-balance"]},
        "graphs": {"classifier": {"fp32": "classifier.onnx"}},
        "thresholds": {"positive": 0.5, "confidence": 0.1, "certain": 0.9},
        "finding": {
            "refer_fraction": 0.05, "interval_level": 0.95, "certain_cells": 3, "certain_within": 100,
            "rejected_fraction": 0.5, "source": "test",
        },
    } | changes  # fmt: skip


def pack(path: Path, about: dict[str, Any], members: dict[str, bytes]) -> Path:
    """Write a bundle, with the hashes of its members unless `about` brings its own."""
    about = {
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    } | about
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(about))
        for name, content in members.items():
            archive.writestr(name, content)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Makes a small bundle: `make_bundle(graph=bytes, members={...}, **changes to the manifest)`."""

    def make(graph: bytes = graph(), members: dict[str, bytes] | None = None, **changes: Any) -> Path:
        members = {"classifier.onnx": graph} if members is None else members
        return pack(tmp_path / "small.bundle", manifest(**changes), members)

    return make
