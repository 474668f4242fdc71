"""What the red cells of a slide say of its scale, field by field, and whether that has changed.

One field may be wrong: a few cells that touch, a nucleus taken for a red cell. So fields are weighed
together, a field that differs is doubted, and only several that agree with each other mean another objective.
"""

from __future__ import annotations

from collections import deque
from math import log

from edge.optics import redcells
from edge.optics.redcells import Measured, RedCells

SURE_FIELDS, SURE_CELLS = 3, 25
"""Fields and outlined red cells from which a scale counts as measured: by chance it errs by 2% then."""

DISAGREEMENT = 0.15
"""Relative difference of two scales beyond what people's red cells differ by, enough to mislead a model."""

CHANGED_FIELDS, LASTING_FIELDS, CHANGED_CELLS = 2, 5, 10
"""Fields in a row, and red cells in them, that agree with each other and not with those before: the scale has
changed. Other objectives differ by a quarter and more; where it is less, red cells of another part of the
smear may be it, and the disagreement must last."""

_QUARTER = 0.25
_READ_FIELDS, _HALF = 3, 0.5
"""Where few outlines show, as at a higher magnification: three fields in a row that the network reads as half
as large again, or more; by the laboratory alone it errs by up to 0.3."""


_REMEMBERED = 24  # fields: what a slide's scale rests on, and no more than can be weighed again in a moment
_PEOPLE = 0.04  # relative: what people's mean red cells differ by
_ERRORS = 2.5  # standard errors of a field's own scale that its difference may be chance


class Consensus:
    """The red cells of one slide, or of one folder's pictures, at one frame size.

    Parameters
    ----------
    before : µm per pixel that a slide's red cells had said before it was cut off; None where it begins.

    Attributes
    ----------
    measured : what they say so far, None while they say nothing.
    doubted : how many fields in a row said something else.
    """

    def __init__(self, before: float | None = None) -> None:
        self.measured: Measured | None = None
        self._enough = 0  # fields that outweigh what was measured before
        if before is not None:
            self.measured, self._enough = Measured(before, _PEOPLE, SURE_CELLS, SURE_FIELDS), _REMEMBERED
        self._fields: deque[RedCells] = deque(maxlen=_REMEMBERED)
        self._odd: list[RedCells] = []
        self._changed = False

    @property
    def doubted(self) -> int:
        """How many fields in a row said something else."""
        return len(self._odd)

    @property
    def expected_px(self) -> float | None:
        """How wide the red cells should be in the next field, pixels; None before the scale is sure."""
        return redcells.RED_CELL_UM / self.measured.um_per_px if self.measured and self.sure else None

    @property
    def sure(self) -> bool:
        """Whether the scale rests on enough: on several fields that agree against those before them, too."""
        return self._changed or is_sure(self.measured)

    def see(self, found: RedCells) -> Measured | None:
        """Take one more field in. Returns the scale that held before where it is found to have changed."""
        own = redcells.estimate([found])
        if own is not None and self.sure and self.differs(own):
            return self._doubt(found)
        if own is not None:
            self._odd.clear()
        if own is not None or len(found):
            self._fields.append(found)
            if len(self._fields) >= self._enough:
                self.measured = redcells.estimate(self._fields) or self.measured
        return None

    def differs(self, own: Measured) -> bool:
        """Whether a field's own scale is another than the slide's, beyond chance.

        The network alone errs by the laboratory, and then does so in every field: it must say much more.
        """
        if self.measured is None:
            return False
        return apart(own, self.measured) if own.cells else _away(own, self.measured) > log(1 + _HALF)

    def _doubt(self, found: RedCells) -> Measured | None:
        self._odd.append(found)
        del self._odd[:-_REMEMBERED]
        together = redcells.estimate(self._odd)
        alone = [redcells.estimate([one]) for one in self._odd]
        if together is None or any(one is None or apart(one, together) for one in alone):
            del self._odd[:-1]
            return None
        assert self.measured is not None
        away = _away(together, self.measured)
        outlined = together.cells >= CHANGED_CELLS
        fields = CHANGED_FIELDS if away > log(1 + _QUARTER) else LASTING_FIELDS
        read = len(self._odd) >= _READ_FIELDS and away > log(1 + _HALF)
        if not read and not (outlined and len(self._odd) >= fields):
            return None
        before, self.measured, self._changed, self._enough = self.measured, together, True, 0
        self._fields.clear()
        self._fields.extend(self._odd)
        self._odd.clear()
        return before


def is_sure(measured: Measured | None) -> bool:
    """Whether a scale rests on enough."""
    return measured is not None and measured.fields >= SURE_FIELDS and measured.cells >= SURE_CELLS


def apart(one: Measured, other: Measured) -> bool:
    """Whether two scales differ beyond what people's red cells and chance explain."""
    return _away(one, other) > max(log(1 + DISAGREEMENT), _ERRORS * one.uncertainty)


def _away(one: Measured, other: Measured) -> float:
    return abs(log(one.um_per_px / other.um_per_px))
