"""A function that makes a PyTorch module, and a file of weights → the module, and its own ONNX graph."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import onnx
import torch
from torch import Tensor, nn

from export.graph.graph import ExportError, exported, with_means
from train.network.backbones import torchvision

_INSIDE = ("state_dict", "model_state_dict", "model", "net", "weights")  # where trainers put the weights
_PARALLEL = "module."  # before every name, of a module that was trained by several processors


def made(place: str, weights: Path | None) -> nn.Module:
    """The module that 'module:function' makes, with these weights, ready to answer.

    The module is looked for in the current folder too, as Python itself does.

    Raises
    ------
    ExportError : there is no such module or function, it needs arguments, fails or gives something else; the
        weights cannot be read or do not fit.
    """
    what = f"--torch {place}"
    network = _called(_function(place, what), what)
    if weights is not None:
        _fill(network, weights)
    return network.eval()


class _One(nn.Module):
    """A module that gives one tensor: of several the one by this key or place."""

    def __init__(self, network: nn.Module, output: str) -> None:
        super().__init__()
        self.network, self.output = network, output

    def forward(self, pictures: Tensor) -> Tensor:
        told = self.network(pictures)
        if isinstance(told, Tensor):
            return told
        found: Tensor = told[self.output] if isinstance(told, Mapping) else told[int(self.output)]
        return found


def one_output(network: nn.Module, output: str, example: Tensor, what: str) -> nn.Module:
    """The module with the one output that the description asks for.

    Raises
    ------
    ExportError : it fails on such pictures, gives several and none is named, or no tensor.
    """
    shape = " × ".join(map(str, example.shape[1:]))
    try:
        with torch.inference_mode():
            told = network(example)
    except Exception as error:  # whatever its makers wrote
        raise ExportError(
            f"{what}: fails on pictures of {shape} ({_first(error)}); see input and network"
        ) from None
    if isinstance(told, Tensor):
        return network
    if isinstance(told, Mapping):
        names = list(map(str, told))
    elif isinstance(told, tuple | list):
        names = list(map(str, range(len(told))))
    else:
        raise ExportError(
            f"{what}: gives a {type(told).__name__}, not a tensor; wrap it in a module that does"
        )
    if output not in names:
        asked = f"no output {output!r}, but" if output else f"{len(names)} outputs,"
        raise ExportError(f"{what}: gives {asked} {', '.join(names)}; name one as network.output")
    return _One(network, output)


def graph_of(network: nn.Module, example: Tensor, what: str) -> onnx.ModelProto:
    """Its own graph: `pictures`, as it takes them, → `answers`; ExportError where it cannot be exported."""
    try:
        content = exported(
            with_means(network),
            example,
            {0: torch.export.Dim("n")},
            inputs=["pictures"],
            outputs=["answers"],
        )
    except Exception as error:  # the exporter has classes of its own for whatever it cannot follow
        raise ExportError(
            f"{what}: cannot be exported to ONNX ({_first(error)}); give its ONNX file"
        ) from None
    return onnx.load_from_string(content)


def _function(place: str, what: str) -> Callable[..., object]:
    module, colon, name = place.partition(":")
    if not colon or not module or not name:
        raise ExportError(f"{what}: is not MODULE:FUNCTION, as in lab.network:make")
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = _imported(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        if module == missing or module.startswith(f"{missing}."):
            raise ExportError(f"{what}: no module {missing} in {here} or installed") from None
        raise ExportError(f"{what}: module {module} needs {missing}, which is not installed") from None
    except Exception as error:  # whatever its makers wrote
        raise ExportError(f"{what}: module {module} cannot be imported ({_first(error)})") from None
    function: object = getattr(found, name, None)
    if not callable(function):
        there = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
        some = f"; it has {', '.join(there[:8])}" if there else ""
        raise ExportError(f"{what}: module {module} has no function {name}{some}")
    return function


def _imported(module: str) -> Any:
    """A module; where it fails on a torchvision that was built for CUDA, once more with that cured."""
    try:
        return importlib.import_module(module)
    except RuntimeError:
        if find_spec("torchvision") is None:
            raise
        torchvision()
        return importlib.import_module(module)


def _called(function: Callable[..., object], what: str) -> nn.Module:
    try:
        inspect.signature(function).bind()
    except ValueError:  # one of C, which does not say
        pass
    except TypeError as error:
        raise ExportError(f"{what}: needs arguments ({error}); give a function that needs none") from None
    try:
        network = function()
    except Exception as error:  # whatever its makers wrote
        raise ExportError(f"{what}: fails ({_first(error)})") from None
    if not isinstance(network, nn.Module):
        raise ExportError(f"{what}: gives a {type(network).__name__}, not a torch.nn.Module")
    return network


def _fill(network: nn.Module, path: Path) -> None:
    what = f"--weights {path}"
    given = _weights(path, what)
    for name in _INSIDE:
        if isinstance(given.get(name), Mapping):
            given = given[name]
            break
    if given and all(str(key).startswith(_PARALLEL) for key in given):
        given = {str(key).removeprefix(_PARALLEL): value for key, value in given.items()}
    wanted = network.state_dict()
    for key, value in wanted.items():
        if key not in given:
            raise ExportError(f"{what}: has no {key}, which the network has; are they another network's?")
        told = getattr(given[key], "shape", None)
        if told != value.shape:
            ours, theirs = (
                tuple(shape) if shape is not None else "no tensor" for shape in (value.shape, told)
            )
            raise ExportError(
                f"{what}: {key} is {theirs}, the network's is {ours}; are they another network's?"
            )
    for key in given:
        if key not in wanted:
            raise ExportError(f"{what}: has {key}, which the network has not; are they another network's?")
    network.load_state_dict(dict(given))


def _weights(path: Path, what: str) -> Mapping[str, Any]:
    if not path.is_file():
        raise ExportError(f"{what}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        given = torch.load(path, map_location="cpu", weights_only=True)
    except ModuleNotFoundError:
        raise ExportError(
            f"{what}: needs safetensors, which is not installed; pip install safetensors"
        ) from None
    except UnpicklingError:
        if not is_zipfile(path):
            raise ExportError(f"{what}: is no file of weights that torch.save wrote") from None
        raise ExportError(
            f"{what}: holds more than weights, and is not opened; save them alone, by "
            "torch.save(network.state_dict(), FILE)"
        ) from None
    except Exception as error:  # of zip files, of safetensors, of torch
        raise ExportError(f"{what}: cannot be read ({_first(error)})") from None
    if not isinstance(given, Mapping):
        raise ExportError(f"{what}: holds a {type(given).__name__}, not weights by name")
    return given


def _first(error: Exception) -> str:
    told = str(error).strip().splitlines()
    return f"{type(error).__name__}: {told[0][:200]}" if told else type(error).__name__
