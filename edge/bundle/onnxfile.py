"""What an ONNX file may not do, keep its weights in another file, and how many it has.

The device has no onnx package, and ONNX Runtime decides by version what it reads from where. So the file is
walked here, by the field numbers of onnx.proto (https://github.com/onnx/onnx, ONNX 1.21) and the wire format
of protocol buffers (https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

_EXTERNAL = (13, 14)  # TensorProto.external_data and .data_location
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Message -> field -> the message in it: every way from a model to a tensor."""

_GRAPH, _INITIALIZER, _DIMS, _DATA_TYPE = 7, 5, 1, 2  # of ModelProto, GraphProto and TensorProto
_FLOATING = (1, 10, 11)  # TensorProto.DataType: FLOAT, FLOAT16, DOUBLE
_DEEPEST = 64  # messages within each other; protobuf itself stops at 100
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def check(content: bytes) -> None:
    """Raise ValueError for a file that is not ONNX, or that points at data outside itself."""
    if not _walk(memoryview(content), "model", 0):
        raise ValueError("is not an ONNX graph")


def weights(content: bytes) -> int:
    """How many floating-point numbers an ONNX file's graph holds, those of single values left out.

    Raises
    ------
    ValueError : it is not ONNX.
    """
    total = 0
    for graph in _inside(memoryview(content), _GRAPH):
        for tensor in _inside(graph, _INITIALIZER):
            dims: list[int] = []
            kind = 0
            for field, value in _fields(tensor):
                if field == _DIMS:  # one by one, or packed
                    dims += [value] if isinstance(value, int) else _varints(value)
                elif field == _DATA_TYPE and isinstance(value, int):
                    kind = value
            total += prod(dims) if dims and kind in _FLOATING else 0
    return total


def _inside(message: memoryview, field: int) -> Iterator[memoryview]:
    """The messages in this field of a message."""
    return (value for number, value in _fields(message) if number == field and isinstance(value, memoryview))


def _varints(packed: memoryview) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def _walk(message: memoryview, kind: str, depth: int) -> int:
    """Look through a message; how many known messages are right below it."""
    if depth > _DEEPEST:
        raise ValueError("is not an ONNX graph (nested too deeply)")
    below = 0
    for field, value in _fields(message):
        if kind == "tensor" and field in _EXTERNAL and value != 0:
            raise ValueError("keeps weights in another file (external data)")
        inner = _FIELDS[kind].get(field)
        if inner is not None and isinstance(value, memoryview):
            below += 1
            _walk(value, inner, depth + 1)
    return below


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field in a message: an int, or the bytes."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        field, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield field, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"is not an ONNX graph (wire type {wire})")
        if at + size > end:
            raise ValueError("is not an ONNX graph (cut off)")
        yield field, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("is not an ONNX graph (cut off)")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("is not an ONNX graph (a number without end)")
