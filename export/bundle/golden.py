"""Golden cases: drawn fields with what the device must find in them, for `edge.selftest.golden` to check.

They are drawn by the simulated microscope, so no patient's picture travels in a bundle. Machines differ in
the last bit of a sum, and libraries in a grey level of a resampled crop; cells whose probabilities hang on
either are left out, so that what differs on a device is a fault of the device.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.bundle.bundle import Bundle
from edge.bundle.model_input import ModelInput
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells.classify import decide
from edge.cells.segment import Segmenter, segment
from edge.optics.specimen import specimen
from edge.types import F32, I32, U8, Bools
from export.graph.gate import answers
from export.graph.graph import ExportError
from export.graph.precisions import MEMBERS
from train.data.bar import followed

SEEDS = (0, 1)
WINDOW_PX = (260, 340)  # height and width: three or four cells
_COARSER = 2  # pixels of the drawn frame to one of the picture: a quarter of the bytes for the same cells
PROBABILITY_TOLERANCE = {"ort": 0.01, "trt": 0.03}
"""By runtime: TensorRT adds up in another order on every GPU."""
CROP_TOLERANCE = 2
"""Grey levels, for nine tenths and more of a crop's values."""

_ON_ORT = {member for variant, member in MEMBERS.items() if variant.startswith("ort")}
_FRAMES_SEARCHED = 10
_SHARP_UM = 0.15  # defocus, as the simulated microscope's truth tells it
_STEP_PX = 20
_TRIALS = 4  # of other roundings
_DISTURBED = 0.25  # of a crop's values that differ by a grey level between two resamplings


@dataclass(frozen=True, eq=False)
class DrawnField:
    """A drawn field. `pixels` (H, W, 3) uint8 RGB; `centres_px` (n, 2) float32 and `crops`, its cells."""

    name: str
    pixels: U8
    um_per_px: float
    centres_px: F32
    crops: U8

    def pick(self, keep: Bools) -> DrawnField:
        """It with some of its cells."""
        return replace(self, centres_px=self.centres_px[keep], crops=self.crops[keep])


def draw_fields(model_input: ModelInput, find: Segmenter = segment) -> list[list[DrawnField]]:
    """For each of `SEEDS`, the early fields in good focus, cut to the window that holds most whole cells.

    Parameters
    ----------
    model_input : what the model is shown. find : what will find cells on the device.

    Raises
    ------
    ExportError
        No whole cell was found in any of them.
    """
    drawn = []
    for number, seed in enumerate(followed(SEEDS, "drawing golden fields", "slide", leave=False)):
        camera = SimulatedCamera(seed)
        camera.open()
        truth = camera.truth()["fields"]
        um_per_px = (camera.um_per_px or 0.0) * _COARSER
        frames = [_coarser(camera.read().pixels) for _ in range(_FRAMES_SEARCHED)]
        camera.close()
        sharp = [f for f, t in zip(frames, truth, strict=False) if t["defocus_um"] < _SHARP_UM]
        name = f"golden/{number}.png"
        parts = [_window(pixels, um_per_px, model_input.pitch_um, find) for pixels in sharp]
        fields = [_field(name, part, um_per_px, model_input, find) for part in parts]
        fields = [field for field in fields if len(field.centres_px)]
        if not fields:
            raise ExportError(
                f"golden cases: no whole cell in the first {_FRAMES_SEARCHED} fields of demo:{seed}"
            )
        drawn.append(fields)
    return drawn


def _coarser(pixels: U8) -> U8:
    height, width = pixels.shape[0] // _COARSER, pixels.shape[1] // _COARSER
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _window(pixels: U8, um_per_px: float, pitch_um: float, find: Segmenter) -> U8:
    """The part of a frame that holds most whole cells."""
    cells = find(specimen(pixels, um_per_px, pitch_um)).in_frame(*pixels.shape[:2])
    boxes = cells.boxes_px[~cells.cut]
    height, width = WINDOW_PX
    corners = [
        np.array((x, y))
        for y in range(0, pixels.shape[0] - height + 1, _STEP_PX)
        for x in range(0, pixels.shape[1] - width + 1, _STEP_PX)
    ]
    inside = [
        ((boxes[:, :2] > c) & (boxes[:, 2:] < np.add(c, (width, height)))).all(axis=1).sum() for c in corners
    ]
    x, y = corners[int(np.argmax(inside))].tolist()
    return np.ascontiguousarray(pixels[y : y + height, x : x + width])


def _field(name: str, pixels: U8, um_per_px: float, model_input: ModelInput, find: Segmenter) -> DrawnField:
    """The cells that the device finds in the window itself, as it will be asked to."""
    view = specimen(pixels, um_per_px, model_input.pitch_um)
    cells = find(view).in_frame(*pixels.shape[:2])
    centres = np.round(cells.centres_px[~cells.cut], 1).astype(np.float32)
    return DrawnField(name, pixels, um_per_px, centres, model_input.of(view, centres * view.scale, pixels))


def expected(drawn: list[list[DrawnField]], draft: Bundle, graphs: Mapping[str, bytes]) -> dict[str, bytes]:
    """The members that golden cases add to a bundle: pictures, crops and `golden.json`.

    Of each slide the field with most steady cells is taken.

    Parameters
    ----------
    draft : a bundle for its operating point. graphs : member -> content, of every graph of the bundle.

    Raises
    ------
    ExportError
        No cell of a slide is steady in all of them.
    """
    chosen = []
    for fields in followed(drawn, "golden cases", "slide", leave=False):
        good = steady(np.concatenate([field.crops for field in fields]), draft, graphs)
        ends = np.cumsum([len(field.crops) for field in fields])[:-1]
        kept = [field.pick(part) for field, part in zip(fields, np.split(good, ends), strict=True)]
        field = max(kept, key=lambda field: len(field.crops))
        if not len(field.centres_px):
            raise ExportError(f"golden cases: every graph says something else of every cell of {field.name}")
        found = {member: answers(draft, graph, field.crops) for member, graph in graphs.items()}
        called = decide(next(iter(found.values())), draft.manifest).classes.tolist()
        chosen.append((field, [draft.manifest.classes[i] for i in called], found))
    return members_of(chosen)


def members_of(chosen: Iterable[tuple[DrawnField, Sequence[str], Mapping[str, F32]]]) -> dict[str, bytes]:
    """The members for fields, the class of each of their n cells, and graph → the (n, C) that it says."""
    members: dict[str, bytes] = {}
    cases = []
    for field, called, said in chosen:
        strip = field.name.replace(".png", "-crops.png")
        members[field.name] = _png(field.pixels)
        members[strip] = _png(np.concatenate(list(field.crops), axis=1))
        cells = [
            {
                "centre_px": [round(float(v), 1) for v in centre],
                "class": called[i],
                "probabilities": {name: [round(float(p), 5) for p in rows[i]] for name, rows in said.items()},
            }
            for i, centre in enumerate(field.centres_px)
        ]
        cases.append({"picture": field.name, "crops": strip, "um_per_px": field.um_per_px, "cells": cells})
    tolerance = {"probability": PROBABILITY_TOLERANCE, "crop": CROP_TOLERANCE}
    members["golden.json"] = (json.dumps({"cases": cases, "tolerance": tolerance}, indent=1) + "\n").encode()
    return members


def other_roundings(pixels: U8) -> list[U8]:
    """The same pixels, some a grey level off, as another library may round them."""
    rng = np.random.default_rng(0)
    changes = (
        rng.integers(-1, 2, pixels.shape) * (rng.random(pixels.shape) < _DISTURBED) for _ in range(_TRIALS)
    )
    return [np.clip(pixels + change, 0, 255).astype(np.uint8) for change in changes]


def steady(windows: U8, draft: Bundle, graphs: Mapping[str, bytes]) -> Bools:
    """(n,) whether all graphs call a cell the same, and go on doing so if its grey levels round otherwise."""
    others = other_roundings(windows)
    good = np.ones(len(windows), bool)
    first: I32 | None = None
    for member, graph in graphs.items():
        limit = PROBABILITY_TOLERANCE["ort" if member in _ON_ORT else "trt"]
        wanted = answers(draft, graph, windows)
        called = decide(wanted, draft.manifest).classes
        first = called if first is None else first
        good &= called == first
        for other in others:
            given = answers(draft, graph, other)
            good &= np.abs(given - wanted).max(axis=1) <= limit / 2
            good &= decide(given, draft.manifest).classes == first
    return good


def _png(pixels: U8) -> bytes:
    """The PNG file's content of a (H, W, 3) uint8 RGB picture."""
    done, data = cv2.imencode(
        ".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    if not done:
        raise ExportError(f"a golden picture of {pixels.shape} cannot be written as PNG")
    return data.tobytes()
