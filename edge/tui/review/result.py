"""What a reading came to: the finding, and where two readers agree and differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from edge.tui.wording import title

if TYPE_CHECKING:
    from edge.review.agreement import Agreement
    from edge.review.review import Review

Then = Literal["differing", "sign"]
_STRENGTH = {0.81: "almost perfect", 0.61: "substantial", 0.41: "moderate", 0.21: "fair", 0.0: "slight"}
"""Of agreement, by the least kappa: Landis and Koch, Biometrics 1977;33:159-174, table 2."""

_NAME = 16


class ResultScreen(ModalScreen["Then | None"]):
    """Shown once a person has finished; the cells that readers differ in can be walked through from here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "dismiss('differing')", "Cells that differ"),
        Binding("exclamation_mark", "dismiss('sign')", "Sign"),
        Binding("escape,q,d", "dismiss(None)", "Back"),
    ]
    DEFAULT_CSS = """
    ResultScreen { align: center middle; }
    ResultScreen VerticalScroll {
        width: 64; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; padding: 0 2; border: heavy $accent;
    }
    """

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review

    def compose(self) -> ComposeResult:
        review, agreement = self._review, self._review.agreement()
        lines = ["You have read this slide.", "", review.finding.headline, review.tally.summary, ""]
        keys = "!  sign     escape  back"
        if agreement is None:
            lines.append("There are not two readers to compare yet.")
        else:
            lines += compared(agreement, review.by)
            if agreement.differing:
                keys = f"enter  see these cells     {keys}"
        with VerticalScroll():
            yield Static("\n".join([*lines, "", keys]), markup=False)


def compared(agreement: Agreement, by: str) -> list[str]:
    """Two readers, in words and by cell; the one `by` is you."""
    one, other = ("you" if reader == by else reader for reader in agreement.readers)
    same = agreement.both - len(agreement.differing)
    lines = [f"Of {agreement.both} cells {one} and {other} say the same of {same}."]
    if agreement.kappa is not None:
        strong = (word for least, word in _STRENGTH.items() if agreement.kappa >= least)
        strength = next(strong, "worse than by chance")
        lines.append(f"Beyond chance: {strength} (Cohen's kappa {agreement.kappa:.2f}).")
    if agreement.differing:
        lines += ["", f"{'cell':<8} {one:<{_NAME}} {other}"]
    lines += [
        f"{cell:<8} {title(first, _NAME):<{_NAME}} {title(second, _NAME)}"
        for cell, first, second in agreement.differing
    ]
    return lines
