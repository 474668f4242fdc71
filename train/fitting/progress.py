"""How far a run is: what it will cost, a line an epoch, a bar over its steps or lines in its place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from time import monotonic

from train.data.bar import Bar
from train.data.dataset import Notice
from train.fitting.task import Plan

_WARMING, _MEASURED = 3, 12  # steps that say nothing of those to come, and those that the time is told by


class RunProgress:
    """Progress of a run.

    Parameters
    ----------
    plan : of the run. done : steps that an earlier start did already.
    notice : takes the lines.
    silent : says nothing at all, as on all processes but one.
    """

    def __init__(self, plan: Plan, done: int, notice: Notice, *, silent: bool) -> None:
        self._plan = plan
        self._notice: Notice | None = None if silent else notice
        self._first = self._done = done
        self._all = plan.epochs * plan.steps
        self._started = self._warm = monotonic()
        # without smoothing the time left includes what validation takes between epochs
        self._bar = Bar(None, "training", "step", silent=silent, total=self._all, initial=done, smoothing=0)
        self._begin()

    def _begin(self) -> None:
        """How much there is to do."""
        plan = self._plan
        crops = f", {plan.epochs * plan.samples:,} crops in all" if plan.samples != plan.steps else ""
        before = f"; {self._done:,} of the steps are done" if self._done else ""
        self._say(f"{plan.epochs} epochs of {plan.steps:,} steps{crops}{before}")

    def step(self, mean_loss: float) -> None:
        """A step is done."""
        epoch = self._done // self._plan.steps + 1
        self._done += 1
        here = self._done - self._first
        if here == _WARMING:
            self._warm = monotonic()
        if here == _WARMING + _MEASURED:
            self._tell_cost()
        self._bar.set_description_str(f"epoch {epoch}/{self._plan.epochs}", refresh=False)
        self._bar.set_postfix(loss=f"{mean_loss:.4f}", refresh=False)
        self._bar.update()

    def _tell_cost(self) -> None:
        """What the rest will take, by the first batches."""
        a_step = (monotonic() - self._warm) / _MEASURED
        left = a_step * (self._all - self._done)
        plan = self._plan
        each = "step" if plan.samples == plan.steps else "crop"
        took = a_step * plan.steps / plan.samples * 1e3
        end = f"{datetime.now() + timedelta(seconds=left):%H:%M}"
        self._say(f"{took:.1f} ms a {each}: about {_minutes(left)}, until {end}, and what validation takes")

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """An epoch is validated."""
        a_step = (monotonic() - self._started) / max(self._done - self._first, 1)
        left = a_step * (self._plan.epochs - number) * self._plan.steps
        told = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        self._say(f"epoch {number} of {self._plan.epochs}: {told}, {_minutes(left)} left")

    def close(self, word: str = "") -> None:
        """The run is over; `word` says why, where it is not by the recipe's last epoch."""
        self._bar.close()
        if word:
            self._say(word)

    def _say(self, line: str) -> None:
        if self._notice is not None:
            with self._bar.above():
                self._notice(line)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
