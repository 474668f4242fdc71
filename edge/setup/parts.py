"""The parts a box is made of: folders of `firmware_config/parts`, data only, filled in for one machine.

Each holds `part.toml` and the files that it names. In those, `{{profile}}`, `{{program}}`, `{{etc}}`,
`{{watchdog_s}}` and `{{max_mb}}` stand for the machine's values, and `{{user/sandbox.conf}}`, with a slash,
for another file of `firmware_config/parts`, so that what two units share stands in one place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from edge.files import stricttoml
from edge.machine.profile import Profile
from edge.types import LeukoscopeError

_PLACEHOLDER = re.compile(r"\{\{([a-z0-9_./-]+)\}\}")


class SetupError(LeukoscopeError):
    """The box was not set up, or not wholly; says what to do."""


@dataclass(frozen=True)
class File:
    """A file that a part writes as a whole; `path` is absolute, as the box sees it."""

    path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Block:
    """Lines put between markers into a file that is there already: the first of `paths` that is."""

    paths: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Words:
    """Words put at the end of a file's first line, as of a kernel's command line; paths as in `Block`."""

    paths: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """What is run once the files are there, and what takes it back.

    Attributes
    ----------
    run : program and arguments.
    undo : the same for `--undo`, empty where there is nothing to take back.
    undo_after : run `undo` when the files are gone, not while they are still there.
    in_root : understands `--root=DIR`, and so can be run for an image too.
    """

    run: tuple[str, ...]
    undo: tuple[str, ...] = ()
    undo_after: bool = False
    in_root: bool = False


@dataclass(frozen=True)
class Need:
    """A path that must be there before a part can work, and what to do where it is not."""

    path: str
    advice: str


@dataclass(frozen=True)
class Want:
    """Paths without which a part works, but not as well.

    Attributes
    ----------
    paths : of what belongs together. without : what is then missed. advice : how to come by them.
    """

    paths: tuple[str, ...]
    without: str
    advice: str


@dataclass(frozen=True)
class Part:
    """One part of a box.

    Attributes
    ----------
    about : what it does, in one sentence.
    role : parts of one role take each other's place; empty for none.
    companions : parts that must come with it.
    note : what the user should know once it is installed.
    files, blocks, words : what it writes.
    commands, needs : what it runs, and what must be there before.
    wants : what it does better with.
    """

    name: str
    about: str
    role: str = ""
    companions: tuple[str, ...] = ()
    note: str = ""
    files: tuple[File, ...] = ()
    blocks: tuple[Block, ...] = ()
    words: tuple[Words, ...] = ()
    commands: tuple[Command, ...] = ()
    needs: tuple[Need, ...] = ()
    wants: tuple[Want, ...] = ()


def names() -> list[str]:
    """The parts there are."""
    return sorted(folder.name for folder in _folder().iterdir() if (folder / "part.toml").is_file())


def values(profile: Profile, program: str, named: str | None = None, etc: str = "/etc") -> dict[str, str]:
    """What the placeholders stand for.

    Parameters
    ----------
    profile : of the machine.
    program : folder of `edge-run`, as the box sees it.
    named : what the service passes to `--profile`; None takes the profile's own name.
    etc : the folder in which the parts' files are found, where they do not lie in /etc.
    """
    return {
        "profile": named or profile.name,
        "program": program,
        "etc": etc,
        "watchdog_s": str(profile.service.watchdog_s),
        "max_mb": str(profile.memory.max_mb),
    }


def load(name: str, filled: Mapping[str, str]) -> Part:
    """A part with its files filled in.

    Parameters
    ----------
    name : one of `names()`. filled : see `values`.

    Raises
    ------
    SetupError : there is no such part.
    """
    if name not in names():
        raise SetupError(f"part {name!r}: there is none of this name; choose {', '.join(names())}")
    folder = _folder() / name
    table = tomllib.loads((folder / "part.toml").read_text("utf-8"))

    def text(source: str) -> str:
        return _filled((folder / source).read_text("utf-8"), filled)

    for item in table.get("files", ()):
        item["content"] = text(item.pop("source")).encode()
        item["mode"] = int(item.get("mode", "0644"), 8)
    for item in table.get("blocks", ()):
        item["text"] = text(item.pop("source"))
    return stricttoml.build(Part, {"name": name, **table})


def chosen(
    asked: Sequence[str], more: Sequence[str], without: Sequence[str], filled: Mapping[str, str]
) -> list[Part]:
    """The parts to install, in order, each with its companions before it.

    Parameters
    ----------
    asked : of the profile.
    more, without : of the user; one of `more` takes the place of the one with its role.

    Raises
    ------
    SetupError : a part does not exist, or two have the same role.
    """
    found = [load(name, filled) for name in asked]
    for name in without:
        load(name, filled)
    for part in [load(name, filled) for name in more if name not in asked]:
        rivals = [i for i, other in enumerate(found) if part.role and other.role == part.role]
        found[rivals[0] if rivals else len(found) : rivals[-1] + 1 if rivals else len(found)] = [part]
    kept = [part for part in found if part.name not in without]
    for part in kept:
        for other in kept:
            if part.role and part.role == other.role and part.name < other.name:
                raise SetupError(
                    f"parts {part.name} and {other.name}: one takes the other's place; leave one out, as "
                    f"with --without {part.name}"
                )
    ordered: dict[str, Part] = {}
    for part in kept:
        for companion in part.companions:
            ordered.setdefault(companion, load(companion, filled))
        ordered.setdefault(part.name, part)
    return list(ordered.values())


def _folder() -> Traversable:
    return resources.files("firmware_config") / "parts"


def _filled(text: str, filled: Mapping[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        name = match[1]
        if "/" in name:
            return _filled(_folder().joinpath(*name.split("/")).read_text("utf-8").strip("\n"), filled)
        return filled[name]

    return _PLACEHOLDER.sub(one, text)
