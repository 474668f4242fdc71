"""What computes: core, runtime, bundle, its self-test, what it learned of the site; and the records."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic

from edge import native
from edge.doctor.check import Check, Subject

_LOOK_S = 4.0  # at a large store's pages; the rest is believed


def core(subject: Subject) -> Check:
    """Whether cells are found as fast as they could be."""
    if (reason := native.why_not()) is None:
        return Check("fine", "the compiled core finds the cells")
    return Check.told("worth knowing", f"NumPy finds the cells, slower: the compiled core {reason}")


def runtime(subject: Subject) -> Check:
    """Whether something can run the networks here."""
    from edge.runtimes import why_not

    asked = subject.profile.runtime.kind
    without = {kind: why_not(kind) for kind in ("ort", "trt")}
    working = [kind for kind, reason in without.items() if reason is None]
    if asked != "auto" and (reason := without[asked]):
        return Check.told("wrong", reason)
    if not working:
        return Check.told("wrong", without["ort"] or "")
    names = {"ort": "ONNX Runtime", "trt": "TensorRT"}
    said = " and ".join(names[kind] for kind in working)
    if "jetson" in subject.profile.name and "trt" not in working:
        line = f"{said} works, the GPU is not used: {without['trt']}"
        return Check.told("worth knowing", line)
    return Check("fine", f"{said} works")


_BETTER = "install another: edge-device update FILE.bundle, or go back: edge-device update --rollback"


def bundle(subject: Subject) -> Check:
    """Whether the model in use is whole, and who vouches for it."""
    from edge.bundle.bundle import load

    found = load()
    voucher = f"signed by {found.signer}" if found.signer else "shipped with this program"
    manifest = found.manifest
    named = f"{manifest.name} {manifest.version}, {found.sha256[:16]}, {voucher}"
    if found.caveats:
        return Check("worth knowing", f"{named}; {'; '.join(found.caveats)}", _BETTER)
    return Check("fine", named)


_MEASURE = "measure it: edge-device adapt --healthy --camera 0"


def site(subject: Subject) -> Check:
    """Whether the model knows how normal cells score here."""
    from edge.bundle import sitefile
    from edge.bundle.bundle import load
    from edge.bundle.site import in_words

    path = subject.folder / sitefile.FILE
    try:
        found = sitefile.read(path)
    except FileNotFoundError:
        return Check("worth knowing", "not measured here; findings reckon with other laboratories", _MEASURE)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        return Check("wrong", f"{path} {told}", f"move it away, or {_MEASURE}")
    if found.network != load().manifest.network:
        return Check("worth knowing", f"{path} is of another model and not used", _MEASURE)
    if sitefile.is_of_another_device(found):
        return Check("worth knowing", f"{in_words(found.record())}: signed by another device", _MEASURE)
    return Check("fine", in_words(found.record()))


def self_test(subject: Subject) -> Check:
    """What the golden cases came to on this machine, the last time that they ran."""
    from edge.bundle.bundle import load
    from edge.selftest import selftest

    outcome = selftest.last(load(), subject.profile.runtime, folder=subject.folder)
    if outcome is None:
        return Check("fine", "not run yet with this model on this machine; the first edge-run does it")
    measured = "; ".join(str(trial) for trial in outcome.trials)
    told = f"{outcome.variant} is used on {outcome.instructions or 'this processor'} ({measured})"
    if outcome.note:
        return Check("worth knowing", told)
    return Check("fine", f"passed; {told}")


def records(subject: Subject) -> Check:
    """Whether the records are whole; they are only read."""
    path = subject.folder / "records.db"
    if not path.exists():
        return Check("fine", f"none yet in {path}")
    mend = f"restore a backup, or move {path} away and begin a new one"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as database:
            return _whole(database, path, mend)
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return Check("fine", f"{path} is being written just now")
        if name.startswith("SQLITE_CANTOPEN"):
            return Check("wrong", f"{path} cannot be opened", "use sudo, or mend its rights")
        return Check("wrong", f"{path} is damaged ({error})", mend)


def _whole(database: sqlite3.Connection, path: Path, mend: str) -> Check:
    from edge.records.migrations import MIGRATIONS

    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        return Check("wrong", f"{path} was written by a newer version", "update the program")
    (slides,) = database.execute("SELECT count(*) FROM slides").fetchone()
    size = f"{slides} slide{'s' * (slides != 1)}, {path.stat().st_size / 1e6:,.1f} MB"
    end = monotonic() + _LOOK_S
    database.set_progress_handler(lambda: monotonic() > end, 10_000)
    try:
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
            raise
        return Check("fine", f"{path}: {size}, whole as far as a few seconds' look shows")
    if found != "ok":
        return Check("wrong", f"{path} is damaged ({' '.join(str(found).split())})", mend)
    return Check("fine", f"{path}: {size}, whole")
