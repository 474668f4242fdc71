"""What the slide says so far, in words, in figures and as an interval on a scale."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from textual.content import Content

from edge.tui.bignum import large
from edge.tui.colours import css, ink_on
from edge.tui.halfblock import RGB
from edge.tui.panel import Panel
from edge.tui.wording import title
from edge.types import Finding, FindingKind, Tally

# A symbol, words and a colour each: no one of them alone carries the finding. The symbols are in the fonts of
# the Linux console.
_BANDS: dict[FindingKind, tuple[str, RGB]] = {
    "refer": ("▲ REFER", (200, 30, 30)),
    "no-blasts-seen": ("○ NO BLASTS SEEN", (30, 130, 60)),
    "keep-scanning": ("► KEEP SCANNING", (40, 90, 180)),
    "not-readable": ("■ NOT READABLE", (235, 180, 40)),
}
_WAITING: RGB = (80, 80, 80)
_SCALES = (0.1, 0.2, 0.5, 1.0)


class FindingPanel(Panel):
    """The finding, the fraction of positives and its interval."""

    def __init__(self, positives: Sequence[str], referral_fraction: float) -> None:
        super().__init__()
        self._positives = " or ".join(title(name, 20) for name in positives)
        self._referral_fraction = referral_fraction
        self._finding: Finding | None = None
        self._tally = Tally(counts={})

    def show(self, finding: Finding | None, tally: Tally) -> None:
        self._finding, self._tally = finding, tally
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        figures = self._figures(width, height)
        band = self._band(width, 3 if height >= 9 else 1)
        room = max(height - len(band) - len(figures), 0)
        reason = wrap(self._finding.reason, width) if self._finding else []
        if len(reason) > room and len(figures) == 3:
            figures, room = figures[:2], room + 1  # the scale's labels give way to words
        if len(reason) > room > 0:
            reason = [*reason[: room - 1], reason[room - 1][: width - 3] + " .."]
        shown = [Content(line) for line in reason[:room]]
        gap = [Content()] * (room - len(shown)) if room > len(shown) else []
        return [*band, *shown, *gap, *figures]

    def _band(self, width: int, height: int) -> list[Content]:
        text, colour = "waiting for the first field", _WAITING
        if self._finding is not None:
            text, colour = _BANDS[self._finding.kind]
            if self._finding.cells_needed:
                few = "fields" if self._tally.unit == "field" else "cells"
                text += f"  {self._finding.cells_needed} more {few}"
            if self._finding.kind == "no-blasts-seen" and self._tally.sign != "blast":
                text = "○ NONE POSITIVE"
        style = f"bold {css(ink_on(colour))} on {css(colour)}"
        lines = [""] * height
        lines[height // 2] = f" {text}"
        return [Content.styled(f"{line:<{width}}"[:width], style) for line in lines]

    def _figures(self, width: int, height: int) -> list[Content]:
        """Fraction and interval: three lines, five more with large digits where there is room."""
        finding = self._finding
        if finding is None or finding.blast_fraction is None or finding.interval is None:
            nothing = Content.styled(f"no {self._tally.unit}s yet", "dim")
            return [nothing, *_scale(None, None, self._referral_fraction, width)]
        fraction, (low, high) = finding.blast_fraction, finding.interval
        share, interval = f" {fraction:.1%}", f"  {low:.1%} to {high:.1%}"
        if width >= 46:
            interval = f"  {finding.level:.0%} interval {low:.1%} to {high:.1%}"
        name = self._positives
        if len(name + share + interval) > width:
            name = "positive"
        count = f"{self._tally.positives} of {self._tally.leukocytes} {self._tally.unit}s"
        lines = [Content.assemble((name + share, "bold"), interval)]
        if height >= 15:
            digits = large(f"{fraction:.0%}" if fraction >= 0.1 else f"{fraction:.1%}")
            lines = [Content(), *(Content.styled(line, "bold") for line in digits), Content(count), *lines]
        return [*lines, *_scale(fraction, (low, high), self._referral_fraction, width)]


def _scale(
    fraction: float | None, interval: tuple[float, float] | None, mark: float, width: int
) -> list[Content]:
    """The interval on an axis that starts at 0, with the referral mark; below it what the marks mean."""
    reach = max(interval[1] if interval else 0.0, 2 * mark)
    end = next((scale for scale in _SCALES if scale >= min(reach, 1.0)), 1.0)

    def at(value: float) -> int:
        return min(round(value / end * (width - 1)), width - 1)

    low, high = (at(interval[0]), at(interval[1])) if interval else (width, width)
    line = [("█", "") if low <= x <= high else ("─", "dim") for x in range(width)]
    if fraction is not None:
        line[at(fraction)] = ("•", "bold reverse")
    line[at(mark)] = ("│", "bold yellow reverse" if low <= at(mark) <= high else "bold yellow")
    labels = [" "] * width
    for value in (0.0, end, mark):
        text = f"{value:.0%}"
        start = min(at(value), width - len(text))
        if value == mark and start < len("0% "):
            labels[: len("0%")] = "  "
        labels[start : start + len(text)] = text
    return [Content.assemble(*line), Content.styled("".join(labels), "dim")]
