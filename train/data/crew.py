"""Processes that cut pictures side by side: Python's lock lets threads gain nothing there.

The same windows come out in the same order however many there are.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from types import TracebackType
from typing import Self

import cv2

from edge.bundle.model_input import ModelInput
from train.data.cut import Cut, cut_all
from train.data.dataset import DataError, Picture

_FEW = 64  # pictures: fewer are cut before another process has begun
_AT_ONCE = 16  # pictures that a process is given, those of one group together
_MOST = 16  # processes; each takes 150 MB
_WAITING = 3  # lots for each process, so that none waits and memory does not fill with windows


class Crew:
    """Hands that cut pictures; they begin when there are enough pictures, and serve until it is left.

    Parameters
    ----------
    hands : processes; 0 takes one for each processor that this one may use.
    """

    def __init__(self, hands: int = 0) -> None:
        self.hands = hands or min(len(os.sched_getaffinity(0)), _MOST)
        self._pool: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def cut(self, pictures: Sequence[Picture], model_input: ModelInput) -> Iterator[Cut | DataError]:
        """Each picture's windows in order, or why it cannot be read.

        Raises
        ------
        DataError : a process ended before its work was done.
        """
        if self.hands == 1 or (len(pictures) < _FEW and self._pool is None):
            yield from map(partial(_tried, model_input=model_input), pictures)
            return
        try:
            yield from self._side_by_side(_lots(pictures), model_input)
        except BrokenProcessPool:
            raise DataError(
                "a process that cuts pictures ended before its work was done, as when memory runs out; the "
                "same command tries again"
            ) from None

    def _side_by_side(
        self, lots: Sequence[Sequence[Picture]], model_input: ModelInput
    ) -> Iterator[Cut | DataError]:
        if self._pool is None:
            new = multiprocessing.get_context("spawn")  # whatever threads this process has stay its own
            self._pool = ProcessPoolExecutor(self.hands, new, initializer=_begin)
        waiting: list[Future[list[Cut | DataError]]] = []
        coming = iter(lots)
        while True:
            for lot in coming:
                with _nameless():
                    waiting.append(self._pool.submit(_cut_lot, lot, model_input))
                if len(waiting) >= _WAITING * self.hands:
                    break
            if not waiting:
                return
            yield from waiting.pop(0).result()


@contextmanager
def _nameless() -> Iterator[None]:
    """While in it, a process that begins does not run this program's main file over again.

    Nothing that the crew does is from there, and a script that fits a recipe would fit it in every process.
    """
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__spec__", "__file__") if hasattr(main, name)}
    for name in kept:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)


def _lots(pictures: Sequence[Picture]) -> list[list[Picture]]:
    """Pictures in lots, those of one group in one: what draws a slide for one of them has it for all."""
    lots: list[list[Picture]] = [[]]
    for _, group in groupby(pictures, lambda picture: picture.spots[0].group):
        if len(lots[-1]) >= _AT_ONCE:
            lots.append([])
        lots[-1] += group
    return lots


def _begin() -> None:
    cv2.setNumThreads(1)  # there is a process for every processor
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is told to stop is the one that waits for this one


def _cut_lot(lot: Sequence[Picture], model_input: ModelInput) -> list[Cut | DataError]:
    return [_tried(picture, model_input) for picture in lot]


def _tried(picture: Picture, model_input: ModelInput) -> Cut | DataError:
    try:
        return cut_all(picture, model_input)
    except DataError as error:
        return error
