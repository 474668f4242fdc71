"""What a sweep is to do, and what none could."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.types import LeukoscopeError
from train.recipes.recipe import Recipe
from train.recipes.sections import WATCHED
from train.tuning.space import Space


class SweepError(LeukoscopeError):
    """A sweep cannot be started, or not gone on with. Says what to change."""


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do.

    Attributes
    ----------
    recipe, space : what is varied, and how. data, out : the data folder, and the sweep's.
    samples : draws; 0 for the usual number. at_once : trials side by side.
    limit, device : as of a run. metric : the figure that trials are compared by; '' for the recipe's own.
    stop_early : trials that others leave behind do not go on.
    """

    recipe: Recipe
    space: Space
    data: Path
    out: Path
    samples: int = 0
    at_once: int = 1
    limit: int = 0
    device: str = "cpu"
    metric: str = ""
    stop_early: bool = False

    def compared_by(self) -> tuple[str, ...]:
        """The figures whose mean trials are compared by."""
        recipe = self.recipe
        if self.metric:
            return (self.metric,)
        if recipe.task == "detector":
            from train.published.detection.fit import WATCHED as FOUND

            return (FOUND,)
        return recipe.training.watch or WATCHED

    def check(self) -> None:
        """Refuse what no trial could do.

        Raises
        ------
        SweepError : trials cannot be compared so. DataError : a data set is absent.
        """
        recipe = self.recipe
        if recipe.method != "network":
            raise SweepError(
                f"recipe {recipe.name}: is fitted in one go, without epochs; a sweep is of networks"
            )
        for key in recipe.shares:
            recipe.source(key).root(self.data)
        known = {*WATCHED, *(f"{key}_{name}" for key in recipe.shares for name in WATCHED)}
        if self.metric and recipe.task != "detector" and self.metric not in known:
            raise SweepError(
                f"--metric {self.metric}: is no validation figure; choose {', '.join(sorted(known))}"
            )
