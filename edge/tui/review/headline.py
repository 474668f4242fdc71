"""What the slide says, by the machine and by people, and how much there is still to look at."""

from __future__ import annotations

from textwrap import wrap

from textual.content import Content

from edge.line.finding import LOOK
from edge.tui.colours import css, ink_on
from edge.tui.finding import band
from edge.tui.panel import Panel
from edge.tui.wording import CONFIRMED
from edge.types import Finding, Tally

_NARROW = 80


class Headline(Panel):
    """The headline and what is left to look at in a band; below it the reason and what to do."""

    _finding: Finding | None = None
    _tally = Tally(counts={})
    _left = 0

    def show(self, finding: Finding, tally: Tally, left: int) -> None:
        self._finding, self._tally, self._left = finding, tally, left
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        if self._finding is None:
            return []
        head = self._band(self._finding, width, max(height - 1, 1))
        room = max(height - len(head), 0)
        return [*head, *(Content.assemble(" ", line) for line in _words(self._finding, width - 2, room))]

    def _band(self, finding: Finding, width: int, height: int) -> list[Content]:
        symbol, colour = band(finding, self._tally)
        still = f" ▶ {self._left} suspicious left " if self._left else f" {CONFIRMED} all suspicious seen "
        if width < _NARROW:
            still = still.replace("suspicious ", "")
        style = f"bold {css(ink_on(colour))} on {css(colour)}"
        room = width - len(still)
        lines = wrap(f"{symbol} {finding.headline}", room - 2, max_lines=height, placeholder=" ..")
        ends = [(still, "bold reverse"), *[(" " * len(still), style)] * (len(lines) - 1)]
        return [
            Content.assemble((f" {line:<{room - 1}}", style), end)
            for line, end in zip(lines, ends, strict=True)
        ]


def _words(finding: Finding, width: int, height: int) -> list[Content]:
    """The reason, then what to do; each has a line at least. The machine's errors where there is room."""
    advice = wrap(finding.advice.replace(LOOK, ""), width)  # which is being done
    reason = _cut(wrap(finding.reason, width), max(height - len(advice), 1))
    advice = _cut(advice, max(height - len(reason), 0))
    errors = []
    if finding.corrected is not None and finding.corrected_interval is not None:
        low, high = finding.corrected_interval
        allowed = f"The machine's errors allowed for: {finding.corrected:.0%} ({low:.0%} to {high:.0%})."
        errors = _cut(wrap(allowed, width), max(height - len(reason) - len(advice), 0))
    styled = [(line, "") for line in reason] + [(line, "bold") for line in advice]
    return [Content.styled(line, style) for line, style in styled + [(line, "dim") for line in errors]]


def _cut(lines: list[str], height: int) -> list[str]:
    """What fits, with a sign where there is more."""
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], f"{lines[height - 1][:-3]} .."] if height else []
