"""Well-known networks to compare ours with, trained from the same recipes: `Architecture.backbone` names one.

They are torchvision's, from nothing: no weights are fetched. Another one is another line in `BACKBONES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from edge.types import LeukoscopeError

MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Grey levels of each channel that published weights of all these networks expect shifted away and divided
by (ImageNet's, as in torchvision's reference training)."""


class BackboneError(LeukoscopeError):
    """No such network, no torchvision, or weights that do not fit. Names it and says what to do."""


class Backbone(nn.Module):
    """(n, 3, S, S) float32 in grey levels 0 to 255 -> (n, C) float32 logits, like `train.model.Network`."""

    mean: Tensor
    spread: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        for name, levels in (("mean", MEAN), ("spread", SPREAD)):
            self.register_buffer(name, torch.tensor(levels).view(3, 1, 1), persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.network((crops - self.mean) / self.spread)
        return logits


def backbone(name: str, classes: int, weights: Path | None = None) -> Backbone:
    """A network of `BACKBONES` with a head of so many classes.

    Parameters
    ----------
    weights : file with a published state of the same network (`torch.save`d), whatever the classes of its
        head, which is left out. Without one the network is untrained.

    Raises
    ------
    BackboneError
        Unknown name, torchvision not installed, no such file, or one that holds another network.
    """
    if name not in BACKBONES:
        raise BackboneError(f"backbone {name!r}: unknown; choose one of {', '.join(BACKBONES)}")
    network = BACKBONES[name](classes)
    if weights is not None:
        _take(network, name, weights)
    return Backbone(network)


def torchvision() -> Any:
    """torchvision, also where it was built for CUDA and its operators have nothing to register with."""
    try:
        import torchvision as found
    except ModuleNotFoundError:
        raise BackboneError(
            "backbones need torchvision, which is not installed; run pip install 'leukoscope[train]'"
        ) from None
    except RuntimeError:  # operator torchvision::nms does not exist
        declare: Any = torch.library.define
        for operator in ("nms", "qnms"):  # never called here: only their names must be known
            declare(f"torchvision::{operator}", "(Tensor boxes, Tensor scores, float overlap) -> Tensor")
        import torchvision as found
    return found


def _of_torchvision(name: str, classes: int) -> nn.Module:
    network: nn.Module = torchvision().models.get_model(name, weights=None, num_classes=classes)
    return network


BACKBONES: Mapping[str, Callable[[int], nn.Module]] = {
    name: partial(_of_torchvision, name) for name in ("resnet50", "densenet169", "convnext_tiny")
}
"""Name -> the untrained network with a head of so many classes."""


def _take(network: nn.Module, name: str, weights: Path) -> None:
    """Everything but the head from a file."""
    if not weights.is_file():
        raise BackboneError(f"backbone {name}: no weights {weights}; give a file that torch.save wrote")
    try:
        given = torch.load(weights, map_location="cpu", weights_only=True)
        head = [part for part, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]
        kept = {key: value for key, value in given.items() if not key.startswith(f"{head}.")}
        missing, unexpected = network.load_state_dict(kept, strict=False)
    except (RuntimeError, AttributeError, UnpicklingError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackboneError(f"backbone {name}: weights {weights} cannot be read ({reason})") from None
    wrong = [*(key for key in missing if not key.startswith(f"{head}.")), *unexpected]
    if wrong:
        raise BackboneError(f"backbone {name}: weights {weights} are of another network ({wrong[0]})")
