"""Somebody's own pictures, as a recipe tells of them: where they lie and what their classes are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from train.data.dataset import DataSet
from train.data.sets.folder import PREFIX, FolderOptions, folder


@dataclass(frozen=True)
class Own:
    """Somebody's own pictures.

    Attributes
    ----------
    path : their folder inside the data folder; empty for the data folder itself.
    um_per_px : size of a pixel, µm; 0 measures it by red cells.
    classes : name of a class in these pictures -> class of the recipe.
    group : regular expression that finds the patient in a picture's path; empty takes the other folders.
    """

    path: str = ""
    um_per_px: float = 0.0
    classes: Mapping[str, str] = field(default_factory=dict)
    group: str = ""


def own(name: str, about: Own) -> DataSet:
    """The data set of these pictures, called so."""
    options = FolderOptions(about.um_per_px or None, about.classes, about.group or None)
    inside = f"{PREFIX}:{about.path}" if about.path else PREFIX
    return replace(folder(inside, options), name=name)
