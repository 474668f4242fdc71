"""Carries a plan out: each change is in the ledger before it is done, and a command that fails is told."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from shutil import which

from edge.setup.box import Box
from edge.setup.ledger import Entry, Ledger, digest
from edge.setup.parts import SetupError, Want
from edge.setup.plan import Change, Plan, Step


def check(box: Box, plan: Plan) -> None:
    """Whether the plan can be carried out here, as far as that can be known before.

    Raises
    ------
    SetupError : a program is missing, or what a part needs; nothing was changed.
    """
    if not box.running:
        return
    for part in plan.parts:
        for need in part.needs:
            if not box.exists(need.path):
                raise SetupError(f"part {part.name}: {need.path} is not there; {need.advice}")
    for step in plan.last:
        if not step.undoes and which(step.ran.run[0]) is None:
            raise SetupError(
                f"part {step.part}: the program {step.ran.run[0]} is not on this machine; install it, or "
                f"leave the part out with --without {step.part}"
            )


def missing(box: Box, plan: Plan) -> list[tuple[Want, list[str]]]:
    """What parts would work better with, and which of its paths are not there."""
    found = (
        (want, [path for path in want.paths if not box.exists(path)])
        for part in plan.parts
        for want in part.wants
    )
    return [(want, paths) for want, paths in found if paths]


def carry_out(box: Box, ledger: Ledger, plan: Plan, step: Callable[[str], None]) -> list[str]:
    """Do all of the plan; `step` is told what is done next.

    Returns
    -------
    One line for each command that failed; the next setup tries it again.

    Raises
    ------
    SetupError : a file could not be written. What was done before it can be undone.
    """
    failures = [_undo(box, ledger, each, step) for each in plan.first]
    for change in plan.changes:
        if change.differs:
            step(change.path)
        _change(box, ledger, change)
    ledger.parts = [part.name for part in plan.parts]
    failures += [(_undo if each.undoes else _run)(box, ledger, each, step) for each in plan.last]
    if ledger.files or ledger.commands or ledger.parts:
        ledger.save(box)
    else:
        ledger.discard(box)
    return [line for line in failures if line]


def _change(box: Box, ledger: Ledger, change: Change) -> None:
    if change.given_back:
        _give_back(box, ledger, change)
        return
    entry = ledger.files.get(change.path)
    if not change.differs:
        if entry is not None:
            entry.edited = change.edited
        return
    if entry is None:
        original = ledger.keep(box, change.before) if change.before else None
        entry = ledger.files[change.path] = Entry(original, change.part)
    assert change.after is not None  # only what is given back may end as nothing
    entry.ours = [*dict.fromkeys([*entry.ours, digest(change.after.content)])]
    entry.edited = change.edited
    ledger.folders += [folder for folder in box.missing_folders(change.path) if folder not in ledger.folders]
    ledger.save(box)
    for folder in box.missing_folders(change.path):
        box.make_folder(folder)
    _keep(box, change)
    box.put(change.path, change.after)


def _give_back(box: Box, ledger: Ledger, change: Change) -> None:
    if change.differs:
        _keep(box, change)
        if change.after is None:
            box.remove(change.path)
        else:
            box.put(change.path, change.after)
    box.tidy(change.path)
    del ledger.files[change.path]
    ledger.save(box)


def _keep(box: Box, change: Change) -> None:
    if change.kept and change.before is not None:
        box.put(change.kept, change.before)


def _run(box: Box, ledger: Ledger, step: Step, tell: Callable[[str], None]) -> str:
    """Run a command of a part; an empty line, or why it failed."""
    known = next((ran for ran in ledger.commands if ran.run == step.ran.run), None)
    if known is None:
        ledger.commands.append(known := step.ran)
    known.parts, known.done = step.ran.parts, False
    ledger.save(box)
    command = step.command(box)
    failure = _call(command, tell) if command else ""
    known.done = bool(command) and not failure
    return failure


def _undo(box: Box, ledger: Ledger, step: Step, tell: Callable[[str], None]) -> str:
    """Take a command back, and forget it, come what may; an empty line, or why it failed."""
    command = step.command(box)
    failure = _call(command, tell) if command else ""
    ledger.commands = [ran for ran in ledger.commands if ran.run != step.ran.run]
    return failure


def _call(command: tuple[str, ...], tell: Callable[[str], None]) -> str:
    line = " ".join(command)
    tell(line)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        return f"{line}: {error.strerror}"
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()
    return f"{line}: ended with status {done.returncode}{f' ({said[-1].strip()})' if said else ''}"
