"""Several processes that fit one network together, as `torchrun` starts them: one a GPU, or a few on a CPU.

Every process holds the same network and works on its part of each batch. After each step's backward pass one
exchange adds up what they found. PyTorch's DistributedDataParallel is not used: it lays gradients out anew
after its first step, so that sums round differently in a run that was resumed, and the networks here are too
small to gain from exchanging while the backward pass still runs.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from edge.types import LeukoscopeError
from train.data.stains import Indices

T = TypeVar("T")

_WAIT = timedelta(hours=2)  # the first process may cut a large data set while the others wait


class ProcessError(LeukoscopeError):
    """A process of a run has no device to compute on, or another one is gone. Says where to look."""


@dataclass(frozen=True)
class Process:
    """One process of a run.

    Attributes
    ----------
    device : what it computes on.
    rank : its number. size : how many there are, on all machines together.
    first_here : it is the first on its machine.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    first_here: bool = True

    @property
    def leads(self) -> bool:
        """Whether it is the one that writes, validates and talks."""
        return self.rank == 0

    def part(self, batch: Indices) -> Indices:
        """Its part of a batch; the parts differ by at most one crop."""
        return np.array_split(batch, self.size)[self.rank]

    def of_leader(self, make: Callable[[], T]) -> T:
        """What the leading process makes, on every process."""
        if self.size == 1:
            return make()
        box: list[T | None] = [make() if self.leads else None]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]  # type: ignore[return-value]

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do the same on every process: first the leader, then one on each other machine, then the rest.

        What the first writes, the others find: on one machine, and on several that share a disk.
        """
        turn = 0 if self.leads else 1 if self.first_here else 2
        results = []
        for now in range(3):
            if now == turn:
                results.append(work())
            if self.size > 1:
                dist.all_reduce(torch.zeros(1))  # all wait here for the slowest
        return results[0]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each float32 tensor by its sum over all processes, the same bits on each."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        sizes = [tensor.numel() for tensor in tensors]
        for tensor, total in zip(tensors, torch.split(flat, sizes), strict=True):
            tensor.copy_(total.view_as(tensor))

    def synchronise(self, network: nn.Module) -> None:
        """Make batch norm span all processes where PyTorch can do that: on CUDA.

        Elsewhere each process normalises by its part of the batch, and only the running statistics are
        averaged (`train.fitting.loop`).
        """
        if self.size > 1 and self.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]


@contextmanager
def joined(device: str) -> Iterator[Process]:
    """This process, together with the others that `torchrun` started; alone without it.

    Parameters
    ----------
    device : as PyTorch names it. Of several processes each takes the GPU of its number on its machine.

    Raises
    ------
    ProcessError
        The device cannot be used, or another process ended before the run did.
    """
    rank, size, here = _numbers()
    kind = device.partition(":")[0]
    chosen = _usable(device if size == 1 or kind == "cpu" else f"{kind}:{here}")
    process = Process(chosen, rank, size, first_here=here == 0)
    if size == 1:
        yield process
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if os.environ["LOCAL_WORLD_SIZE"] == str(size):
        _stay_here()
    dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo", timeout=_WAIT)
    before = signal.signal(signal.SIGTERM, _stopped)  # torchrun's word that another process failed
    try:
        yield process
    except RuntimeError as error:
        if not _of_exchange(error):
            raise
        reason = str(error).splitlines()[0].split(". ")[0]
        raise ProcessError(
            f"process {rank} of {size}: another one is gone, and its message says why ({reason}); "
            "the same command goes on from the last checkpoint"
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)
    dist.destroy_process_group()


def leading() -> bool:
    """Whether this process is the one of its run that talks; true for one that is alone."""
    return _numbers()[0] == 0


def _numbers() -> tuple[int, int, int]:
    """Number of this process, how many there are, and its number on this machine."""
    if not dist.is_available() or not dist.is_torchelastic_launched():
        return 0, 1, 0
    rank, size, here = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return rank, size, here


def _stay_here() -> None:
    """Let processes of one machine find each other on it, whatever its host name stands for outside.

    Gloo would connect them by the address that the name resolves to, and a network that comes and goes can
    break that.
    """
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if names:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", names[0])


def _usable(name: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # builds without CUDA fail an assertion
        reason = str(error).splitlines()[0]
        raise ProcessError(f"device {name}: cannot be used ({reason}); try --device cpu") from None


def _of_exchange(error: RuntimeError) -> bool:
    """Whether it was raised by an exchange between processes: Gloo has no class of its own for it."""
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


def _stopped(*_: object) -> NoReturn:
    raise ProcessError(
        f"process {dist.get_rank()} of {dist.get_world_size()}: told to stop, as when another one fails; "
        "the same command goes on from the last checkpoint"
    )
