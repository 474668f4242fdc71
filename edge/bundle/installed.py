"""Which bundle this machine uses: the shipped one, or one installed by `edge-device update`.

In `data_folder()/bundles` lie the installed bundles, each named by its sha256, and `current.json`, which says
which of them is in use and which was before. That one file is replaced in one step, so that a power cut
leaves either the old state or the new.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle import caveats
from edge.files import atomic, strictjson
from edge.machine.profile import data_folder

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Installation:
    """What is in use, and what was before: the sha256 of an installed bundle, empty for the shipped one.

    Where both are the same there is nothing before: nothing was ever installed, or one went back to it.

    Attributes
    ----------
    caveats : sha256 of an installed bundle -> what must stay in sight of it because of how it was installed.
    """

    current: str = ""
    previous: str = ""
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_oldest(self) -> bool:
        """Whether there is nothing to go back to."""
        return self.current == self.previous


def folder() -> Path:
    """Where installed bundles lie."""
    return data_folder() / "bundles"


def path_of(sha256: str) -> Path:
    """The installed bundle with this hash."""
    return folder() / f"{sha256}.bundle"


def state() -> Installation:
    """What is in use; the shipped bundle where nothing was ever installed.

    Raises
    ------
    ValueError : `current.json` is there but cannot be read or is damaged. One line.
    """
    path = folder() / "current.json"
    try:
        table = strictjson.read(path.read_bytes())
        told = table.table("caveats") if "caveats" in table else strictjson.Table({})
        found = Installation(
            table.text("current", empty=True),
            table.text("previous", empty=True),
            {sha256: caveats.read(told, sha256) for sha256 in told.values},
        )
        named = (found.current, found.previous, *found.caveats)
        if not all(_SHA256.fullmatch(sha256) for sha256 in named if sha256):
            raise ValueError("a sha256 in it is none")
    except FileNotFoundError:
        return Installation()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error})") from None
    return found


def switch(to: Installation) -> None:
    """Make this the state, in one step that a power cut cannot tear.

    Raises
    ------
    OSError : the old state stays.
    """
    told = {sha256: to.caveats[sha256] for sha256 in (to.current, to.previous) if to.caveats.get(sha256)}
    state = {"current": to.current, "previous": to.previous} | ({"caveats": told} if told else {})
    atomic.write(folder() / "current.json", (json.dumps(state) + "\n").encode())
