"""Check a bundle on this machine: hashes, who vouches for it, golden cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge import bundle
from edge.classify import Classifier
from export.golden import differences


@dataclass(frozen=True)
class Verdict:
    """What verification found.

    Attributes
    ----------
    name, version, sha256 : of the bundle. trusted : it ships with this program.
    problems : what is wrong, in words; empty for a good bundle.
    """

    name: str
    version: str
    sha256: str
    trusted: bool
    problems: tuple[str, ...]


def verify(path: Path) -> Verdict:
    """Open a bundle, which checks every hash, and run its golden cases.

    Raises
    ------
    BundleError
        It cannot be opened: missing, damaged, altered, of a newer format.
    """
    opened = bundle.load(path, allow_unsigned=True)
    classifier = Classifier(opened)
    problems = differences(opened.members, classifier, opened.manifest)
    classifier.close()
    manifest = opened.manifest
    return Verdict(manifest.name, manifest.version, opened.sha256, opened.trusted, tuple(problems))
