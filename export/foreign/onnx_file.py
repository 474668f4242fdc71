"""An ONNX file from elsewhere → a graph with one input of pictures and one output of answers, or why not.

Nothing of it is changed but what a device cannot have: weights in a second file, an opset before 13, outputs
that nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, version_converter

from edge.bundle import onnxfile
from export.foreign.description import Network
from export.graph.graph import ExportError, packed
from export.graph.to_tensorrt import OPSETS

_KINDS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8}
_LACKING = (  # as ONNX Runtime says it, of its own domain and of others
    re.compile(r"(?P<domain>[\w.]*):(?P<name>\w+)\(-?\d+\) is not a registered function/op"),
    re.compile(r'In Node, \("[^"]*", (?P<name>\w+), "(?P<domain>[^"]*)", -1\).*No Op registered'),
)
_UNREADY = re.compile(r"Could not find an implementation for (\w+)\(")


def read(path: Path, network: Network) -> ModelProto:
    """The graph of a file, with the one output that `network` names.

    Raises
    ------
    ExportError : it cannot be read, keeps weights elsewhere that are not there, has several inputs, or
        several outputs and none is named; ONNX Runtime lacks an operator; its opset cannot be raised.
    """
    what = f"--onnx {path}"
    model = _loaded(path, what)
    given = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in given]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ExportError(f"{what}: has {len(inputs)} inputs ({names}); one of pictures is needed, no other")
    del model.graph.input[:]
    model.graph.input.append(inputs[0])
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in _KINDS:
        name = TensorProto.DataType.Name(kind).lower()
        raise ExportError(
            f"{what}: its input {inputs[0].name} is {name}, which no picture is; export it anew"
        )
    _keep_one_output(model, network.output, what)
    model = _raised(model, what)
    session(model, what)
    return model


def dtype_of(value: ValueInfoProto) -> np.dtype[Any]:
    """NumPy's type of an input."""
    return np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def lengths_of(value: ValueInfoProto) -> list[int | None]:
    """The dimensions of an input, None where they are left open."""
    return [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim]


def session(model: ModelProto, what: str) -> ort.InferenceSession:
    """The graph on ONNX Runtime; ExportError where it does not load, with the operator that is lacking."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(packed(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises classes of its own for every kind of bad graph
        told = str(error).strip().splitlines()[0]
    for lacking in filter(None, (pattern.search(told) for pattern in _LACKING)):
        name, domain = lacking["name"], lacking["domain"] or "ai.onnx"
        raise ExportError(f"{what}: operator {name} of {domain} is not in ONNX Runtime; export it without")
    if unready := _UNREADY.search(told):
        raise ExportError(
            f"{what}: operator {unready[1]} has no code in ONNX Runtime here; export it without"
        )
    raise ExportError(f"{what}: ONNX Runtime does not load it ({told[:300]})")


def asked(model: ModelProto, what: str, pictures: NDArray[Any]) -> NDArray[Any]:
    """What the graph gives of pictures as it takes them; one by one where it takes no others."""
    opened, value = session(model, what), model.graph.input[0]
    size = lengths_of(value)[0] or len(pictures)
    name, out = value.name, []
    for first in range(0, len(pictures), size):
        part = pictures[first : first + size]
        missing = size - len(part)
        whole = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
        try:
            out.append(np.asarray(opened.run(None, {name: whole})[0])[: len(part)])
        except Exception as error:  # see `session`
            told = str(error).strip().splitlines()[0]
            shape = " × ".join(map(str, whole.shape[1:]))
            raise ExportError(f"{what}: fails on pictures of {shape} ({told[:300]})") from None
    return np.concatenate(out)


def _loaded(path: Path, what: str) -> ModelProto:
    try:
        content = path.read_bytes()
        if not content:
            raise ValueError("is empty")
        try:
            onnxfile.check(content)
            return onnx.load_from_string(content)
        except ValueError as error:
            if "external data" not in str(error):
                raise
        return onnx.load(path)  # with the file beside it
    except OSError as error:
        if path.is_file():
            name = re.search(r"[\w./\\ -]+\.\w+", str(error))
            told = f" {name[0].strip()}" if name and name[0].strip() != str(path) else ""
            raise ExportError(
                f"{what}: keeps its weights in another file{told}, which is not beside it; copy that too"
            ) from None
        raise ExportError(f"{what}: {error.strerror or error}") from None
    except (ValueError, DecodeError, onnx.checker.ValidationError) as error:
        told = str(error).strip().splitlines()[0]
        if "external" in told.lower() or "data of tensor" in told.lower():
            raise ExportError(
                f"{what}: keeps its weights in another file ({told[:200]}); copy that too"
            ) from None
        raise ExportError(f"{what}: {told[:200]}") from None


def _keep_one_output(model: ModelProto, wanted: str, what: str) -> None:
    """Leave the output that is asked for, a ZipMap before it away, and what only the others needed."""
    names = [output.name for output in model.graph.output]
    if not wanted and len(names) != 1:
        raise ExportError(
            f"{what}: has {len(names)} outputs ({', '.join(names)}); name one as network.output"
        )
    if wanted and wanted not in names:
        raise ExportError(f"{what}: has no output {wanted!r}, but {', '.join(names)}; see network.output")
    name = wanted or names[0]
    kept = next(output for output in model.graph.output if output.name == name)
    maker = next((node for node in model.graph.node if name in node.output), None)
    if maker is not None and maker.op_type == "ZipMap":  # a table of names, which scikit-learn's are given
        kept = helper.make_empty_tensor_value_info(maker.input[0])
    del model.graph.output[:]
    model.graph.output.append(kept)
    needed, nodes = {kept.name}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(_read(node))
            nodes.append(node)
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.node[:]
    del model.graph.initializer[:]
    model.graph.node.extend(reversed(nodes))
    model.graph.initializer.extend(tensors)
    del model.graph.value_info[:]


def _read(node: NodeProto) -> Iterator[str]:
    """Tensors that a node reads, those inside its subgraphs too."""
    yield from node.input
    for attribute in node.attribute:
        graphs: Sequence[Any] = (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else []))
        for graph in graphs:
            yield from (output.name for output in graph.output)
            for inner in graph.node:
                yield from _read(inner)


def _raised(model: ModelProto, what: str) -> ModelProto:
    """The graph at opset 13 or more, and a version of the file that knows it."""
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    model.ir_version = max(model.ir_version, 8)
    if opset >= OPSETS[0]:
        return model
    try:
        return version_converter.convert_version(model, OPSETS[0])
    except Exception as error:  # of C++, for operators that nobody taught it
        told = str(error).strip().splitlines()[0][:200]
        raise ExportError(
            f"{what}: opset {opset} cannot be raised to {OPSETS[0]} ({told}); export it with a newer one"
        ) from None
