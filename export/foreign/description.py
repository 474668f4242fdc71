"""What a person writes of a network from elsewhere, in TOML: a recipe as far as it goes, and the network."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from edge.files import stricttoml, textfile
from export.graph.graph import ExportError
from train.data.own import Own
from train.recipes.recipe import Recipe, RecipeError
from train.recipes.sections import Input

POINT = ("temperature", "positive", "confidence", "certain")
"""What `[operation]` says where no cells choose it."""


_OF_THE_BUNDLE = ("network", "version", "licence")  # keys that no recipe has


@dataclass(frozen=True)
class Network:
    """How the network takes a picture, and what its answer means.

    Attributes
    ----------
    gives : logits, or probabilities that sum to 1.
    layout : (n, 3, S, S), (n, S, S, 3), or all S × S × 3 numbers in a row, by row, column and channel.
    colour : order of its channels.
    scale : what grey levels of 0 to 255 are divided by. mean, deviation : what is then taken away, and
        divided by; of each channel in the network's own order, or one for all.
    output : the name of its output, where it has several; of a module's several, a key or a place.
    """

    gives: Literal["logits", "probabilities"]
    layout: Literal["nchw", "nhwc", "flat"] = "nchw"
    colour: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    output: str = ""

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale is {self.scale}; it must be above 0, as 255")
        for name in ("mean", "deviation"):
            if len(getattr(self, name)) not in (1, 3):
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} values; one for all channels, or three"
                )
        if not all(value > 0 for value in self.deviation):
            raise ValueError(f"deviation is {list(self.deviation)}; every one must be above 0")

    @property
    def plain(self) -> bool:
        """Whether it takes grey levels as they are."""
        return (self.scale, set(self.mean), set(self.deviation)) == (1.0, {0.0}, {1.0})


@dataclass(frozen=True)
class _Written:
    """The file, key by key."""

    name: str
    title: str
    version: str
    licence: str
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    input: Input
    network: Network
    task: Literal["cell", "field"] = "cell"
    leukocytes: tuple[str, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    own: Mapping[str, Own] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """A network from elsewhere, described.

    Attributes
    ----------
    path : the file. recipe : classes, input, data sets, how the operating point is chosen.
    point : what the file gives of the operating point, by the names in `POINT`.
    version, licence : of the bundle, and of the weights in words.
    """

    path: Path
    recipe: Recipe
    network: Network
    point: Mapping[str, float]
    version: str
    licence: str

    @property
    def training(self) -> dict[str, Any]:
        """For the manifest's `training`."""
        kept = {each.name for each in fields(_Written)} | {"operation"}
        recipe = {key: value for key, value in asdict(self.recipe).items() if key in kept}
        return {"recipe": recipe, "network": asdict(self.network)}


def read(path: Path) -> Description:
    """The description in a TOML file.

    Raises
    ------
    ExportError : it cannot be read, is not TOML, or a key is missing, unknown or impossible; names it.
    """
    try:
        values = tomllib.loads(textfile.read(path))
        return _described(path, values)
    except OSError as error:
        raise ExportError(f"--manifest {path}: {error.strerror or error}; give a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise ExportError(f"--manifest {path}: not valid TOML ({error})") from None
    except (ValueError, RecipeError) as error:
        raise ExportError(f"--manifest {path}: {error}") from None


def _described(path: Path, values: Mapping[str, Any]) -> Description:
    given = dict(values)
    operation, point = given.pop("operation", {}), {}
    if not isinstance(operation, Mapping):
        raise ValueError("operation is a section: write it as [operation]")
    operation = dict(operation)
    for name in POINT:
        if name in operation:
            point[name] = _share(name, operation[name])
    for name in ("confidence", "certain"):  # which no recipe has
        operation.pop(name, None)
    if isinstance(given.get("input"), Mapping):  # nothing is cut wider than it is shown
        given["input"] = {"window_px": 0} | dict(given["input"])
    written = stricttoml.build(_Written, given)
    table = {name: value for name, value in given.items() if name not in _OF_THE_BUNDLE}
    table |= {"shares": written.shares, "operation": operation}
    recipe = stricttoml.build(Recipe, table)
    return Description(path, recipe, written.network, point, written.version, written.licence)


def _share(name: str, value: Any) -> float:
    low, high = (0.1, 10.0) if name == "temperature" else (0.0, 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"operation.{name} is {value!r}; it must be a number from {low:g} to {high:g}")
    return float(value)
