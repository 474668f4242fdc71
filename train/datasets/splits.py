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

from train.datasets import DataError, DataSet, Notice, Picture, Split
from train.split import split_of

_FOLD = re.compile(r"([1-9]\d?)/([1-9]\d?)")
_WORDS = {
    "random": "by picture, whatever it shows: about 65% train, 15% validation, 20% test; it LEAKS, as many "
    "published splits do",
    "all": "nothing for testing: what the data set keeps for that is trained on too",
}
_VALIDATION_SHARE = 0.15  # of the groups that a fold leaves for training


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
        if fold is None:
            for picture in source.read(root, notice):
                yield _in_part(picture, _at_random(picture) if scheme == "random" else _for_good(picture))
            return
        pictures = list(source.read(root, notice))
        parts = parts_of(pictures, int(fold[2]))
        for picture in pictures:
            group = picture.spots[0].group
            yield _in_part(picture, _of_fold(group, parts[group] == int(fold[1]) - 1, scheme))

    words = _WORDS[scheme] if fold is None else (
        f"by {source.groups}: part {fold[1]} of {fold[2]} for testing, about {_VALIDATION_SHARE:.0%} of the "
        "other groups for validation"
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
    of_label = sum(held.values(), Counter())
    filled: list[Counter[str]] = [Counter() for _ in range(count)]
    parts = {}
    for group in sorted(held, key=lambda name: (-held[name].total(), name)):
        labels = held[group]

        def fullness(part: int, labels: Counter[str] = labels) -> float:
            return sum(
                (filled[part][name] + n) ** 2 / of_label[name] ** 2 for name, n in labels.items()
            ) - sum(filled[part][name] ** 2 / of_label[name] ** 2 for name in labels)

        parts[group] = min(range(count), key=lambda part: (fullness(part), filled[part].total(), part))
        filled[parts[group]].update(labels)
    return parts


def _in_part(picture: Picture, part: Split) -> Picture:
    return replace(picture, spots=tuple(replace(spot, split=part) for spot in picture.spots))


def _at_random(picture: Picture) -> Split:
    return split_of(picture.name, "random")


def _for_good(picture: Picture) -> Split:
    kept = picture.spots[0].split
    return "train" if kept == "test" else kept


def _of_fold(group: str, tested: bool, scheme: str) -> Split:
    if tested:
        return "test"
    return "validation" if split_of(group, scheme) == "validation" else "train"
