"""The one shape in which every benchmark writes what it measured, with `--json PATH`.

    {
      "benchmark": "detection",                     file name of the script
      "command": "python benchmarks/detection.py --data DATA --dataset bccd",
                                                    to repeat it; folders stand as upper-case words
      "measured": "2026-03-01",
      "commit": "0123…", "clean": true,             of the program, null where it is not run from Git
      "machine": {"name": …, "cpu": …, "cores": 2, "instructions": "avx512_vnni", …},
      "versions": {"leukoscope": …, "numpy": …, "opencv": …, "onnxruntime": …, …},
      "figures": [
        {"name": "recall",                          what is measured
         "what": "bccd, official test",             of what: data set and its part, field, network, …
         "value": 1.0, "low": 1.0, "high": 1.0,     with the ends of its 95% interval, null for none
         "unit": "", "n": 49, "of": "leukocytes",   n: how many it stands on, and of what
         "wanted": "≥ 0.97"}                        empty where nothing was set as a goal
      ],
      "details": …                                  whatever else the benchmark tells; null for nothing
    }

A figure is known by benchmark, name and what. `instructions` is what networks run on:
`edge.bench.machine.INSTRUCTIONS`, or null.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from edge import __version__
from edge.bench import machine

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "numpy": ("numpy",),
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
    "onnxruntime": ("onnxruntime",),
    "torch": ("torch",),
}


class Interval(Protocol):
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float


def parser_of(about: str | None) -> argparse.ArgumentParser:
    """The command line of a benchmark, from the docstring of its script, with the flag that all have."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=form)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there: results.py")
    return parser


class Results:
    """What a benchmark measured.

    Parameters
    ----------
    benchmark : name of the script without its suffix. parser, arguments : its command line, parsed.
    """

    def __init__(
        self, benchmark: str, parser: argparse.ArgumentParser, arguments: argparse.Namespace
    ) -> None:
        self._benchmark, self._path = benchmark, arguments.json
        self._command = f"python benchmarks/{benchmark}.py {words(parser, arguments)}".rstrip()
        self.figures: list[dict[str, Any]] = []

    def add(
        self,
        name: str,
        value: float | Interval | None,
        *,
        what: str = "",
        unit: str = "",
        n: int | None = None,
        of: str = "",
        wanted: str = "",
    ) -> None:
        """Add a figure; see above. NaN is none."""
        ends = (value.value, value.low, value.high) if hasattr(value, "low") else (value, None, None)
        told = dict(zip(("value", "low", "high"), map(_plain, ends), strict=True))
        self.figures.append(
            {"name": name, "what": what, **told, "unit": unit, "n": n, "of": of, "wanted": wanted}
        )

    def add_nested(self, found: Any, *what: str) -> None:
        """Add every figure with an interval that lies in nested mappings and lists, named by its last key."""
        if isinstance(found, Mapping) and {"value", "low", "high"} <= found.keys():
            ends = (float("nan") if found[end] is None else found[end] for end in ("value", "low", "high"))
            self.add(what[-1], SimpleNamespace(**dict(zip(("value", "low", "high"), ends, strict=True))),
                     what=", ".join(what[:-1]))  # fmt: skip
        elif isinstance(found, Mapping):
            for key, inner in found.items():
                self.add_nested(inner, *what, str(key))
        elif isinstance(found, list):
            for inner in found:
                titles = [inner[key] for key in ("name", "title") if key in inner] if inner else []
                self.add_nested(inner, *what, *titles)

    def write(self, details: Any = None) -> None:
        """Write the file, where one was asked for."""
        if self._path is None:
            return
        found = {
            "benchmark": self._benchmark,
            "command": self._command,
            "measured": datetime.now(UTC).date().isoformat(),
            **commit(),
            "machine": machine.describe(),
            "versions": versions(),
            "figures": self.figures,
            "details": details,
        }
        self._path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def words(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> str:
    """A command line, as far as it matters to the figures, without the folders of this machine."""
    found: list[str] = []
    for action in parser._actions:
        value = getattr(arguments, action.dest, None)
        if action.dest in ("json", "pictures", "help", "cache") or value == action.default or value is None:
            continue
        flag = action.option_strings[-1:]
        if isinstance(action, argparse._SubParsersAction):
            inner = action.choices[value]
            found += [value, words(inner, arguments)]
        elif isinstance(value, bool):
            found += flag
        elif isinstance(action, argparse._AppendAction):
            found += [word for each in value for word in (*flag, _word(action, each))]
        else:
            found += flag + [_word(action, each) for each in (value if isinstance(value, list) else [value])]
    return " ".join(found)


def _word(action: argparse.Action, value: object) -> str:
    return action.dest.upper().replace("_", "-") if isinstance(value, Path) else str(value)


def _plain(value: float | None) -> float | None:
    return round(float(value), 6) if value is not None and isfinite(value) else None


def commit() -> dict[str, Any]:
    """Commit of the program, and whether its files are as committed."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, encoding="utf-8", check=True
        )
        return done.stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "clean": None}


def versions() -> dict[str, str]:
    """Of the program and of what it computes with, as far as it is installed."""
    found = {"leukoscope": __version__}
    for name, packages in PACKAGES.items():
        for package in packages:
            try:
                found[name] = version(package)
                break
            except PackageNotFoundError:
                continue
    return found
