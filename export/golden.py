"""Golden cases: drawn fields with the crops and probabilities that the device must find again.

They are drawn by the simulated microscope, so no patient's picture travels in a bundle. The cells' places
are stored with them: what is proven is preprocessing, runtime and decisions on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edge.bundle import Manifest
from edge.cameras.simulated import SimulatedCamera
from edge.classify import Classifier
from edge.preprocess import crops, specimen
from edge.segment import segment
from edge.types import F32, U8
from export.graph import ExportError

SEEDS = (0, 1)
WINDOW_PX = (300, 400)  # height and width: two or three cells
PROBABILITY_TOLERANCE = 0.02
"""Resampling differs by a grey level between versions of OpenCV; that moves probabilities less than this."""
CROP_TOLERANCE = 2
"""Grey levels, for nine tenths and more of a crop's values."""

_FRAMES_SEARCHED = 10
_SHARP_UM = 0.15  # defocus, as the simulated microscope's truth tells it
_STEP_PX = 50


@dataclass(frozen=True, eq=False)
class Field:
    """A drawn field. `pixels` (H, W, 3) uint8 RGB; `centres_px` (n, 2) float32, its cells."""

    name: str
    pixels: U8
    um_per_px: float
    centres_px: F32


def draw_fields(pitch_um: float) -> list[Field]:
    """Of each of `SEEDS` the early field, cut to a window, that shows most whole cells in good focus.

    Raises
    ------
    ExportError
        No whole cell was found in any of them.
    """
    fields = []
    for number, seed in enumerate(SEEDS):
        camera = SimulatedCamera(seed)
        camera.open()
        truth = camera.truth()["fields"]
        um_per_px = camera.um_per_px or 0.0
        frames = [camera.read().pixels for _ in range(_FRAMES_SEARCHED)]
        camera.close()
        sharp = [f for f, t in zip(frames, truth, strict=False) if t["defocus_um"] < _SHARP_UM]
        name = f"golden/{number}.png"
        windows = [_window(name, pixels, um_per_px, pitch_um) for pixels in sharp]
        best = max(windows, key=lambda field: len(field.centres_px), default=None)
        if best is None or not len(best.centres_px):
            raise ExportError(
                f"golden cases: no whole cell in the first {_FRAMES_SEARCHED} fields of demo:{seed}"
            )
        fields.append(best)
    return fields


def _window(name: str, pixels: U8, um_per_px: float, pitch_um: float) -> Field:
    """The window of a frame that holds most whole cells."""
    cells = segment(specimen(pixels, um_per_px, pitch_um), (pixels.shape[0], pixels.shape[1]))
    boxes, centres = cells.boxes_px[~cells.cut], cells.centres_px[~cells.cut]
    height, width = WINDOW_PX
    corners = [
        np.array((x, y))
        for y in range(0, pixels.shape[0] - height + 1, _STEP_PX)
        for x in range(0, pixels.shape[1] - width + 1, _STEP_PX)
    ]
    inside = [((boxes[:, :2] > c) & (boxes[:, 2:] < np.add(c, (width, height)))).all(axis=1) for c in corners]
    best = int(np.argmax([chosen.sum() for chosen in inside]))
    x, y = corners[best].tolist()
    window = np.ascontiguousarray(pixels[y : y + height, x : x + width])
    return Field(
        name, window, um_per_px, np.round(centres[inside[best]] - corners[best], 1).astype(np.float32)
    )


def expected(fields: list[Field], classifier: Classifier, manifest: Manifest) -> dict[str, bytes]:
    """The members that golden cases add to a bundle: pictures, crops and `golden.json`."""
    members: dict[str, bytes] = {}
    cases = []
    for field in fields:
        windows = _windows(field, manifest)
        calls = classifier(windows)
        strip = field.name.replace(".png", "-crops.png")
        members[field.name] = _png(field.pixels)
        members[strip] = _png(np.concatenate(list(windows), axis=1))
        cells = [
            {
                "centre_px": [float(v) for v in np.round(centre, 1)],
                "class": manifest.classes[int(which)],
                "probabilities": [round(float(p), 5) for p in row],
            }
            for centre, which, row in zip(field.centres_px, calls.classes, calls.probabilities, strict=True)
        ]
        cases.append({"picture": field.name, "crops": strip, "um_per_px": field.um_per_px, "cells": cells})
    content = {
        "cases": cases,
        "tolerance": {"probability": PROBABILITY_TOLERANCE, "crop": CROP_TOLERANCE},
    }
    members["golden.json"] = (json.dumps(content, indent=1) + "\n").encode()
    return members


def differences(members: Mapping[str, bytes], classifier: Classifier, manifest: Manifest) -> list[str]:
    """What this machine finds otherwise than the bundle says, in words; empty when all is well."""
    if "golden.json" not in members:
        return ["golden.json is missing"]
    content = json.loads(members["golden.json"])
    wrong = []
    for case in content["cases"]:
        wrong += _compare(case, content["tolerance"], members, classifier, manifest)
    return wrong


def _compare(
    case: Mapping[str, Any],
    tolerance: Mapping[str, float],
    members: Mapping[str, bytes],
    classifier: Classifier,
    manifest: Manifest,
) -> list[str]:
    name = case["picture"]
    missing = [member for member in (name, case["crops"]) if member not in members]
    if missing:
        return [f"{missing[0]} is missing"]
    centres = np.array([cell["centre_px"] for cell in case["cells"]], np.float32).reshape(-1, 2)
    windows = _windows(Field(name, _picture(members[name]), case["um_per_px"], centres), manifest)
    wanted_crops = np.concatenate(list(windows), axis=1)
    strip = _picture(members[case["crops"]])
    wrong = []
    if strip.shape != wanted_crops.shape:
        wrong.append(f"{name}: crops of {wanted_crops.shape}, not {strip.shape}")
    elif np.mean(np.abs(strip.astype(int) - wanted_crops) > tolerance["crop"]) > 0.1:
        wrong.append(f"{name}: the crops differ by more than {tolerance['crop']} grey levels")
    wanted = np.array([cell["probabilities"] for cell in case["cells"]], np.float32)
    worst = float(np.abs(classifier.probabilities(windows) - wanted).max()) if len(wanted) else 0.0
    if not worst <= tolerance["probability"]:
        wrong.append(f"{name}: a probability differs by {worst:.3f}, more than {tolerance['probability']}")
    return wrong


def _windows(field: Field, manifest: Manifest) -> U8:
    view = specimen(field.pixels, field.um_per_px, manifest.pitch_um)
    return crops(view, field.centres_px, manifest.size_px)


def _png(pixels: U8) -> bytes:
    done, data = cv2.imencode(
        ".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    if not done:
        raise ExportError(f"a golden picture of {pixels.shape} cannot be written as PNG")
    return data.tobytes()


def _picture(content: bytes) -> U8:
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.zeros((0, 0, 3), np.uint8) if picture is None else np.asarray(picture, np.uint8)
