"""Which ranges the values between the layers take: seen on calibration cells, once for every INT8 graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from edge.types import F32, U8
from export.graph.graph import ExportError, packed
from train.data.bar import followed
from train.data.windows import Windows, middle
from train.statistics.metrics import Floats

USUAL, FEWEST = 1000, 64
"""Calibration cells. Below the usual number, which data that have no more of them may stay, the ends of the
ranges, which is what they are for, are hardly seen; below the fewest they are not."""

Ranges = Mapping[str, tuple[float, float]]
"""Tensor of the graph -> lowest and highest value that it is quantized for."""

_BINS = 2048
_LEVELS = 128  # of a signed byte, one side
_KEPT = 0.9999  # of the values, by percentile
_BATCH, _BATCH_PX = 32, 128  # so many crops at once up to this size, fewer of larger ones
_WATCHED = ("Sub", "Conv", "Relu", "Clip", "Add")  # give what may become bytes, beside what a layer reads
_SEED = 0


@dataclass(frozen=True, eq=False)
class Histogram:
    """What was seen of a tensor: its ends, and how often each size came, from 0 to the largest."""

    low: float
    high: float
    sizes: NDArray[np.int64]

    @property
    def largest(self) -> float:
        return max(-self.low, self.high)


def choose_cells(windows: Windows, count: int, size_px: int) -> U8:
    """(count, size_px, size_px, 3) uint8 crops of the training part, spread over data sets and labels.

    Every stratum (a label of a data set) gives the same number as long as it has cells left, so that rare
    classes and small laboratories show their ranges too. The same windows give the same cells.

    Raises
    ------
    ExportError
        When there are fewer than `FEWEST` cells, or fewer than `USUAL` are wanted and more are there.
    """
    training = windows.of("train")
    if len(training) < FEWEST:
        raise ExportError(
            f"calibration: {len(training)} training cells, at least {FEWEST} are needed; give more data with "
            "--calibrate, or leave --quantize out"
        )
    if count < (least := min(USUAL, len(training))):
        raise ExportError(f"calibration: --cells {count}, at least {least} are needed; leave it out")
    strata = np.char.add(np.char.add(training.datasets, "/"), training.labels)
    place = np.zeros(len(training), np.int64)  # of a cell in the shuffled queue of its stratum
    rng = np.random.default_rng(_SEED)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        place[members] = rng.permutation(len(members))
    chosen = np.sort(np.argsort(place, kind="stable")[:count])
    return np.ascontiguousarray(middle(training.pixels[chosen], size_px))


def observe(graph: bytes, crops: U8) -> dict[str, Histogram]:
    """Histograms of every floating-point tensor in front of and behind the layers, over these cells."""
    names, session = _opened(graph)
    ends = {name: (0.0, 0.0) for name in names}
    for values in _values(session, names, crops):
        for name, value in zip(names, values, strict=True):
            low, high = ends[name]
            ends[name] = (min(low, float(value.min())), max(high, float(value.max())))
    sizes = {name: np.zeros(_BINS, np.int64) for name in names}
    for values in _values(session, names, crops):
        for name, value in zip(names, values, strict=True):
            reach = max(-ends[name][0], ends[name][1], 1e-12)
            which = (np.abs(value) * (_BINS / reach)).astype(np.int32).ravel()
            sizes[name] += np.bincount(np.minimum(which, _BINS - 1), minlength=_BINS)
    return {name: Histogram(*ends[name], sizes[name]) for name in names}


def _opened(graph: bytes) -> tuple[list[str], ort.InferenceSession]:
    """A session that also gives what flows between the layers."""
    model = onnx.load_from_string(graph)
    nodes, there = model.graph.node, {output.name for output in model.graph.output}
    whole = _whole_numbers(model)
    names = [node.output[0] for node in nodes if node.op_type in _WATCHED]
    names += [node.input[0] for node in nodes if node.op_type == "Conv"]
    names = [name for name in dict.fromkeys(names) if name not in whole]
    model.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in there
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # sums in the same order on every machine
    options.log_severity_level = 3
    return names, ort.InferenceSession(packed(model), options, providers=["CPUExecutionProvider"])


def _whole_numbers(model: onnx.ModelProto) -> set[str]:
    """Tensors of whole numbers: shapes and places, which nobody quantizes."""
    known = onnx.shape_inference.infer_shapes(model).graph.value_info
    return {v.name for v in known if v.type.tensor_type.elem_type not in (0, onnx.TensorProto.FLOAT)}


def _values(session: ort.InferenceSession, names: list[str], crops: U8) -> Iterator[list[F32]]:
    size = max(min(_BATCH, _BATCH * _BATCH_PX**2 // crops.shape[1] ** 2), 1)
    for first in followed(range(0, len(crops), size), "calibrating", "batch", leave=False):
        yield session.run(names, {"crops": crops[first : first + size]})


def _minmax(seen: Histogram) -> float:
    return seen.largest


def _percentile(seen: Histogram) -> float:
    """The size that all but one in 10,000 values stay below."""
    share = np.cumsum(seen.sizes) / seen.sizes.sum()
    return float((np.searchsorted(share, _KEPT) + 1) / _BINS * seen.largest)


def _entropy(seen: Histogram) -> float:
    """The clipping that loses least information: Migacz, 8-bit Inference with TensorRT (GTC 2017)."""
    counts = seen.sizes.astype(np.float64)
    counts[0] = counts[1]  # zeros stay zeros wherever the rest is clipped
    kept = range(_LEVELS, _BINS + 1, 8)
    return min(kept, key=lambda n: _divergence(counts, n)) / _BINS * seen.largest


def _divergence(counts: Floats, kept: int) -> float:
    """Kullback-Leibler divergence of the first bins, the rest clipped, from themselves in 128 levels."""
    wanted = counts[:kept].copy()
    wanted[-1] += counts[kept:].sum()
    level = np.arange(kept) * _LEVELS // kept
    filled = counts[:kept] > 0
    total = np.bincount(level, counts[:kept], _LEVELS)
    share = np.bincount(level, filled, _LEVELS)
    given = np.where(filled, (total / np.maximum(share, 1))[level], 0.0)
    inside = (wanted > 0) & (given > 0)
    p, q = wanted / wanted.sum(), given / max(given.sum(), 1e-12)
    missed = p[(wanted > 0) & (given == 0)].sum()  # no finite divergence; as bad as it can be told
    return float((p[inside] * np.log(p[inside] / q[inside])).sum() + missed * np.log(1e12))


METHODS: Mapping[str, Callable[[Histogram], float]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "entropy": _entropy,
}
"""How the largest size that a tensor is quantized for is chosen."""


def ranges(seen: Mapping[str, Histogram], method: str) -> dict[str, tuple[float, float]]:
    """The range of every tensor by one of `METHODS`; what lies beyond is clipped."""
    out = {}
    for name, histogram in seen.items():
        reach = METHODS[method](histogram) if histogram.largest > 0 else 0.0
        out[name] = (max(histogram.low, -reach), min(histogram.high, reach))
    return out
