"""What every command shares: its parser, its exit status, one line for each failure, a progress bar."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn, TextIO

from edge import __version__
from edge.files.text import printable
from edge.types import LeukoscopeError

DONE, FAILED, WRONG_USAGE, CHECK_FAILED = 0, 1, 2, 3
"""Exit statuses."""

Commands = argparse._SubParsersAction
"""What `Parser.add_subparsers` gives; argparse has no public name for it."""

_DIGITS = 18  # of numbers that every program can hold
_CLEAR = "\r\x1b[K"
_BAR = 24  # characters
_REDRAW_S = 0.1


class Parser(argparse.ArgumentParser):
    """A command's parser: `--version`, help with its example as it stands, one line for wrong usage.

    Parameters
    ----------
    example : shown at the end of the help. The rest as in `argparse.ArgumentParser`.
    """

    def __init__(self, *, example: str = "", **settings: Any) -> None:
        super().__init__(
            epilog=example,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **settings,
        )
        self.add_argument("--version", action="version", version=f"leukoscope {__version__}")

    def error(self, message: str) -> NoReturn:
        """End with status 2 and one line, as for every other mistake, instead of argparse's whole usage."""
        self.exit(WRONG_USAGE, f"{self.prog}: {printable(message)}; see {self.prog} --help\n")


def add(
    commands: Commands[Parser],
    name: str,
    summary: str,
    example: str,
    run: Callable[[argparse.Namespace], int],
) -> Parser:
    """A subcommand; its arguments are then added to what this returns."""
    parser = commands.add_parser(name, help=summary, description=summary, example=f"example: {example}")
    parser.set_defaults(run=run)
    return parser


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """An argument's `type`: a whole number from `low` on, up to `high` where that is given."""

    def parsed(text: str) -> int:
        digits = text.isdecimal() and len(text) <= _DIGITS
        if not digits or int(text) < low or (high is not None and int(text) > high):
            end = "on" if high is None else f"to {high}"
            raise argparse.ArgumentTypeError(f"{text[:_DIGITS]!r} is not a whole number from {low} {end}")
        return int(text)

    return parsed


def number(text: str) -> float:
    """An argument's `type`: a number, whatever its size."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def add_large(parser: argparse.ArgumentParser, verb: str = "open") -> None:
    """Add `--large` to a command that opens a bundle, or does something else with it."""
    parser.add_argument("--large", action="store_true", help=f"{verb} a bundle of more than 64 MiB too")


def run(prog: str, work: Callable[[], int], *, extras: str = "", interrupted: str = "stopped") -> int:
    """Do a command's work and return its exit status, with one line on standard error where it fails.

    Parameters
    ----------
    prog : name of the command. work : does it, and returns the exit status.
    extras : what to install where an import fails, such as 'train,export'.
    interrupted : what to say after Ctrl-C.
    """
    try:
        return work()
    except LeukoscopeError as error:
        line = str(error)
    except ImportError as error:
        line = f"{error}; install it with: pip install 'leukoscope{f'[{extras}]' if extras else ''}'"
    except OSError as error:
        line = f"{error.filename or 'file'}: {error.strerror or error}"
    except KeyboardInterrupt:
        line = interrupted
    say(prog, " ".join(line.split()))
    return FAILED


def write(flag: str, path: str | Path, text: str) -> None:
    """Write a file that was asked for with this flag; raises LeukoscopeError."""
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LeukoscopeError(f"{flag} {path}: cannot be written ({error.strerror}); give another") from None


def put(text: str, end: str = "\n") -> None:
    """Print on standard output; whoever went away or has no room for it did not want it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), end=end, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains while it shuts down


def say(prog: str, line: str) -> None:
    """A line for the user on standard error, over a progress bar where there is one."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    print(f"{_CLEAR if watched else ''}{prog}: {printable(line)}", file=sys.stderr, flush=True)


class Progress:
    """A progress bar on a terminal, nothing in a pipe.

    Parameters
    ----------
    total : steps, bytes or whatever `show` counts. stream : where to draw; None takes standard error.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = max(total, 1)
        stream = sys.stderr if stream is None else stream
        self._stream = stream if stream is not None and stream.isatty() else None
        self._drawn = float("-inf")
        self._text = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            print(_CLEAR, end="", file=self._stream, flush=True)

    def show(self, done: int, text: str) -> None:
        """`done` of the total, and what is being done now; too many calls a second are left out."""
        now = monotonic()
        if self._stream is None or (text == self._text and now - self._drawn < _REDRAW_S):
            return
        self._drawn, self._text = now, text
        filled = min(done, self._total) * _BAR // self._total
        bar = "#" * filled + "." * (_BAR - filled)
        print(f"{_CLEAR}[{bar}] {text}", end="", file=self._stream, flush=True)
