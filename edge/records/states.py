"""What became of a slide, from its row and the boot and process that screen it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from edge.machine import clock, processes

State = Literal["under way", "finished", "cut off", "signed"]
"""Of a slide: a program reads it now; it was read to its end; the power or somebody's hand ended it before;
a person closed it."""


def boot_of(slide: Mapping[str, Any]) -> int | None:
    """Number of the boot in which the slide is screened, or was last: that of `process` and `finished_s`."""
    boot: int | None = slide["last_boot"] or slide["boot"]
    return boot


def state_of(slide: Mapping[str, Any], boot_id: str | None) -> State:
    """Its state; `boot_id` is what the kernel called the boot of `boot_of`."""
    if slide["signed_by"]:
        return "signed"
    if slide["finished_at"]:
        return "finished"
    return "under way" if boot_id == clock.boot_id() and processes.runs(slide["process"] or "") else "cut off"
