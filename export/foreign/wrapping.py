"""A network's own graph → the device's: `crops` (n, S, S, 3) uint8 → `probabilities` (n, C) float32.

What comes before and behind is a few nodes at the graph's own opset. Then ONNX Runtime's basic optimisation
runs once, offline: it writes plain ONNX with constants folded, and normalisation within its convolution.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from export.foreign.description import Network
from export.foreign.levels import LEAST
from export.foreign.onnx_file import lengths_of
from export.graph.graph import ExportError, packed
from export.graph.naming import name_nodes

_OWN = "net."  # before every name of the network's, so that none clashes with ours


def fitted(model: ModelProto, network: Network, size_px: int, what: str) -> ModelProto:
    """The graph taking pictures of this size, and as many at once as there are.

    Raises
    ------
    ExportError : its input is made for something else. Says for what, and which key to change.
    """
    value = model.graph.input[0]
    lengths, wanted = lengths_of(value), _shape(network, size_px)
    named = f"{what}: its input {value.name} is ({', '.join('n' if n is None else str(n) for n in lengths)})"
    if len(lengths) != len(wanted) + 1:
        raise ExportError(f"{named}; network.layout = {network.layout!r} gives (n, {_told(wanted)})")
    for given, ours in zip(lengths[1:], wanted, strict=True):
        if given not in (None, ours):
            raise ExportError(f"{named}, not (n, {_told(wanted)}); {_cure(lengths[1:], network, size_px)}")
    out = ModelProto()
    out.CopyFrom(model)
    shape = out.graph.input[0].type.tensor_type.shape
    del shape.dim[:]
    for length in ("n", *wanted):
        shape.dim.add(**({"dim_param": length} if isinstance(length, str) else {"dim_value": length}))
    if lengths[0] is not None:
        _free(out, lengths[0])
    del out.graph.value_info[:]
    out.graph.output[0].CopyFrom(helper.make_empty_tensor_value_info(out.graph.output[0].name))
    return out


def _shape(network: Network, size_px: int) -> tuple[int, ...]:
    """Of one picture as the network takes it."""
    shapes = {"nchw": (3, size_px, size_px), "nhwc": (size_px, size_px, 3), "flat": (3 * size_px**2,)}
    return shapes[network.layout]


def _told(lengths: tuple[int, ...]) -> str:
    return ", ".join(map(str, lengths))


def _cure(lengths: list[int | None], network: Network, size_px: int) -> str:
    """What to write otherwise in the description, for an input of these lengths."""
    if network.layout == "flat":
        return f"input.size_px = {size_px} makes {3 * size_px**2} numbers"
    first, last = lengths[0], lengths[2]
    channels, side = (first, last) if network.layout == "nchw" else (last, first)
    other = last if network.layout == "nchw" else first
    if channels not in (None, 3):
        if other == 3:
            turned = "nhwc" if network.layout == "nchw" else "nchw"
            return f"write network.layout = {turned!r}"
        return f"it takes {channels} channels, and a picture has 3"
    if side is not None and lengths.count(side) >= 2:
        return f"it takes {side} px, and input.size_px is {size_px}"
    return "it takes no square pictures"


def _free(model: ModelProto, batch: int) -> None:
    """Let constant shapes take their first length from what is reshaped, where that is the fixed batch."""
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    known |= {
        node.output[0]: node.attribute[0].t
        for node in model.graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    for node in model.graph.node:
        if node.op_type != "Reshape" or node.input[1] not in known:
            continue
        shape = numpy_helper.to_array(known[node.input[1]])
        if shape.ndim == 1 and len(shape) > 1 and shape[0] == batch and shape.all():
            del node.attribute[:]  # allowzero, of a shape without a zero
            node.input[1] = f"{node.output[0]}.shape"
            anew = np.array([0, *shape[1:]], np.int64)
            model.graph.initializer.append(numpy_helper.from_array(anew, node.input[1]))


def wrapped(model: ModelProto, network: Network, size_px: int, classes: int, temperature: float) -> bytes:
    """The device's graph round what `fitted` gives, for a temperature; the same bytes for the same."""
    own = compose.add_prefix(model, _OWN, rename_nodes=False)
    entry, exit = own.graph.input[0], own.graph.output[0].name
    constants: list[TensorProto] = []
    before = _before(network, entry.name, entry.type.tensor_type.elem_type, constants)
    after = _after(network, exit, classes, temperature, constants)
    own.graph.initializer.extend(constants)
    nodes = [*before, *own.graph.node, *after]
    for part, name, kind, shape in (
        (own.graph.input, "crops", TensorProto.UINT8, ("n", size_px, size_px, 3)),
        (own.graph.output, "probabilities", TensorProto.FLOAT, ("n", classes)),
    ):
        del part[:]
        part.append(helper.make_tensor_value_info(name, kind, shape))
    del own.graph.node[:]
    own.graph.node.extend(nodes)
    return _plain(own)


def _before(network: Network, entry: str, kind: int, constants: list[TensorProto]) -> list[NodeProto]:
    """From `crops` to what the network takes."""
    steps: list[tuple[str, list[str], dict[str, Any]]] = [("Cast", [], {"to": TensorProto.FLOAT})]

    def keep(name: str, value: Any) -> list[str]:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return [name]

    if network.colour == "bgr":
        steps.append(("Gather", keep("turned", np.array([2, 1, 0], np.int64)), {"axis": 3}))
    if network.layout == "nchw":
        steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))
    shape = (-1, 1, 1) if network.layout == "nchw" else (-1,)
    zero = np.array(network.mean) * network.scale
    unit = 1 / (np.array(network.deviation) * network.scale)
    if zero.any():
        steps.append(("Sub", keep("zero", zero.astype(np.float32).reshape(shape)), {}))
    if (unit != 1).any():
        steps.append(("Mul", keep("unit", unit.astype(np.float32).reshape(shape)), {}))
    if network.layout == "flat":
        steps.append(("Reshape", keep("row", np.array([0, -1], np.int64)), {}))
    if kind != TensorProto.FLOAT:
        steps.append(("Cast", [], {"to": kind}))
    nodes, name = [], "crops"
    for number, (operator, more, attributes) in enumerate(steps, 1):
        out = entry if number == len(steps) else f"levels.{number}"
        nodes.append(helper.make_node(operator, [name, *more], [out], **attributes))
        name = out
    return nodes


def _after(
    network: Network, exit: str, classes: int, temperature: float, constants: list[TensorProto]
) -> list[NodeProto]:
    """From what the network gives to `probabilities`."""
    nodes: list[NodeProto] = []

    def add(operator: str, inputs: list[str], out: str, **attributes: Any) -> None:
        nodes.append(helper.make_node(operator, inputs, [out], **attributes))

    def keep(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    add("Reshape", [exit, keep("table", np.array([-1, classes], np.int64))], "told")
    add("Cast", ["told"], "answers", to=TensorProto.FLOAT)
    if network.gives == "probabilities" and temperature == 1.0:
        add("Identity", ["answers"], "probabilities")
        return nodes
    name = "answers"
    if network.gives == "probabilities":
        add("Clip", [name, keep("least", np.float32(LEAST))], "some")
        add("Log", ["some"], "logits")
        name = "logits"
    if temperature != 1.0:
        add("Div", [name, keep("temperature", np.float32(temperature))], "calibrated")
        name = "calibrated"
    add("Softmax", [name], "probabilities", axis=1)
    return nodes


def _plain(model: ModelProto) -> bytes:
    """The graph simplified, named, and without what depends on who made it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "plain.onnx"
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(out)
        options.log_severity_level = 4
        try:
            ort.InferenceSession(packed(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises classes of its own for every kind of bad graph
            raise ExportError(
                f"the wrapped graph does not load ({str(error).splitlines()[0][:300]})"
            ) from None
        made = onnx.load(out)
    used = {node.domain for node in made.graph.node} | {""}
    domains = [o for o in made.opset_import if o.domain in used and (o.domain or o.version)]
    del made.opset_import[:]
    made.opset_import.extend(sorted(domains, key=lambda o: str(o.domain)))
    made.producer_name, made.producer_version, made.doc_string = "leukoscope", "", ""
    made.graph.name, made.graph.doc_string = "classifier", ""
    del made.metadata_props[:]
    del made.graph.metadata_props[:]
    del made.graph.value_info[:]
    for part in (*made.graph.node, *made.graph.input, *made.graph.output, *made.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    name_nodes(made)
    onnx.checker.check_model(made)
    return packed(made)
