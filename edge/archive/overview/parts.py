"""What is done of an archive: shards that are whole, and tasks of those that are not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from edge.archive.done import Done, damaged
from edge.archive.overview.scan import batches
from edge.archive.place import ArchiveError, Place
from edge.archive.planning.listing import written
from edge.archive.planning.plan import Plan, tasks_of
from edge.archive.runs import now

_NAME = re.compile(r"done/\d+\.json|work/\d+/\d+\.json")


@dataclass(frozen=True)
class Part:
    """A shard that is whole, or a task that is done of another one; when that was written, if known."""

    shard: int
    task: int | None
    done: Done
    written: datetime | None

    def table(self, name: str) -> str:
        """The file with these rows of it."""
        if self.task is None:
            return f"{name}/{self.shard:05d}.parquet"
        return f"work/{self.shard:05d}/{self.task:06d}.{name}.parquet"


def parts_of(place: Place) -> list[Part]:
    """What is done, shards first.

    What is under way is listed before what is whole: a shard that is put together meanwhile is then seen
    twice and told once, instead of never.

    Raises
    ------
    ArchiveError : a part cannot be read, or is damaged.
    """
    tasks = {
        f"work/{shard}/{name}": at
        for shard in place.names("work")
        for name, at in _listed(place, f"work/{shard}").items()
    }
    whole = {f"done/{name}": at for name, at in _listed(place, "done").items()}
    shards = {name.removeprefix("done/").removesuffix(".json") for name in whole}
    names = whole | {name: at for name, at in tasks.items() if name.split("/")[1] not in shards}
    paths = {place.path(name): name for name in sorted(names) if _NAME.fullmatch(name)}
    # all at once: object storage answers many questions in the time of one
    found = place.files.cat(list(paths), on_error="return") if paths else {}
    return [
        _part(place, name, found[path], names[name])
        for path, name in paths.items()
        if not isinstance(found[path], FileNotFoundError)  # its shard was put together just now
    ]


def _listed(place: Place, folder: str) -> dict[str, datetime | None]:
    """What lies in a folder, and when it was written."""
    try:
        found = place.files.ls(place.path(folder), detail=True, refresh=True)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ArchiveError(
            f"{place.address}: {folder} cannot be listed: {error.strerror or error}"
        ) from error
    seconds = {PurePosixPath(each["name"]).name: written(each) for each in found}
    return {name: None if at is None else datetime.fromtimestamp(at, UTC) for name, at in seconds.items()}


def _part(place: Place, name: str, content: bytes | Exception, written: datetime | None) -> Part:
    if isinstance(content, Exception):
        raise ArchiveError(f"{place.address}: {name} cannot be read: {content}") from content
    numbers = [int(number) for number in name.removesuffix(".json").split("/")[1:]]
    try:
        return Part(numbers[0], numbers[1] if len(numbers) > 1 else None, Done.decoded(content), written)
    except ValueError as error:
        raise damaged(place, name, f"cannot be read ({error})") from None


def pictures_of(place: Place, plan: Plan | None, parts: Sequence[Part]) -> int:
    """Of the plan, done: rows of `fields` may be more, for each page of a file is one."""
    if plan is None:
        return 0
    of_shards = {shard.number: shard.fields for shard in plan.shards}
    of_tasks = {
        (task.shard, task.number): task.fields
        for shard in {part.shard for part in parts if part.task is not None}
        for task in tasks_of(place, shard)
    }
    return sum(
        of_shards.get(part.shard, 0) if part.task is None else of_tasks.get((part.shard, part.task), 0)
        for part in parts
    )


def fields_per_s(place: Place, parts: Sequence[Part], since: datetime) -> float | None:
    """Fields a second from then on, None where there were none.

    A shard that was put together since may hold what was screened before: its rows tell when they were.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    fields, first = 0, pa.scalar(since, pa.timestamp("ms", "UTC"))
    for part in parts:
        if part.written is None or part.written < since:
            continue
        if part.task is not None:
            fields += part.done.fields
            continue
        with suppress(FileNotFoundError):
            for batch in batches(place, part.table("timing"), ("at",)):
                fields += pc.sum(pc.greater_equal(batch["at"], first)).as_py() or 0
    return fields / max((now() - since).total_seconds(), 1.0) if fields else None
