"""What is needed to repeat a run, written beside it: settings, environment, data."""

from __future__ import annotations

import csv
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import edge
from edge.bench import machine
from edge.files import atomic
from edge.types import LeukoscopeError
from train.data.split import SALT
from train.data.windows import Windows, fingerprint
from train.fitting.task import Run
from train.recipes.recipe import Recipe

SETTINGS, ENVIRONMENT, DATA = "settings.json", "environment.json", "data.json"
METRICS = "metrics.json"


class SettingsError(LeukoscopeError):
    """A folder holds a run with other settings or data. Names the first that differs."""


def begin(settings: Mapping[str, Any], run: Run, seed: int) -> None:
    """Write what a run's result depends on, and this start of it; refuse to mix two runs in one folder.

    Raises
    ------
    SettingsError : the folder holds a run with other settings.
    """
    run.out.mkdir(parents=True, exist_ok=True)
    _write_settings(settings, run.out)
    _add_environment(run, seed)


def _write_settings(settings: Mapping[str, Any], out: Path) -> None:
    path = out / SETTINGS
    if not path.is_file():
        write_json(path, settings)
        return
    before, now = flat(json.loads(path.read_text(encoding="utf-8"))), flat(json.loads(json.dumps(settings)))
    for key in {**before, **now}:
        if before.get(key) != now.get(key):
            raise SettingsError(
                f"run {out}: was started with other settings ({key} {before.get(key)}, now {now.get(key)}); "
                "choose another --out or remove it"
            )


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots."""
    out: dict[str, Any] = {}
    for key, value in settings.items():
        out |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return out


_LIBRARIES = ("onnx", "onnxruntime", "torchvision", "timm", "scikit-learn", "simplejpeg")


def _versions() -> dict[str, str]:
    """What a run is computed with: Python, and libraries as far as they are installed."""
    found = {
        "python": platform.python_version(),
        "leukoscope": edge.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _add_environment(run: Run, seed: int) -> None:
    """Add this start of the run to the list of its starts: when, how, on what, with which versions."""
    process, path = run.process, run.out / ENVIRONMENT
    starts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    gpu = torch.cuda.get_device_name(process.device) if process.device.type == "cuda" else None
    start = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "source": source(),
        "versions": _versions(),
        "seed": seed,
        "machine": machine.describe(),
        "device": process.device.type,
        "gpu": gpu,
        "precision": run.precision,
        "processes": process.size,
        "threads": {"torch": torch.get_num_threads(), "opencv": cv2.getNumThreads()},
    }
    write_json(path, [*starts, start])


def write_data(recipe: Recipe, data: Path, limit: int, windows: Windows, out: Path) -> None:
    """Write which cells the run sees, and a fingerprint of the files that they were cut from.

    Raises
    ------
    SettingsError : the run was started on other files.
    """
    cells = census(windows)
    parts = {
        name: {
            "fingerprint": fingerprint(recipe.source(name), data, recipe.window, recipe.most(name, limit)),
            "parts": cells[name],
        }
        for name in recipe.shares
    }
    path = out / DATA
    before = json.loads(path.read_text(encoding="utf-8"))["datasets"] if path.is_file() else parts
    for name, part in parts.items():
        if before[name]["fingerprint"] != part["fingerprint"]:
            raise SettingsError(
                f"run {out}: data set {name} or how it is read has changed since the run was started; "
                "choose another --out or remove it"
            )
    write_json(path, {"salt": SALT, "datasets": parts})


def census(windows: Windows) -> dict[str, Any]:
    """Cells and groups by data set and part, and the names of the groups kept from training."""
    out: dict[str, Any] = {}
    for name in dict.fromkeys(windows.datasets.tolist()):
        here = windows.datasets == name
        out[name] = {}
        for split in dict.fromkeys(windows.splits[here].tolist()):
            inside = here & (windows.splits == split)
            labels, counts = np.unique(windows.labels[inside], return_counts=True)
            out[name][split] = {
                "cells": dict(zip(labels.tolist(), counts.tolist(), strict=True)),
                "groups": sorted(set(windows.groups[inside].tolist())),
            }
    return out


def write_metrics(metrics: Mapping[str, Any], out: Path) -> None:
    """Write what is known of a finished model, and when that was."""
    write_json(out / METRICS, {**metrics, "finished": datetime.now(UTC).date().isoformat()})


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, a column for every name that one of them has, all of it or nothing."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    atomic.write(path, text.getvalue().encode(), 0o644)


def write_json(path: Path, content: Any) -> None:
    """Write a file of a run, all of it or nothing."""
    atomic.write(path, (json.dumps(content, indent=1) + "\n").encode(), 0o644)


def source() -> dict[str, Any] | None:
    """Commit of the program and whether its files are as committed; None where it is not run from Git."""
    root = Path(__file__).resolve().parents[2]

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        )
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:  # installed inside another repository
            return None
        return {"commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError):
        return None
