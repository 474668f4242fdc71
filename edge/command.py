"""What every command shares: its parser, its exit status, one line for each failure, a progress bar."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
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

    def _print_message(self, message: str, file: Any = None) -> None:
        """Whatever argparse prints, help and version too, in any locale."""
        write_to(file or sys.stderr, message)


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


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add what says which model runs, and on what."""
    add = parser.add_argument
    add("--bundle", type=Path, metavar="PATH", help="model bundle: a file, or leukocytes or cnmc-cnn, "
        "which ship (default: the one in use)")  # fmt: skip
    add("--allow-unsigned", action="store_true",
        help="run a bundle that nobody vouches for; every record says so")  # fmt: skip
    add_large(parser)
    add("--profile", metavar="NAME or PATH",
        help="device profile (default: auto, the one that fits this machine)")  # fmt: skip
    add("--runtime", choices=("auto", "ort", "trt"), help="what runs the networks (default: auto)")


def scale(text: str) -> float | str:
    """An argument's `type`: µm per pixel, or auto."""
    if text == "auto":
        return text
    value = number(text)
    if not 0.01 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{text} is no scale of a microscope; give auto or 0.01 to 10 (µm)")
    return value


def run(prog: str, work: Callable[[], int], *, extras: str = "", interrupted: str = "stopped") -> int:
    """Do a command's work and return its exit status, with one line on standard error where it fails.

    Where whoever read standard output went away before the work was done, it ends without a word.

    Parameters
    ----------
    prog : name of the command. work : does it, and returns the exit status.
    extras : what to install where an import fails, such as 'train,export'.
    interrupted : what to say after Ctrl-C.
    """
    _take_standard_numbers()
    try:
        return work()
    except ReaderGoneError:
        return FAILED
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


class ReaderGoneError(LeukoscopeError):
    """Nobody reads standard output any more."""


def write(flag: str, path: str | Path, text: str) -> None:
    """Write what was asked for with this flag: a file, or for '-' standard output.

    UTF-8 whatever the locale, as JSON must be (RFC 8259, section 8.1); half a pair comes as JSON escapes it.

    Raises
    ------
    LeukoscopeError : it cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    try:
        if path == "-":
            write_bytes(sys.stdout, content)
        else:
            Path(path).write_bytes(content)
    except ReaderGoneError:
        pass  # who went away did not want the rest
    except OSError as error:
        raise LeukoscopeError(f"{flag} {path}: cannot be written ({error.strerror}); give another") from None


def write_bytes(stdout: TextIO | None, content: bytes) -> None:
    """Write on standard output, None where it is closed, and have it on its way before this returns.

    Raises
    ------
    ReaderGoneError : nobody reads it any more. OSError : it cannot be written.
    """
    if stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    try:
        stdout.flush()
        stdout.buffer.write(content)
        stdout.buffer.flush()
    except OSError as error:
        _lead_nowhere(stdout)
        if isinstance(error, BrokenPipeError):
            raise ReaderGoneError("standard output: nobody reads it any more") from None
        raise


def put(text: str, end: str = "\n") -> None:
    """Print for people on standard output; whoever went away or has no room for it did not want it."""
    write_to(sys.stdout, text + end)


def say(prog: str, line: str) -> None:
    """A line for the user on standard error, over a progress bar where there is one."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    write_to(sys.stderr, f"{_CLEAR if watched else ''}{prog}: {printable(line)}\n")


def write_to(stream: TextIO | None, text: str) -> None:
    """Write for people on a standard stream, None for one that is closed, whatever its locale.

    What its encoding has not is escaped. Whoever does not read it any more, or has no room, does not stop
    the program.
    """
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError:
        _lead_nowhere(stream)


def _lead_nowhere(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, or the interpreter complains while it shuts down."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _take_standard_numbers() -> None:
    """Where standard streams are closed, keep their numbers from the files that are opened next.

    Libraries in C write their complaints to number 2, whatever lies behind it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


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
            write_to(self._stream, _CLEAR)

    def show(self, done: int, text: str) -> None:
        """`done` of the total, and what is being done now; too many calls a second are left out."""
        now = monotonic()
        if self._stream is None or (text == self._text and now - self._drawn < _REDRAW_S):
            return
        self._drawn, self._text = now, text
        filled = min(done, self._total) * _BAR // self._total
        bar = "#" * filled + "." * (_BAR - filled)
        write_to(self._stream, f"{_CLEAR}[{bar}] {printable(text)}")
