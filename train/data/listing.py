"""What there is to read: every data set with its layout, and the layouts of own pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from train.data.dataset import DataSet
from train.data.own import LAYOUTS, PREFIX

_FIELDS = ("title", "layout", "split", "groups", "laboratory", "licence", "home", "citation")


def entry(found: DataSet, data: Path | None) -> dict[str, Any]:
    """What a data set says of itself, and whether it is in a data folder."""
    told = {"name": found.name} | {field: getattr(found, field) for field in _FIELDS}
    if found.scale is not None:
        told |= {"um_per_px": found.scale.um_per_px, "um_per_px_from": found.scale.source}
    if data is not None and found.folder is not None:
        told["found"] = found.there(data)
    return told


def lines(entries: Sequence[dict[str, Any]], data: Path | None) -> Iterator[str]:
    """The same in lines."""
    for told in entries:
        there = "" if told.get("found", True) else f" (not in {data})"
        yield f"{told['name']}: {told['title']}{there}"
        yield from (f"  {field:<10} {told[field]}" for field in _FIELDS[1:])
        if "um_per_px" in told:
            yield f"  {'scale':<10} {told['um_per_px']:g} µm per pixel: {told['um_per_px_from']}"


def own_lines() -> Iterator[str]:
    """The layouts of own pictures."""
    yield "own pictures: edge-train new-recipe --data DIR writes a recipe for them; laid out as"
    yield from (f"  {name:<10} {layout}" for name, layout in LAYOUTS.items())
    yield f"  to judge a model by: --dataset {PREFIX}, or {PREFIX}:SUB for the folder SUB of --data"
