"""What came of a sweep: a table of its trials, and the best settings as a recipe."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace

from edge.files import atomic
from train.tuning.plan import Plan
from train.tuning.recipefile import written
from train.tuning.space import applied
from train.tuning.trials import TRIALS, Outcome

TABLE, BEST = "trials.csv", "best.toml"


def ranked(trials: Sequence[Outcome]) -> list[Outcome]:
    """The best first; those that came to an end before the others."""

    def order(one: Outcome) -> tuple[bool, float, str]:
        return one.state != "finished", -(one.figure if one.figure is not None else -1e9), one.name

    return sorted(trials, key=order)


def write(plan: Plan, found: Sequence[Outcome]) -> None:
    """The table, and the best settings as a recipe."""
    keys = list(plan.space.settings)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["trial", "state", "figure", "epoch", "epochs", "minutes", *keys, "why"])
    for one in found:
        figure = "" if one.figure is None else round(one.figure, 5)
        values = [json.dumps(v) if isinstance(v, list | bool) else v for v in map(one.settings.get, keys)]
        writer.writerow(
            [
                one.name,
                one.state,
                figure,
                one.epoch or "",
                one.epochs,
                round(one.minutes, 2),
                *values,
                one.why,
            ]
        )
    atomic.write(plan.out / TABLE, out.getvalue().encode(), 0o644)
    best = found[0]
    if best.state != "finished" or best.figure is None:
        return
    recipe = applied(plan.recipe, best.settings)
    recipe = replace(recipe, name=f"{recipe.name}-tuned", title=f"{recipe.title}, tuned")
    told = ", ".join(f"{key} = {json.dumps(value)}" for key, value in best.settings.items())
    comment = (
        f"The best of {len(found)} trials of edge-train sweep: trial {best.name}, with\n{told}.\n"
        f"On validation cells {' and '.join(plan.compared_by())}: {best.figure:.4f}.\n{flattered(found)}"
    )
    atomic.write(plan.out / BEST, written(recipe, comment).encode(), 0o644)


def flattered(found: Sequence[Outcome]) -> str:
    """What choosing does to a figure."""
    return (
        f"It was chosen among {len(found)} trials on the same validation cells, which flatters it: expect "
        "less on other cells."
    )


def lines(found: Sequence[Outcome], plan: Plan) -> list[str]:
    """The trials as a table, and what to make of it."""
    keys = list(plan.space.settings)
    rows = [["trial", *keys, " + ".join(plan.compared_by()), "epoch", "minutes", "state"]]
    for one in found:
        figure = "-" if one.figure is None else f"{one.figure:.4f}"
        values = [json.dumps(one.settings.get(key)) for key in keys]
        rows.append(
            [one.name, *values, figure, f"{one.epoch or '-'}/{one.epochs}", f"{one.minutes:.1f}", one.state]
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    table = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    best = plan.out / BEST
    return [
        *table,
        f"best: trial {found[0].name}, as a recipe: {best}",
        f"{found[0].figure:.4f}: {flattered(found)}",
        f"its run: {plan.out / TRIALS / found[0].name}; judge that once, on a part that no trial saw",
    ]
