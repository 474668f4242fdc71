"""Focus and light: what the person at the microscope turns a knob for."""

from __future__ import annotations

from textual.content import Content

from edge.line.quality import LIGHT_RANGE
from edge.tui.colours import GOOD, css
from edge.tui.panel import Panel
from edge.types import Reading

_WORD = 6  # the longest of the words beside a meter


class Meters(Panel):
    """Two pointers, each on a track whose good range stands between brackets, and a word beside it.

    Focus is by the best on this slide; the ranges are those of fields that can be read.
    """

    _reading: Reading | None = None

    def show(self, reading: Reading | None) -> None:
        self._reading = reading
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        reading = self._reading
        focus = reading.focus if reading else None
        light = reading.brightness if reading else None
        needed = reading.focus_needed if reading else 1.0
        each = width if height > 1 else (width - 2) // 2
        meters = [
            _meter("focus", focus, (needed, 1.0), ("poor", "good", "good"), each),
            _meter("light", light, LIGHT_RANGE, ("dark", "good", "bright"), each),
        ]
        return meters if height > 1 else [Content("  ").join(meters)]


def _meter(
    name: str, value: float | None, good: tuple[float, float], words: tuple[str, str, str], width: int
) -> Content:
    """A pointer from 0 to 1; `words` for below, within and above the good range."""
    length = max(width - len(f"{name} [] ") - _WORD, 3)
    start = max(int(good[0] * length), 1 if good[0] > 0 else 0)
    end = min(int(good[1] * length) + 1, length - 1 if good[1] < 1 else length)
    track, style, word = ["─"] * length, "dim", "-"
    if value is not None:
        zone = (value >= good[0]) + (value > good[1])
        edges = (0, start, end, length)
        # what lies outside by less than a column is still drawn outside
        track[min(max(int(value * length), edges[zone]), edges[zone + 1] - 1)] = "█"
        style, word = f"bold {css(GOOD)}" if zone == 1 else "bold yellow", words[zone]
    drawn = f"{''.join(track[:start])}[{''.join(track[start:end])}]{''.join(track[end:])}"
    return Content.assemble((f"{name} ", "dim"), (drawn, style), (f" {word:<{_WORD}}", style))
