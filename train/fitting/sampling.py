"""Which windows an epoch draws, what their labels admit, and their crops, made ahead of their use."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.data.augment import augment
from train.data.classes import admitted
from train.data.dataset import Notice
from train.data.stains import Indices
from train.data.windows import Windows
from train.recipes.recipe import Recipe
from train.statistics.metrics import Floats

_HANDS = 8  # threads at most that make crops for a GPU


def understood(windows: Windows, recipe: Recipe, notice: Notice) -> Windows:
    """The windows whose label admits one of the recipe's classes; the others are told and left out."""
    keep = np.ones(len(windows), np.bool_)
    for label in np.unique(windows.labels).tolist():
        try:
            admitted(label, recipe.classes)
        except ValueError as error:
            there = windows.labels == label
            notice(f"{windows.datasets[there][0]}: {there.sum()} left out, {error}")
            keep &= ~there
    return windows.pick(keep)


def targets(windows: Windows, recipe: Recipe) -> Tensor:
    """(n, C) bool: the classes that each label admits."""
    classes, labels = recipe.classes, np.unique(windows.labels).tolist()
    table = {label: [c in admitted(label, classes) for c in classes] for label in labels}
    return torch.tensor([table[label] for label in windows.labels.tolist()])


def weights(windows: Windows, recipe: Recipe) -> Floats:
    """(n,) probabilities of drawing each window: data sets by their shares, the rest as `Training` has it."""
    settings = recipe.training
    out = np.zeros(len(windows))
    for name, share in recipe.shares.items():
        inside = np.flatnonzero(windows.datasets == name)
        if not len(inside):
            continue
        labels = windows.labels[inside]
        drawn = evened(labels, settings.class_balance)
        for label in np.unique(labels):
            same = labels == label
            groups = evened(windows.groups[inside[same]], settings.group_balance)
            drawn[same] *= groups / groups.mean()
        drawn /= drawn.sum()
        positive = np.isin(labels, recipe.positive)
        blasts = drawn[positive].sum()
        if settings.most_positive < blasts < 1:
            drawn[positive] *= settings.most_positive / blasts
            drawn[~positive] *= (1 - settings.most_positive) / (1 - blasts)
        out[inside] = share * drawn
    return np.asarray(out / out.sum())


def evened(names: NDArray[np.str_], balance: float) -> Floats:
    """(n,) weights of cells by their class's or group's name: 0 leaves cells alike, 1 makes names alike."""
    _, which, counts = np.unique(names, return_inverse=True, return_counts=True)
    return np.asarray(counts.astype(np.float64)[which] ** -balance)


def crops_of(windows: Windows, batch: Indices, recipe: Recipe, random: torch.Generator) -> Tensor:
    """Crops of a batch as they might have come from elsewhere, (n, 3, S, S) float32."""
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=random)))
    pixels = windows.pixels[batch]
    if recipe.model_input.plain:
        lent = windows.stains
        pixels = lent.presented(windows.pixels, windows.masks, batch, recipe.augmentation, rng)
    return augment(
        torch.from_numpy(pixels), recipe.augmentation, recipe.input.size_px, recipe.input.pitch_um, random
    )


def ahead(
    make: Callable[[int, Indices], Tensor],
    batches: Sequence[Indices],
    device: str = "cpu",
) -> Iterator[tuple[Indices, Tensor]]:
    """Each batch, in order, with what is made of its number and itself while the last one is used.

    Beside a processor that trains one hand is enough, with one thread: more would only take its time. A GPU
    waits for crops, so all processors but one make them, in memory that it fetches by itself.
    """
    gpu = device == "cuda"
    hands = min(len(os.sched_getaffinity(0)) - 1, _HANDS) if gpu else 1

    def made(number: int) -> Tensor:
        crops = make(number, batches[number])
        return crops.pin_memory() if gpu else crops

    one_thread = partial(torch.set_num_threads, 1)  # which PyTorch keeps for each thread by itself
    with ThreadPoolExecutor(max(hands, 1), initializer=one_thread) as pool:
        waiting = deque(pool.submit(made, i) for i in range(min(hands + 1, len(batches))))
        for i, batch in enumerate(batches):
            if i + hands + 1 < len(batches):
                waiting.append(pool.submit(made, i + hands + 1))
            yield batch, waiting.popleft().result()
