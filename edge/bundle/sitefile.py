"""The file of a site's own threshold and correction: `site.json`, signed by the device that learned them.

    {"format": 2, "site": {...}, "signature": {"key": the raw public key, "ed25519": the signature}}

The signature is over the site's object as JSON with sorted keys and no spaces, so that a change by hand
shows. It brings its key, for a site's figures may move to another device of the same laboratory.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bundle import devicekey
from edge.bundle.devicekey import DeviceKeyError
from edge.bundle.operation import Spread
from edge.bundle.signature import fingerprint
from edge.bundle.site import Correction, Healthy, Site
from edge.files import atomic, strictjson
from edge.files.strictjson import Table, shown
from edge.machine.profile import data_folder
from edge.types import F32

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE = "site.json"
"""The device's own, in the data folder, beside the calibrations."""

DEMO = Path(str(resources.files("edge") / "bundles" / "demo-site.json"))
"""Of the simulated microscope, which is a laboratory of its own; measured by `benchmarks/demo.py --site`. It
ships with the program and is not signed; no other may be so."""

_FORMAT = 2
_LARGEST = 8_000_000  # bytes: a correction of 20 classes by 2048 features has half a million
_MOST_CLASSES, _MOST_FEATURES = 1000, 8192
_MOST_CELLS = 100_000_000
_LARGEST_WEIGHT = 1e6


def own_path() -> Path:
    """Where this device keeps what it learned of its site."""
    return data_folder() / FILE


def own(file: str) -> Site | None:
    """This device's own site where its file has this fingerprint (`edge.bundle.site.Site.file`)."""
    try:
        site = read(own_path())
    except (OSError, ValueError):
        return None
    return site if site.file == file else None


def read(path: Path) -> Site:
    """The site in a file, with the fingerprints of the file and of the key that signed it.

    Raises
    ------
    ValueError : not such a file, altered, or not signed. One line without the path.
    OSError : it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise ValueError("is no file")
    with path.open("rb") as stream:
        content = stream.read(_LARGEST + 1)
    return decoded(content, ours=path.resolve() == DEMO.resolve())


def decoded(content: bytes, *, ours: bool = False) -> Site:
    """The site in the bytes of a file, as `read`; `ours` is the one that need not be signed."""
    if len(content) > _LARGEST:
        raise ValueError(f"has more than {_LARGEST:,} bytes; it is no such file")
    top = strictjson.read(content)
    top.only("format", _FORMAT)
    table = top.table("site")
    if "signature" in top:
        key = _signed_by(table.values, top.table("signature"))
    elif ours:
        key = ""
    else:
        raise ValueError("is not signed by the device that measured it")
    return replace(_site(table), key=key, file=hashlib.sha256(content).hexdigest()[:16])


def write(path: Path, site: Site) -> None:
    """Sign a site by this device's key and write it, in one step, for everybody to read.

    Raises
    ------
    edge.bundle.devicekey.DeviceKeyError : the device's key cannot be read or made.
    OSError : it cannot be written; what was there before is.
    """
    content = text(site, devicekey.private()).encode()
    with atomic.as_owner(path.parent):
        atomic.make_folder(path.parent)
        atomic.write(path, content, mode=0o644)


def text(site: Site, key: Ed25519PrivateKey | None = None) -> str:
    """The text of a site's file, signed where there is a key; ValueError for a number that is not finite."""
    values = _values(site)
    whole: dict[str, Any] = {"format": _FORMAT, "site": values}
    if key is not None:
        raw = key.public_key().public_bytes_raw()
        signed = {"key": raw, "ed25519": key.sign(_canonical(values))}
        whole["signature"] = {name: base64.b64encode(each).decode() for name, each in signed.items()}
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def is_of_another_device(site: Site) -> bool:
    """Whether another device's key signed it: not where nobody did, or this device's own cannot be read."""
    try:
        return bool(site.key) and site.key != devicekey.own()
    except DeviceKeyError:  # told when it is to sign; meanwhile the signature holds, whosever it is
        return False


def _canonical(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _signed_by(values: Mapping[str, Any], signature: Table) -> str:
    """Fingerprint of the key whose signature of these values it is."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw, signed = (base64.b64decode(signature.text(name), validate=True) for name in ("key", "ed25519"))
        key = Ed25519PublicKey.from_public_bytes(raw)
        key.verify(signed, _canonical(values))
    except (ValueError, InvalidSignature):
        raise ValueError("was altered since it was made") from None
    return fingerprint(key)


def _values(site: Site) -> dict[str, Any]:
    """The site's object; what is not known is not there."""
    values: dict[str, Any] = {"network": site.network, "made_at": site.made_at, "made_by": site.made_by}
    if site.healthy is not None:
        by_type = {
            name: {"cells": cells, "highest_tenth": score}
            for name, (cells, score) in site.healthy.by_type.items()
        }
        values["healthy"] = asdict(site.healthy) | {"by_type": by_type}
    if site.correction is not None:
        values["correction"] = _of_correction(site.correction)
    if site.sensitivity is not None:
        values["sensitivity"] = asdict(site.sensitivity)
    return values


def _of_correction(correction: Correction) -> dict[str, Any]:
    classes, features = correction.weights.shape
    return {
        "classes": classes,
        "features": features,
        "weights": _listed(correction.weights),
        "bias": _listed(correction.bias),
        "cells": dict(correction.cells),
        "source": correction.source,
        "gate": dict(correction.gate),
    }


def _listed(numbers: F32) -> list[float]:
    """In row order, with the fewest digits that give each float32 again."""
    return [float(str(number)) for number in np.asarray(numbers, np.float32).ravel()]


def _site(table: Table) -> Site:
    site = Site(
        network=table.text("network"),
        healthy=_healthy(table.table("healthy")) if "healthy" in table else None,
        correction=_correction(table.table("correction")) if "correction" in table else None,
        sensitivity=Spread.of(table.table("sensitivity")) if "sensitivity" in table else None,
        made_at=table.text("made_at", empty=True),
        made_by=table.text("made_by", empty=True),
    )
    if site.made_at:
        try:
            datetime.fromisoformat(site.made_at)
        except ValueError:
            raise ValueError(f"made_at is {shown(site.made_at)}; it must be a time in ISO 8601") from None
    if site.healthy is None and site.correction is None:
        raise ValueError("has neither a threshold (healthy) nor a correction")
    return site


def _healthy(table: Table) -> Healthy:
    cells = table.whole("cells", 1, _MOST_CELLS)
    by_type = {}
    for name in _class_names(table.table("by_type")):
        of_type = table.table("by_type").table(name)
        by_type[name] = of_type.whole("cells", 0, _MOST_CELLS), of_type.number("highest_tenth", 0, 1)
    return Healthy(
        threshold=table.number("threshold", 0, 1),
        false_blasts=Spread.of(table.table("false_blasts")),
        cells=cells,
        called=table.whole("called", 0, cells),
        slides=table.whole("slides", 1),
        by_type=by_type,
        source=table.text("source", longest=2000),
    )


def _correction(table: Table) -> Correction:
    classes, features = table.whole("classes", 1, _MOST_CLASSES), table.whole("features", 1, _MOST_FEATURES)
    limits = -_LARGEST_WEIGHT, _LARGEST_WEIGHT
    weights = table.numbers("weights", classes * features, *limits)
    cells, gate = table.table("cells"), table.table("gate")
    return Correction(
        weights=np.array(weights, np.float32).reshape(classes, features),
        bias=np.array(table.numbers("bias", classes, *limits), np.float32),
        cells={name: cells.whole(name, 0, _MOST_CELLS) for name in _class_names(cells)},
        source=table.text("source", longest=2000),
        gate={name: gate.number(name, *limits) for name in _class_names(gate)},
    )


def _class_names(table: Table) -> list[str]:
    for name in table.values:
        if not name or not name.isprintable():
            raise ValueError(f"a class is called {shown(name)}; it must have a name")
    return list(table.values)
