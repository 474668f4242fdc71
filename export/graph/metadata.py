"""What a classifier's graph says of itself, as ONNX `metadata_props`, to be of use without its bundle.

All values are text; lists and tables are JSON. What the graph computes has nothing to do with them, so
`network` tells a graph by what is left without them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import onnx

from edge import __version__
from export.graph.graph import packed


def told(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What a graph of the bundle with this manifest says of itself."""
    given = manifest["input"]
    calibration = manifest.get("calibration", {})
    found = {
        **{key: manifest[key] for key in ("name", "version", "task", "classes", "positive")},
        **{key: given[key] for key in ("pitch_um", "size_px", "crop_um", "steps") if key in given},
        "thresholds": manifest["thresholds"],
        **({"temperature": calibration["temperature"]} if "temperature" in calibration else {}),
        "licence": manifest.get("licence", ""),
        "program": f"leukoscope {__version__}",
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in found.items()
    }


def with_metadata(graph: bytes, about: Mapping[str, str]) -> bytes:
    """The graph, saying this of itself and nothing else."""
    model = onnx.load_from_string(graph)
    del model.metadata_props[:]
    for key, value in about.items():
        model.metadata_props.add(key=key, value=value)
    return packed(model)


def network(graph: bytes) -> str:
    """sha256 of a graph without what it says of itself: of its file, where it says nothing."""
    model = onnx.load_from_string(graph)
    if model.metadata_props:
        del model.metadata_props[:]
        graph = packed(model)
    return hashlib.sha256(graph).hexdigest()
