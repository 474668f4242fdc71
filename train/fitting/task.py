"""What is trained, as the loop sees it, and which task a recipe means.

`train.fitting.loop` knows nothing of cells or fields: it asks a `NetworkTask`. Another kind of
model is one class like that and, where recipes name it, one line in `TASKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn

from edge.types import LeukoscopeError
from train.data.dataset import Notice
from train.fitting.distributed import Process
from train.recipes.recipe import Recipe, Training

Precision = Literal["fp32", "bf16", "fp16"]


class FitError(LeukoscopeError):
    """The run cannot be started, or not go on, or is not finished. Says what to change."""


@dataclass(frozen=True, eq=False)
class Run:
    """One start of a run: from what, to where, and on what.

    Attributes
    ----------
    data : folder with the data sets. out : the run's folder.
    cache : folder where cut pictures are kept between runs.
    limit : at most so many pictures of each data set; 0 takes all.
    process : this one of those that share the run. precision : what convolutions are computed in.
    notice : takes lines. checkpoint_s : seconds between checkpoints within an epoch.
    board : folder for TensorBoard's logs, None for none. compiled : the network goes through torch.compile.
    after_epoch : is told the number and the figures of each epoch once it is kept, those of earlier starts
        first.
    """

    data: Path
    out: Path
    cache: Path
    limit: int
    process: Process
    precision: Precision
    notice: Notice
    checkpoint_s: float = 600.0
    board: Path | None = None
    compiled: bool = False
    after_epoch: Callable[[int, Mapping[str, float]], None] = lambda number, figures: None

    def alone(self, what: str) -> None:
        """Refuse several processes, for what they cannot share."""
        if self.process.size > 1:
            raise FitError(f"{self.process.size} processes: {what} is trained by one; start it alone")


@dataclass(frozen=True)
class Plan:
    """The numbers of the loop.

    Attributes
    ----------
    epochs : passes. steps : batches of each.
    samples : what the sizes of an epoch's batches add up to.
    learning_rate : at its highest. warm_up : steps until it gets there; then half a cosine to 0.
    weight_decay : of AdamW, but not of biases and normalisation.
    average_decay : most that the running average of the weights, which is kept, holds on to in a step.
    clip : longest gradient.
    patience : epochs without a better figure after which the run stops; 0 never stops early.
    seed : of the untrained network.
    """

    epochs: int
    steps: int
    samples: int
    learning_rate: float
    warm_up: int
    weight_decay: float
    average_decay: float
    clip: float
    seed: int
    patience: int = 0

    @classmethod
    def of(cls, given: Training, *, clip: float, by_step: bool = False) -> Self:
        """As a recipe has it. `by_step` : batches count alike in the mean loss, whatever they hold."""
        steps = max(round(given.samples / given.batch), 1)
        return cls(
            epochs=given.epochs,
            steps=steps,
            samples=steps if by_step else given.samples,
            learning_rate=given.learning_rate,
            warm_up=max(round(given.warm_up * given.epochs * steps), 1),
            weight_decay=given.weight_decay,
            average_decay=given.average_decay,
            clip=clip,
            seed=given.seed,
            patience=given.patience,
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from, or this process's part of it.

    Attributes
    ----------
    pixels : (n, 3, H, W) float32, grey levels 0 to 255, laid out as the network is to compute.
    wanted : what `NetworkTask.loss` compares the answers with.
    size : what the whole batch counts in the epoch's mean loss. share : of the whole, in this part.
    seed : of what is random in the network itself: dropout.
    """

    pixels: Tensor
    wanted: Mapping[str, Tensor]
    size: int = 1
    share: float = 1.0
    seed: int = 0

    @classmethod
    def of(cls, pixels: Tensor, shown: object) -> Self:
        """With all arrays of a dataclass as what is wanted, but its `pixels`."""
        arrays = {name: value for name, value in vars(shown).items() if name != "pixels"}
        return cls(pixels, {name: torch.from_numpy(value) for name, value in arrays.items()})


class NetworkTask(Protocol):
    """A network to train and what it is to learn."""

    plan: Plan

    def network(self) -> nn.Module:
        """The untrained network."""
        ...

    def begin(self, network: nn.Module) -> None:
        """Give a new network what it starts from beside chance: nothing, unless a task has something."""
        return

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """An epoch's batches from the step `first` on.

        Everything random in them comes from the seed, the numbers of the epoch and the step, and the number
        of the process, so that an epoch can be taken up again at any step.
        """
        ...

    def loss(self, answers: Tensor, wanted: Mapping[str, Tensor]) -> Tensor:
        """What the network is trained to make small: of its answers to a batch, in float32."""
        ...

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures of a network on what was kept from training."""
        ...

    def watched(self, found: Mapping[str, float]) -> float:
        """The figure that epochs are compared by; NaN, as here, for none: the last epoch is kept."""
        return float("nan")

    def finish(self, network: nn.Module, found: Mapping[str, float]) -> dict[str, Any]:
        """What is known of the network that is kept, for `metrics.json`; `found` are its figures."""
        ...


class Task(Protocol):
    """What a recipe means: a class, made when the run starts, that refuses what cannot be trained."""

    def __init__(self, recipe: Recipe, run: Run) -> None: ...

    def gather(self) -> None:
        """Get together what is learned from."""
        ...

    def learn(self) -> None:
        """Learn, and leave the model and what is known of it in the run's folder."""
        ...


TASKS: Mapping[str, str] = {
    "cell": "train.fitting.classifier:Classifier",
    "field": "train.fitting.classifier:Classifier",
    "detector": "train.published.detection.fit:DetectorTask",
    "classical": "train.published.classical.fit:ClassicalTask",
}
"""`Recipe.task`, or 'classical' for a method without a network -> 'module:class' of a `Task`."""


def task_of(recipe: Recipe) -> type[Task]:
    """What trains a recipe."""
    found: type[Task] = at(TASKS[recipe.task if recipe.method == "network" else "classical"])
    return found


def at(place: str) -> Any:
    """What 'module:name' stands for."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
