"""What setup would do to a box: which files change and how, and which commands run."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge.setup import edits
from edge.setup.box import Box, Found
from edge.setup.ledger import Ledger, Ran, digest
from edge.setup.parts import Block, File, Part, SetupError, Words

ChangeKind = Literal["new", "changed", "unchanged", "restored", "removed"]

KEPT = ".leukoscope-kept"
"""Ending of the copy of a file that somebody had changed since setup wrote it."""


@dataclass(frozen=True)
class Change:
    """What becomes of one file.

    Attributes
    ----------
    path : as the box sees it. part : whose file it is.
    before, after : what is there and what will be; None for nothing.
    edited : words of each part that edits it, see `Entry.edited`.
    given_back : setup lets go of it.
    kept : somebody else's content that is copied beside it; empty for none.
    """

    path: str
    part: str
    before: Found | None
    after: Found | None
    edited: dict[str, list[str]] = field(default_factory=dict)
    given_back: bool = False
    kept: str = ""

    @property
    def kind(self) -> ChangeKind:
        """In a word, what becomes of it."""
        if not self.differs:
            return "unchanged"
        if self.after is None:
            return "removed"
        if self.given_back:
            return "restored"
        return "new" if self.before is None else "changed"

    @property
    def differs(self) -> bool:
        """Whether the file becomes another."""
        return self.before != self.after

    def difference(self) -> list[str]:
        """The change as a unified diff, without line ends."""

        def lines(found: Found | None) -> list[str]:
            return found.content.decode("utf-8", "replace").splitlines() if found else []

        before, after = lines(self.before), lines(self.after)
        return list(difflib.unified_diff(before, after, self.path, self.path, n=1, lineterm=""))


@dataclass(frozen=True)
class Step:
    """A command to run, or `undoes`: what takes it back."""

    ran: Ran
    undoes: bool

    @property
    def part(self) -> str:
        """Whose it is; of several, the first's."""
        return self.ran.parts[0]

    def command(self, box: Box) -> tuple[str, ...]:
        """It as it is to be run here; empty where only the box itself can, once it is booted."""
        command = self.ran.undo if self.undoes else self.ran.run
        if box.running or not command:
            return command
        return (command[0], f"--root={box.root}", *command[1:]) if self.ran.in_root else ()


@dataclass(frozen=True)
class Plan:
    """What is to do, in order: `first`, then the files, then `last`."""

    parts: tuple[Part, ...]
    first: tuple[Step, ...]
    changes: tuple[Change, ...]
    last: tuple[Step, ...]

    @property
    def empty(self) -> bool:
        """Whether the box is already as it should be."""
        return (
            not self.first
            and not self.last
            and not any(change.differs or change.given_back for change in self.changes)
        )


def plan(box: Box, ledger: Ledger, parts: Sequence[Part]) -> Plan:
    """How the box comes to have these parts and no others; no parts undo everything.

    Raises
    ------
    SetupError : a file that a part edits is not there, or something cannot be read.
    """
    changes = [_written(box, ledger, part, file) for part in parts for file in part.files]
    changes += _edited(box, ledger, parts)
    paths = {change.path for change in changes}
    changes += [_given_back(box, ledger, path) for path in ledger.files if path not in paths]
    touched = {part for change in changes if change.differs for part in (change.part, *change.edited)}
    wanted = _wanted(parts)
    known = {ran.run: ran for ran in ledger.commands}
    due = [
        ran
        for run, ran in wanted.items()
        if run not in known
        or touched & {*ran.parts, *known[run].parts}
        or (not known[run].done and (box.running or ran.in_root))
    ]
    gone = [Step(ran, undoes=True) for ran in reversed(ledger.commands) if ran.run not in wanted]
    return Plan(
        tuple(parts),
        tuple(step for step in gone if not step.ran.undo_after),
        tuple(changes),
        (*[Step(ran, undoes=False) for ran in due], *[step for step in gone if step.ran.undo_after]),
    )


def _wanted(parts: Sequence[Part]) -> dict[tuple[str, ...], Ran]:
    """Each command once, where it first stands: all of them run after all files are written."""
    wanted: dict[tuple[str, ...], Ran] = {}
    for part in parts:
        for command in part.commands:
            fresh = Ran([], command.run, command.undo, command.undo_after, command.in_root)
            wanted.setdefault(command.run, fresh).parts.append(part.name)
    return wanted


def _written(box: Box, ledger: Ledger, part: Part, file: File) -> Change:
    before = box.find(file.path)
    owner = (before.uid, before.gid) if before and not before.link else (os.geteuid(), os.getegid())
    after = Found(file.content, False, file.mode, *owner)
    kept = _foreign(box, ledger, file.path, before) if before != after else ""
    return Change(file.path, part.name, before, after, kept=kept)


def _edited(box: Box, ledger: Ledger, parts: Sequence[Part]) -> list[Change]:
    """Every file that parts put blocks and words into, each with all of them."""
    wanted: dict[str, list[tuple[Part, Block | Words]]] = {}
    for part in parts:
        all_edits: tuple[Block | Words, ...] = (*part.blocks, *part.words)
        for edit in all_edits:
            path = next((box.target(path) for path in edit.paths if box.exists(path)), None)
            if path is None:
                places = ", ".join(str(box.place(path)) for path in edit.paths)
                raise SetupError(
                    f"part {part.name}: none of {places} is there; is the boot partition mounted? or "
                    f"leave the part out with --without {part.name}"
                )
            wanted.setdefault(path, []).append((part, edit))
    return [_edit(box, ledger, path, edits_) for path, edits_ in wanted.items()]


def _edit(box: Box, ledger: Ledger, path: str, wanted: Sequence[tuple[Part, Block | Words]]) -> Change:
    before = box.find(path)
    if before is None or before.link:
        raise SetupError(f"{box.place(path)}: is no file")
    old = ledger.files[path].edited if path in ledger.files else {}
    blocks = {part.name: edit.text for part, edit in wanted if isinstance(edit, Block)}
    words = {part.name: edit.words for part, edit in wanted if isinstance(edit, Words)}
    text = before.content.decode("utf-8", "surrogateescape")
    edited: dict[str, list[str]] = {name: [] for name in (*blocks, *words)}
    for name, mine in old.items():
        if name not in blocks:
            text = edits.without_block(text, name)
        text = edits.without_words(text, [word for word in mine if word not in words.get(name, ())])
    for name, block in blocks.items():
        text = edits.with_block(text, name, block)
    for name, asked in words.items():
        there = text.partition("\n")[0].split()
        edited[name] = [word for word in asked if word in old.get(name, []) or word not in there]
        text = edits.with_words(text, asked)
    after = Found(text.encode("utf-8", "surrogateescape"), False, before.mode, before.uid, before.gid)
    return Change(path, wanted[0][0].name, before, after, edited)


def _given_back(box: Box, ledger: Ledger, path: str) -> Change:
    """As it was before setup; what somebody else changed meanwhile is not lost."""
    entry = ledger.files[path]
    before = box.find(path)
    original = ledger.original(box, entry.original) if entry.original else None
    ours = before is not None and digest(before.content) in entry.ours
    if before is None or before == original:
        # whoever removed the file meant it
        return Change(path, entry.part, before, before, given_back=True)
    if entry.edited and not ours:
        text = _stripped(before, entry.edited).encode("utf-8", "surrogateescape")
        return Change(
            path, "", before, Found(text, False, before.mode, before.uid, before.gid), given_back=True
        )
    return Change(
        path, entry.part, before, original, given_back=True, kept="" if ours else _kept(box, path, before)
    )


def _stripped(found: Found, edited: dict[str, list[str]]) -> str:
    text = found.content.decode("utf-8", "surrogateescape")
    for part, words in edited.items():
        text = edits.without_words(edits.without_block(text, part), words)
    return text


def _foreign(box: Box, ledger: Ledger, path: str, before: Found | None) -> str:
    """Where to keep what is there, if it is neither of setup nor the original, which the ledger keeps."""
    entry = ledger.files.get(path)
    if entry is None or before is None or digest(before.content) in entry.ours:
        return ""
    if entry.original and digest(before.content) == entry.original.sha256:
        return ""
    return _kept(box, path, before)


def _kept(box: Box, path: str, found: Found) -> str:
    """The first free name beside the file, or the one that has this content already."""
    number = 0
    while True:
        name = f"{path}{KEPT}{f'-{number}' if number else ''}"
        there = box.find(name)
        if there is None or there.content == found.content:
            return name
        number += 1
