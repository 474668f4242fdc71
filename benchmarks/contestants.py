"""What `peers.py` and `line.py` run: our line, other networks, and our classifier on other runtimes."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from edge import __version__
from edge.bench import fields
from edge.cells.classify import Classifier
from edge.line.engine import Engine
from edge.line.pipeline import Line
from edge.optics import specimen
from edge.optics.scale import Scales
from edge.records.store import Store
from edge.types import U8, Reading, SlideHeader

AT_ONCE = 9
CACHE = Path.home() / ".cache" / "leukoscope-peers"
"""Where the graphs of the others lie if nothing else is said."""

Runs = dict[str, Callable[[], Any]]
"""Name -> one run; of classifiers the name ends in the number of cells."""


class OurLine:
    """The line, slide after slide, from a frame to its finding and records."""

    def __init__(self, engine: Engine, held: ExitStack) -> None:
        folder = held.enter_context(tempfile.TemporaryDirectory())
        self._engine, self._index = engine, 0
        self._store = held.enter_context(Store(Path(folder) / "records.db"))

    def begin(self, asked: float | str = "auto") -> None:
        """Begin a slide of this scale, µm per pixel, or of one that is measured."""
        engine, camera = self._engine, fields.DrawnFields([])
        scale = Scales(asked=asked, nominal=fields.UM_PER_PX, camera=camera).for_slide()
        self._line = Line(engine.classifier, scale, find=engine.find)
        manifest, model = engine.bundle.manifest, engine.bundle
        header = SlideHeader(
            __version__, engine.profile.name, camera.name, engine.classifier.runtime, manifest.name,
            model.sha256, model.trusted, manifest.classes,
        )  # fmt: skip
        self._store.begin_slide(None, header)

    def read(self, pixels: U8) -> tuple[Reading, float]:
        """Read a new frame of this field; what it shows, and milliseconds with the records."""
        frame = fields.frame_of(pixels, self._index)
        self._index += 1
        begun = time.perf_counter()
        reading = self._line.read(frame)
        self._store.add(reading)
        self._store.committed()
        return reading, (time.perf_counter() - begun) * 1e3

    def flush(self) -> None:
        """Let the records be written that still wait."""
        self._store.flush()


def milliseconds(run: Callable[[], Any]) -> float:
    """How long a run takes."""
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) * 1e3


def session(graph: Path | bytes, threads: int, spin: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    content = graph if isinstance(graph, bytes) else str(graph)
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def networks(cache: Path, threads: int, spin: bool, left_out: dict[str, str]) -> tuple[Runs, Runs]:
    """Runs of the detectors and classifiers by name; a classifier has one for one cell and one for nine."""
    detectors: Runs = {}
    classifiers: Runs = {}
    for name, about in _graphs(cache).items():
        if about.get("batches"):
            loaded = session(cache / f"{name}.onnx", threads, spin)
            for n in (1, AT_ONCE):
                classifiers[f"{name} {n}"] = _pass(loaded, n, about["size_px"])
        else:
            detectors |= detector(cache, name, threads, spin, left_out)
    return detectors, classifiers


def detector(cache: Path, name: str, threads: int, spin: bool, left_out: dict[str, str]) -> Runs:
    """A run of one network on one picture, by its name; nothing where its graph is missing."""
    about = _graphs(cache).get(name, {"missing": "no such graph: python benchmarks/peer_graphs.py CACHE"})
    if "missing" in about:
        left_out[name] = about["missing"]
        return {}
    return {name: _pass(session(cache / f"{name}.onnx", threads, spin), 1, about["size_px"])}


def _graphs(cache: Path) -> dict[str, Any]:
    """What is known of the graphs, by name."""
    listing = cache / "graphs.json"
    found: dict[str, Any] = json.loads(listing.read_text(encoding="utf-8")) if listing.exists() else {}
    return found


def _pass(loaded: ort.InferenceSession, n: int, size_px: int) -> Callable[[], Any]:
    values = np.random.default_rng(0).random((n, 3, size_px, size_px), np.float32)
    given = {loaded.get_inputs()[0].name: values}
    return lambda: loaded.run(None, given)


def ours(engine: Engine, crops: U8, threads: int, held: ExitStack) -> Runs:
    """Our classifier in every precision that ONNX Runtime has in the bundle."""
    runs: Runs = {}
    for variant in sorted(v for v in engine.bundle.manifest.graphs if v.startswith("ort-")):
        classifier = Classifier(engine.bundle, variant=variant, threads=threads)
        held.callback(classifier.close)
        for n in (1, AT_ONCE):
            runs[f"{variant} {n}"] = partial(classifier, np.ascontiguousarray(crops[:n]))
    return runs


def other_runtimes(engine: Engine, crops: U8, threads: int, cache: Path, left_out: dict[str, str]) -> Runs:
    """Our FP32 classifier on OpenVINO and ncnn, each checked against ONNX Runtime."""
    runs: Runs = {}
    graph = engine.bundle.graph("ort-fp32")
    wanted = session(graph, threads, False).run(None, {"crops": crops})[0]
    for name, make in (("openvino", _openvino), ("ncnn", _ncnn)):
        try:
            ask = make(graph, threads, cache)
            off = float(np.abs(ask(crops) - wanted).max())
        except Exception as error:  # not installed, not for this machine, or it cannot read the graph
            left_out[name] = f"{type(error).__name__}: {error}".splitlines()[0][:160]
            continue
        if off > 0.01:
            left_out[name] = f"its probabilities are off by {off:.3f}"
            continue
        for n in (1, AT_ONCE):
            runs[f"{name} {n}"] = partial(ask, crops[:n])
    return runs


def _openvino(graph: bytes, threads: int, cache: Path) -> Callable[[U8], Any]:
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    settings["INFERENCE_PRECISION_HINT"] = "f32"  # or it takes bfloat16 where the processor has it
    core = openvino.Core()
    request = core.compile_model(core.read_model(graph), "CPU", settings).create_infer_request()
    return lambda crops: request.infer({0: crops})[0]


def _ncnn(graph: bytes, threads: int, cache: Path) -> Callable[[U8], Any]:
    import ncnn
    import onnx
    import pnnx

    model = onnx.load_from_string(graph)
    # ncnn takes pixels to floating point and channels by itself
    first = next(i for i, node in enumerate(model.graph.node) if node.op_type not in ("Cast", "Transpose"))
    start, size = model.graph.node[first].input[0], crop_size(model)
    del model.graph.node[:first]
    del model.graph.input[:]
    model.graph.input.append(
        onnx.helper.make_tensor_value_info(start, onnx.TensorProto.FLOAT, [1, 3, size, size])
    )
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        onnx.save(model, str(Path(folder) / "ours.onnx"))
        tool = Path(pnnx.__file__).with_name("pnnx")
        subprocess.run(
            [tool, "ours.onnx", f"inputshape=[1,3,{size},{size}]"],
            cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        net = ncnn.Net()
        net.opt.num_threads, net.opt.openmp_blocktime = threads, 0
        net.load_param(str(Path(folder) / "ours.ncnn.param"))
        net.load_model(str(Path(folder) / "ours.ncnn.bin"))

    def one(crop: U8) -> Any:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat.from_pixels(crop, ncnn.Mat.PixelType.PIXEL_RGB, size, size))
        return np.array(extractor.extract("out0")[1])

    return lambda crops: np.stack([one(crop) for crop in crops])


def crop_size(model: Any) -> int:
    """Side of the crops that a classifier's graph takes."""
    return int(model.graph.input[0].type.tensor_type.shape.dim[1].dim_value)


def fuzzy(field: U8, left_out: dict[str, str]) -> Runs:
    """Fuzzy C-means with a support vector machine, on the field at the pitch that we work at."""
    try:
        from fuzzy import FuzzySvm
    except ImportError as error:
        left_out["fuzzy C-means, SVM"] = str(error)
        return {}
    pipeline = FuzzySvm()
    small = specimen.specimen(field, fields.UM_PER_PX, 0.25).pixels
    return {"fuzzy C-means, SVM": lambda: pipeline(small)}
