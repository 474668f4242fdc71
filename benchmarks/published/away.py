"""What published systems are asked about laboratories that they have never seen, and what ours says there.

Ours is trained without the laboratory too (as `leftout` does it); where the shipped bundle never learned from
it, that is asked. Parts for testing are not opened, but for `zheng-2`, which is nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from asking import Said, asked, said, said_by_cells
from leftout import LEFT_OUT

from edge.bundle import bundle
from edge.cells.segment import Segmenter, segmenter
from train.data.classes import LEUKOCYTES
from train.data.dataset import Notice, Split
from train.fitting.fit import fit
from train.judging.contestants import Contestant, contestant, of_bundle
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe

SHIPPED = "shipped"
EPOCHS = 8
"""Of ours without a laboratory, as in `leftout`."""

FIVE = ("neutrophil", "eosinophil", "basophil", "lymphocyte", "monocyte")


@dataclass(frozen=True)
class Question:
    """Something asked of a system.

    Attributes
    ----------
    title : in words. dataset : whose cells; parts : which of them. labels : of the cells asked about.
    types : labels that ought to be told apart by name; none where only positive against the rest is asked.
    ours : which of ours is asked the same: `SHIPPED`, one of `LEFT_OUT`, or another system of the table.
    most : pictures, spread evenly over all.
    healthy : every picture is a field of somebody without leukemia, and ought to be called `labels[0]`.
    """

    title: str
    dataset: str
    labels: tuple[str, ...]
    types: tuple[str, ...] = ()
    ours: str = SHIPPED
    parts: tuple[Split, ...] = ("train", "validation")
    most: int = 1500
    healthy: bool = False


LYMPHOBLASTS = (
    Question("deepapl: blasts against lymphocytes", "deepapl", ("blast", "lymphocyte"), ours="deepapl"),
    Question("PBC: lymphocytes of healthy people", "pbc", ("lymphocyte",), ours="pbc"),
)
TYPES = (
    Question("zheng-1: five types", "zheng-1", FIVE, FIVE),
    Question("zheng-2: five types", "zheng-2", FIVE, FIVE, parts=("test",)),
    Question("chula: five types", "chula", FIVE, FIVE, ours="fields"),
)
FIELDS = tuple(
    Question(f"{name}: healthy fields", name, ("benign",), ours="fields", most=400, healthy=True)
    for name in LEFT_OUT["fields"]
)
BACKBONES = (
    Question("PBC: seven types, new blocks", "pbc", LEUKOCYTES[1:], LEUKOCYTES[1:], "ours", ("validation",)),
    Question("C-NMC: lymphoblasts against normal", "cnmc", ("blast", "lymphocyte"), ours="ours"),
    Question("zheng-1: five types", "zheng-1", FIVE, FIVE, ours="ours"),
    Question("zheng-2: five types", "zheng-2", FIVE, FIVE, ours="ours", parts=("test",)),
)


@dataclass
class Ours:
    """Our own models, opened when they are asked for.

    Attributes
    ----------
    data, out, cache, limit : of what has to be trained first; more : settings that come after its own.
    given : name of `LEFT_OUT` -> its run, where there is.
    systems : name -> run of another system of the table.
    """

    data: Path
    out: Path
    cache: Path
    limit: int
    more: tuple[str, ...]
    given: Mapping[str, Path]
    say: Notice
    systems: dict[str, Path] = field(default_factory=dict)
    _opened: dict[str, Contestant] = field(default_factory=dict)

    def recipe(self, name: str) -> Recipe:
        """Ours without a laboratory."""
        recipe = recipes.load("leukocytes")
        recipe = replace(recipe, training=replace(recipe.training, epochs=EPOCHS))
        return recipes.changed(recipes.without(recipe, LEFT_OUT[name]), self.more)

    def model(self, name: str) -> Contestant:
        """Ours of that name; without a laboratory at the shipped bundle's operating point."""
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def _open(self, name: str) -> Contestant:
        if name == SHIPPED:
            return of_bundle(bundle.load())
        if name in self.systems:
            return contestant(self.systems[name])
        run = self.given.get(name, self.out / f"ours-without-{name}")
        if name not in self.given and not (run / "model.pt").is_file():
            self.say(f"ours without {name}: training")
            fit(self.recipe(name), self.data, run, limit=self.limit, cache=self.cache, notice=self.say)
        return replace(contestant(run), thresholds=self.model(SHIPPED).thresholds)

    @staticmethod
    def line() -> tuple[Segmenter, float]:
        """What finds the cells of a field for ours, and the share of blasts from which on it is referred."""
        shipped = bundle.load()
        return segmenter(shipped), shipped.manifest.finding.refer_fraction


def answers(
    model: Contestant, questions: tuple[Question, ...], ours: Ours
) -> Iterator[tuple[Question, Said, Said]]:
    """What a system and ours say to each question."""
    for question in questions:
        ours.say(f"  {question.title}")
        healthy = question.labels[0] if question.healthy else ""
        most = min(question.most, ours.limit or question.most)
        about = asked(
            question.dataset,
            ours.data,
            question.parts,
            question.labels,
            ours.say,
            most=most,
            as_field=healthy,
        )
        own = ours.model(question.ours)
        mine = said_by_cells(own, *ours.line(), about) if healthy else said(own, about)
        yield question, said(model, about), mine
