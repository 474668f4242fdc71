"""The shipped graphs on other processors: what is proven of them, and what an emulated one computes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from shutil import which

import numpy as np
import onnxruntime as ort
import pytest

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.selftest.golden import Golden
from export.graph.saturation import saturating

SHIPPED = sorted(bundle.shipped_path().parent.glob("*.bundle"))

_EMULATED = """
import sys
import numpy as np
import onnxruntime as ort
from numpy._core._multiarray_umath import __cpu_features__
assert __cpu_features__["AVX2"] and not __cpu_features__["AVX512F"]
folder = sys.argv[1]
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(folder + "/graph.onnx", options, ["CPUExecutionProvider"])
np.save(folder + "/said.npy", session.run(["probabilities"], {"crops": np.load(folder + "/crops.npy")})[0])
"""


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest) -> Bundle:
    return bundle.load(request.param)


def test_no_shipped_graph_for_onnx_runtime_saturates_on_any_processor(shipped: Bundle) -> None:
    for variant, member in shipped.manifest.graphs.items():
        if variant.startswith("ort-"):
            assert saturating(shipped.members[member]) == (), variant


def test_onnx_runtime_computes_no_layer_of_tensorrts_graph_in_whole_numbers(
    shipped: Bundle, tmp_path: Path
) -> None:
    """So it is never the faster there, and no precision to try: every layer in FP32, and rounding besides."""
    run = {
        variant: _operators(shipped.graph(variant), shipped, tmp_path) for variant in ("ort-int8", "trt-int8")
    }
    assert run["ort-int8"]["QLinearConv"] > 10
    assert run["trt-int8"]["QLinearConv"] == 0
    assert run["trt-int8"]["DequantizeLinear"] > 10


def _operators(graph: bytes, opened: Bundle, folder: Path) -> Counter[str]:
    """What ONNX Runtime runs of a graph where signed bytes are allowed, as on Arm."""
    options = ort.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(folder / "run")
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = ort.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=["WeightBiasQuantization"]
    )  # as `edge.runtimes.ort` does
    size = opened.manifest.size_px
    session.run(["probabilities"], {"crops": np.zeros((1, size, size, 3), np.uint8)})
    events = json.loads(Path(session.end_profiling()).read_text())
    return Counter(event["args"]["op_name"] for event in events if event["name"].endswith("_kernel_time"))


def test_an_emulated_haswell_says_what_this_processor_says(tmp_path: Path) -> None:
    emulator = which("qemu-x86_64")
    if emulator is None or os.uname().machine != "x86_64":
        pytest.skip("no qemu-x86_64 on an x86-64 machine: apt install qemu-user")
    opened = bundle.load(bundle.shipped_path())
    golden = Golden(opened)
    crops = np.concatenate([case.crops for case in golden.cases])
    (tmp_path / "graph.onnx").write_bytes(opened.graph("ort-int8"))
    np.save(tmp_path / "crops.npy", crops)
    command = [emulator, "-cpu", "Haswell", sys.executable, "-c", _EMULATED, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    plain = Classifier(opened, variant="ort-int8")
    here = plain._runtime.run({"crops": crops})["probabilities"]
    plain.close()
    assert np.abs(np.load(tmp_path / "said.npy") - here).max() < golden.tolerance["ort"]
