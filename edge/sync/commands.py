"""`edge-device sync`: finished slides to a FHIR server, whenever there is a link."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge import command

if TYPE_CHECKING:
    from edge.sync.sending import Sent
    from edge.sync.settings import Settings

_EXAMPLE = """edge-device sync --to https://fhir.hospital.example/r4 --certificates DIR --save
         edge-device sync                     to the same server, by a timer or by hand
         edge-device sync --status            what waits, what was refused and why
         edge-device sync --dry-run           what would go
         edge-device sync --again             what was refused, too

certificates, in the folder: ca.pem (whom to trust), client.pem and client.key (what this device shows)
exit status: 0 done, 1 not all was sent; what was not stays and goes the next time"""


def add_to(commands: command.Commands[command.Parser]) -> None:
    """Add `sync` to the subcommands of `edge-device`."""
    summary = "send finished slides to a hospital's FHIR server when there is a link"
    parser = command.add(commands, "sync", summary, _EXAMPLE, run)
    parser.set_defaults(misused=parser.error)
    add = parser.add_argument
    add("--to", metavar="URL", help="base of the server (default: the one kept with --save)")
    add("--certificates", type=Path, metavar="DIR", help="folder of ca.pem, client.pem and client.key")
    add("--token-file", type=Path, metavar="FILE", help="file of a bearer token")
    add("--insecure", action="store_true", default=None,
        help="plain http to another machine, over a line that is closed itself")  # fmt: skip
    add("--pictures", action=argparse.BooleanOptionalAction, default=None,
        help="send crops and the PDF, too: about a hundred times as much")  # fmt: skip
    add("--without-patient", action=argparse.BooleanOptionalAction, default=None,
        help="leave out patient, age, sex and what people wrote in words")  # fmt: skip
    add("--kbit-per-s", type=command.number, metavar="N", help="send no faster; 0: no limit (default: 40)")
    add("--save", action="store_true", help="keep server and settings, for the timer and for next time")
    add("--again", action="store_true", help="try what the server refused, too")
    add(
        "--max-seconds",
        type=command.whole(1),
        metavar="N",
        help="end after so long (default: when all is sent)",
    )
    add("--records", type=Path, metavar="PATH", help="record store (default: where edge-run writes)")
    add("--json", metavar="PATH or -", help="write the outcome, or the status, as JSON")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--status", action="store_true", help="send nothing; tell what waits and what was refused"
    )
    what.add_argument("--dry-run", action="store_true", help="send and write nothing; tell what would go")


def run(arguments: argparse.Namespace) -> int:
    """Send, or tell how things stand; the exit status.

    Raises
    ------
    LeukoscopeError : settings, records, certificates or token cannot be used.
    """
    from edge.machine.profile import data_folder
    from edge.sync import settings

    kept = data_folder() / settings.FILE
    wanted = _settings(arguments, kept)
    server = wanted.server()
    if arguments.save and not (arguments.dry_run or arguments.status):
        server.context(), server.token()  # what cannot be used is told now, not to a timer
        settings.write(kept, wanted)
        command.say("edge-device", f"kept in {kept}")
    records = arguments.records or data_folder() / "records.db"
    if arguments.records is None and not records.exists():
        command.put("no slide was screened yet: nothing to send")
        return command.DONE
    if arguments.status or arguments.dry_run:
        return _told(arguments, records, server.address)
    return _sent(arguments, records, wanted)


def _settings(arguments: argparse.Namespace, kept: Path) -> Settings:
    """What the arguments say, and for the rest what was kept; of another server nothing is taken over."""
    from dataclasses import replace

    from edge.sync.settings import Settings, SettingsError, read

    found = Settings(arguments.to) if arguments.to is not None else read(kept)
    if found is None:
        raise SettingsError(
            "no server is known; name it once: edge-device sync --to URL --save (with --certificates DIR or "
            "--token-file FILE)"
        )
    given = {
        "certificates": arguments.certificates and str(arguments.certificates.absolute()),
        "token_file": arguments.token_file and str(arguments.token_file.absolute()),
        "insecure": arguments.insecure,
        "pictures": arguments.pictures,
        "without_patient": arguments.without_patient,
        "kbit_per_s": arguments.kbit_per_s,
    }
    try:
        return replace(found, **{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        arguments.misused(f"--kbit-per-s: {error}")
        raise


def _told(arguments: argparse.Namespace, records: Path, server: str) -> int:
    from edge.records.outbox import Outbox
    from edge.sync.status import Status

    with Outbox(records, reads_only=True) as book:
        status = Status.of(book, server)
    if arguments.json:
        command.write("--json", arguments.json, json.dumps(status.record(), ensure_ascii=False) + "\n")
    if arguments.json != "-":
        lines = status.planned(again=arguments.again) if arguments.dry_run else status.lines()
        command.put("\n".join(lines))
    return command.DONE


def _sent(arguments: argparse.Namespace, records: Path, wanted: Settings) -> int:
    from edge.sync.pace import Pace
    from edge.sync.priority import give_way
    from edge.sync.sending import Sender

    give_way()
    with command.Progress(100) as progress:
        sender = Sender(
            records,
            wanted.server(),
            Pace(wanted.kbit_per_s, since_start=True),
            pictures=wanted.pictures,
            without_patient=wanted.without_patient,
            again=arguments.again,
            max_seconds=arguments.max_seconds,
            tell=lambda done, total, text: progress.show(100 * done // max(total, 1), text),
        )
        sent = sender.run()
    if arguments.json:
        command.write("--json", arguments.json, json.dumps(_record(sent, wanted), ensure_ascii=False) + "\n")
    if arguments.json != "-":
        command.put(_line(sent))
    for slide, why in sent.unreadable.items():
        command.say(
            "edge-device", f"slide {slide}: no report can be made of it ({why}); see edge-slides verify"
        )
    if sent.trouble:
        # what a server says may name a patient: for who looks, not for a log
        watched = sys.stderr is not None and sys.stderr.isatty()
        command.say("edge-device", sent.words if watched else sent.trouble)
    failed = sent.trouble or sent.refused or sent.unreadable or (sent.late and sent.waiting)
    return command.FAILED if failed else command.DONE


def _line(sent: Sent) -> str:
    from edge.sync.status import kb, slides

    if sent.busy:
        return "another sync of these records is under way; this one does nothing"
    parts = [f"{slides(sent.accepted)} sent, {kb(sent.size)}"]
    if sent.refused:
        parts.append(f"{sent.refused} refused (why: edge-device sync --status)")
    if sent.waiting:
        parts.append(f"{sent.waiting} still waiting{': the time is up' if sent.late else ''}")
    return "; ".join(parts)


def _record(sent: Sent, wanted: Settings) -> dict[str, object]:
    return {
        "kind": "sync",
        "server": wanted.server().address,
        "sent": sent.accepted,
        "refused": sent.refused,
        "waiting": sent.waiting,
        "bytes": sent.size,
        "busy": sent.busy,
        "late": sent.late,
        "unreadable": sent.unreadable,
        "trouble": sent.words or None,
    }
