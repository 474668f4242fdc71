"""Check a bundle on this machine: hashes, who vouches for it, golden cases in every precision it can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle import bundle
from edge.bundle.bundle import Bundle, BundleError
from edge.cells.classify import Classifier
from edge.runtimes import KINDS, GraphError, why_not
from edge.selftest.golden import Golden
from edge.selftest.selftest import candidates, tried
from edge.types import F32
from export.graph import metadata


@dataclass(frozen=True)
class Verification:
    """What verification found.

    Attributes
    ----------
    bundle : opened, its hashes checked.
    variants : runtimes and precisions that were tried here; the golden cases were found again in those
        that `problems` does not name.
    problems : what is wrong, in words; empty for a good bundle.
    golden : the golden cases, None where they are not valid.
    answers : variant that found the golden cases again -> (n, C) for each of them, what it says here.
    """

    bundle: Bundle
    variants: tuple[str, ...]
    problems: tuple[str, ...]
    golden: Golden | None = None
    answers: Mapping[str, Sequence[F32]] = field(default_factory=dict)


def verify(path: Path, *, large: bool = False) -> Verification:
    """Open a bundle, which checks every hash and the signature, and run its golden cases.

    `large` opens one of more than 64 MiB too.

    Raises
    ------
    BundleError
        It cannot be opened: missing, damaged, altered, of another format.
    """
    opened = bundle.load(path, allow_unsigned=True, large=large)
    try:
        golden = Golden(opened)
        problems = golden.unlike()
    except (ValueError, BundleError, GraphError) as error:  # nothing else can be told without its cells
        return Verification(opened, (), (str(error),))
    if "network" in opened.manifest.everything and opened.manifest.fp32 != metadata.network(opened.graph()):
        problems.append("network in its manifest is of another graph than its FP32 graph: get it made anew")
    answers: dict[str, Sequence[F32]] = {}
    variants = candidates(opened, tuple(kind for kind in KINDS if why_not(kind) is None))
    for variant in variants:
        classifier, reasons = tried(variant, golden, lambda name: Classifier(opened, variant=name))
        problems += [f"{variant}: {reason}" for reason in reasons]
        if classifier is not None:
            answers[variant] = golden.answers(classifier)
            classifier.close()
    return Verification(opened, tuple(variants), tuple(problems), golden, answers)
