"""Asks why a cell was called what it was: its slide's own model, in a thread, one cell at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from textual.screen import Screen

from edge.types import U8, LeukoscopeError

if TYPE_CHECKING:
    from edge.line.explain import Why
    from edge.review.cells import Cell


class Explainer(Protocol):
    """See `edge.line.explain.Explainer`."""

    def of(self, crop: U8, named: str) -> Why: ...


def explainer_of(sha256: str, site_file: str = "") -> Explainer:
    """What explains the calls of the bundle with this hash: the installed one, or one that ships.

    As the site corrected them, where this device still has the `site_file`
    (`edge.bundle.site.Site.file`); else as the bundle ships.

    Raises
    ------
    LeukoscopeError : it is not on this machine, or cannot be explained.
    """
    from edge.bundle import bundle, installed, sitefile
    from edge.line.engine import open_engine
    from edge.line.explain import Explainer as Occluding
    from edge.machine.profile import load_profile

    shipped = sorted(bundle.shipped_path().parent.glob("*.bundle"))
    for path in (installed.path_of(sha256), *shipped):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            engine = open_engine(load_profile(), bundle.load(path), None, lambda _line: None)
            classifier = engine.classifier.at(sitefile.own(site_file))
            return Occluding(classifier, engine.bundle.references(), engine.find)
    raise LeukoscopeError("the model that named this slide's cells is not on this machine")


class Explaining:
    """The answer for the cell last asked about; an answer for another is dropped.

    Parameters
    ----------
    screen : whose thread hears of answers.
    opens : gives what explains; called in the thread of the first question, for it may load a model.
    answered : called when there is an answer, or a failure to tell.

    Attributes
    ----------
    failure : why nothing can be explained, in words; None while all is well.
    """

    def __init__(
        self, screen: Screen[None], opens: Callable[[], Explainer], answered: Callable[[], object]
    ) -> None:
        self._screen, self._opens, self._answered = screen, opens, answered
        self._explainer: Explainer | None = None
        self._answer: tuple[int, Why] | None = None
        self._busy = False
        self.failure: str | None = None

    def of(self, cell: Cell, crop: U8 | None) -> Why | None:
        """The answer, if it is at hand; else it is asked for, once nobody else is asked about."""
        if self._answer is not None and self._answer[0] == cell.id:
            return self._answer[1]
        if crop is not None and not self._busy:
            self._busy, self.failure = True, None
            self._screen.run_worker(lambda: self._ask(cell, crop), thread=True)
        return None

    def _ask(self, cell: Cell, crop: U8) -> None:
        answer, failure = None, None
        try:
            self._explainer = self._explainer or self._opens()
            answer = cell.id, self._explainer.of(crop, cell.named)
        except LeukoscopeError as error:
            failure = str(error)
        if self._screen.is_attached:
            self._screen.app.call_from_thread(self._hear, answer, failure)

    def _hear(self, answer: tuple[int, Why] | None, failure: str | None) -> None:
        self._busy, self._answer, self.failure = False, answer, failure
        self._answered()
