"""Whether two machines, such as x86-64 and aarch64, find the same cells and say the same of them.

    python benchmarks/architectures.py draw FIELDS                      # once: simulated fields as PNG
    python benchmarks/architectures.py dump FIELDS x86.json             # on each machine
    python benchmarks/architectures.py compare x86.json aarch64.json    # status 3 where they differ

`dump` reads the golden pictures of the bundle and the drawn fields, in every precision that ONNX Runtime has
in the bundle: golden cells at their given places, the fields' cells where segmentation finds them.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge.bench import fields
from edge.bundle import bundle, model_input
from edge.bundle.bundle import Bundle
from edge.cells import segment
from edge.cells.classify import Classifier, decide
from edge.files.pictures import decode
from edge.optics import specimen
from edge.types import F32, U8

DRAWN = 3
UM_PER_PX = 0.1
WANTED = 0.01  # largest difference in a probability
NEAR_PX = 10  # a cell's centre on the one machine and on the other, in pixels of the frame: 1 µm


def draw(folder: Path) -> None:
    """Write a few fields; drawing rounds otherwise on other machines, so all read these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(fields.draw(fields.microscope(), DRAWN)):
        cv2.imwrite(str(folder / f"{i}.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def pictures(model: Bundle, folder: Path) -> Iterator[tuple[str, U8, float, F32 | None]]:
    """Name, pixels, µm per pixel, and the cells' places where they are given."""
    for case in json.loads(model.members["golden.json"])["cases"]:
        content = model.members[case["picture"]]
        pixels = decode(content)
        centres = np.array([cell["centre_px"] for cell in case["cells"]], np.float32)
        yield case["picture"], pixels, float(case["um_per_px"]), centres.reshape(-1, 2)
    for path in sorted(folder.glob("*.png")):
        yield path.name, decode(path.read_bytes()), UM_PER_PX, None


def dump(model: Bundle, folder: Path) -> dict[str, Any]:
    """What this machine finds in every picture."""
    manifest = model.manifest
    variants = sorted(variant for variant in manifest.graphs if variant.startswith("ort-"))
    classifiers = {variant: Classifier(model, variant=variant) for variant in variants}
    found = {}
    for name, pixels, um_per_px, given in pictures(model, folder):
        view = specimen.specimen(pixels, um_per_px, manifest.pitch_um)
        cells = segment.segment(view).in_frame(*pixels.shape[:2])
        centres = cells.centres_px if given is None else given
        crops = model_input.crops(view, centres * view.scale, manifest.size_px)
        said = {variant: classifier.probabilities(crops) for variant, classifier in classifiers.items()}
        found[name] = {
            "golden": given is not None,
            "segmented": len(cells),
            "boxes_px": cells.boxes_px.tolist(),
            "centres_px": centres.tolist(),
            "classes": {
                v: [manifest.classes[i] for i in decide(p, manifest).classes] for v, p in said.items()
            },
            "probabilities": {v: p.tolist() for v, p in said.items()},
        }
    return {
        "machine": platform.machine(),
        "versions": {
            "onnxruntime": onnxruntime.__version__,
            "opencv": cv2.__version__,
            "numpy": np.__version__,
        },
        "bundle_sha256": model.sha256,
        "pictures": found,
    }


def compare(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Print what differs; whether all golden cells have the same class and all probabilities are near."""
    print(f"{one['machine']} {one['versions']}\n{other['machine']} {other['versions']}")
    if one["bundle_sha256"] != other["bundle_sha256"]:
        print("two different bundles")
        return False
    well = True
    for name, a in one["pictures"].items():
        b = other["pictures"][name]
        pairs = _pairs(a["centres_px"], b["centres_px"])
        moved = _moved(np.array(a["boxes_px"]).reshape(-1, 4), np.array(b["boxes_px"]).reshape(-1, 4))
        print(f"{name}: {a['segmented']} and {b['segmented']} cells segmented, {moved}")
        for variant, rows in a["probabilities"].items():
            p, q = np.array(rows), np.array(b["probabilities"][variant])
            off = max((float(np.abs(p[i] - q[j]).max()) for i, j in pairs), default=0.0)
            classes, others = a["classes"][variant], b["classes"][variant]
            differ = sum(classes[i] != others[j] for i, j in pairs)
            missing = max(len(p), len(q)) - len(pairs)
            print(
                f"  {variant}: {len(pairs)} cells, {differ} of another class, {missing} without a partner, "
                f"largest difference in a probability {off:.2g}"
            )
            well &= not a["golden"] or (differ == 0 and missing == 0 and off <= WANTED)
    print(
        "golden cases: the same" if well else f"golden cases: NOT the same (classes, or more than {WANTED})"
    )
    return well


def _pairs(one: list[list[float]], other: list[list[float]]) -> list[tuple[int, int]]:
    """Cells at the same place on both machines."""
    if not one or not other:
        return []
    apart = np.linalg.norm(np.array(one)[:, None] - np.array(other)[None], axis=2)
    return [(i, int(row.argmin())) for i, row in enumerate(apart) if row.min() <= NEAR_PX]


def _moved(one: NDArray[np.int64], other: NDArray[np.int64]) -> str:
    """How far the boxes of the same cells lie apart; they come in no particular order."""
    middles = [((boxes[:, :2] + boxes[:, 2:]) / 2).tolist() for boxes in (one, other)]
    apart = [int(np.abs(one[i] - other[j]).max()) for i, j in _pairs(*middles)]
    return f"{len(apart)} at the same place, their edges up to {max(apart, default=0)} px apart"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("draw").add_argument("fields", type=Path)
    dumping = commands.add_parser("dump")
    dumping.add_argument("fields", type=Path)
    dumping.add_argument("out", type=Path)
    dumping.add_argument("--bundle", type=Path, help="another than the one shipped")
    comparing = commands.add_parser("compare")
    comparing.add_argument("one", type=Path)
    comparing.add_argument("other", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "draw":
        draw(arguments.fields)
    elif arguments.command == "dump":
        found = dump(bundle.load(arguments.bundle, allow_unsigned=True), arguments.fields)
        arguments.out.write_text(json.dumps(found) + "\n")
    else:
        return (
            0
            if compare(json.loads(arguments.one.read_text()), json.loads(arguments.other.read_text()))
            else 3
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
