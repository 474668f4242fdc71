"""What a bundle is made of: of a finished run, or of a network from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from export.bundle.card import LICENCE
from export.graph.folded import Folded
from export.graph.graph import Reference
from train.data.windows import Windows
from train.recipes.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Source:
    """A network, and what is known of it.

    Attributes
    ----------
    what : it, in words: 'run runs/a'.
    recipe : classes, input, data sets and operation.
    metrics : `operating_point`, `validation`, `data` and `test`, as a run's metrics.json has them.
    graph : in full precision: `crops` (n, S, S, 3) uint8 → calibrated `probabilities` (n, C) float32.
    reference : what it must compute. framework : by what, where it is not PyTorch.
    network : what gives a run's logits, to find what it is worth; None where nobody can ask it.
    folded : what INT8 is fine-tuned as, None where nothing here can.
    says, training : what stands in its manifest, and in that one's `training`, in the place of a run's.
    windows : cells of its data sets, where they have been cut already. limit, cache : for cutting them.
    notes : sections of the model card. licence : text of the weights'.
    """

    what: str
    recipe: Recipe
    metrics: Mapping[str, Any]
    graph: bytes
    reference: Reference
    framework: str = ""
    network: nn.Module | None = None
    folded: Folded | None = None
    windows: Windows | None = None
    limit: int = 0
    cache: Path = Path("cache")
    says: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    licence: str = LICENCE
