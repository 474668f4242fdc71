"""How far long work is: a bar on a terminal, a line every so often where nobody sees a bar move."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

T = TypeVar("T")

EVERY_S = 30.0
"""Between two lines in a pipe or a file: often enough to see that it lives, seldom enough for a log."""

_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}, {elapsed} so far, {remaining} left{postfix}"
_UNBOUNDED = "{desc}: {n_fmt} {unit}, {elapsed} so far{postfix}"


class Bar(tqdm):  # type: ignore[misc]
    """A `tqdm` that writes lines instead of drawing where standard error is no terminal.

    Parameters
    ----------
    what : the iterable to follow, None where `update` is called. title : what is done. unit : of it, in the
    singular. silent : say nothing at all. The rest as in tqdm.
    """

    def __init__(
        self, what: Iterable[Any] | None, title: str, unit: str, *, silent: bool = False, **options: Any
    ) -> None:
        self._drawn = sys.stderr is not None and sys.stderr.isatty()
        if not self._drawn:
            total = options.get("total", len(what) if isinstance(what, Sized) else None)
            seldom = {"mininterval": EVERY_S, "maxinterval": EVERY_S, "delay": EVERY_S}
            unit += "es" if unit.endswith(("ch", "ss")) else "s"
            options |= {**seldom, "bar_format": _LINE if total else _UNBOUNDED}
        super().__init__(what, title, unit=unit, disable=silent or sys.stderr is None, **options)

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        """What shows the bar's text: tqdm's own on a terminal, a line elsewhere."""
        if file.isatty():
            drawing: Callable[[str], None] = tqdm.status_printer(file)
            return drawing
        return lambda text: print(text, file=file, flush=True) if text.strip() else None

    @contextmanager
    def above(self) -> Iterator[None]:
        """While in it, what is written on standard error stands above the bar, where there is one."""
        with tqdm.external_write_mode(sys.stderr) if self._drawn else nullcontext():
            yield

    def moveto(self, n: int) -> None:
        """To another bar's place, of which a pipe has none."""
        if self._drawn:
            super().moveto(n)

    def close(self) -> None:
        """The work is over; in a pipe the line that follows says what came of it."""
        if not self._drawn:
            self.disable = True
        super().close()


def followed(what: Iterable[T], title: str, unit: str, **options: Any) -> Iterator[T]:
    """The same, and how far it is on standard error; see `Bar`."""
    yield from Bar(what, title, unit, **options)
