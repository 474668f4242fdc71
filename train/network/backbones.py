"""Well-known networks of the published systems, trained from recipes: `Architecture.backbone` names one.

They are torchvision's classification networks, by its names, and timm's (Wightman), by `timm/NAME`. They
start from nothing, from a file of weights, or from the weights that their makers published, which need a
network or a file once fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import torch
from torch import Tensor, nn

from edge.types import U8
from train.network.makers import (
    LITE,
    TIMM,
    BackboneError,
    read,
    stored,
    timm,
    timms,
    torchvision,
    torchvisions,
)

__all__ = [
    "BACKBONES", "LEAST_PX", "LITE", "STORED", "Backbone", "BackboneError", "head_of", "torchvision",
    "unknown", "untrained", "weights_file",
]  # fmt: skip

MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Grey levels of each channel that published weights of all these networks expect shifted away and divided
by (ImageNet's, as in torchvision's reference training)."""


STORED = "stored"
"""What `Architecture.weights` says for the weights that torchvision's makers published."""


class Backbone(nn.Module):
    """(n, 3, S, S) float32, grey levels 0 to 255 -> (n, C) float32 logits, as `train.network.model.Network`.

    Parameters
    ----------
    name : of torchvision's classification networks, or 'timm/' and of timm's. classes : C.
    hidden : units of a layer with ReLU before the answer; 0 for none.
    dropout : share of what goes into the answer that is dropped while training.
    frozen : only the head learns; the rest stays as it is, running statistics included.

    Raises
    ------
    BackboneError : unknown name, its head is no linear layer, or torchvision or timm is not installed.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self, name: str, classes: int, *, hidden: int = 0, dropout: float = 0.0, frozen: bool = False
    ) -> None:
        super().__init__()
        network = untrained(name, classes)
        self.frozen = frozen
        if frozen:
            network.requires_grad_(False)
        self.network, self._name, self._head = network, name, head_of(network)
        wide = getattr(network.get_submodule(self._head), "in_features", None) if self._head else None
        if not isinstance(wide, int):
            raise BackboneError(f"backbone {name}: its head is no linear layer; choose another")
        layers: list[nn.Module] = [nn.Linear(wide, hidden), nn.ReLU()] if hidden else []
        layers += [nn.Dropout(dropout), nn.Linear(hidden or wide, classes)]
        network.set_submodule(self._head, nn.Sequential(*layers))
        for buffer, levels in zip(("mean", "spread"), levels_of(network), strict=True):
            self.register_buffer(buffer, torch.tensor(levels).view(3, 1, 1))

    def train(self, mode: bool = True) -> Self:
        """As every module; what is frozen keeps its running statistics."""
        super().train(mode)
        if self.frozen:
            self.network.train(False)
            self.network.get_submodule(self._head).train(mode)
        return self

    def measure(self, pixels: U8) -> None:
        """Take the mean and the deviation of the grey levels from (n, S, S, 3) training windows."""
        levels = torch.from_numpy(pixels[:: max(len(pixels) // 2000, 1)]).reshape(-1, 3).double()
        self.mean.copy_(levels.mean(0).view(3, 1, 1))
        self.spread.copy_(levels.std(0).clamp(min=1).view(3, 1, 1))

    def take(self, weights: str) -> None:
        """Begin with published weights of the same network, all but the head's.

        Parameters
        ----------
        weights : `STORED` for those of its makers, else a file that torch.save or safetensors wrote.

        Raises
        ------
        BackboneError : no such file, one that holds another network, or they cannot be fetched.
        """
        _take(self.network, self._head, self._name, weights_file(self._name, weights))

    def forward(self, crops: Tensor) -> Tensor:
        levels = (crops - self.mean) / self.spread
        try:
            logits: Tensor = self.network(levels)
        except (AssertionError, ValueError) as error:  # those made for pictures of one size say so like this
            size = " × ".join(str(side) for side in crops.shape[2:])
            raise BackboneError(
                f"backbone {self._name}: takes no pictures of {size} px ({error}); change input.size_px"
            ) from None
        return logits


def head_of(network: nn.Module) -> str:
    """Name of the last linear layer, or of what timm calls the classifier; empty where there is neither."""
    classifier = getattr(network, "get_classifier", None)
    wanted = classifier() if classifier is not None else None
    names = [
        part
        for part, layer in network.named_modules()
        if (layer is wanted if wanted is not None else isinstance(layer, nn.Linear))
    ]
    return names[-1] if names else ""


def levels_of(network: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread of the grey levels that its published weights expect."""
    about = getattr(network, "pretrained_cfg", None)  # of timm's alone
    if not about:
        return MEAN, SPREAD
    return tuple(255 * v for v in about["mean"]), tuple(255 * v for v in about["std"])


def _of_torchvision(name: str, classes: int, **options: Any) -> nn.Module:
    network: nn.Module = torchvision().models.get_model(name, weights=None, num_classes=classes, **options)
    return network


_INCEPTION: Mapping[str, Any] = {"aux_logits": False, "init_weights": False, "transform_input": False}
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "googlenet": _INCEPTION,
    "inception_v3": _INCEPTION,
}
_NAMES = (
    "resnet34", "resnet50", "resnet101", "resnet152", "densenet169", "convnext_tiny", "vgg16", "vgg19",
    "googlenet", "inception_v3",
)  # fmt: skip
BACKBONES: Mapping[str, Callable[[int], nn.Module]] = {
    name: partial(_of_torchvision, name, **_OPTIONS.get(name, {})) for name in _NAMES
}
"""Name -> the untrained network with a head of so many classes: those of the published systems."""


def untrained(name: str, classes: int) -> nn.Module:
    """The untrained network of a name, with a head of so many classes.

    Raises
    ------
    BackboneError : unknown name, or torchvision or timm is not installed.
    """
    if name in BACKBONES:
        return BACKBONES[name](classes)
    if why := unknown(name):
        raise BackboneError(f"backbone {why}")
    if name.startswith(TIMM):
        network: nn.Module = timm().create_model(name.removeprefix(TIMM), num_classes=classes)
        return network
    return _of_torchvision(name, classes)


def unknown(name: str) -> str:
    """Why there is no such backbone, with the nearest names; empty where there is, or nobody can tell."""
    if name in (*BACKBONES, LITE):
        return ""
    try:
        known = timms() if name.startswith(TIMM) else torchvisions()
    except BackboneError:  # told when the network is built
        return (
            "" if name.startswith(TIMM) else f"{name!r} is unknown; choose of {', '.join((*BACKBONES, LITE))}"
        )
    if name.partition(".")[0] in known if name.startswith(TIMM) else name in known:
        return ""
    near = get_close_matches(name, [*known, LITE], 5, 0.3)
    return (
        f"{name!r} is unknown; nearest are {', '.join(near) or 'none'}; it may be any classification network "
        f"of torchvision, {LITE}, or {TIMM} with a name of timm's"
    )


LEAST_PX: Mapping[str, int] = {"inception_v3": 75}
"""Name -> smallest side of a picture that the network can take, where that is more than 32."""


def weights_file(name: str, weights: str) -> Path:
    """The file that a recipe's `architecture.weights` means; see `Backbone.take`.

    Raises
    ------
    BackboneError : there is none, or it cannot be fetched.
    """
    path = stored(name) if weights == STORED else Path(weights)
    if not path.is_file():
        raise BackboneError(f"backbone {name}: no weights {path}; give a file of torch.save or safetensors")
    return path


def _take(network: nn.Module, head: str, name: str, weights: Path) -> None:
    """Everything but the head from a file."""
    try:
        given = read(weights)
        left = (f"{head}.", "aux1.", "aux2.", "AuxLogits.")
        kept = {key: value for key, value in given.items() if not key.startswith(left)}
        missing, unexpected = network.load_state_dict(kept, strict=False)
    except (RuntimeError, AttributeError, UnpicklingError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackboneError(f"backbone {name}: weights {weights} cannot be read ({reason})") from None
    wrong = [*(key for key in missing if not key.startswith(f"{head}.")), *unexpected]
    if wrong:
        raise BackboneError(f"backbone {name}: weights {weights} are of another network ({wrong[0]})")
    if hasattr(network, "transform_input"):
        vars(network)["transform_input"] = (
            True  # torchvision's weights of the two Inceptions expect other levels
        )
