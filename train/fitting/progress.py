"""How far a run is: a line an epoch, and on a terminal a bar over all its steps."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from time import monotonic

from tqdm import tqdm

from train.data.dataset import Notice


class RunProgress:
    """Progress of a run.

    Parameters
    ----------
    epochs, steps : epochs of the run, and steps of one. done : steps that an earlier start did already.
    notice : takes the lines.
    silent : says nothing at all, as on all processes but one.
    """

    def __init__(self, epochs: int, steps: int, done: int, notice: Notice, *, silent: bool) -> None:
        self._epochs, self._steps = epochs, steps
        self._notice: Notice | None = None if silent else notice
        self._first = self._done = done
        self._started = monotonic()
        # without smoothing the time left includes what validation takes between epochs
        self._bar = tqdm(total=epochs * steps, initial=done, unit="step", smoothing=0, disable=silent or None)

    def step(self, mean_loss: float) -> None:
        """A step is done."""
        epoch = self._done // self._steps + 1
        self._done += 1
        self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)
        self._bar.set_postfix(loss=f"{mean_loss:.4f}", refresh=False)
        self._bar.update()

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """An epoch is validated."""
        if self._notice is None:
            return
        a_step = (monotonic() - self._started) / max(self._done - self._first, 1)
        left = a_step * (self._epochs - number) * self._steps / 60
        told = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        with tqdm.external_write_mode(sys.stderr):  # above the bar, where there is one
            self._notice(f"epoch {number} of {self._epochs}: {told}, {left:.0f} min left")

    def close(self, word: str = "") -> None:
        """The run is over; `word` says why, where it is not by the recipe's last epoch."""
        self._bar.close()
        if word and self._notice is not None:
            self._notice(word)
