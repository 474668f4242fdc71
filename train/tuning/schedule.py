"""Trials side by side, by Ray Tune: started, told of, stopped where others do better."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from typing import Any

from edge.types import LeukoscopeError
from train.tuning.space import Settings
from train.tuning.trials import TRIALS, Order, mark, outcome, work

_OBJECTS = 100 * 2**20  # bytes of memory that Ray shares out; trials share nothing by it
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # weights may be named from where the command is run
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the command like any other
}
_REDUCTION = 3
"""Of the trials that come so far, one in so many goes on (Li et al., MLSys 2020, asynchronous halving)."""

Told = Callable[[str, int, float | None], None]
"""Takes a trial's name, its epoch and figure as they come; epoch 0 when it is over."""


class ScheduleError(LeukoscopeError):
    """Trials cannot be run. Says what to install or free."""


def check() -> None:
    """See that Ray Tune is there.

    Raises
    ------
    ScheduleError : it is not.
    """
    if find_spec("ray") is None or find_spec("ray.tune") is None:
        raise ScheduleError("sweep: needs Ray Tune, which is not installed; pip install 'leukoscope[tune]'")


def run(
    order: Order,
    trials: Mapping[str, Settings],
    *,
    at_once: int,
    gpus: int,
    stop_early: bool,
    epochs: int,
    told: Told,
) -> None:
    """Run these trials, so many at once; each writes down in its folder what came of it.

    Parameters
    ----------
    gpus : on this machine, which trials share; 0 for none. epochs : most of any trial.
    stop_early : stop those that others leave behind.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from ray import tune

    def trial(config: dict[str, Any]) -> None:
        name = config["trial"]
        work(order, name, trials[name], lambda epoch, figure: tune.report({"epoch": epoch, "figure": figure}))

    resources = {"cpu": 1, "gpu": min(gpus / at_once, 1.0)} if gpus else {"cpu": 1}
    storage = order.out / "ray"
    shutil.rmtree(storage, ignore_errors=True)
    with _cluster(at_once, gpus):
        tuner = tune.Tuner(
            tune.with_resources(trial, resources),
            param_space={"trial": tune.grid_search(list(trials))},
            tune_config=tune.TuneConfig(
                metric="figure", mode="max", scheduler=_scheduler(stop_early, epochs), reuse_actors=True
            ),
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=str(storage.resolve()),
                verbose=0,
                callbacks=[_watcher(order, trials, told)],
            ),
        )
        # its banner and its summaries go nowhere
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            tuner.fit()
    shutil.rmtree(storage, ignore_errors=True)


@contextmanager
def _cluster(cpus: int, gpus: int) -> Iterator[None]:
    """Ray on this machine, without dashboard, for as long as this takes."""
    import ray

    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            num_gpus=gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=_OBJECTS,
        )
    except (OSError, RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ScheduleError(
            f"sweep: Ray does not start ({first}); see that /tmp and /dev/shm have room"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _scheduler(stop_early: bool, epochs: int) -> Any:
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

    if not stop_early:
        return FIFOScheduler()
    # a trial that reaches the last epoch has its model to write yet
    return ASHAScheduler(
        time_attr="epoch",
        max_t=epochs + 1,
        grace_period=max(epochs // _REDUCTION**2, 1),
        reduction_factor=_REDUCTION,
    )


def _watcher(order: Order, trials: Mapping[str, Settings], told: Told) -> Any:
    from ray.tune import Callback

    class Watcher(Callback):
        """Passes on what trials say, and marks those that were stopped."""

        def __reduce__(self) -> tuple[Any, ...]:
            """Ray keeps a copy, to take up a sweep by itself; `told` holds a progress bar, and we do that."""
            return Callback, ()

        def on_trial_result(
            self, iteration: int, trials: Sequence[Any], trial: Any, result: dict[str, Any], **_: Any
        ) -> None:
            if "epoch" in result:  # its last word may be Ray's own
                told(trial.config["trial"], result["epoch"], result["figure"])

        def on_trial_complete(self, iteration: int, trials: Sequence[Any], trial: Any, **_: Any) -> None:
            self._over(trial.config["trial"], "stopped")

        def on_trial_error(self, iteration: int, trials: Sequence[Any], trial: Any, **_: Any) -> None:
            self._over(trial.config["trial"], "failed")

        def _over(self, name: str, state: Any) -> None:
            if outcome(order, name, trials[name]).state == "begun":
                why = {"why": "its process ended, for want of memory perhaps"} if state == "failed" else {}
                mark(order.out / TRIALS / name, state, **why)
            told(name, 0, None)

    return Watcher()
