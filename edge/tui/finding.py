"""What the slide says so far, in words, in figures and as an interval on a scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap

from textual.content import Content

from edge.tui.bignum import large
from edge.tui.colours import css, ink_on
from edge.tui.halfblock import RGB
from edge.tui.panel import Panel
from edge.tui.wording import CONFIRMED, first_fit
from edge.types import Finding, FindingKind, Tally

# A symbol and a colour each beside the headline's words: no one of them alone carries the finding. The
# symbols are in the console's fonts, and each colour is another of a console's sixteen.
BANDS: dict[FindingKind, tuple[str, RGB]] = {
    "refer": ("▲", (200, 30, 30)),
    "read-film": ("♦", (150, 40, 160)),
    "no-blasts-seen": ("•", (30, 130, 60)),
    "keep-scanning": ("▶", (40, 90, 180)),
    "not-readable": ("■", (235, 180, 40)),
}
_STILL_TO_SEE: RGB = (190, 190, 190)  # a negative is green only where no suspicious cell waits for an eye
_WAITING: RGB = (80, 80, 80)
_SCALES = (0.1, 0.2, 0.5, 1.0)
_APL = " APL? Say so in the call "
_ROOMY = 15  # lines, from which the headline has air round it


class FindingPanel(Panel):
    """The finding, and what it rests on.

    Where there is little room the words stay and the figures give way: first the large digits, then the
    scale, then the fraction. The advice is cut before the reason, and what was counted never.
    """

    def __init__(self, positives: Sequence[str], referral_fraction: float, *, recorded: bool) -> None:
        super().__init__()
        self._recorded = recorded
        self._positives = frozenset(positives)
        self._referral_fraction = referral_fraction
        self._finding: Finding | None = None
        self._tally = Tally(counts={})

    def show(self, finding: Finding | None, tally: Tally) -> None:
        self._finding, self._tally = finding, tally
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        band, counted = self._band(width, height), self._counted(width)
        room = max(height - len(band) - len(counted), 0)
        words = self._words(width)
        if len(words) > room > 0:
            words = [*words[: room - 1], Content.assemble(words[room - 1][: width - 3], " ..")]
        room -= len(words[:room])
        digits, figures = self._figures(width)
        figures = figures[:room]
        digits = digits if len(digits) <= room - len(figures) else []
        gap = [Content()] * (room - len(figures) - len(digits))
        return [*band, *words, *gap, *digits, *counted, *figures][:height]

    def _band(self, width: int, height: int) -> list[Content]:
        text, symbol, colour = "waiting for the first field", " ", _WAITING
        if self._finding is not None:
            text = self._finding.headline
            symbol, colour = band(self._finding, self._tally)
        lines = [f"   {line}" for line in wrap(text, width - 4)]
        lines[0] = f" {symbol}{lines[0][2:]}"
        if height >= _ROOMY:
            lines = ["", *lines, ""]
        style = f"bold {css(ink_on(colour))} on {css(colour)}"
        return [Content.styled(f"{line:<{width}}"[:width], style) for line in lines]

    def _words(self, width: int) -> list[Content]:
        """Why, and what to do, which stands out; what cannot wait stands first."""
        if self._finding is None:
            return []
        apl = self._finding.apl
        urgent = [Content.styled(f"{_APL:<{width}}"[:width], "bold reverse")] if apl and apl.alert else []
        reason, advice = wrap(self._finding.reason, width), wrap(self._finding.advice, width)
        return [*urgent, *map(Content, reason), *(Content.styled(line, "bold") for line in advice)]

    def _counted(self, width: int) -> list[Content]:
        """What was counted, what people confirmed of it and have still to see, how much more is needed."""
        tally, finding = self._tally, self._finding
        if not tally.leukocytes:
            return [Content.styled(f"no {tally.unit}s yet", "dim")]
        all_of_them = _many(tally.leukocytes, tally.unit)
        texts = [all_of_them]
        if tally.sign:
            confirmed = sum(count for name, count in tally.confirmed.items() if name in self._positives)
            also = f", {CONFIRMED}{confirmed} confirmed" if confirmed else ""
            texts = [
                f"{_many(tally.positives, tally.sign)} among {all_of_them}{also}",
                f"{tally.positives} of {all_of_them}{also}",
                f"{tally.positives} of {tally.leukocytes}{also}",
            ]
        counted = [Content.styled(first_fit(texts, width), "bold")]
        if tally.candidates and self._recorded:
            what = "suspicious " + ("field" if tally.unit == "field" else "cell")
            counted.append(Content(f"press r to see {_many(tally.candidates, what)}"[:width]))
        if finding is not None and finding.cells_needed:
            counted.append(Content(f"about {_about(finding.cells_needed)} more {tally.unit}s needed"[:width]))
        return counted

    def _figures(self, width: int) -> tuple[list[Content], list[Content]]:
        """The fraction in large digits; the same with its interval, and both on a scale."""
        finding = self._finding
        if finding is None or finding.blast_fraction is None or finding.interval is None:
            return [], []
        fraction, interval, how = finding.blast_fraction, finding.interval, "as counted"
        if finding.corrected is not None and finding.corrected_interval is not None:
            fraction, interval, how = finding.corrected, finding.corrected_interval, "corrected"
        digits = [Content.styled(line, "bold") for line in large(percent(fraction))]
        share = f"{percent(fraction)}, {between(interval)}, {how}"
        texts = [f"{percent(fraction)} {self._tally.sign}s, {between(interval)}, {how}", share]
        scale = _scale(fraction, interval, self._referral_fraction, width)
        return [Content(), *digits, Content()], [Content(first_fit(texts, width)), *scale]


def band(finding: Finding, tally: Tally) -> tuple[str, RGB]:
    """Symbol and colour of a finding."""
    symbol, colour = BANDS[finding.kind]
    return symbol, _STILL_TO_SEE if finding.kind == "no-blasts-seen" and tally.candidates else colour


def percent(share: float) -> str:
    """In whole percent: what follows the point changes with every cell and means nothing yet."""
    return "<1%" if 0 < share < 0.01 else f"{share:.0%}"


def between(interval: tuple[float, float]) -> str:
    """An interval in whole percent, never narrower than it is."""
    low, high = math.floor(100 * interval[0] + 1e-6), math.ceil(100 * interval[1] - 1e-6)
    return f"{low} to {high}%"


def _about(needed: int) -> int:
    """In tens, from where one more or less makes no difference to whoever scans."""
    return needed if needed < 20 else math.ceil(needed / 10) * 10


def _many(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def _scale(fraction: float, interval: tuple[float, float], mark: float, width: int) -> list[Content]:
    """The interval on an axis that starts at 0, with the referral mark; below it what the marks mean."""
    reach = max(interval[1], 2 * mark)
    end = next((scale for scale in _SCALES if scale >= min(reach, 1.0)), 1.0)

    def at(value: float) -> int:
        return min(round(value / end * (width - 1)), width - 1)

    low, high = at(interval[0]), at(interval[1])
    line = [("█", "") if low <= x <= high else ("─", "dim") for x in range(width)]
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
