"""What the slide says, by the machine and by people, and how much there is still to look at."""

from __future__ import annotations

from textwrap import wrap

from textual.content import Content

from edge.tui.colours import css, ink_on
from edge.tui.halfblock import RGB
from edge.tui.panel import Panel
from edge.types import Finding, FindingKind

_BANDS: dict[FindingKind, tuple[str, RGB]] = {
    "refer": ("▲", (200, 30, 30)),
    "read-film": ("▲", (200, 90, 0)),
    "no-blasts-seen": ("○", (30, 130, 60)),
    "keep-scanning": ("►", (40, 90, 180)),
    "not-readable": ("■", (235, 180, 40)),
}

_NARROW = 80


class Verdict(Panel):
    """The headline and what is left to look at in a band; below it the reason and what to do."""

    _finding: Finding | None = None
    _left = 0

    def show(self, finding: Finding, left: int) -> None:
        self._finding, self._left = finding, left
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        if self._finding is None:
            return []
        band = self._band(self._finding, width, max(height - 1, 1))
        room = max(height - len(band), 0)
        words = _words(self._finding, width - 2)
        if len(words) > room > 0:
            words = [*words[: room - 1], Content.assemble(words[room - 1][: width - 5], " ..")]
        return [*band, *(Content.assemble(" ", line) for line in words[:room])]

    def _band(self, finding: Finding, width: int, height: int) -> list[Content]:
        symbol, colour = _BANDS[finding.kind]
        still = f" ► {self._left} suspicious left " if self._left else " √ all suspicious seen "
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


def _words(finding: Finding, width: int) -> list[Content]:
    """The reason, what to do, and the fraction with the machine's errors allowed for."""
    corrected = ""
    if finding.corrected is not None and finding.corrected_interval is not None:
        low, high = finding.corrected_interval
        corrected = f"The machine's errors allowed for: {finding.corrected:.0%} ({low:.0%} to {high:.0%})."
    told = ((finding.reason, ""), (finding.advice, "bold"), (corrected, "dim"))
    return [Content.styled(line, style) for text, style in told for line in wrap(text, width)]
