"""Stands in for PyGObject, in the process of `edge.cameras.child.drivers`; $FAKE_GI tells its faults."""

from __future__ import annotations

import json
import os

FAULTS = {
    "installed": True,
    "state_hangs": "",  # name of a state whose change never returns
    "silent_at": -1,  # picture after which none comes
    "error_at": -1,  # picture at which the camera service goes
    "prints": False,  # as NVIDIA's source does, on standard output
} | json.loads(os.environ.get("FAKE_GI", "{}"))


def require_version(name: str, version: str) -> None:
    if not FAULTS["installed"]:
        raise ValueError(f"Namespace {name} not available")
