"""`edge-slides verify`, `repair`, `backup`, `restore` and `merge`: records kept whole."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import command
from edge.files.text import printable
from edge.types import LeukoscopeError

if TYPE_CHECKING:  # `--help` waits for neither records nor arrays
    from edge.custody.verify import Checked, Failure

PROG = "edge-slides"

_ID = "2026-11-01T0912-k7m2qx5w4f"
_SHORTEST = 16  # digits of a checksum that tell two slides apart
_LINES = 50  # of failures on the screen; --json has all

Where = Callable[[Path | None], Path]
_say = partial(command.say, PROG)


def add_to(commands: command.Commands[command.Parser], records: Where) -> None:
    """Add them to the subcommands of `edge-slides`; `records` says where the store lies."""

    def add(
        name: str, summary: str, run: Callable[[argparse.Namespace, Where], int], example: str
    ) -> command.Parser:
        parser = command.add(
            commands, name, summary, f"edge-slides {name}{example}", lambda asked: run(asked, records)
        )
        parser.add_argument("--records", type=Path, metavar="PATH", help="record store")
        parser.add_argument(
            "--json", metavar="PATH or -", help="write what came of it as JSON, to standard output for -"
        )
        return parser

    verify = add("verify", "see that the records are as they were written", _verify, f" {_ID}")
    verify.add_argument(
        "slides", nargs="*", metavar="ID", help="only these slides; their checksums are shown"
    )
    verify.add_argument(
        "--checksum", type=_checksum, metavar="HEX",
        help=f"hold one slide against the checksum on its report; {_SHORTEST} digits are enough",
    )  # fmt: skip
    add("repair", "save what can be read of damaged records; the damaged file is kept", _repair, "")
    backup = add("backup", "copy the records, and what this device has learned", _backup, " /media/stick")
    backup.add_argument(
        "path",
        type=Path,
        metavar="PATH",
        help="a folder that is there gets a dated one; else the backup's name",
    )
    example = " /media/stick/leukoscope-backup-2026-11-30T0912"
    restore = add("restore", "put a backup back", _restore, example)
    restore.add_argument("path", type=Path, metavar="PATH", help="the backup's folder")
    restore.add_argument(
        "--replace",
        action="store_true",
        help="where there are records, put them aside and these in their place",
    )
    merge = add("merge", "add the slides of another record store or backup", _merge, example)
    merge.add_argument("path", type=Path, metavar="OTHER", help="a record store's file, or a backup's folder")


def _checksum(text: str) -> str:
    digits = re.sub(r"[\s:-]", "", text).lower()
    if not re.fullmatch(f"[0-9a-f]{{{_SHORTEST},64}}", digits):
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is not {_SHORTEST} to 64 hexadecimal digits")
    return digits


def _verify(arguments: argparse.Namespace, records: Where) -> int:
    from edge.custody.verify import Inspection, is_damage, verify

    path = records(arguments.records)
    if arguments.checksum is not None and len(arguments.slides) != 1:
        raise LeukoscopeError("verify --checksum: holds one slide against its report; name that one")
    failures: list[Failure] = []
    slides: list[Checked] = []
    try:
        with Inspection(path) as found:
            names = [str(found.found(slide)["id"]) for slide in arguments.slides] or found.names()
            with command.Progress(len(names)) as progress:
                if not arguments.slides:
                    progress.show(0, "the file")
                    failures += found.file()
                tell = lambda i, name: progress.show(i, f"{i + 1} of {len(names)}: {name}")  # noqa: E731
                slides += verify(found, list(dict.fromkeys(names)), tell)
    except LeukoscopeError as error:
        if not is_damage(error):
            raise
        _say(str(error).partition(", or choose")[0] + ", or save what can be read (edge-slides repair)")
        return command.CHECK_FAILED
    failures += [failure for slide in slides for failure in slide.failures]
    if arguments.json is not None:
        lines = [_checked_record(slide) for slide in slides]
        _write(arguments.json, [*lines, _file_record(path, slides, failures)])
    _show_failures(failures)
    if arguments.json != "-":
        for line in _verified(slides, failures, alone=bool(arguments.slides)):
            command.put(printable(line))
    agrees = arguments.checksum is None or _agrees(slides[0], arguments.checksum)
    return command.DONE if agrees and not failures else command.CHECK_FAILED


def _agrees(slide: Checked, digits: str) -> bool:
    if slide.checksum.startswith(digits):
        command.put(printable(f"slide {slide.slide}: the checksum is the one given"))
        return True
    _say(
        f"slide {slide.slide}: its checksum is {slide.checksum[: len(digits)]}, not {digits}; something was "
        "added after the report was made (see edge-slides show), or it is of other records"
    )
    return False


def _verified(slides: Sequence[Checked], failures: Sequence[Failure], *, alone: bool) -> list[str]:
    lines = [f"{slide.checksum or 'cannot be read':64}  {slide.slide}" for slide in slides if alone]
    fields, cells = (sum(getattr(slide, of) for slide in slides) for of in ("fields", "cells"))
    rows = f"{_many(len(slides), 'slide')}, {_many(fields, 'field')} and {_many(cells, 'cell')}"
    told = "are as they were written" if not failures else f"looked at: {_many(len(failures), 'failure')}"
    lines.append(f"{rows} {told}")
    if unsealed := sum(not slide.sealed for slide in slides):
        lines.append(
            f"{_many(unsealed, 'slide')} without a digest of the whole: unfinished or of an older version"
        )
    return lines


def _show_failures(failures: Sequence[Failure], *, advise: bool = True) -> None:
    for failure in failures[:_LINES]:
        _say(str(failure) if advise else failure.told)
    if len(failures) > _LINES:
        _say(f"and {len(failures) - _LINES} more; --json PATH writes all")


def _checked_record(slide: Checked) -> dict[str, Any]:
    return {
        "kind": "slide",
        "slide": slide.slide,
        "checksum": slide.checksum or None,
        "sealed": slide.sealed,
        "fields": slide.fields,
        "cells": slide.cells,
        "failures": [failure.what for failure in slide.failures],
    }


def _file_record(path: Path, slides: Sequence[Checked], failures: Sequence[Failure]) -> dict[str, Any]:
    return {
        "kind": "records",
        "records": str(path),
        "slides": len(slides),
        "unsealed": sum(not slide.sealed for slide in slides),
        "failures": len(failures),
        "file": [failure.what for failure in failures if failure.slide is None],
    }


def _repair(arguments: argparse.Namespace, records: Where) -> int:
    from edge.custody.repair import damage, repair

    path = records(arguments.records)
    with command.Progress(100) as progress:
        tell = lambda done, total, what: progress.show(100 * done // max(total, 1), what)  # noqa: E731
        broken, failures = damage(path, tell)
        repaired = repair(path, tell) if broken else None
    if repaired is None:
        _show_failures(failures)
        if arguments.json is not None:
            _write(arguments.json, [{"repaired": False, "failures": [one.told for one in failures]}])
        if arguments.json != "-":
            command.put(
                "the file reads well, but not all in it is as it was written: restore a backup"
                if failures
                else "the records are whole; there is nothing to repair"
            )
        return command.CHECK_FAILED if failures else command.DONE
    _show_failures(repaired.failures, advise=False)
    if arguments.json is not None:
        _write(arguments.json, [{
            "repaired": True, "aside": str(repaired.aside), "saved": repaired.saved, "lost": repaired.lost,
            "failures": [one.told for one in repaired.failures],
        }])  # fmt: skip
    if arguments.json != "-":
        command.put(f"saved: {_counted(repaired.saved)}")
        command.put(f"lost, as far as can be told: {_counted(repaired.lost) or 'nothing'}")
        command.put(printable(f"the damaged file is kept: {repaired.aside}"))
    return command.DONE


def _counted(rows: dict[str, int]) -> str:
    shown = (
        "slides",
        "readings",
        "cells",
        *(table for table in rows if table not in ("origin", "boots", "clock")),
    )
    return ", ".join(f"{rows[table]:,} {table}" for table in dict.fromkeys(shown) if rows.get(table))


def _backup(arguments: argparse.Namespace, records: Where) -> int:
    from edge.custody.backup import backup

    path = records(arguments.records)
    with command.Progress(200) as progress:  # half for the copy, half for looking at it
        made = backup(
            path, records(None).parent, arguments.path,
            lambda done, total: progress.show(100 * done // max(total, 1), f"copying {done / 1e6:,.0f} MB"),
            lambda done, total: progress.show(100 + 100 * done // max(total, 1), f"looking at {done + 1}"),
        )  # fmt: skip
    _show_failures(made.failures)
    if arguments.json is not None:
        _write(arguments.json, [{
            "backup": str(made.folder), "slides": made.slides, "files": list(made.files), "bytes": made.size,
            "failures": [one.told for one in made.failures],
        }])  # fmt: skip
    if arguments.json != "-":
        rest = f" and {_many(len(made.files), 'file')} of the device" if made.files else ""
        command.put(
            printable(f"{made.folder}: {_many(made.slides, 'slide')}{rest}, {made.size / 1e6:,.1f} MB")
        )
        if "device.pem" in made.files:
            command.put(
                "it holds this device's private key, so that another box can take its place: keep it safe"
            )
        if made.safe:
            command.put(made.safe)
    return command.CHECK_FAILED if made.failures else command.DONE


def _restore(arguments: argparse.Namespace, records: Where) -> int:
    from edge.custody.restore import restore

    path = records(arguments.records)
    home = path.parent if arguments.records is None else None
    with command.Progress(100) as progress:
        done = restore(
            arguments.path, path, home,
            lambda at, total, what: progress.show(100 * at // max(total, 1), what), replace=arguments.replace,
        )  # fmt: skip
    _show_failures(done.failures)
    if arguments.json is not None:
        _write(arguments.json, [{
            "records": str(path), "slides": done.backup.slides, "made_at": done.backup.made_at,
            "files": list(done.files), "aside": done.aside and str(done.aside),
            "failures": [one.told for one in done.failures],
        }])  # fmt: skip
    if arguments.json != "-":
        command.put(printable(f"{path}: {_many(done.backup.slides, 'slide')}, as of {done.backup.made_at}"))
        if done.files:
            command.put(printable(f"with {', '.join(done.files)}"))
        elif home is None and len(done.backup.files) > 1:
            command.put("the device's own settings stay as they are; without --records they are restored too")
        if done.aside:
            command.put(printable(f"what was there is kept: {done.aside}"))
    return command.CHECK_FAILED if done.failures else command.DONE


def _merge(arguments: argparse.Namespace, records: Where) -> int:
    from edge.custody.merge import merge, opened

    path = records(arguments.records)
    with opened(arguments.path, path) as other, command.Progress(100) as progress:
        merged = merge(
            other, path, lambda done, total, what: progress.show(100 * done // max(total, 1), f"slide {what}")
        )
    for slide, why in list(merged.refused.items())[:_LINES]:
        _say(f"slide {slide}: {why}")
    if arguments.json is not None:
        _write(arguments.json, [{
            "added": merged.added, "extended": merged.extended, "same": merged.same,
            "refused": merged.refused,
        }])  # fmt: skip
    if arguments.json != "-":
        command.put(
            f"{_many(len(merged.added), 'slide')} added, {len(merged.extended)} got what they lacked, "
            f"{len(merged.same)} were here already, {len(merged.refused)} refused"
        )
    return command.FAILED if merged.refused else command.DONE


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _write(target: str, records: Sequence[Any]) -> None:
    text = "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
    command.write("--json", target, text)
