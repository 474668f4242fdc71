"""What came of self-tests on this machine, kept beside the records so that each is made once."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.files import atomic, strictjson
from edge.files.strictjson import Table

FILE = "selftest.json"

_KEPT = 20  # outcomes in the file


@dataclass(frozen=True)
class Trial:
    """What was measured of one precision; None for what was not.

    Attributes
    ----------
    variant : runtime and precision.
    few_ms, many_ms : milliseconds a cell in a field of few cells and in one of many, as
        `edge.selftest.speed.FEW` and `MANY` say.
    largest, mean : change of a probability against FP32 over the golden cases.
    why : why it is not used; empty for the one that is.
    """

    variant: str
    few_ms: float | None = None
    many_ms: float | None = None
    largest: float | None = None
    mean: float | None = None
    why: str = ""

    def __str__(self) -> str:
        told = [self.variant]
        if self.few_ms is not None and self.many_ms is not None:
            told.append(f"{self.few_ms:.2f} ms a cell in a field of few, {self.many_ms:.2f} of many")
        if self.largest is not None and self.mean is not None:
            told.append(f"off by {self.largest:.4f} at most, {self.mean:.4f} in the mean")
        return f"{', '.join(told)}: {f'not used, {self.why}' if self.why else 'used'}"


@dataclass(frozen=True)
class Outcome:
    """What came of the self-test.

    Attributes
    ----------
    variant : what to run. version : of the library it was tested with.
    note : what failed before it, empty where nothing did.
    speed : cells a second against FP32 of the same runtime; 1 for FP32 itself.
    instructions : what networks of whole numbers run on here; see `edge.machine.processor`.
    trials : what was measured, in the order in which it was tried.
    """

    variant: str
    version: str
    note: str
    speed: float
    instructions: str = ""
    trials: tuple[Trial, ...] = ()


def kept(folder: Path | None, key: str) -> Outcome | None:
    """The outcome under this key; None where there is none, or what is there is damaged."""
    with suppress(ValueError):
        table = Table(_all_kept(folder).get(key))
        return Outcome(
            table.text("variant"), table.text("version"), table.text("note", empty=True, longest=2000),
            table.number("speed", 0, 1e6), table.text("instructions", empty=True),
            tuple(_trial(trial) for trial in table.tables("trials")),
        )  # fmt: skip
    return None


def _trial(table: Table) -> Trial:
    measured = {
        name: table.number(name, 0, 1e6)
        for name in ("few_ms", "many_ms", "largest", "mean")
        if table.values.get(name) is not None
    }
    return Trial(table.text("variant"), **measured, why=table.text("why", empty=True, longest=2000))


def keep(folder: Path | None, key: str, outcome: Outcome) -> None:
    """Write the outcome down; a screening does not wait for a disk that is full or read-only."""
    if folder is None:
        return
    others = {k: v for k, v in _all_kept(folder).items() if k != key}
    newest = dict(list(others.items())[1 - _KEPT :])
    tested = datetime.now(UTC).isoformat(timespec="seconds")
    newest[key] = {**asdict(outcome), "tested": tested}
    with suppress(OSError), atomic.as_owner(folder):
        atomic.make_folder(folder)
        atomic.write(folder / FILE, (json.dumps(newest, indent=1) + "\n").encode())


def _all_kept(folder: Path | None) -> dict[str, Any]:
    """What the file holds; nothing where there is none, or it is damaged."""
    if folder is None:
        return {}
    with suppress(OSError, ValueError):
        return strictjson.read((folder / FILE).read_bytes()).values
    return {}
