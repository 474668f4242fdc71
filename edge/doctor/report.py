"""The doctor's report, for people and for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from textwrap import wrap

from edge import __version__, command
from edge.doctor.check import Check, Level
from edge.files.text import printable

_SYMBOLS: dict[Level, str] = {"fine": "✓", "worth knowing": "!", "wrong": "✗"}
_PLAIN: dict[Level, str] = {"fine": "+", "worth knowing": "!", "wrong": "x"}
"""For terminals that have no others, such as the console."""

_COLOURS: dict[Level, str] = {"fine": "32", "worth knowing": "33", "wrong": "1;31"}
_LEAST_COLUMNS = 40


def lines(checks: Mapping[str, Check]) -> list[str]:
    """One line each, for a pipe: `level: name: message; what to do`."""
    return [f"{check.level}: {name}: {_said(check)}" for name, check in checks.items()]


def page(checks: Mapping[str, Check], columns: int, *, plain: bool, coloured: bool) -> list[str]:
    """For a terminal: a symbol, the name, and the text, no wider than `columns`.

    Parameters
    ----------
    plain : no symbols beyond ASCII. coloured : the symbols have colours.
    """
    symbols = _PLAIN if plain else _SYMBOLS
    width = max(map(len, checks), default=0)
    indent = " " * (width + 5)
    shown = []
    for name, check in checks.items():
        first, *rest = wrap(
            _said(check), max(columns, _LEAST_COLUMNS) - len(indent), break_on_hyphens=False
        ) or [""]
        symbol = symbols[check.level]
        if coloured:
            symbol = f"\x1b[{_COLOURS[check.level]}m{symbol}\x1b[0m"
        shown.append(f" {symbol} {name:{width}}  {first}".rstrip())
        shown += [indent + line for line in rest]
    return shown


def summary(checks: Mapping[str, Check]) -> str:
    """What it comes to."""
    wrong = [name for name, check in checks.items() if check.level == "wrong"]
    known = sum(check.level == "worth knowing" for check in checks.values())
    if wrong:
        return f"Wrong: {', '.join(wrong)}."
    return f"It should work; {known} worth knowing." if known else "Everything is fine."


def show(checks: Mapping[str, Check]) -> None:
    """Print the report on standard output."""
    if sys.stdout is None or not sys.stdout.isatty():
        command.put("\n".join(lines(checks)))
        return
    terminal = os.environ.get("TERM", "dumb")
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    coloured = terminal != "dumb" and "NO_COLOR" not in os.environ
    plain = not unicode or terminal in ("linux", "dumb")
    columns = shutil.get_terminal_size().columns
    command.put("\n".join(page(checks, columns, plain=plain, coloured=coloured)))
    command.put(f"\n{summary(checks)}")


def write(checks: Mapping[str, Check], target: str) -> None:
    """The report as one JSON object, to a file, or to standard output for '-'.

    Raises
    ------
    LeukoscopeError : the file cannot be written.
    """
    found = [
        {"name": name, "level": check.level, "message": check.message, "mend": check.mend or None}
        for name, check in checks.items()
    ]
    text = json.dumps({"version": __version__, "checks": found}, ensure_ascii=False, indent=1)
    command.write("--json", target, text + "\n")


def _said(check: Check) -> str:
    return printable(f"{check.message}; {check.mend}" if check.mend else check.message)
