"""What a bundle says of itself, from a run's recipe and metrics and what was measured of its precisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edge.bundle.manifest import FORMAT, INTERPOLATION, SCALE, FindingRule
from export.bundle import card
from export.graph.precisions import MEMBERS, Precisions
from train.data.classes import CLASSES
from train.data.dataset import OF_ONE_PERSON
from train.recipes.recipe import Recipe

FINDING = asdict(
    FindingRule(
        refer_fraction=0.05,
        interval_level=0.95,
        rejected_fraction=0.5,
        source="5 to 19% blasts in blood are MDS-IB2, 20% acute leukemia (WHO 2022); any blasts in blood are "
        "a same-day call (Optimal Care Pathway AML, 2.2); 200 and 400 leukocytes are what one and two "
        "readers count (CLSI H20); the rest is a convention of this program; not validated on patients",
    )
)
"""When a slide is referred; see `edge.bundle.bundle.FindingRule`."""

FINDING_OF_FIELDS = FINDING | {
    "refer_fraction": 0.1,
    "source": "a model of whole fields has no differential: that a tenth of them are positive is a "
    "convention of this program; not validated on patients",
}
"""The same where fields are counted."""


def finding_of(task: str) -> dict[str, Any]:
    """The finding table of a bundle with this task."""
    return FINDING_OF_FIELDS if task == "field" else FINDING


def specimen_of(classes: Sequence[str]) -> dict[str, list[str]]:
    """What a bundle with these classes is made for, where that is known: those of a blood smear's cells."""
    return {"specimen": ["blood"]} if tuple(classes) == CLASSES else {}


def manifest_of(recipe: Recipe, metrics: Mapping[str, Any], precisions: Precisions) -> dict[str, Any]:
    """`manifest.json` without the members' hashes; `edge.bundle.manifest` says what a device reads of it."""
    point, model_input = metrics["operating_point"], recipe.model_input
    return {
        "format": FORMAT,
        "name": recipe.name,
        "version": metrics["finished"].replace("-", "."),
        "task": recipe.task,
        "classes": list(recipe.classes),
        "leukocytes": list(recipe.counted),
        "positive": list(recipe.positive),
        **specimen_of(recipe.classes),
        "input": {
            "pitch_um": recipe.input.pitch_um,
            "size_px": model_input.size_px,
            **({"cut_px": model_input.cut_px} if model_input.cut_px != model_input.size_px else {}),
            **({} if model_input.whole else {"crop_um": round(model_input.cut_px * model_input.pitch_um, 6)}),
            **({"um_per_px": recipe.input.um_per_px} if recipe.input.um_per_px else {}),
            "interpolation": INTERPOLATION,
            "scale": SCALE,
            "steps": list(model_input.steps),
        },
        "graphs": {"classifier": {variant: MEMBERS[variant] for variant in precisions.graphs}},
        "precisions": dict(precisions.figures),
        "thresholds": {name: point[name] for name in ("positive", "confidence", "certain")},
        **({"second_look": recipe.operation.second_look} if recipe.operation.second_look else {}),
        "finding": finding_of(recipe.task),
        "calibration": {
            "temperature": point["temperature"],
            **({"ece": point["calibration_error"]} if "calibration_error" in point else {}),
        },
        "training": {"recipe": asdict(recipe), "data": _data(recipe, metrics)},
        "metrics": {
            "validation": metrics["validation"],
            "test": [_brief(found) for found in metrics["test"]],
            "parity": metrics["parity"],
        },
        "licence": card.LICENCE_NAME,
    }


def _brief(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest tells of an evaluation: figures of the cells counted, and the share left out."""
    told = ("dataset", "split", "interval", "groups", "cells", "abstained", "figures")
    return {name: found[name] for name in told}


def _data(recipe: Recipe, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was trained on, and which groups were kept from it to choose thresholds."""
    out = []
    for name in recipe.shares:
        source = recipe.source(name)
        kept = metrics["data"][name].get("validation", {})
        validation = kept if isinstance(kept, int) else kept.get("groups", [])
        if name.partition("@")[0] in recipe.own and not isinstance(validation, int):
            validation = len(validation)  # may be names of patients
        out.append(
            {
                "name": name,
                "home": source.home,
                "licence": source.licence,
                "citation": source.citation,
                "split": source.split,
                "validation": _told(validation, source.groups),
            }
        )
    return out


def _told(validation: list[str] | int, groups: str) -> list[str] | int:
    """Groups kept from training: patients are worth naming; blocks of file numbers are not."""
    if isinstance(validation, int) or groups in OF_ONE_PERSON:
        return validation
    return len(validation)
