"""What tests share: the real images if they are at hand, and small bundles made on the spot."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import chain, groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

# before numpy and torch, which read it once: networks this small gain nothing by several threads, and those
# of several workers would wait for each other
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from edge.bundle.bundle import Bundle

ROOT = Path(__file__).resolve().parents[1]

CLASSES = [
    "blast", "immature-granulocyte", "lymphocyte", "monocyte", "neutrophil", "eosinophil", "basophil",
    "erythroblast", "platelet", "smudge-cell", "artefact",
]  # fmt: skip


# how long an example takes says something of how busy this machine is
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

LONG = (
    "test_docs_commands.py",
    "train/tuning/test_sweep.py",
    "edge/archive/test_cli.py",
    "train/fitting/test_distributed.py",
    "train/recipes/test_commands.py",
)
"""Files of tests that take up to a minute each; folders after them whose tests take long."""
SLOW = ("train", "export")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what belongs to the published systems, and deal what takes long to all workers alike."""
    for item in items:
        if "published" in item.path.relative_to(ROOT).parts:
            item.add_marker("published")
    items[:] = _dealt(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The items in an order of which each worker takes an even part, what takes longest being first in each.

    Tests of one file stay together, for they share what is made once a file, but for those that take longest.
    """
    first = sorted((item for item in items if _file(item) in LONG), key=lambda item: LONG.index(_file(item)))
    then = [item for item in items if _file(item) not in LONG and _file(item).startswith(SLOW)]
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, item in enumerate(first):
        hands[number % workers].append(item)
    for number, (_, group) in enumerate(groupby(then, _file)):
        hands[number % workers] += group
    dealt = {*first, *then}
    rest = [item for item in items if item not in dealt]
    for left, hand in zip(range(workers, 0, -1), hands, strict=True):
        room = (len(items) - sum(map(len, hands[: workers - left]))) // left - len(hand)
        hand += rest[: max(room, 0)]
        del rest[: max(room, 0)]
    return [*chain.from_iterable(hands), *rest]


def _file(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").as_posix()


@pytest.fixture(scope="session")
def _data_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leukoscope")


@pytest.fixture(autouse=True)
def _own_data_folder(_data_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the user's records, nor into another test's."""
    # not `mktemp` of the factory, which looks through all the folders made so far for the next number
    monkeypatch.setenv("LEUKOSCOPE_HOME", tempfile.mkdtemp(dir=_data_folders))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Makes what is dear once a run of pytest, whichever worker needs it first: `made_once(name, make)`.

    `make` fills the empty folder it is given. The others wait for it and get the same folder, to read only.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made"
    shared.mkdir(exist_ok=True)

    def once(name: str, make: Callable[[Path], object]) -> Path:
        folder, half = shared / name, shared / f"{name}.part"
        with open(shared / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(half, ignore_errors=True)  # of somebody who failed
                half.mkdir()
                make(half)
                half.rename(folder)
        return folder

    return once


@pytest.fixture(scope="session")
def translated_once() -> Iterator[None]:
    """For tests that export: what PyTorch can translate to ONNX is gathered once in a worker.

    Its exporter gathers it anew for every network, which takes two seconds and comes out the same.
    """
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real microscopy data sets; the test is skipped where they are not at hand."""
    folder = Path(os.environ.get("LEUKOSCOPE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images in {folder}; set LEUKOSCOPE_DATA to the folder of the data sets")
    return folder


def graph(classes: int = len(CLASSES), size: int = 96, seed: int = 0) -> bytes:
    """A small classifier: the crop's mean colour, a linear map fixed by `seed`, softmax."""
    from onnx import TensorProto, checker, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(0, 4, (3, classes)).astype(np.float32)
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


usual_graph = cache(graph)


@cache
def graph_with_features() -> bytes:
    """The usual graph that also tells what its last layer reads: the crop's mean colour, (n, 3), 0 to 1."""
    from onnx import TensorProto, helper, load_from_string

    model = load_from_string(graph())
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3]))
    model.graph.node.append(helper.make_node("Identity", ["unit"], ["features"]))
    content: bytes = model.SerializeToString()
    return content


@cache
def graph_for_black() -> bytes:
    """A graph that loads, answers for black crops, and fails when it runs on any other."""
    from onnx import TensorProto, helper, load_from_string, numpy_helper

    model = load_from_string(graph())
    model.graph.node[-1].output[0] = "all"
    model.graph.node.extend((
        helper.make_node("ReduceMax", ["real"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["ones", "index"], ["one"]),
        helper.make_node("Mul", ["all", "one"], ["probabilities"]),
    ))  # fmt: skip
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "ones"))
    content: bytes = model.SerializeToString()
    return content


def manifest(**changes: Any) -> dict[str, Any]:
    """A valid manifest but for `changes`; `files` is filled in by `pack`."""
    return {
        "format": 2,
        "name": "small",
        "version": "test",
        "task": "cell",
        "classes": CLASSES,
        "leukocytes": CLASSES[:7],
        "positive": ["blast"],
        "input": {
            "pitch_um": 0.25, "size_px": 96, "crop_um": 24.0, "interpolation": "box-linear",
            "scale": "red-cells", "steps": ["white-balance"],
        },
        "graphs": {"classifier": {"ort-fp32": "classifier.onnx"}},
        "precisions": {},
        "thresholds": {"positive": 0.5, "confidence": 0.1, "certain": 0.9},
        "finding": {
            "refer_fraction": 0.05, "interval_level": 0.95, "rejected_fraction": 0.5, "source": "test",
        },
        "operation": {
            "sensitivity": {"mean": 0.85, "low": 0.8, "high": 0.9},
            "false_blasts": {"mean": 0.003, "low": 0.0, "high": 0.01},
            "source": "test",
        },
    } | changes  # fmt: skip


def pack(path: Path, about: dict[str, Any], members: dict[str, bytes]) -> Path:
    """Write a bundle, with the hashes of its members unless `about` brings its own."""
    about = {
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    } | about
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"manifest.json": json.dumps(about).encode(), **members}.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # at no time of its own
    path.write_bytes(buffer.getvalue())
    return path


@cache
def drawn_field() -> tuple[bytes, bytes, np.ndarray, np.ndarray]:
    """A drawn picture and its cells' crops as PNG, where the cells are, and the crops themselves."""
    import cv2

    from edge.bundle.model_input import crops
    from edge.cameras.demo.camera import SimulatedCamera
    from edge.cells.segment import segment
    from edge.optics.specimen import specimen

    camera = SimulatedCamera(1)
    camera.open()
    pixels = np.ascontiguousarray(camera.read().pixels[:450, :700])
    camera.close()
    view = specimen(pixels, 0.1, 0.25)
    centres = segment(view).in_frame(*pixels.shape[:2]).centres_px
    assert len(centres)
    windows = crops(view, centres * view.scale, 96)
    strip = np.concatenate(list(windows), axis=1)
    picture, cut = (cv2.imencode(".png", part[..., ::-1])[1].tobytes() for part in (pixels, strip))
    return picture, cut, centres, windows


def golden(graphs: Mapping[str, bytes], classes: list[str] = CLASSES) -> dict[str, bytes]:
    """Golden cases for graphs that take crops of 96 px and call a cell by the largest probability."""
    from edge.runtimes import open_runtime

    picture, strip, centres, windows = drawn_field()
    said = {}
    for name, content in graphs.items():
        runtime = open_runtime("ort", content, precision="fp32", threads=1)
        said[name] = runtime.run({"crops": windows})["probabilities"]
        runtime.close()
    called = next(iter(said.values())).argmax(axis=1)
    cells = [
        {
            "centre_px": centre.tolist(),
            "class": classes[called[i]],
            "probabilities": {name: rows[i].tolist() for name, rows in said.items()},
        }
        for i, centre in enumerate(centres)
    ]
    case = {"picture": "golden/0.png", "crops": "golden/0-crops.png", "um_per_px": 0.1, "cells": cells}
    about = {"cases": [case], "tolerance": {"probability": {"ort": 0.01, "trt": 0.03}, "crop": 2}}
    return {
        "golden.json": json.dumps(about).encode(), "golden/0.png": picture, "golden/0-crops.png": strip,
    }  # fmt: skip


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Makes a small bundle: `make_bundle(graph=bytes, members={...}, **changes to the manifest)`.

    Without either it is whole: the usual graph, and golden cases.
    """

    def make(graph: bytes | None = None, members: dict[str, bytes] | None = None, **changes: Any) -> Path:
        if members is None and graph is None:
            members = {"classifier.onnx": usual_graph()}
            members |= golden(members)
        elif members is None:
            members = {"classifier.onnx": graph or b""}
        return pack(tmp_path / "small.bundle", manifest(**changes), members)

    return make


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key whose public half this machine trusts, by the name of hospital."""
    from edge.machine.profile import data_folder
    from export.bundle.keys import generate

    private, public, _ = generate(tmp_path / "keys", "hospital")
    trusted = data_folder() / "keys"
    trusted.mkdir(parents=True)
    (trusted / "hospital.pub").write_bytes(public.read_bytes())
    return private


def add_signature(path: Path, key: Path, *, change: Callable[[bytes], bytes] = bytes) -> Path:
    """The bundle with a signature by this key, over its manifest as `change` makes it."""
    from export.bundle.keys import sign

    with zipfile.ZipFile(path, "a") as archive:
        manifest = archive.read("manifest.json")
        archive.writestr(
            zipfile.ZipInfo("signature.json"), sign(change(manifest), key)
        )  # at no time of its own
    return path


@pytest.fixture
def signed(tmp_path: Path, key: Path) -> Callable[..., Path]:
    """Makes a small bundle of this version, signed by the trusted key: `signed("1", **members)`."""

    def make(version: str = "1", **members: bytes) -> Path:
        graphs = {"classifier.onnx": usual_graph()}
        about = manifest(version=version)
        path = pack(tmp_path / f"stick-{version}.bundle", about, graphs | golden(graphs) | members)
        return add_signature(path, key)

    return make


@pytest.fixture
def two_precisions(make_bundle: Callable[..., Path]) -> Callable[..., Bundle]:
    """An opened bundle with an FP32 and a so-called INT8 graph; `members` replaces or adds some."""
    from edge.bundle import bundle

    def make(members: Mapping[str, bytes] = MappingProxyType({})) -> Bundle:
        whole = {"classifier.onnx": usual_graph(), "int8.onnx": usual_graph()}
        whole |= golden(whole) | members
        path = make_bundle(
            members=whole,
            graphs={"classifier": {"ort-fp32": "classifier.onnx", "ort-int8": "int8.onnx"}},
            precisions={"ort-int8": {"usable": True, "why": ""}},
        )
        return bundle.load(path, allow_unsigned=True)

    return make
