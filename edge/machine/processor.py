"""What the processor is called, and which instructions networks of whole numbers run on."""

from __future__ import annotations

import platform
from pathlib import Path

from edge.files.kernel import text, value
from edge.machine.profile import device_model

_CPUINFO = Path("/proc/cpuinfo")

INSTRUCTIONS = ("avx512_vnni", "avx_vnni", "avx512bw", "avx2", "asimddp", "asimd")
"""As Linux names them, the best first: with `vnni` and `asimddp` (dot products) four products of bytes are
added up in 32 bits at once, with `avx512bw` and `avx2` alone two of them in 16."""


def instructions(cpuinfo: Path = _CPUINFO) -> str:
    """The best of `INSTRUCTIONS` that this processor has; empty where Linux does not tell."""
    lines = text(cpuinfo).splitlines()
    told = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return next((name for name in INSTRUCTIONS if name in told), "")


def called() -> str:
    """What the processor or the board is called; many a virtual machine's is called like others."""
    return value(_CPUINFO, "model name") or device_model() or platform.processor()
