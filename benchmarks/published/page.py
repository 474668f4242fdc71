"""The table of published systems, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan
from typing import Any

from away import SHIPPED
from leftout import LEFT_OUT

from train.statistics.bootstrap import Figure

_MAIN = ("roc_area", "accuracy", "specificity")
"""The figure that a difference is shown of: the first that there is."""


def page(found: Mapping[str, Any]) -> str:
    """Everything, as one text."""
    about, program = found["machine"], found["program"] or {}
    lines = [
        f"{about['name']}, one thread; commit {program.get('commit', 'unknown')}"
        + ("" if program.get("clean", True) else ", with changes"),
        "Figures with 95% intervals, by a bootstrap over whatever must not be divided.",
    ]
    if found["changed"] or found["limit"]:
        lines.append(f"TRIED OUT, not a result: {' '.join(found['changed'])}, limit {found['limit']}")
    named = [each for each in found["systems"] if "honest" in each]
    detectors = [each for each in found["systems"] if "detection" in each]
    parts = [_home(named), _compared(named)] if named else []
    parts += [_detection(detectors)] if detectors else []
    for part in (*parts, _costs(found["costs"])):
        lines += ["", *part]
    return "\n".join(lines)


def _home(systems: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from _head(
        "system", "published", "leaking split: accuracy", "ROC area", "no leak: accuracy", "ROC area",
        "leakage is worth, points: accuracy", "ROC area",
    )  # fmt: skip
    for each in systems:
        leaking, honest = each.get("leaking", {}).get("figures", {}), each["honest"]["figures"]
        worth = each.get("leakage_is_worth", {})
        yield _row(
            each["name"], each["published"] or "-",
            *(_shown(part, name) for part in (leaking, honest) for name in ("accuracy", "roc_area")),
            *(_points(worth, name) for name in ("accuracy", "roc_area")),
        )  # fmt: skip
    yield ""
    for each in systems:
        yield f"- {each['name']}: {each['note']}; " + "; ".join(
            f"{words} {_count(each[part])}"
            for part, words in (("leaking", "leaking"), ("honest", "no leak"))
            if part in each
        )


def _compared(systems: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from _head(
        "asked", "who", "ROC area", "sensitivity", "specificity", "types right", "of the asked types alone",
        "ours minus it",
    )  # fmt: skip
    answers: dict[tuple[str, ...], list[tuple[str, Mapping[str, Any]]]] = {}
    for each in systems:
        for asked in each["compared"]:
            title = f"{asked['title']}: {_count(asked)}"
            if asked["title"] == "at home" and asked["ours_is"] != "ours":
                title = f"{each['name']} {title}"
            answers.setdefault((title, asked["ours_is"]), []).append((each["name"], asked))
    for (title, ours), given in answers.items():
        for name, asked in given:
            if name == ours:
                continue
            main = next((figure for figure in _MAIN if figure in asked["ours_minus_theirs"]), "")
            yield _row(title, name, *_figures(asked["theirs"]), _shown(asked["ours_minus_theirs"], main))
            title = ""
        yield _row("", _called(ours), *_figures(given[0][1]["ours"]), "")


def _figures(found: Mapping[str, Any]) -> Iterator[str]:
    for name in ("roc_area", "sensitivity", "specificity", "accuracy", "accuracy_among"):
        yield _shown(found, name)


def _detection(systems: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from _head(
        "who", "data set", "of", "cells", "precision", "recall", "F1", "average precision", "with the edge's"
    )
    names = ("precision", "recall", "f1", "average_precision", "average_precision_with_edge")
    for each in systems:
        for who, found in each["detection"].items():
            where = f"{', '.join(found['datasets'])}, {found['split']}, {found['fields']} fields"
            for kind, figures in found["figures"].items():
                if kind in found["cells"]:
                    count = str(found["cells"][kind])
                    shown = (_shown(figures, name) for name in names)
                    yield _row(_called(who), where, kind, count, *shown)


def _costs(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from _head("system", "parameters", "input, px", "ms", "times ours", "bundle, MB")
    for name, cost in found.items():
        yield _row(
            _called(name), f"{cost['parameters']:,}", str(cost["size_px"] or "any"),
            f"{cost['ms']:.3g} a {cost['per']}", f"{cost['times_ours']:.3g}", f"{cost['bundle_mb']:.3g}",
        )  # fmt: skip


def _called(name: str) -> str:
    """Ours in words; another system by its name."""
    if name.startswith(SHIPPED):
        return f"**ours, {name}**"
    if name in LEFT_OUT:
        return f"**ours, trained without {', '.join(LEFT_OUT[name])}**"
    return f"**{name}**" if name == "ours" else name


def _count(found: Mapping[str, Any]) -> str:
    cells = ", ".join(f"{count} {label}" for label, count in found["cells"].items())
    return f"{cells} of {found['groups']} groups"


def _figure(found: Mapping[str, float | None]) -> Figure:
    value, low, high = (nan if found[name] is None else float(found[name] or 0) for name in _ENDS)
    return Figure(value, low, high)


_ENDS = ("value", "low", "high")


def _shown(found: Mapping[str, Any], name: str) -> str:
    return str(_figure(found[name])) if name in found else "-"


def _points(found: Mapping[str, Any], name: str) -> str:
    if name not in found:
        return "-"
    figure = _figure(found[name])
    interval = f"{100 * figure.low:+.1f} to {100 * figure.high:+.1f}"
    if isnan(figure.low):
        interval = "no interval"
    return f"{100 * figure.value:+.1f} ({interval})"


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield _row(*("---" for _ in names))


def _row(*values: str) -> str:
    return f"| {' | '.join(values)} |"
