"""One trial of a sweep: a run of its own in a folder of its own, and what came of it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from edge.files import atomic
from edge.types import LeukoscopeError
from train.recipes.recipe import parse
from train.tuning.space import Settings, applied

TRIALS, ABOUT, LOG = "trials", "trial.json", "log.txt"

State = Literal["waiting", "begun", "finished", "stopped", "failed"]
"""Of a trial; `stopped` before its last epoch, since others did better."""

Report = Callable[[int, float], None]
"""Takes the number of an epoch and the figure that trials are compared by."""


class TrialError(LeukoscopeError):
    """A trial has no figure to be compared by. Says which there are."""


@dataclass(frozen=True)
class Order:
    """What all trials of a sweep share.

    Attributes
    ----------
    recipe : nested mappings, as a run's settings have it. metric : figures that trials are compared by; see
        `train.recipes.sections.Training.watch`.
    data, out : the data folder, and the sweep's. limit, device : as of a run. threads : of each trial.
    """

    recipe: Mapping[str, Any]
    metric: tuple[str, ...]
    data: Path
    out: Path
    limit: int
    device: str
    threads: int


@dataclass(frozen=True)
class Outcome:
    """What came of a trial so far.

    Attributes
    ----------
    figure, epoch : of the epoch that is kept, or the best until now; None before the first.
    epochs : done. minutes : that it took in all. why : what made it fail.
    """

    name: str
    settings: Settings
    state: State
    figure: float | None
    epoch: int | None
    epochs: int
    minutes: float
    why: str = ""


def work(order: Order, name: str, settings: Settings, report: Report) -> None:
    """Fit a trial, or go on with it, or tell again what it came to; what fails is written down."""
    folder = order.out / TRIALS / name
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder):
        history = _over(folder)
        if history is not None:
            for number, figures in enumerate(history, start=1):
                report(number, _figure(figures, order.metric))
            return
        try:
            _fit(order, folder, settings, report)
        except LeukoscopeError as error:
            mark(folder, "failed", why=str(error))
        except Exception as error:
            mark(folder, "failed", why=f"{type(error).__name__}: {error}")
            raise


def _fit(order: Order, folder: Path, settings: Settings, report: Report) -> None:
    import cv2
    import torch

    from train.fitting.fit import fit

    torch.set_num_threads(order.threads)
    cv2.setNumThreads(order.threads)
    begun, before = monotonic(), _about(folder).get("seconds", 0.0)

    def after_epoch(number: int, figures: Mapping[str, float]) -> None:
        mark(folder, "begun", seconds=before + monotonic() - begun)
        report(number, _figure(figures, order.metric))

    mark(folder, "begun")
    fit(
        applied(parse(order.recipe), settings),
        order.data,
        folder,
        device=order.device,
        limit=order.limit,
        cache=order.out / "cache",
        notice=lambda line: _log(folder, line),
        after_epoch=after_epoch,
    )
    mark(folder, "finished", seconds=before + monotonic() - begun)


def _over(folder: Path) -> list[dict[str, float]] | None:
    """The figures of each epoch of a trial that is over; None of one that is not."""
    if (folder / "model.pt").is_file():
        history: list[dict[str, float]] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))[
            "history"
        ]
        return history
    return _history(folder) if _about(folder).get("state") == "stopped" else None


def _history(folder: Path) -> list[dict[str, float]]:
    path = folder / "history.json"
    history: list[dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return history


def _figure(figures: Mapping[str, float], metric: tuple[str, ...]) -> float:
    """What trials are compared by."""
    from train.fitting.validation import watched

    found = watched(figures, metric)
    if found != found:
        there = ", ".join(name for name in figures if name != "loss") or "none"
        raise TrialError(
            f"--metric {', '.join(metric)}: no figure of this recipe is called so; it has {there}"
        )
    return found


def outcome(order: Order, name: str, settings: Settings) -> Outcome:
    """What came of a trial so far."""
    folder = order.out / TRIALS / name
    about = _about(folder)
    state: State = about.get("state", "waiting")
    history, kept = _history(folder), None
    if (folder / "model.pt").is_file():
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        state, history, kept = "finished", metrics["history"], metrics["kept"]["epoch"]
    try:
        figures = [_figure(entry, order.metric) for entry in history]
    except TrialError:
        figures = []
    if figures and kept is None:
        kept = max(range(len(figures)), key=figures.__getitem__) + 1
    return Outcome(
        name=name,
        settings=settings,
        state=state,
        figure=figures[kept - 1] if figures and kept else None,
        epoch=kept if figures else None,
        epochs=len(history),
        minutes=about.get("seconds", 0.0) / 60,
        why=about.get("why", ""),
    )


def mark(folder: Path, state: State, **about: Any) -> None:
    """Write down where a trial stands."""
    known = {key: value for key, value in _about(folder).items() if key != "why"}
    content = json.dumps(known | {"state": state} | about, indent=1) + "\n"
    atomic.write(folder / ABOUT, content.encode(), 0o644)


def _about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return known


def _log(folder: Path, line: str) -> None:
    with open(folder / LOG, "a", encoding="utf-8") as log:
        log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Wait for who is at this trial still, of a sweep that was killed and is being taken down."""
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
