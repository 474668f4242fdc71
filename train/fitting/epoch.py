"""One epoch of steps: crops → loss → gradients → weights → their running average.

Everything random in a step comes from the seed, the numbers of the epoch and the step, and the number of the
process, so an epoch can be taken up again at any step.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.data.windows import Windows
from train.fitting.checkpoint import Precision, State
from train.fitting.distributed import Process
from train.fitting.sampling import Indices, ahead, crops_of, targets, weights
from train.published.carryover import Teacher
from train.recipes.recipe import Recipe, Training

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def precision_of(wanted: str, device: torch.device) -> Precision:
    """What convolutions are computed in: `fp32` as asked for, else what the device multiplies fastest."""
    if wanted == "fp32" or device.type not in ("cpu", "cuda"):
        return "fp32"
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "fp16"
    return "bf16"


def steps_of(settings: Training) -> int:
    """Steps of an epoch."""
    return max(round(settings.samples / settings.batch), 1)


def train_epoch(
    state: State,
    recipe: Recipe,
    windows: Windows,
    process: Process,
    precision: Precision,
    after_step: Callable[[], None],
) -> float:
    """The steps that are left of an epoch; returns the mean loss of all its crops.

    Parameters
    ----------
    windows : the training part. after_step : called when a step is done and `state` may be saved.
    """
    settings = recipe.training
    batches = _batches(windows, recipe, state.epoch)
    parts = [process.part(batch) for batch in batches]
    admits = targets(windows, recipe)
    teacher = None if settings.teacher == "labels" else Teacher.of(windows, recipe)
    seeds = [_seeds(settings.seed, state.epoch, step, process.rank) for step in range(len(batches))]
    augmentation = (torch.Generator().manual_seed(seed) for seed, _ in seeds[state.step :])
    crops_ahead = ahead(lambda part: crops_of(windows, part, recipe, next(augmentation)), parts[state.step :])
    state.network.train()
    for part, crops in crops_ahead:
        rate = learning_rate(settings, state.epoch * len(batches) + state.step)
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(seeds[state.step][1])  # dropout
        size = len(batches[state.step])
        wanted = admits[part] if teacher is None else teacher(crops)
        loss = _step(state, crops, wanted, len(part) / size, recipe, process, precision)
        # early on the average must forget the random start
        done = state.epoch * len(batches) + state.step + 1
        follow(state.average, state.network, min(settings.average_decay, done / (done + 10)))
        state.step += 1
        state.loss += loss * size
        after_step()
    return state.loss / settings.samples


def _batches(windows: Windows, recipe: Recipe, epoch: int) -> list[Indices]:
    """The windows of an epoch's batches, the same on every process."""
    settings = recipe.training
    rng = np.random.default_rng([settings.seed, epoch])
    drawn = rng.choice(len(windows), size=settings.samples, p=weights(windows, recipe))
    return np.array_split(drawn, steps_of(settings))


def _seeds(*numbers: int) -> tuple[int, int]:
    """Two seeds that no other step shares: of the augmentation and of dropout."""
    first, second = np.random.SeedSequence(numbers).generate_state(2, np.uint64).tolist()
    return first, second


def _step(
    state: State,
    crops: Tensor,
    wanted: Tensor,
    share: float,
    recipe: Recipe,
    process: Process,
    precision: Precision,
) -> float:
    """One step of the optimiser; returns the batch's mean loss.

    Parameters
    ----------
    wanted : what `loss_of` takes. share : of the batch, in these crops.
    """
    device = process.device
    crops = crops.to(device, memory_format=torch.channels_last)
    with torch.autocast(device.type, _TYPES[precision], enabled=precision != "fp32"):
        logits = state.network(crops).float()
    loss = loss_of(logits, wanted.to(device), recipe.training.label_smoothing) * share
    state.optimiser.zero_grad()
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    loss = loss.detach()
    if process.size > 1:
        process.add_up([loss, *_gradients(state.network), *_statistics(state.network, share)])
    state.scaler.unscale_(state.optimiser)
    nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    return float(loss)


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


def _gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad for p in network.parameters() if p.grad is not None]


def _statistics(network: nn.Module, share: float) -> list[Tensor]:
    """Running statistics of the normalisation, weighted: their sum over the processes is their mean."""
    return [buffer.mul_(share) for buffer in network.buffers() if buffer.dtype.is_floating_point]


def learning_rate(settings: Training, step: int) -> float:
    """Learning rate: a linear warm-up, then half a cosine down to nothing."""
    steps = settings.epochs * steps_of(settings)
    warm = max(round(settings.warm_up * steps), 1)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    return settings.learning_rate * 0.5 * (1 + cos(pi * (step - warm) / max(steps - warm, 1)))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the running average towards the network, normalisation statistics included."""
    current = network.state_dict()
    for name, held in average.state_dict().items():
        if held.dtype.is_floating_point:
            held.lerp_(current[name], 1 - decay)
        else:
            held.copy_(current[name])
