"""What lies in a folder of own pictures: each with its classes and its patient, and what was left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from train.data.dataset import DataError, Notice, Split
from train.data.own import folders
from train.data.own.copies import copies
from train.data.own.layouts import LAYOUTS, OF_FIELDS, PREFIX, read, recognised
from train.data.own.listed import Listed, grouped, several
from train.data.own.names import LEFT_OUT, Names, alike, as_class
from train.data.own.section import Layout, Own
from train.data.own.shown import outside
from train.data.sets.fields import MARKED, RED_CELL


@dataclass(frozen=True)
class Entry:
    """A picture: `labels` of its cells, MARKED for one of no class; `group` is its patient or itself."""

    listed: Listed
    labels: tuple[str, ...]
    group: str

    @property
    def known(self) -> list[str]:
        """The labels that tell something."""
        return [label for label in self.labels if label not in (MARKED, RED_CELL)]


@dataclass(frozen=True)
class Survey:
    """A folder.

    Attributes
    ----------
    layout : which it has. entries : the pictures that show something known, or fields without.
    called : what a class is called there -> how many. means : the same -> its label, '' for unknown.
    alone : nothing tells the patients apart, so every picture is one.
    """

    root: Path
    layout: Layout
    entries: tuple[Entry, ...]
    called: Mapping[str, int] = field(default_factory=dict)
    means: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False

    @property
    def groups(self) -> dict[str, Counter[str]]:
        """Patient -> label -> cells."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for entry in self.entries:
            found[entry.group].update(entry.known)
        return dict(found)

    def given(self) -> dict[str, Split]:
        """Patient -> the part that folders or a table tell.

        Raises
        ------
        DataError : one lies in two parts; names it.
        """
        parts: dict[str, Split] = {}
        for entry in self.entries:
            part = entry.listed.part
            if part and parts.setdefault(entry.group, part) != part:
                raise DataError(
                    f"{self.root}: patient {entry.group!r} lies in two parts, {parts[entry.group]} and "
                    f"{part}; put all pictures of a patient into one"
                )
        return parts


def survey(
    root: Path, about: Own, table: str, classes: Sequence[str], notice: Notice, *,
    anything: bool = False, judged: bool = False,
) -> Survey:  # fmt: skip
    """Look at a folder; no picture is opened.

    Parameters
    ----------
    table : name of its table. classes : of the recipe, understood as well.
    anything : where no name of a class is known, take them for classes of their own.
    judged : it is there to judge by: what lies in two classes is told, and stays.

    Raises
    ------
    DataError : there is no such folder, nothing in it, or nothing of a known class.
    """
    if not root.is_dir():
        raise DataError(f"data set {root}: no such folder")
    names = Names(about.classes, classes)
    layout = about.layout or recognised(root, table)
    listed = _inside(root, read(root, layout, table, names, notice), notice)
    called = Counter(cell.called for one in listed for cell in one.cells)
    for same in alike(called):
        notice(f"{root}: classes {', '.join(map(repr, same))} differ in capital letters alone: taken for one")
    if anything and called and not any(map(names.of, called)):
        own = {name: as_class(name) for name in called}
        told = ", ".join(sorted(set(own.values())))
        notice(f"{root}: no {_kind(layout)} is named after a usual class; taken for classes: {told}")
        names = Names({**own, **about.classes})
    means = {name: names.of(name) for name in called}
    _tell(root, layout, about, called, means, listed, notice)
    entries = [entry for one in listed if (entry := _entry(one, means, layout, root, about.group))]
    entries = _of_one_class(root, entries, notice, judged)
    _refuse_nothing(root, layout, about, listed, entries)
    alone = len({entry.group for entry in entries}) == len(entries) > 1
    if alone:
        notice(
            f"{root}: nothing tells the patients apart, so every picture counts as one and intervals are too "
            "narrow; use a folder a patient, or --group-by REGEX"
        )
    return Survey(root, layout, tuple(entries), called, means, alone)


def _kind(layout: str) -> str:
    return "folder" if layout in ("folders", "masks") else "class"


def _inside(root: Path, listed: Sequence[Listed], notice: Notice) -> list[Listed]:
    """The pictures without boxes that lie outside of them."""
    found, beyond = [], Counter[str]()
    for one in listed:
        size = one.size
        if size is not None:
            kept = tuple(cell for cell in one.cells if cell.box and not outside(cell.box, size))
            beyond[one.path.relative_to(root).as_posix()] += len(one.cells) - len(kept)
            one = replace(one, cells=kept)
        found.append(one)
    if count := beyond.total():
        notice(f"{root}: {count} boxes outside of their pictures left out ({several(list(+beyond))})")
    return found


def _entry(listed: Listed, means: Mapping[str, str], layout: Layout, root: Path, group: str) -> Entry | None:
    """A picture with its labels; None for one that shows nothing known, and is no field."""
    labels = tuple(
        means[cell.called] if means[cell.called] not in ("", LEFT_OUT) else MARKED for cell in listed.cells
    )
    entry = Entry(listed, labels, grouped(listed, root, group))
    return entry if entry.known or layout in OF_FIELDS else None


def _of_one_class(root: Path, entries: Sequence[Entry], notice: Notice, judged: bool) -> list[Entry]:
    """The pictures without those that lie in two classes."""
    single = {entry.listed.path: entry for entry in entries if entry.listed.middle}
    wrong: set[Path] = set()
    left = "" if judged else ", left out"
    for same in copies(list(single)):
        if len({single[path].labels for path in same}) > 1:
            wrong.update(() if judged else same)
            told = ", ".join(f"{p.relative_to(root).as_posix()} ({single[p].labels[0]})" for p in same[:4])
            notice(f"{root}: the same picture in two classes{left}: {told}")
    return [entry for entry in entries if entry.listed.path not in wrong]


def _tell(
    root: Path, layout: Layout, about: Own, called: Counter[str], means: Mapping[str, str],
    listed: Sequence[Listed], notice: Notice,
) -> None:  # fmt: skip
    """Say what is of no known class, and which names of the table nobody uses."""
    if called:
        for name in folders.unfound(root, list(about.classes), listed):
            notice(f"{root}: no {_kind(layout)} is called {name!r} (--class-of {name}={about.classes[name]})")
    what = "pictures" if layout in ("folders", "table") else "cells"
    for name, label in means.items():
        if not label:
            notice(
                f"{root}: {called[name]} {what} of {_kind(layout)} {name!r} left out, no class known here; "
                f"--class-of '{name}=CLASS' takes them in"
            )


def _refuse_nothing(
    root: Path, layout: Layout, about: Own, listed: Sequence[Listed], entries: Sequence[Entry]
) -> None:
    """Raise DataError where nothing is left."""
    if any(entry.known for entry in entries):
        return
    if not listed:
        raise DataError(
            f"data set {root}: no pictures in folders named after a class{_given(about)}, nor in any other "
            f"layout; edge-train datasets --dataset {PREFIX} lists them"
        )
    raise DataError(
        f"data set {root}: no pictures in folders named after a class, nor cells of a known one"
        f"{_given(about)}; the layout is {LAYOUTS[layout]}, and --class-of NAME=CLASS says what a name means"
    )


def _given(about: Own) -> str:
    return "".join(f", nor any called {n!r} ({n}={label})" for n, label in about.classes.items())
