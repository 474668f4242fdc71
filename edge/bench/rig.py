"""What a line is put together from, as `edge-run` would take it on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.bundle import bundle
from edge.line.engine import Engine, open_engine
from edge.machine.profile import RuntimeKind, load_profile
from edge.runtimes import Tell


@dataclass(frozen=True)
class Rig:
    """What computes, and the arguments by which `edge-run` takes the same."""

    engine: Engine
    options: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """What computes, in which versions and with how many threads: `runtime` of the bench's JSON."""
        engine, manifest = self.engine, self.engine.bundle.manifest
        return {
            "variant": engine.classifier.runtime,
            "version": engine.classifier.version,
            "threads": engine.profile.runtime.threads,
            "image_threads": engine.profile.images.threads,
            "opencv": cv2.__version__,
            "numpy": np.__version__,
            "profile": engine.profile.name,
            "bundle": f"{manifest.name} {manifest.version}",
            "bundle_sha256": engine.bundle.sha256,
        }


@contextmanager
def rig(
    path: Path | None = None,
    allow_unsigned: bool = False,
    profile_name: str | None = None,
    runtime: RuntimeKind | None = None,
    tell: Tell = print,
    *,
    large: bool = False,
) -> Iterator[Rig]:
    """Open bundle and engine; None takes what `edge-run` takes without the argument.

    `tell` takes a line for every precision that is passed over.

    Raises
    ------
    LeukoscopeError : no such profile, bundle or runtime, or none that works here.
    """
    profile = load_profile(profile_name)
    model = bundle.load(path, allow_unsigned=allow_unsigned, large=large)
    named = {"--bundle": path, "--profile": profile_name, "--runtime": runtime}
    options = [text for flag, value in named.items() if value is not None for text in (flag, str(value))]
    options += ["--allow-unsigned"] * allow_unsigned + ["--large"] * large
    with closing(open_engine(profile, model, runtime, tell)) as engine:
        yield Rig(engine, tuple(options))
