"""`edge-device update`: install a model from a stick, go back to the one before, say which is in use.

A bundle is checked before it is copied, and the copy is checked again: signature, hashes, format, golden
cases on this machine. Only then is it put in use, in one step, and the one before stays for `--rollback`. A
model of another kind than the one in use, or worse on labelled cells, needs `--even-so`, which every record
says. Whatever is interrupted, by an error or by the power, leaves the old bundle in use or the new, whole.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge import command
from edge.bundle import caveats, installed
from edge.bundle.installed import Installation
from edge.files import atomic
from edge.files.text import printable
from edge.types import LeukoscopeError

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from edge.bundle.bundle import Bundle

EXAMPLE = "edge-device update /media/stick/leukocytes.bundle"

_say = partial(command.say, "edge-device")
_SPARE = 2 * 1024 * 1024  # bytes to leave for the records of the slide under way
_STEPS = ("reading", "checking", "copying", "golden cases", "comparing", "switching")


class UpdateError(LeukoscopeError):
    """The update was not done; what was in use still is."""


def add_to(commands: command.Commands[command.Parser]) -> None:
    """Add `update` to the subcommands of `edge-device`."""
    parser = command.add(
        commands, "update", "install a signed model, go back to the one before, or say which is in use",
        EXAMPLE, _run,
    )  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("file", nargs="?", type=Path, metavar="FILE.bundle", help="the model to install")
    what.add_argument("--rollback", action="store_true", help="go back to the model before")
    what.add_argument("--status", action="store_true", help="say which model is in use, as without anything")
    parser.add_argument(
        "--even-so",
        action="store_true",
        help="install a model that names other classes than the one in use, is worse on labelled cells or "
        "hardly better than chance; every record and report will say so",
    )
    parser.add_argument("--runtime", choices=("auto", "ort", "trt"), help="what tries the golden cases")
    parser.add_argument("--profile", metavar="NAME or PATH", help="device profile, as for edge-run")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.file is not None:
        told: list[str] = []
        with command.Progress(len(_STEPS)) as progress:
            bundle = install(
                arguments.file,
                partial(_test, arguments),
                lambda i: progress.show(i, f"{_STEPS[i]} {arguments.file.name}"),
                told.append,
                even_so=arguments.even_so,
            )
        _tell_of(bundle)
        for line in told:
            command.put(printable(line))
    elif arguments.rollback:
        _tell_of(rollback(_say))
    else:
        for line in status():
            command.put(printable(line))
    return command.DONE


def _tell_of(bundle: Bundle) -> None:
    """Say what is in use now, and where what was learned of this site is of another network."""
    from edge.bundle import sitefile

    for line in (f"in use from the next start on: {named(bundle)}", *_caveats(bundle)):
        command.put(printable(line))
    path = sitefile.own_path()
    with suppress(OSError, ValueError):  # edge-run and the doctor tell of a file that cannot be read
        if sitefile.read(path).network != bundle.manifest.network:
            _say(
                f"site {path}: was measured with another model and no longer holds; measure it anew: "
                "edge-device adapt --healthy --camera 0"
            )


def _test(arguments: argparse.Namespace, bundle: Bundle) -> None:
    """Run the golden cases as edge-run would, and keep the outcome for it."""
    from edge.line.engine import open_engine
    from edge.machine.profile import load_profile

    open_engine(load_profile(arguments.profile), bundle, arguments.runtime, _say).close()


def install(
    file: Path,
    test: Callable[[Bundle], None],
    step: Callable[[int], None],
    tell: Callable[[str], None],
    *,
    even_so: bool = False,
) -> Bundle:
    """Put this bundle in use and keep the one before.

    Parameters
    ----------
    file : the bundle; shipped with this program, or signed by a trusted key.
    test : raises LeukoscopeError where the bundle does not pass on this machine.
    step : is told which of the steps begins. tell : takes a line of how it compares with the one in use.
    even_so : install it whatever it is beside that, with a caveat. The bundle that is in use already, and the
        shipped one, are not compared.

    Raises
    ------
    LeukoscopeError : it was not installed, and why; what was in use still is.
    """
    from edge.bundle import bundle

    step(0)
    content = bundle.read(file)
    step(1)
    found = bundle.opened(file, content)
    before = _state()
    shipped = found.sha256 == hashlib.sha256(bundle.read(bundle.shipped_path())).hexdigest()
    told = dict(before.caveats)
    try:
        if not shipped:
            step(2)
            found = _copied(content, found.sha256)
        step(3)
        test(found)
        step(4)
        if not shipped and found.sha256 != before.current:
            told[found.sha256] = _compared(found, before, file.name, tell, even_so)
    except LeukoscopeError:
        _tidy(before)
        raise
    step(5)
    new = Installation("" if shipped else found.sha256, before.current, told)
    if new.current != before.current:
        _switch(new)
    return replace(found, installed_with=told.get(new.current, ()))


def _compared(
    new: Bundle, before: Installation, called: str, tell: Callable[[str], None], even_so: bool
) -> tuple[str, ...]:
    """The caveats of a bundle that takes the place of the one in use.

    Raises
    ------
    UpdateError : it should not, and is not to `even_so`.
    """
    from edge.bundle import bundle
    from edge.runtimes import GraphError
    from edge.selftest import rivals

    try:
        in_use = bundle.load_installed(before.current, before.caveats)
        verdict = rivals.judge_both(new, in_use, bundle.load(bundle.shipped_path()))
    except (bundle.BundleError, GraphError) as error:
        verdict = rivals.judge(new, None)
        tell(f"not compared with the model in use: {error}")
    if verdict.reasons and not even_so:
        raise UpdateError(
            f"update {called}: {'; '.join(verdict.reasons)}; what was in use still is. To use it all the "
            "same, marked in every record: --even-so"
        )
    tell(f"compared: {verdict.told}")
    return tuple(f"installed even so: {reason}"[: caveats.LONGEST] for reason in verdict.afterwards)


def rollback(tell: Callable[[str], None]) -> Bundle:
    """Put the bundle in use that was before the present one, which is not kept: only one step leads back.

    Where neither can be read, the shipped bundle is taken, which is said to `tell`.

    Raises
    ------
    LeukoscopeError : there is nothing to go back to, or it is damaged and the present one is not.
    """
    from edge.bundle import bundle

    try:
        now = installed.state()
    except ValueError as error:
        tell(f"{error}; the shipped bundle is taken")
        _put_in_force(Installation())
        return bundle.load(bundle.shipped_path())
    try:
        if now.is_oldest:
            raise _nothing_older(bundle.load_installed(now.current, now.caveats))
        target = bundle.load_installed(now.previous, now.caveats)
    except bundle.BundleError as error:
        with suppress(bundle.BundleError):  # where the present one is damaged too, it cannot stay
            bundle.load_installed(now.current, now.caveats)
            raise UpdateError(
                f"update --rollback: cannot go back ({error}); {now.current[:16]} stays in use"
            ) from None
        tell(f"{error}; the shipped bundle is taken")
        _switch(Installation())
        return bundle.load(bundle.shipped_path())
    _switch(Installation(now.previous, now.previous, now.caveats))
    return target


def _nothing_older(bundle: Bundle) -> UpdateError:
    return UpdateError(
        f"update --rollback: there is nothing older than {bundle.manifest.name} {bundle.manifest.version}, "
        "which is in use; install another: edge-device update FILE.bundle"
    )


def status() -> list[str]:
    """Which bundle is in use and which was before, who vouches for them, and which keys are trusted."""
    from edge.bundle.signature import key_folders, trusted_keys

    now = _state()
    in_use, *its = _described(now.current, now)
    older, *others = ["nothing older"] if now.is_oldest else _described(now.previous, now)
    lines = [f"in use: {in_use}", *its, f"before: {older}", *others]
    keys, strange = trusted_keys()
    named_keys = ", ".join(str(key) for key in keys.values()) or "none"
    lines.append(f"trusted keys in {' and '.join(map(str, key_folders()))}: {named_keys}")
    return lines + [f"not an Ed25519 public key: {path}" for path in strange]


def named(bundle: Bundle) -> str:
    """A bundle in one line: name, version, hash, and who vouches for it."""
    manifest = bundle.manifest
    voucher = f"signed by {bundle.signer}" if bundle.signer else "shipped with this program"
    return f"{manifest.name} {manifest.version}, sha256 {bundle.sha256[:16]}, {voucher}"


def _caveats(bundle: Bundle) -> list[str]:
    """What must stay in sight of a bundle, a line each."""
    return [f"  caveat: {caveat}" for caveat in bundle.caveats]


def _described(sha256: str, now: Installation) -> list[str]:
    from edge.bundle import bundle

    try:
        found = bundle.load_installed(sha256, now.caveats)
    except bundle.BundleError as error:
        return [str(error)]
    return [named(found), *_caveats(found)]


def _state() -> Installation:
    try:
        return installed.state()
    except ValueError as error:
        raise UpdateError(f"{error}; edge-device update --rollback takes the shipped bundle") from None


def _copied(content: bytes, sha256: str) -> Bundle:
    """The bundle from its place in the folder, written there if there is room for it, and checked again."""
    from edge.bundle import bundle

    folder, path = installed.folder(), installed.path_of(sha256)
    try:
        with atomic.as_owner(folder):
            atomic.make_folder(folder)
            free = shutil.disk_usage(folder).free
            if free < len(content) + _SPARE:
                raise UpdateError(
                    f"{folder}: {len(content) / 1e6:.1f} MB do not fit, {free / 1e6:.1f} MB are free; "
                    "free some space"
                )
            atomic.write(path, content)
    except OSError as error:
        raise _unwritten(error) from None
    found = bundle.opened(path, bundle.read(path))
    if found.sha256 != sha256:
        raise UpdateError(f"bundle {path}: came out otherwise than it was written; check the disk")
    return found


def _switch(to: Installation) -> None:
    """Put this state in force and clear away what it does not need."""
    _put_in_force(to)
    _tidy(to)


def _put_in_force(state: Installation) -> None:
    try:
        with atomic.as_owner(installed.folder()):
            atomic.make_folder(installed.folder())
            installed.switch(state)
    except OSError as error:
        raise _unwritten(error) from None


def _tidy(state: Installation) -> None:
    """Remove what neither of the state's bundles needs; what stays takes room, no more."""
    needed = {installed.path_of(sha256) for sha256 in (state.current, state.previous) if sha256}
    with suppress(OSError), atomic.as_owner(installed.folder()):
        for path in [*installed.folder().glob("*.bundle"), *installed.folder().glob(".*.part")]:
            if path not in needed:
                path.unlink()


def _unwritten(error: OSError) -> UpdateError:
    where = installed.folder()
    return UpdateError(f"{where}: cannot be written ({error.strerror or error}); what was in use still is")
