"""The published systems of the table: recipe, splits, what is smaller than the recipe says, what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from away import BACKBONES, FIELDS, LYMPHOBLASTS, SHIPPED, TYPES, Question
from rivals import RATES

from train.data.classes import LEUKOCYTES
from train.data.dataset import Split
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe

OWN = ""
"""The data set's own split."""


@dataclass(frozen=True)
class System:
    """A published system, rebuilt.

    Attributes
    ----------
    recipe : by name, with `settings` as `train.recipes.recipe.changed` takes them.
    data : of the recipe's data sets the one that it is judged on at home.
    leaking, honest : splits of it, as they stand after the @; several are folds, whose answers are pooled.
    part : judged of each.
    types : labels that the accuracy at home is over; none for all classes.
    finding : whether it is about what is positive; else only types are asked.
    beside : which of ours is asked the same cells at home; see `away.Question.ours`.
    questions : asked away from home.
    note : what the table has to say of it.
    """

    recipe: str
    data: str
    leaking: tuple[str, ...] = ("random",)
    honest: tuple[str, ...] = (OWN,)
    part: Split = "test"
    settings: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    finding: bool = True
    beside: tuple[str, ...] = (SHIPPED,)
    questions: tuple[Question, ...] = ()
    note: str = ""

    def under(self, split: str, more: tuple[str, ...] = ()) -> Recipe:
        """The recipe under one of the splits.

        Parameters
        ----------
        more : further settings, which come last.
        """
        made = recipes.changed(recipes.load(self.recipe), (*self.settings, *more))
        own = [name for name in made.shares if name.partition("@")[0] == self.data]
        named = dict.fromkeys(own, self.named(split))
        return replace(
            made,
            shares={named.get(name, name): share for name, share in made.shares.items()},
            operation=replace(
                made.operation, datasets=tuple(named.get(name, name) for name in made.operation.datasets)
            ),
        )

    @property
    def positive(self) -> tuple[str, ...]:
        """Labels of what ought to be called positive."""
        return recipes.load(self.recipe).positive if self.finding else ()

    def named(self, split: str) -> str:
        """The data set under one of the splits."""
        return f"{self.data}@{split}" if split else self.data


FOLDS = ("1/4", "2/4", "3/4", "4/4")
"""Of C-NMC's subjects, so many that the two normal ones with many cells are never kept from training both."""

_CNMC = System(
    "cnmc-cnn", "cnmc", honest=FOLDS, beside=(SHIPPED, "cnmc"), questions=LYMPHOBLASTS,
    note="by subject, four folds pooled",
)  # fmt: skip
_SMALLER = (
    "input.pitch_um=0.08", "input.cut_px=336", "input.size_px=224",
    'input.steps=["clahe:2", "centre-crop:224"]', "architecture.weights=", "architecture.frozen=false",
    "training.epochs=2", "training.samples=800", "training.batch=16", "training.learning_rate=3e-4",
)  # fmt: skip

_SAME_CELLS = (
    "shares={deepapl=0.7, pbc=0.3}", "augmentation.restained_share=0", "training.epochs=2",
    "training.samples=1200", "training.average_decay=0.95",
)  # fmt: skip
_RATES = {"resnet34": 1e-3, "googlenet": 1e-3, "inception_v3": 1e-3, "resnet101": 1e-3, "resnet152": 1e-3}
_UNNORMALISED = {"vgg16": 1e-4, "vgg19": 1e-4}
"""Without batch normalisation they learn nothing at the rates of the others."""


def _on_same_cells(name: str, rate: float, leaking: tuple[str, ...]) -> System:
    network = () if name == "ours" else (f'architecture={{backbone="{name}"}}',)
    return System(
        "leukocytes", "deepapl", leaking=leaking, part="validation",
        settings=(*_SAME_CELLS, *network, f"training.learning_rate={rate}"),
        types=LEUKOCYTES, beside=() if name == "ours" else ("ours",), questions=BACKBONES,
        note="2,400 crops of 96 px in 2 epochs, from nothing, the same cells for all; validation part",
    )  # fmt: skip


_SAME = {
    name: _on_same_cells(name, rate, ("random",) if name in ("ours", "resnet50") else ())
    for name, rate in (RATES | _RATES | _UNNORMALISED).items()
    if name != "ours-longer"
}

_SAME["ours-longer"] = replace(
    _SAME["ours"], leaking=(), beside=("ours",),
    settings=(*_SAME["ours"].settings, "training.samples=12000", "training.average_decay=0.995"),
    note="24,000 crops of 96 px in 2 epochs, ten times as many as the others",
)  # fmt: skip

SYSTEMS: Mapping[str, System] = {
    "aria-cnn": System("aria-cnn", "aria-fields", questions=FIELDS, note="by block of file numbers"),
    "fcm-svm": replace(_CNMC, recipe="fcm-svm"),
    "cnmc-cnn": _CNMC,
    "cnmc-convnext": replace(
        _CNMC, recipe="cnmc-convnext", honest=(FOLDS[0], FOLDS[3]), settings=_SMALLER,
        note="everything learned from nothing, 1,600 crops of 224 px that show what 299 did; by subject, "
        "those two folds of four that have a normal subject with many cells",
    ),
    "wbc5-hybrid": System(
        "wbc5-hybrid", "pbc", finding=False, questions=TYPES,
        note="by block of file numbers; PBC names no donor",
    ),
    "field-detector": System(
        "field-detector", "bccd", leaking=(), note="official parts, fields that overlap kept together"
    ),
    **_SAME,
}  # fmt: skip
"""Name -> system, ours before those that are compared with it."""
