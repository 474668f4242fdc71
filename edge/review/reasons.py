"""Why the machine called the cells of a review what it did."""

from __future__ import annotations

from edge.line.explain import Explainer, ExplainError, Why
from edge.review.cells import Cell
from edge.review.review import Review


class Reasons:
    """Explains the cells of a review by the crops that the records keep.

    Parameters
    ----------
    explainer : of the model that the slide was read with; another one's reasons are not those of its calls.
    """

    def __init__(self, explainer: Explainer, review: Review) -> None:
        self._explainer, self._review = explainer, review

    def of(self, cell: Cell) -> Why:
        """Why a cell was called what it was; ExplainError where no picture of it was kept."""
        crop = self._review.crop(cell.id)
        if crop is None:
            raise ExplainError(f"cell {cell.id}: no picture of it was kept")
        return self._explainer.of(crop, cell.named)
