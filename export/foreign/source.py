"""A network from elsewhere → the source of a bundle: wrapped, compared, and with an operating point."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn

from edge.types import U8
from export.bundle.source import Source
from export.foreign import description, module, onnx_file, wrapping
from export.foreign.description import POINT, Description
from export.foreign.levels import LEAST, prepared, probabilities
from export.graph.graph import ExportError, Reference, answers, parity
from train.data.dataset import Notice
from train.data.windows import Windows
from train.fitting.finish import conclude
from train.fitting.gather import gather
from train.fitting.provenance import census
from train.fitting.validation import logits_of, typed

_NOISE = 8  # pictures to try it on
_OFF = 1e-3  # by which probabilities may miss 1, and answers of a batch those of one cell
Asked = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Elsewhere:
    """Where a network comes from: an ONNX file, or a function 'module:name' that makes it and its weights."""

    onnx: Path | None = None
    torch: str = ""
    weights: Path | None = None

    @property
    def what(self) -> str:
        return f"--onnx {self.onnx}" if self.onnx else f"--torch {self.torch}"


def of(
    given: Elsewhere, manifest: Path, data: Path | None, cache: Path, notice: Notice, limit: int = 0
) -> Source:
    """What a bundle of this network is made of.

    Parameters
    ----------
    manifest : its description. data : folder with the data sets that the description names; their validation
        cells choose what it does not give of the operating point. cache : of cut cells.
    limit : at most so many pictures of each of them; 0 takes all.

    Raises
    ------
    ExportError : something does not fit or fails, in one line that names it. DataError : a data set is
        absent.
    """
    about = description.read(manifest)
    own, asked, kind = _of_torch(given, about) if given.torch else _of_onnx(given, about)
    size, what = about.recipe.model_input.size_px, given.what
    fitted = wrapping.fitted(own, about.network, size, what)
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE, size, size, 3), np.uint8)
    _check_answers(asked(prepared(noise, about.network, kind)), about, what)
    _check_batches(fitted, prepared(noise, about.network, kind), asked, what)

    def at(temperature: float) -> tuple[bytes, Reference]:
        graph = wrapping.wrapped(fitted, about.network, size, len(about.recipe.classes), temperature)
        return graph, lambda crops: probabilities(
            asked(prepared(crops, about.network, kind)), about.network, temperature
        )

    plain, reference = at(1.0)
    parity(reference, plain, noise)
    windows = gather(about.recipe, data, limit, cache, notice) if data and about.recipe.shares else None
    metrics = _metrics(about, plain, windows, data)
    graph, reference = at(metrics["operating_point"]["temperature"])
    return Source(
        what=what,
        recipe=about.recipe,
        metrics=metrics,
        graph=graph,
        reference=reference,
        framework="" if given.torch else "NumPy and its own graph",
        windows=windows,
        cache=cache,
        says={"version": about.version, "licence": about.licence},
        training=about.training,
        licence=f"{about.recipe.title}\n\nLicence of the weights, as their makers have it: {about.licence}\n",
    )


def _of_onnx(given: Elsewhere, about: Description) -> tuple[ModelProto, Asked, np.dtype[Any]]:
    assert given.onnx is not None
    model = onnx_file.read(given.onnx, about.network)
    value, size = model.graph.input[0], about.recipe.model_input.size_px
    kind = onnx_file.dtype_of(value)
    if kind == np.uint8 and not about.network.plain:
        raise ExportError(
            f"{given.what}: takes grey levels as bytes; leave scale, mean and deviation out of [network]"
        )
    wrapping.fitted(model, about.network, size, given.what)  # told before it fails on pictures
    return model, lambda pictures: onnx_file.asked(model, given.what, pictures), kind


def _of_torch(given: Elsewhere, about: Description) -> tuple[ModelProto, Asked, np.dtype[Any]]:
    network = module.made(given.torch, given.weights)
    size, kind = about.recipe.model_input.size_px, np.dtype(np.float32)
    black = np.zeros((2, size, size, 3), np.uint8)
    example = torch.from_numpy(prepared(black, about.network, kind))
    one = module.one_output(network, about.network.output, example, given.what)

    def asked(pictures: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            parts = [one(part) for part in torch.split(torch.from_numpy(pictures), 16)]
        told: NDArray[Any] = torch.cat(parts).numpy()
        return told

    return module.graph_of(one, example, given.what), asked, kind


def _check_answers(told: NDArray[Any], about: Description, what: str) -> None:
    """Refuse what no probabilities can be made of, or other ones than the description says."""
    classes, gives = len(about.recipe.classes), about.network.gives
    numbers = told.reshape(len(told), -1).shape[1]
    if numbers != classes:
        raise ExportError(f"{what}: gives {numbers} numbers a picture, and classes names {classes}")
    rows = told.reshape(len(told), -1).astype(np.float64)
    if not np.isfinite(rows).all():
        raise ExportError(
            f"{what}: gives NaN or infinite numbers; see scale, mean and deviation of [network]"
        )
    sums = rows.sum(axis=1)
    shares = rows.min() >= -_OFF and np.abs(sums - 1).max() <= _OFF
    if gives == "probabilities" and not shares:
        raise ExportError(
            f"{what}: gives {rows.min():.3g} to {rows.max():.3g}, {sums[0]:.3g} together, which are no "
            'probabilities; write network.gives = "logits"'
        )
    if gives == "logits" and shares:
        raise ExportError(f'{what}: gives probabilities already; write network.gives = "probabilities"')


def _check_batches(fitted: ModelProto, pictures: NDArray[Any], asked: Asked, what: str) -> None:
    """Refuse a graph that takes one picture at a time, or answers for one by what else is in the batch."""
    alone = np.concatenate([asked(pictures[i : i + 1]) for i in range(3)])
    try:
        together = onnx_file.asked(fitted, what, pictures[:3])
    except ExportError as error:
        raise ExportError(
            f"{what}: takes one picture at a time; export it with a batch of any size ({error})"
        ) from None
    if together.shape != alone.shape or not np.abs(together - alone).max() <= _OFF * max(
        np.abs(alone).max(), 1
    ):
        raise ExportError(
            f"{what}: what it says of a picture hangs on the others in the batch; export it for inference "
            "(normalisation fixed) and with a batch of any size"
        )


class _Graph(nn.Module):
    """(n, 3, S, S) grey levels → (n, C) logits, by the wrapped graph: what `train.fitting` asks a network."""

    def __init__(self, graph: bytes) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, crops: Tensor) -> Tensor:
        pixels: U8 = np.ascontiguousarray(crops.permute(0, 2, 3, 1).numpy().astype(np.uint8))
        return torch.from_numpy(np.log(np.maximum(answers(self.graph, pixels), LEAST)))


def _metrics(about: Description, graph: bytes, windows: Windows | None, data: Path | None) -> dict[str, Any]:
    """What a run's metrics.json would say: the operating point as given, what is not by validation cells."""
    missing = [name for name in POINT if name not in about.point]
    if windows is None:
        if missing:
            need = (
                "name data sets in [shares]" if data else "give the folder of the data sets with --calibrate"
            )
            raise ExportError(
                f"--manifest {about.path}: operation.{missing[0]} is missing, and no cells are there to "
                f"choose it on; {need}, or give {', '.join(missing)}"
            )
        return {"operating_point": dict(about.point), "validation": {}, "data": {}, **_REST}
    cells = typed(windows.of("validation"), about.recipe)
    if not len(cells):
        raise ExportError(
            f"--calibrate {data}: no validation cell of {', '.join(about.recipe.deciding)} to choose the "
            "operating point on"
        )
    logits = logits_of(_Graph(graph), cells, about.recipe, torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        found = conclude(logits, about.recipe, windows.of("validation"), census(windows), Path(folder))
    point: Mapping[str, float] = {**found["operating_point"], **about.point}
    return {**found, "operating_point": dict(point), **_REST}


_REST: Mapping[str, Any] = {"test": [], "finished": ""}
