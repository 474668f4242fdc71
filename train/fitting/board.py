"""TensorBoard's logs of a run, where they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from train.fitting.task import FitError

_EVERY = 10  # steps


class Board:
    """Takes figures of a run for TensorBoard; without a folder it takes them and does nothing.

    Parameters
    ----------
    folder : of the logs, None for none.
    done : steps that an earlier start did; what it wrote after them goes.

    Raises
    ------
    FitError : TensorBoard is not installed.
    """

    def __init__(self, folder: Path | None, done: int = 0) -> None:
        self._writer: Any = None
        if folder is not None:
            self._writer = writer_class()(str(folder), purge_step=done or None)

    def step(self, number: int, figures: Mapping[str, float]) -> None:
        """Figures of one of the run's steps, by its number from 1 on."""
        if self._writer is not None and number % _EVERY == 0:
            self._add("step", number, figures)

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """Figures of an epoch, by its number from 1 on."""
        if self._writer is not None:
            self._add("epoch", number, figures)
            self._writer.flush()

    def _add(self, of: str, number: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(f"{of}/{name}", value, number)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()


def writer_class() -> Any:
    """PyTorch's writer of such logs; FitError where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise FitError(
            "--tensorboard: TensorBoard is not installed; run pip install 'leukoscope[tensorboard]'"
        ) from None
    return SummaryWriter
