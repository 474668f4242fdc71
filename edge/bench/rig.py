"""What a line is put together from, as `edge-run` would take it on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.cells.segment import Segmenter, segmenter
from edge.machine.profile import Profile, data_folder, load_profile
from edge.runtimes import Tell
from edge.selftest import selftest


@dataclass(frozen=True)
class Rig:
    """Bundle, classifier, how cells are found, profile, and the arguments by which `edge-run` takes them."""

    bundle: Bundle
    classifier: Classifier
    find: Segmenter
    profile: Profile
    options: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """What computes, in which versions and with how many threads: `runtime` of the bench's JSON."""
        manifest = self.bundle.manifest
        return {
            "variant": self.classifier.runtime,
            "version": self.classifier.version,
            "threads": self.profile.runtime.threads,
            "image_threads": self.profile.images.threads,
            "opencv": cv2.__version__,
            "numpy": np.__version__,
            "profile": self.profile.name,
            "bundle": f"{manifest.name} {manifest.version}",
            "bundle_sha256": self.bundle.sha256,
        }


@contextmanager
def rig(
    path: Path | None = None,
    allow_unsigned: bool = False,
    profile_name: str | None = None,
    runtime: str | None = None,
    tell: Tell = print,
) -> Iterator[Rig]:
    """Open bundle and classifier; None takes what `edge-run` takes without the argument.

    `tell` takes a line for every precision that is passed over.

    Raises
    ------
    LeukoscopeError : no such profile, bundle or runtime, or none that works here.
    """
    profile = load_profile(profile_name)
    cv2.setNumThreads(profile.images.threads)
    model = bundle.load(path, allow_unsigned=allow_unsigned)
    classifier = selftest.choose(
        model,
        runtime=runtime or profile.runtime.kind,
        threads=profile.runtime.threads,
        folder=data_folder(),
        tell=tell,
    )
    named = {"--bundle": path, "--profile": profile_name, "--runtime": runtime}
    options = [text for flag, value in named.items() if value is not None for text in (flag, str(value))]
    options += ["--allow-unsigned"] * allow_unsigned
    try:
        yield Rig(model, classifier, segmenter(model, profile.runtime.threads), profile, tuple(options))
    finally:
        classifier.close()
