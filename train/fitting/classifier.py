"""The task of naming cells or whole fields: windows → augmented crops → a class each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.data.stains import Indices
from train.fitting.finish import conclude
from train.fitting.gather import gathered
from train.fitting.loop import train
from train.fitting.provenance import census
from train.fitting.sampling import ahead, crops_of, targets, weights
from train.fitting.task import Batch, FitError, NetworkTask, Plan, Run, at
from train.fitting.validation import logits_of, typed, validate, watched
from train.network.backbones import weights_file
from train.network.model import begin, build
from train.recipes.recipe import Recipe

TEACHERS: Mapping[str, str] = {"size-and-stain": "train.published.carryover:Carryover"}
"""`Training.teacher`, where it is not the labels -> 'module:class' of what answers in their place."""


class Classifier(NetworkTask):
    """A recipe's network that names cells or fields."""

    def __init__(self, recipe: Recipe, run: Run) -> None:
        self.recipe, self.run = recipe, run
        self.plan = Plan.of(recipe.training, clip=1.0)
        given = recipe.architecture
        if given.weights:  # told before anything is read, and fetched by one process for all
            run.process.of_leader(lambda: weights_file(given.backbone, given.weights))

    def gather(self) -> None:
        """Cut the windows, or find them cut."""
        windows = gathered(self.recipe, self.run)
        self.seen = census(windows)
        # not kept as one beside its parts: together they are most of what a run takes of the memory
        self.training, self.validation = windows.of("train"), windows.of("validation")
        smallest, processes = self.plan.samples // self.plan.steps, self.run.process.size
        if smallest < processes:
            raise FitError(
                f"training.batch: {smallest} crops are too few for {processes} processes; start fewer of them"
            )

    def learn(self) -> None:
        """Train it."""
        train(self, self.run)

    def network(self) -> nn.Module:
        """As the recipe has it."""
        return build(self.recipe.architecture, len(self.recipe.classes))

    def begin(self, network: nn.Module) -> None:
        """Published weights, and the levels of the training windows, where the recipe asks for them."""
        begin(network, self.recipe.architecture, self.training.pixels)

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Crops as they might have come from elsewhere; see `train.fitting.task.NetworkTask`."""
        recipe, process = self.recipe, self.run.process
        batches = self._drawn(epoch)
        parts = [process.part(batch) for batch in batches]
        seeds = [_seeds(self.plan.seed, epoch, step, process.rank) for step in range(len(batches))]

        def make(number: int, part: Indices) -> Tensor:
            random = torch.Generator().manual_seed(seeds[first + number][0])
            crops = crops_of(self.training, part, recipe, random)
            return crops.contiguous(memory_format=torch.channels_last)

        coming = ahead(make, parts[first:], process.device.type)
        for step, (part, crops) in enumerate(coming, start=first):
            size = len(batches[step])
            wanted = self._admitted[part] if self._teacher is None else self._teacher(crops)
            yield Batch(crops, {"wanted": wanted}, size, len(part) / size, seeds[step][1])

    def _drawn(self, epoch: int) -> list[Indices]:
        """The windows of an epoch's batches, the same on every process."""
        rng = np.random.default_rng([self.plan.seed, epoch])
        drawn = rng.choice(len(self.training), size=self.plan.samples, p=weights(self.training, self.recipe))
        return np.array_split(drawn, self.plan.steps)

    @cached_property
    def _admitted(self) -> Tensor:
        return targets(self.training, self.recipe)

    @cached_property
    def _teacher(self) -> Callable[[Tensor], Tensor] | None:
        """What answers in the labels' place: (n, 3, S, S) crops → (n, C) probabilities."""
        place = TEACHERS.get(self.recipe.training.teacher)
        if place is None:
            return None
        teacher: Callable[[Tensor], Tensor] = at(place).of(self.training, self.recipe)
        return teacher

    def loss(self, answers: Tensor, wanted: Mapping[str, Tensor]) -> Tensor:
        """See `loss_of`."""
        return loss_of(answers, wanted["wanted"], self.recipe.training.label_smoothing)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures by data set."""
        return validate(network, self.recipe, self.validation, self.run.process.device)

    def watched(self, found: Mapping[str, float]) -> float:
        """As the recipe has it."""
        return watched(found, self.recipe.training.watch)

    def finish(self, network: nn.Module, found: Mapping[str, float]) -> dict[str, Any]:
        """Choose the operating point on validation cells."""
        cells = typed(self.validation, self.recipe)
        logits = logits_of(network, cells, self.recipe, self.run.process.device)
        metrics = conclude(logits, self.recipe, self.validation, self.seen, self.run.out)
        metrics["validation"] |= found
        return metrics


def _seeds(*numbers: int) -> tuple[int, int]:
    """Two seeds that no other step shares: of the augmentation and of dropout."""
    first, second = np.random.SeedSequence(numbers).generate_state(2, np.uint64).tolist()
    return first, second


def loss_of(logits: Tensor, wanted: Tensor, smoothing: float) -> Tensor:
    """Negative log of the probability of what is wanted, with label smoothing; the mean over n crops.

    Parameters
    ----------
    wanted : (n, C) bool, the classes that a label admits, which count together; or float, a teacher's
        probabilities.
    """
    logs = functional.log_softmax(logits, dim=1)
    if wanted.dtype == torch.bool:
        right = torch.logsumexp(logs.masked_fill(~wanted, float("-inf")), dim=1)
    else:
        right = (wanted * logs).sum(dim=1)
    return -((1 - smoothing) * right + smoothing * logs.mean(dim=1)).mean()
