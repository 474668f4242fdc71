"""A finished run → a bundle: graph, parity, golden cases, model card, licence, manifest."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge import bundle
from edge.classify import Classifier
from edge.preprocess import STEPS, crops, specimen
from edge.types import U8
from export import card, golden
from export.archive import pack
from export.graph import ExportError, parity, to_onnx
from train.classes import CLASSES, LEUKOCYTES, POSITIVE
from train.datasets import dataset
from train.fit import load_network, settings_of
from train.recipe import Recipe

GRAPH = "classifier.onnx"

FINDING = {
    "refer_fraction": 0.05,
    "interval_level": 0.95,
    "certain_cells": 3,
    "certain_within": 100,
    "rejected_fraction": 0.5,
    "source": "blasts do not belong in peripheral blood, and fewer than 5% of them (in marrow) defines "
    "morphological remission (ELN 2022); three certain ones in fewer than 100 cells refer without waiting; "
    "not validated on patients",
}
"""When a slide is referred; see `edge.bundle.FindingRule`."""


def build(run: Path) -> bytes:
    """The bundle of a finished run, as bytes; the same run always gives the same.

    What `edge-train evaluate --json RUN_DIR/evaluation-NAME.json` found goes into the model card.

    Raises
    ------
    FitError
        The run is not finished. ExportError : the graph does not compute what the network does.
    """
    recipe, _ = settings_of(run)
    network, metrics = load_network(run)
    metrics["test"] = [json.loads(path.read_text()) for path in sorted(run.glob("evaluation-*.json"))]
    unknown = [step for step in recipe.input.steps if step not in STEPS]
    if unknown:
        raise ExportError(f"run {run}: preprocessing step {unknown[0]!r} is not one the device knows")
    temperature = metrics["operating_point"]["temperature"]
    graph = to_onnx(network, temperature, recipe.input.size_px)
    fields = golden.draw_fields(recipe.input.pitch_um)
    parity(network, temperature, graph, _examples(fields, recipe))
    manifest = _manifest(recipe, metrics)
    sources = [dataset(name) for name in recipe.shares]
    members = {
        GRAPH: graph,
        "MODEL_CARD.md": card.model_card(manifest, sources, metrics).encode(),
        "LICENSE": card.LICENCE.encode(),
    }
    return pack(manifest, members | _golden(manifest, members, fields))


def _examples(fields: list[golden.Field], recipe: Recipe) -> U8:
    """Crops to compare on: drawn cells, and noise that reaches every corner of the graph."""
    size = recipe.input.size_px
    drawn = [
        crops(specimen(f.pixels, f.um_per_px, recipe.input.pitch_um), f.centres_px, size) for f in fields
    ]
    noise = np.random.default_rng(0).integers(0, 256, (8, size, size, 3), np.uint8)
    return np.concatenate([*drawn, noise])


def _golden(
    manifest: Mapping[str, Any], members: Mapping[str, bytes], fields: list[golden.Field]
) -> dict[str, bytes]:
    """Golden cases by the device's own code: it opens a bundle that lacks nothing but them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "without-golden.bundle"
        path.write_bytes(pack(manifest, members))
        opened = bundle.load(path, allow_unsigned=True)
    classifier = Classifier(opened)
    cases = golden.expected(fields, classifier, opened.manifest)
    classifier.close()
    return cases


def _manifest(recipe: Recipe, metrics: Mapping[str, Any]) -> dict[str, Any]:
    point = metrics["operating_point"]
    return {
        "format": bundle.FORMAT,
        "name": recipe.name,
        "version": metrics["finished"].replace("-", "."),
        "task": "cell",
        "classes": list(CLASSES),
        "leukocytes": list(LEUKOCYTES),
        "positive": list(POSITIVE),
        "input": {
            "pitch_um": recipe.input.pitch_um,
            "size_px": recipe.input.size_px,
            "steps": list(recipe.input.steps),
        },
        "graphs": {"classifier": {"fp32": GRAPH}},
        "thresholds": {name: point[name] for name in ("positive", "confidence", "certain")},
        "finding": FINDING,
        "calibration": {"temperature": point["temperature"], "ece": point["calibration_error"]},
        "training": {"recipe": asdict(recipe), "data": _data(recipe, metrics)},
        "metrics": {
            "validation": metrics["validation"],
            "test": [_brief(found) for found in metrics["test"]],
        },
        "licence": card.LICENCE_NAME,
    }


def _brief(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest tells of an evaluation."""
    return {name: found[name] for name in ("dataset", "split", "interval", "groups", "cells", "figures")}


def _data(recipe: Recipe, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was trained on, and which groups were kept from it to choose thresholds."""
    out = []
    for name in recipe.shares:
        source = dataset(name)
        validation = metrics["data"][name].get("validation", {}).get("groups", [])
        out.append(
            {
                "name": name,
                "home": source.home,
                "licence": source.licence,
                "citation": source.citation,
                "split": source.split,
                # patients are worth naming; blocks of file numbers are not
                "validation": validation if source.groups in ("patient", "slide") else len(validation),
            }
        )
    return out
