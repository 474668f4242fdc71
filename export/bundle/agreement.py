"""What a bundle's golden pictures give on this machine, and whether another machine found and said the same.

Two processors round otherwise, and two builds of OpenCV cut a crop otherwise: a fault of either shows where
machines of different make, such as x86-64 and aarch64, are set side by side. Judged are the golden cells,
which were chosen so that no rounding changes what is said of them; what else is found beside them is told.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from edge import __version__
from edge.bench.machine import describe
from edge.cells.classify import decide
from edge.selftest.golden import NEAR_UM
from edge.types import LeukoscopeError
from export.bundle.verify import Verification

FORMAT = 1


class AgreementError(LeukoscopeError):
    """What another machine wrote cannot be compared with. Names the file, why, and what to do."""


@dataclass(frozen=True)
class Agreement:
    """Two machines side by side: `lines` to show, and `problems`, in words, empty where they agree."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]


def findings(verdict: Verification) -> dict[str, Any]:
    """What this machine found, for a file.

    Returns
    -------
    `kind` 'verify', `format`, `version` of the program, `bundle`, `bundle_sha256`, `trusted`, `problems`;
    `machine`: `architecture`, `cpu` and versions of what computes; `tolerance` of a probability by runtime;
    and `pictures`: {name: `um_per_px`, `found_px` (all cells found, x and y of their middles), `said`:
    {variant: [{`class`, `probabilities`} of each golden cell]}}.
    """
    opened, golden = verdict.bundle, verdict.golden
    manifest = opened.manifest
    pictures: dict[str, Any] = {}
    for i, (case, found) in enumerate(zip(golden.cases, golden.found(), strict=True) if golden else ()):
        said = {}
        for variant, answers in verdict.answers.items():
            calls = decide(answers[i], manifest).classes
            said[variant] = [
                {"class": manifest.classes[k], "probabilities": [round(float(p), 6) for p in row]}
                for k, row in zip(calls, answers[i], strict=True)
            ]
        centres = [[round(float(v), 1) for v in centre] for centre in found]
        pictures[case.name] = {"um_per_px": case.um_per_px, "found_px": centres, "said": said}
    return {
        "kind": "verify",
        "format": FORMAT,
        "version": __version__,
        "bundle": f"{manifest.name} {manifest.version}",
        "bundle_sha256": opened.sha256,
        "trusted": opened.trusted,
        "problems": list(verdict.problems),
        "machine": {
            "architecture": platform.machine(),
            "cpu": describe()["cpu"],
            "onnxruntime": onnxruntime.__version__,
            "opencv": cv2.__version__,
            "numpy": np.__version__,
        },
        "tolerance": dict(golden.tolerance) if golden else {},
        "pictures": pictures,
    }


def against(here: Mapping[str, Any], path: Path) -> Agreement:
    """What this machine found beside what another wrote of the same bundle.

    Parameters
    ----------
    here : `findings` of this machine. path : a file of them from the other.

    Raises
    ------
    AgreementError : the file cannot be read, is another kind of file, or is of another bundle.
    """
    try:
        there = json.loads(path.read_bytes())
        if (there["kind"], there["format"]) != ("verify", FORMAT):
            raise ValueError(f"{there['kind']} of format {there['format']}")
        if there["bundle_sha256"] != here["bundle_sha256"]:
            raise AgreementError(
                f"{path}: is of another bundle ({there['bundle']}, sha256 {there['bundle_sha256'][:16]}); "
                "verify the same file on both machines"
            )
        return _compared(here, there)
    except OSError as error:
        raise AgreementError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise AgreementError(
            f"{path}: is not what edge-export verify --json wrote ({type(error).__name__}: {error})"
        ) from None


def _compared(here: Mapping[str, Any], there: Mapping[str, Any]) -> Agreement:
    lines = [f"here:  {_machine(here)}", f"there: {_machine(there)}"]
    problems = [f"there: {problem}" for problem in there["problems"]]
    for name, picture in here["pictures"].items():
        lines.append(f"{name}: {_places(picture, there['pictures'][name])}")
    variants = [_variants(machine) for machine in (here, there)]
    for variant in sorted(set(variants[0]) ^ set(variants[1])):
        lines.append(f"{variant}: {'here' if variant in variants[0] else 'there'} only, not compared")
    common = [variant for variant in variants[0] if variant in variants[1]]
    if not common:
        problems.append("no precision passes on both machines; there is nothing to compare")
    for variant in common:
        line, wrong = _said(variant, here, there)
        lines.append(line)
        problems += wrong
    return Agreement(tuple(lines), tuple(problems))


def _machine(found: Mapping[str, Any]) -> str:
    machine = dict(found["machine"])
    make = f"{machine.pop('architecture')} ({machine.pop('cpu') or 'of unknown make'})"
    versions = ", ".join(f"{name} {version}" for name, version in machine.items())
    return f"{make}, leukoscope {found['version']}, {versions}"


def _variants(found: Mapping[str, Any]) -> list[str]:
    """Precisions in which a machine found the golden cases again."""
    said = [picture["said"] for picture in found["pictures"].values()]
    return [variant for variant in (said[0] if said else ()) if all(variant in each for each in said)]


def _places(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """How many cells each machine found, and how many at the same place."""
    one, other = (np.reshape(found["found_px"], (-1, 2)).astype(float) for found in (here, there))
    apart = np.linalg.norm(one[:, None] - other[None], axis=2) * here["um_per_px"]
    near = apart.min(axis=1, initial=np.inf)
    near = near[near <= NEAR_UM]
    text = f"cells found: {len(one)} here, {len(other)} there, {len(near)} at the same place"
    return f"{text}, {near.max():.2f} µm apart at most" if len(near) else text


def _said(variant: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[str, list[str]]:
    """A line about the golden cells in one precision, and what differs more than it may."""
    limit = float(here["tolerance"][variant.split("-")[0]])
    differences: list[float] = []
    cells, wrong = 0, []
    for name, picture in here["pictures"].items():
        for a, b in zip(picture["said"][variant], there["pictures"][name]["said"][variant], strict=True):
            cells += 1
            if a["class"] != b["class"]:
                wrong.append(f"{variant}: {name}: a cell is called {a['class']} here and {b['class']} there")
            pairs = zip(a["probabilities"], b["probabilities"], strict=True)
            differences += [abs(float(one) - float(other)) for one, other in pairs]
    line = f"{variant}: golden cells: {cells}, {len(wrong)} of another class"
    worst = float(np.max(differences, initial=0.0))
    if not worst <= limit:
        wrong.append(f"{variant}: a probability differs by {worst:.3f}, more than {limit:g}")
    return f"{line}, probabilities differ by {worst:.2g} at most ({limit:g} allowed)", wrong
