"""What a recipe, or the command line, says of somebody's own pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge.types import LeukoscopeError

Layout = Literal["", "folders", "table", "coco", "yolo", "voc", "masks"]

SPLIT = "split.csv"
"""Which patients train, validate and test, inside the folder of the pictures."""

SMALLEST_UM, LARGEST_UM = 0.01, 10.0


class OwnError(LeukoscopeError, ValueError):
    """What was said about own pictures does not make sense. Names the value and what to do."""


@dataclass(frozen=True)
class Own:
    """Somebody's own pictures.

    Attributes
    ----------
    path : their folder inside the data folder, or a table in it; empty for the data folder itself.
    layout : how they lie there, one of `train.data.own.layouts.LAYOUTS`; empty looks.
    um_per_px : size of a pixel, µm; 0 measures it by red cells.
    classes : name of a class in these pictures -> class of the recipe; '-' leaves it out.
    group : regular expression that finds the patient in a picture's path, its first group or all of it;
        empty takes the other folders.
    laboratory : whose stain and microscope they show.
    split : the file that says which patients train, validate and test: inside `path`, or absolute.
    """

    path: str = ""
    layout: Layout = ""
    um_per_px: float = 0.0
    classes: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    laboratory: str = ""
    split: str = SPLIT

    def __post_init__(self) -> None:
        if self.um_per_px and not SMALLEST_UM <= self.um_per_px <= LARGEST_UM:
            raise OwnError(
                f"um_per_px (--um-per-px) {self.um_per_px:g}: is not within "
                f"{SMALLEST_UM:g} to {LARGEST_UM:g} µm; 0 measures it by red cells"
            )
        try:
            re.compile(self.group)
        except re.error as error:
            raise OwnError(f"group (--group-by) {self.group}: not a regular expression ({error})") from None
        if ".." in self.path.replace("\\", "/").split("/") or self.path.startswith(("/", "\\")):
            raise OwnError(f"path {self.path}: leads out of the data folder; give one inside it")
