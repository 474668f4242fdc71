"""A data set under another split, asked for after its name: 'cnmc@random', 'cnmc@2/5', 'cnmc@all'.

`random` leaks and is there to show by how much; figures under it do not count. `K/N` is cross-validation by
group; `all` is for the last training, once everything is chosen, by somebody who judges on other groups.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from train.data.dataset import DataError, DataSet, Notice, Picture, Split
from train.data.split import split_of

_FOLD = re.compile(r"([1-9]\d?)/([1-9]\d?)")
_WORDS = {
    "random": "by picture, whatever it shows: about 65% train, 15% validation, 20% test; it LEAKS, as many "
    "published splits do",
    "all": "nothing for testing; about a seventh for validation, the smallest groups",
}
_VALIDATION_PARTS = 7  # of what a fold leaves, one is for validation


def split_anew(source: DataSet, scheme: str) -> DataSet:
    """The data set with its pictures divided otherwise.

    Parameters
    ----------
    scheme : 'random', by picture; 'all', no test part; 'K/N', the K-th of N parts of the groups for testing.

    Raises
    ------
    DataError : no such scheme.
    """
    fold = _FOLD.fullmatch(scheme)
    if fold is None and scheme not in _WORDS:
        raise DataError(f"data set {source.name}@{scheme}: no such split; @random, @all, or @K/N as in @2/5")
    if fold is not None and not 1 <= int(fold[1]) <= int(fold[2]) > 1:
        raise DataError(f"data set {source.name}@{scheme}: there is no part {fold[1]} of {fold[2]}")

    def read(root: Path, notice: Notice) -> Iterator[Picture]:
        if scheme == "random":
            for picture in source.read(root, notice):
                yield _in_part(picture, split_of(picture.name, scheme))
            return
        pictures = list(source.read(root, notice))
        parts = _parts(pictures, (int(fold[1]), int(fold[2])) if fold else None)
        for picture in pictures:
            yield _in_part(picture, parts[picture.spots[0].group])

    words = _WORDS[scheme] if fold is None else (
        f"by {source.groups}: part {fold[1]} of {fold[2]} for testing, a seventh of the rest for validation"
    )  # fmt: skip
    return replace(source, name=f"{source.name}@{scheme}", split=words, read=read)


def parts_of(pictures: Sequence[Picture], count: int) -> Mapping[str, int]:
    """Group -> its part, from 0 on, so that every label's cells are spread over the parts.

    The largest groups go first, each to where its labels are fewest: nothing but counts decides.
    """
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for picture in pictures:
        for spot in picture.spots:
            held[spot.group][spot.label] += 1
    return divide(held, [1.0] * count)


def divide(
    held: Mapping[str, Counter[str]], shares: Sequence[float], kept: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The same for groups of whatever: group -> its part, from 0 on.

    Parameters
    ----------
    held : group -> label -> how many. shares : how much each part is to get, in whatever unit.
    kept : groups whose part is known already.
    """
    of_label = sum(held.values(), Counter())
    filled: list[Counter[str]] = [Counter() for _ in shares]
    parts = dict(kept or {})
    for group, part in parts.items():
        filled[part].update(held.get(group, Counter()))
    for group in sorted(held.keys() - parts.keys(), key=lambda name: (-held[name].total(), name)):
        labels = held[group]

        def fullness(part: int, labels: Counter[str] = labels) -> float:
            before = sum(filled[part][name] ** 2 / of_label[name] ** 2 for name in labels)
            after = sum((filled[part][name] + n) ** 2 / of_label[name] ** 2 for name, n in labels.items())
            return (after - before) / shares[part]

        parts[group] = min(
            range(len(shares)), key=lambda part: (fullness(part), filled[part].total() / shares[part], part)
        )
        filled[parts[group]].update(labels)
    return parts


def _parts(pictures: Sequence[Picture], fold: tuple[int, int] | None) -> Mapping[str, Split]:
    """Group -> train, validation or test; `fold` : which of how many parts is for testing, None for none."""
    tested: set[str] = set()
    if fold is not None:
        tested = {name for name, part in parts_of(pictures, fold[1]).items() if part == fold[0] - 1}
    others = parts_of([p for p in pictures if p.spots[0].group not in tested], _VALIDATION_PARTS)
    # the last part is the one with the smallest groups: large ones are worth more to training
    last = max(others.values(), default=0)
    parts: dict[str, Split] = dict.fromkeys(tested, "test")
    for name, part in others.items():
        parts[name] = "validation" if part == last else "train"
    return parts


def _in_part(picture: Picture, part: Split) -> Picture:
    return replace(picture, spots=tuple(replace(spot, split=part) for spot in picture.spots))
