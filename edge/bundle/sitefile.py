"""The file of a site's own threshold and correction: `site.json`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.operation import SITE_FILE, Spread
from edge.bundle.site import Correction, Healthy, Site
from edge.files import atomic, strictjson
from edge.machine.profile import data_folder


def own_path() -> Path:
    """Where this device keeps what it learned of its site."""
    return data_folder() / SITE_FILE


def read(path: Path) -> Site:
    """The site in a file; ValueError for another file, OSError where it cannot be read."""
    top = strictjson.read(path.read_bytes())
    top.only("format", 2)
    values: dict[str, Any] = top.table("site").values
    healthy, correction = values.pop("healthy"), values.pop("correction")
    if healthy:
        healthy["false_blasts"] = Spread(**healthy["false_blasts"])
        healthy["by_type"] = {name: tuple(told) for name, told in healthy["by_type"].items()}
    if correction:
        correction |= {key: np.array(correction[key], np.float32) for key in ("weights", "bias")}
    sensitivity = values.pop("sensitivity")
    return Site(
        healthy=Healthy(**healthy) if healthy else None,
        correction=Correction(**correction) if correction else None,
        sensitivity=Spread(**sensitivity) if sensitivity else None,
        **values,
    )


def is_of_another_device(site: Site) -> bool:
    """Whether another device's key signed it."""
    return bool(site.key)


def write(path: Path, site: Site) -> None:
    """Write a site in one step, for everybody to read; OSError where that cannot be done."""
    values = asdict(site)
    if site.correction:
        values["correction"] |= {k: getattr(site.correction, k).tolist() for k in ("weights", "bias")}
    with atomic.as_owner(path.parent):
        atomic.make_folder(path.parent)
        atomic.write(path, json.dumps({"format": 2, "site": values}, indent=1).encode(), mode=0o644)
