"""What the tests of the doctor share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.doctor.check import Check

ROOT = Path(__file__).parents[3]
UNIT = "etc/systemd/system/leukoscope.service"
HOME = "var/lib/leukoscope"

Tree = Callable[[dict[str, str]], Path]


def said(check: Check) -> str:
    return f"{check.level}: {check.message}; {check.mend}"


def unit(**properties: str) -> str:
    found = {
        "Id": "leukoscope.service", "LoadState": "loaded", "ActiveState": "active", "SubState": "running",
        "UnitFileState": "enabled", "NRestarts": "0", "Result": "success", "StatusText": "12 leukocytes",
    } | properties  # fmt: skip
    return "\n".join(f"{name}={value}" for name, value in found.items()) + "\n"
