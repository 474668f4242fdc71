"""Fitted methods on disk: one file of plain arrays, which nothing is executed to read."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge.files import atomic, stricttoml
from train.published.classical import METHODS, Classical, ClassicalError, Settings, method

_ABOUT = "about"
_FORMAT = 1


def save(model: Classical, path: Path) -> None:
    """Write a model, all of it or nothing."""
    kind = type(model)
    name = next(n for n, place in METHODS.items() if place == f"{kind.__module__}:{kind.__name__}")
    about = {"format": _FORMAT, "method": name, "size_px": model.size_px, "settings": asdict(model.settings)}
    stream = io.BytesIO()
    np.savez(stream, **{_ABOUT: np.array(json.dumps(about))}, **model.arrays())  # type: ignore[arg-type]
    atomic.write(path, stream.getvalue(), 0o644)


def load(path: Path) -> Classical:
    """Read a model.

    Raises
    ------
    ClassicalError : no such file, not one of ours, damaged, or what its method needs is not installed.
    """
    if not path.is_file():
        raise ClassicalError(f"model {path}: no such file; give one that edge-train fit wrote")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about: dict[str, Any] = json.loads(str(arrays.pop(_ABOUT)))
        if about["format"] != _FORMAT:
            raise ValueError(f"format {about['format']}, this program reads {_FORMAT}")
        settings = stricttoml.build(Settings, about["settings"])
        return method(about["method"]).of(settings, about["size_px"], arrays)
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        reason = _reason(error)
    except (zipfile.BadZipFile, zlib.error) as error:
        reason = _reason(error)
    raise ClassicalError(f"model {path}: cannot be read ({reason}); fit it again")


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
