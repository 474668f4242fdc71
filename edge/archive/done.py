"""What came of a task or a shard, in numbers: written last, so that what has it is done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edge.archive.place import ArchiveError, Place
from edge.files import strictjson
from edge.files.strictjson import Table

_MOST = 10**15


@dataclass(frozen=True)
class Work:
    """What a node did: `fields` that it screened, and in how many `seconds` of a worker."""

    fields: int
    seconds: float

    def __add__(self, other: Work) -> Work:
        return Work(self.fields + other.fields, round(self.seconds + other.seconds, 3))


@dataclass(frozen=True)
class Done:
    """Numbers of a task, of a shard or of all; they add up.

    Attributes
    ----------
    fields : rows of the table of that name: pictures, each page of a file one. faults : those that could not
        be read. rejected : those turned down, faults included. repeated : those that show nothing new.
    cells, slides : rows of these tables.
    findings : kind of finding -> slides.
    seconds : that workers took, together.
    by_node : what each node has done of it.
    """

    fields: int = 0
    faults: int = 0
    rejected: int = 0
    repeated: int = 0
    cells: int = 0
    slides: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    by_node: Mapping[str, Work] = field(default_factory=dict)

    def __add__(self, other: Done) -> Done:
        nodes = dict(self.by_node)
        for name, work in other.by_node.items():
            nodes[name] = nodes[name] + work if name in nodes else work
        return Done(
            self.fields + other.fields,
            self.faults + other.faults,
            self.rejected + other.rejected,
            self.repeated + other.repeated,
            self.cells + other.cells,
            self.slides + other.slides,
            dict(sorted((Counter(self.findings) + Counter(other.findings)).items())),
            round(self.seconds + other.seconds, 3),
            dict(sorted(nodes.items())),
        )

    def encoded(self) -> bytes:
        """As JSON."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")

    @classmethod
    def decoded(cls, content: bytes) -> Done:
        """From JSON.

        Raises
        ------
        ValueError : it is none of this; says what is wrong.
        """
        top = strictjson.read(content)
        findings, nodes = top.table("findings"), top.table("by_node")
        return cls(
            fields=_count(top, "fields"),
            faults=_count(top, "faults"),
            rejected=_count(top, "rejected"),
            repeated=_count(top, "repeated"),
            cells=_count(top, "cells"),
            slides=_count(top, "slides"),
            findings={kind: _count(findings, kind) for kind in findings.values},
            seconds=top.number("seconds", 0, _MOST),
            by_node={name: _work(nodes.table(name)) for name in nodes.values},
        )


def _count(table: Table, name: str) -> int:
    return table.whole(name, 0, _MOST)


def _work(table: Table) -> Work:
    return Work(_count(table, "fields"), table.number("seconds", 0, _MOST))


def total(of: Mapping[Any, Done]) -> Done:
    """The numbers of several together."""
    return sum(of.values(), Done())


def damaged(place: Place, fragment: str, what: str) -> ArchiveError:
    """What to say of a fragment that cannot be used: without its JSON its task is not done."""
    said = f"{fragment.split('.')[0]}.json"
    return ArchiveError(
        f"{place.address}: {fragment} {what}; remove {said} and run it again: the task is screened anew"
    )
