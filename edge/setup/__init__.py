"""`edge-device setup`: makes this machine, or an image of one, a box that screens by itself.

Everything it would write and run is shown first. Running it again changes nothing; `--undo` gives back what
was there. What it installs are the parts (`firmware_config/parts`) that the device profile names.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from edge import command
from edge.files.kernel import text
from edge.machine.profile import load_profile
from edge.setup import parts as parts_
from edge.setup.box import Box
from edge.setup.install import carry_out, check, missing
from edge.setup.ledger import FOLDER, Ledger, held
from edge.setup.parts import File, Part, SetupError
from edge.setup.plan import Plan, plan

EXAMPLE = "sudo edge-device setup --profile raspberry-pi-5 --without watchdog"

PROFILE = "/etc/leukoscope/profile.toml"
"""Where a profile of the user's own is copied to, so that the service can read it."""

_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")


def add_to(commands: command.Commands[command.Parser]) -> None:
    """Add `setup` to the subcommands of `edge-device`."""
    parser = command.add(
        commands, "setup", "make this machine a box that starts by itself; shows it first", EXAMPLE, _run
    )  # fmt: skip
    named = ", ".join(parts_.names())
    add = parser.add_argument
    add("--profile", default="auto", metavar="NAME or PATH",
        help="device profile (default: the one that fits)")  # fmt: skip
    add("--with", dest="more", action="append", default=[], metavar="PART",
        help=f"a part besides the profile's, or in place of one with its role: {named}")  # fmt: skip
    add("--without", action="append", default=[], metavar="PART", help="leave a part out")
    add("--root", type=Path, default=Path("/"), metavar="DIR",
        help="the root folder of an image: write below it and run nothing of this machine")  # fmt: skip
    add("--program", metavar="DIR", help="folder of edge-run as the box sees it (default: where this one is)")
    add("--undo", action="store_true", help="give back everything as it was")
    add("--dry-run", action="store_true", help="only show, with the whole content of new files")
    add("--yes", action="store_true", help="do it without asking")
    add("--json", action="store_true", help="print what is to do and what was done as one JSON object")


def _run(arguments: argparse.Namespace) -> int:
    box = Box(arguments.root)
    ledger = Ledger.read(box)
    asked = [] if arguments.undo else _parts(arguments, box)
    todo = plan(box, ledger, asked)
    if not arguments.json:
        for line in _shown(box, todo, undo=arguments.undo, whole=arguments.dry_run):
            command.put(line)
    if arguments.dry_run or todo.empty:
        if arguments.json:
            _put_json(box, todo, done=todo.empty, failures=[])
        return command.DONE
    watched = sys.stdin is not None and sys.stdin.isatty()
    if not arguments.yes and (arguments.json or not watched):
        command.say("edge-device setup", "there is nobody to ask; add --yes, or --dry-run to only look")
        return command.WRONG_USAGE
    _allowed(box)
    check(box, todo)
    if not arguments.yes and not _agreed():
        command.put("nothing was changed")
        return command.FAILED
    return _do(arguments, box)


def _do(arguments: argparse.Namespace, box: Box) -> int:
    ledger = Ledger.read(box)
    with held(box, ledger):
        todo = plan(box, ledger, [] if arguments.undo else _parts(arguments, box))
        steps = len(todo.changes) + len(todo.first) + len(todo.last)
        with command.Progress(steps) as progress:
            done = iter(range(steps))
            failures = carry_out(box, ledger, todo, lambda text: progress.show(next(done, steps), text))
    for line in failures:
        command.say("edge-device setup", line)
    if arguments.json:
        _put_json(box, todo, done=True, failures=failures)
    else:
        for line in _afterwards(box, todo, undo=arguments.undo):
            command.put(line)
    return command.FAILED if failures else command.DONE


def _parts(arguments: argparse.Namespace, box: Box) -> list[Part]:
    """What is to be installed, filled in."""
    profile = load_profile(arguments.profile)
    program = arguments.program or str(_program(box))
    own = arguments.profile if arguments.profile.endswith(".toml") or "/" in arguments.profile else None
    filled = parts_.values(profile, program, PROFILE if own else None)
    found = parts_.chosen(profile.box.parts, arguments.more, arguments.without, filled)
    if own:
        content = Path(own).read_bytes()
        found.insert(0, Part("profile", f"The device profile {own}.", files=(File(PROFILE, content),)))
    return found


def _program(box: Box) -> Path:
    """The folder of `edge-run`, where the service will find it too; SetupError if that may not look there."""
    folder = Path(sys.executable).parent
    if not (folder / "edge-run").exists():
        raise SetupError(f"{folder}/edge-run: is not there; say where it is with --program DIR")
    needed = [folder, Path(sys.base_prefix), Path(__file__)]
    hidden = [path for path in needed if any(path.is_relative_to(top) for top in _HIDDEN)]
    if box.running and hidden:
        raise SetupError(
            f"{hidden[0]}: the service may not look there; install the program elsewhere, as with "
            "python3 -m venv /opt/leukoscope, or say where it is with --program DIR"
        )
    return folder


def _allowed(box: Box) -> None:
    """Raise SetupError unless this user may change the box, and a change would last."""
    if not box.running:
        return
    if os.geteuid() != 0:
        raise SetupError(f"setup changes the system: run it as sudo {Path(sys.argv[0]).resolve()} setup ...")
    mounts = text(Path("/proc/self/mounts")).splitlines()
    if any(mount.split()[:2] == ["overlayroot", "/"] for mount in mounts):
        raise SetupError(
            "/: is an overlay in memory, which forgets at power-off; run setup in sudo overlayroot-chroot"
        )


def _agreed() -> bool:
    try:
        return input("Do it? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, UnicodeDecodeError):
        return False


def _shown(box: Box, todo: Plan, *, undo: bool, whole: bool) -> list[str]:
    """The plan for people."""
    if todo.empty:
        return ["nothing to undo" if undo else "everything is as it should be: nothing to do"]
    lines = [f"{part.name}: {part.about}" for part in todo.parts]
    if undo:
        lines.append("undo: everything as it was before setup; users and records stay")
    lines += [f"  run        {' '.join(step.command(box))}" for step in todo.first if step.command(box)]
    for change in todo.changes:
        lines.append(f"  {change.kind:<10} {box.place(change.path)}")
        if change.kind == "changed" or (whole and change.differs):
            lines += [f"      {line}" for line in change.difference()[2:]]
        if change.kept:
            lines.append(f"      changed since; that is kept as {box.place(change.kept)}")
    for step in todo.last:
        if now := step.command(box):
            lines.append(f"  run        {' '.join(now)}")
        elif not step.undoes:
            lines.append(f"  run later  {' '.join(step.ran.run)}")
    for want, paths in missing(box, todo):
        lines.append(f"  missing    {', '.join(paths)}: without, {want.without}; {want.advice}")
    return lines


def _afterwards(box: Box, todo: Plan, *, undo: bool) -> list[str]:
    if undo:
        return ["undone"]
    lines = [f"done; what was replaced is in {box.place(FOLDER)}, and --undo gives it back"]
    later = [" ".join(step.ran.run) for step in todo.last if not step.undoes and not step.command(box)]
    lines += [f"to run in the booted image, or by setup there: {line}" for line in later]
    return lines + [f"{part.name}: {part.note}" for part in todo.parts if part.note]


def _put_json(box: Box, todo: Plan, *, done: bool, failures: list[str]) -> None:
    command.write("--json", "-", json.dumps(_described(box, todo, done=done, failures=failures)) + "\n")


def _described(box: Box, todo: Plan, *, done: bool, failures: list[str]) -> dict[str, object]:
    """The plan for programs."""
    steps = [*todo.first, *todo.last]
    return {
        "root": str(box.root),
        "parts": [{"name": part.name, "about": part.about, "note": part.note} for part in todo.parts],
        "files": [
            {
                "path": change.path, "state": change.kind, "kept": change.kept,
                "mode": f"{change.after.mode:04o}" if change.after else None, "diff": change.difference(),
            }
            for change in todo.changes
        ],
        "commands": [
            {
                "part": step.part, "undoes": step.undoes,
                "run": list(step.command(box)) or list(step.ran.undo if step.undoes else step.ran.run),
                "now": bool(step.command(box)),
            }
            for step in steps
            if step.ran.undo or not step.undoes
        ],
        "missing": [
            {"paths": paths, "without": want.without, "advice": want.advice}
            for want, paths in missing(box, todo)
        ],
        "done": done,
        "failures": failures,
    }  # fmt: skip
