"""What an archive is screened with: the same for every worker, and for every run that goes on with it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from edge.archive.place import ArchiveError, Place
from edge.files import strictjson

FILE = "run.json"


@dataclass(frozen=True)
class Order:
    """What is asked for. All of it decides what the rows are, so that one output is of one order.

    Attributes
    ----------
    source : the input, as it was given.
    bundle, bundle_sha256 : the model's name and version, and the hash of its file.
    trusted, caveats : what the machine that began knows of the model, which workers need not know.
    version : of the program.
    precision : of the networks, the same on every node, for another gives other last digits.
    um_per_px : physical size of a pixel where the input does not say; None measures it from red cells.
    specimen : what the slides are smears of. single_cell : each picture is one leukocyte in its middle.
    independent : each picture is a slide of its own.
    site : sha256 of the file that says what stain and microscope do to the model; None for none.
    records : a record store a shard is written too.
    shard_fields, task_fields : pictures of a shard and of a task, about.
    """

    source: str
    bundle: str
    bundle_sha256: str
    version: str
    trusted: bool = False
    caveats: tuple[str, ...] = ()
    precision: Literal["int8", "fp32"] = "fp32"
    um_per_px: float | None = None
    specimen: str = "blood"
    single_cell: bool = False
    independent: bool = False
    site: str | None = None
    records: bool = False
    shard_fields: int = 100_000
    task_fields: int = 200

    @classmethod
    def read(cls, place: Place) -> Order | None:
        """What the output in this place was begun with, None where nothing was begun.

        Raises
        ------
        ArchiveError : that cannot be read.
        """
        try:
            found = strictjson.read(place.read(FILE)).values
            return cls(**found | {"caveats": tuple(found.get("caveats", ()))})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ArchiveError(
                f"{place.address}: {FILE} cannot be read ({error}); give another --out"
            ) from None

    def write(self, place: Place) -> None:
        """Keep it where the output is."""
        place.write(FILE, (json.dumps(asdict(self), indent=1) + "\n").encode())

    def unlike(self, other: Order) -> dict[str, tuple[Any, Any]]:
        """What differs -> its value in this and in the other."""
        mine, theirs = asdict(self), asdict(other)
        return {
            f.name: (mine[f.name], theirs[f.name]) for f in fields(self) if mine[f.name] != theirs[f.name]
        }
