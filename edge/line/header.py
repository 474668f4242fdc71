"""What a slide is read with, and what must stay in sight of whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping

from edge import __version__
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.line.rules import Rules
from edge.types import SlideHeader


def header_of(
    bundle: Bundle,
    classifier: Classifier,
    rules: Rules,
    site: Mapping[str, object] | None,
    *,
    profile: str,
    camera: str,
) -> SlideHeader:
    """The header of slides that this model reads; `camera` is what the camera is called by now."""
    about = classifier.manifest
    return SlideHeader(
        version=__version__,
        profile=profile,
        camera=camera,
        runtime=classifier.runtime,
        bundle=f"{about.name} {about.version}",
        bundle_sha256=bundle.sha256,
        trusted=bundle.trusted,
        classes=about.classes,
        rules=rules.record(),
        site=site,
        crop_um=None if about.model_input.whole else about.pitch_um * about.model_input.cut_px,
        caveats=bundle.caveats,
    )


def warning_of(bundle: Bundle, classifier: Classifier, rules: Rules, *, recorded: bool) -> str | None:
    """Something to keep in sight while slides are read, such as an unsigned bundle; None without it."""
    warnings = [
        *(["unsigned model: not for patients"] if not bundle.trusted else []),
        *(f"model {caveat}" for caveat in bundle.caveats),
        *([f"{rules.specimen}: counts only, people judge"] if rules.strange else []),
        *([classifier.note] if classifier.note else []),
        *(["nothing is recorded (--no-records)"] if not recorded else []),
    ]
    return "; ".join(warnings) or None
