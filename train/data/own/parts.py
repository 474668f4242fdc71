"""Which patients train, which validate and which test: no patient in two parts, nor what shows the same.

Balanced by labels, as `train.data.splits.divide` does. Of two patients one trains and one validates; from
three on there are all parts. Nothing that stands in a file is ever moved.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.types import U8
from train.data.bar import followed
from train.data.dataset import SPLITS, DataError, Split
from train.data.duplicates import Likeness, near_duplicates, thumbnail
from train.data.own.balance import evened
from train.data.own.layouts import OF_FIELDS
from train.data.own.survey import Survey
from train.data.pictures import load_picture
from train.data.splits import divide

SHARES: Mapping[Split, float] = {"train": 0.65, "validation": 0.15, "test": 0.20}
"""As the data sets of the program are divided."""


_COPY = 0.999  # correlation of what was only saved anew
_MOST = 0.5  # of the patients that may hang together; more look alike for another reason than being the same


@dataclass(frozen=True)
class Looked:
    """What opening every picture told.

    Attributes
    ----------
    broken : a line for each that cannot be read. paths : of those.
    together : patients that share a picture, by their names.
    too_many : so many looked alike that only copies are kept together; by how many pairs.
    """

    broken: tuple[str, ...]
    paths: frozenset[Path]
    together: tuple[tuple[str, str], ...]
    too_many: int = 0


def look(found: Survey) -> Looked:
    """Open every picture once."""
    thumbnails: list[U8] = []
    groups, broken, paths = [], [], []
    for entry in followed(found.entries, "looking", "picture"):
        try:
            thumbnails.append(thumbnail(load_picture(entry.listed.path)))
            groups.append(entry.group)
        except DataError as error:
            broken.append(str(error))
            paths.append(entry.listed.path)
    fields = [list(range(len(groups)))] if found.layout in OF_FIELDS else []
    alike = near_duplicates(thumbnails, fields)
    pairs, same = (_between(groups, [a for a in alike if a.correlation >= least]) for least in (0, _COPY))
    largest = max(Counter(united(groups, pairs).values()).values(), default=0)
    few = largest <= _MOST * len(set(groups))
    return Looked(tuple(broken), frozenset(paths), pairs if few else same, 0 if few else len(pairs))


def _between(groups: Sequence[str], alike: Iterable[Likeness]) -> tuple[tuple[str, str], ...]:
    """Pairs of different patients among pictures that look alike."""
    pairs = {(groups[each.first], groups[each.second]) for each in alike}
    return tuple(sorted(pair for pair in pairs if pair[0] != pair[1]))


def united(groups: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Patient -> the first by name of all that hang together."""
    leader = {group: group for group in groups}

    def found(group: str) -> str:
        while leader[group] != group:
            group = leader[group]
        return group

    for one, other in pairs:
        if one in leader and other in leader:
            first, second = sorted((found(one), found(other)))
            leader[second] = first
    return {group: found(group) for group in leader}


def parts_for(
    held: Mapping[str, Counter[str]], kept: Mapping[str, Split], together: Iterable[tuple[str, str]]
) -> dict[str, Split]:
    """Patient -> part, of all that there are.

    Parameters
    ----------
    held : patient -> label -> cells. kept : patient -> its part, which stays.
    together : patients that show the same, and belong into one part.
    """
    leader = united(held, together)
    clusters: dict[str, Counter[str]] = defaultdict(Counter)
    fixed: dict[str, int] = {}
    for group, first in sorted(leader.items()):
        clusters[first].update(held[group])
        if group in kept:  # where two were divided before, the stricter part takes in the new ones
            fixed[first] = max(fixed.get(first, 0), SPLITS.index(kept[group]))
    chosen = divide(clusters, [SHARES[part] for part in SPLITS], fixed)
    _fill(chosen, clusters, fixed)
    chosen = evened(chosen, clusters, list(SHARES.values()), fixed)
    return {group: kept.get(group, SPLITS[chosen[first]]) for group, first in leader.items()}


def _fill(chosen: dict[str, int], clusters: Mapping[str, Counter[str]], fixed: Mapping[str, int]) -> None:
    """See to it that there is something to train and validate on, and from three on to test."""
    wanted = (0, 1) if len(clusters) == 2 else (0, 1, 2)
    for part in wanted[: len(clusters)]:
        if part in chosen.values():
            continue
        many = Counter(chosen.values())
        free = [c for c, at in chosen.items() if c not in fixed and (many[at] > 1 or at not in wanted)]
        if free:
            chosen[min(free, key=lambda c: (-many[chosen[c]], clusters[c].total(), c))] = part


def assigned(found: Survey, kept: Mapping[str, Split], looked: Looked) -> dict[str, Split]:
    """Patient -> part: as a file has it, else as folders or a table tell, else by counts.

    Where these tell of training and testing alone, some of those that train validate instead.

    Raises
    ------
    DataError : all pictures are of one patient, or what is told contradicts itself; names the patient.
    """
    held = found.groups
    if len(held) == 1:
        raise DataError(only_one(found))
    if len(set(united(held, looked.together).values())) == 1:
        one, other = looked.together[0]
        raise DataError(
            f"{found.root}: all {len(held)} patients hold copies of each other's pictures, such as {one!r} "
            f"and {other!r}, so that every split leaks; edge-train datasets --check names them"
        )
    fixed = {**agreed(found, kept), **kept}
    parts = parts_for(held, fixed, looked.together)
    if "validation" not in parts.values() and not kept:
        training = {group: held[group] for group, part in parts.items() if part == "train"}
        if len(training) > 1:
            new = parts_for(training, {}, looked.together)
            parts |= {group: "train" if part == "train" else "validation" for group, part in new.items()}
    return parts


def agreed(found: Survey, kept: Mapping[str, Split]) -> dict[str, Split]:
    """Patient -> the part that folders or a table tell.

    Raises
    ------
    DataError : it contradicts the split file or itself; names the patient. That a file is stricter is none.
    """
    given = found.given()
    for group, part in given.items():
        if group in kept and SPLITS.index(kept[group]) < SPLITS.index(part):
            raise DataError(
                f"{found.root}: {group!r} is for {part} by its folder or table, and for {kept[group]} in the "
                "split file; make them agree"
            )
    return given


def only_one(found: Survey) -> str:
    """That all pictures are of one patient, and what to do."""
    return (
        f"{found.root}: all {len(found.entries)} pictures are of one patient, {next(iter(found.groups))!r}, "
        "and a split by picture would leak; add pictures of other patients, tell them apart by a folder "
        "each or with --group-by REGEX, or train with --split random, whose figures do not count"
    )
