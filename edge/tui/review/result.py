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
    from edge.review.review import Agreement, Review

Then = Literal["differing", "sign"]
# Landis and Koch 1977, table 2
_STRENGTH = ((0.81, "almost perfect"), (0.61, "substantial"), (0.41, "moderate"), (0.21, "fair"), (0.0, "slight"))
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
        lines = ["Your reading is finished.", "", review.finding.headline, review.tally.summary, ""]
        keys = "! sign     escape  back to the cells"
        if agreement is None:
            lines.append("No other reader has finished yet: there is nothing to compare with.")
        else:
            lines += compared(agreement)
            if agreement.differing:
                keys = f"enter  look at these cells     {keys}"
        with VerticalScroll():
            yield Static("\n".join([*lines, "", keys]), markup=False)


def compared(agreement: Agreement) -> list[str]:
    """Two readers, in words and by cell."""
    same = agreement.both - len(agreement.differing)
    lines = [f"You and {agreement.other} say the same of {same} of {agreement.both} cells."]
    if agreement.kappa is not None:
        strength = next((word for least, word in _STRENGTH if agreement.kappa >= least), "worse than by chance")
        lines.append(f"Beyond chance: {strength} (Cohen's kappa {agreement.kappa:.2f}).")
    if agreement.differing:
        lines += ["", f"{'cell':<8} {'you':<{_NAME}} {agreement.other}"]
    lines += [
        f"{cell:<8} {title(mine, _NAME):<{_NAME}} {title(theirs, _NAME)}"
        for cell, mine, theirs in agreement.differing
    ]
    return lines
