"""Focus, light and speed: what the person at the microscope can do something about."""

from __future__ import annotations

from textual.content import Content

from edge.tui.counts import bar
from edge.tui.panel import Panel
from edge.tui.wording import fit, title
from edge.types import Reading

_LABEL = 8


class Meters(Panel):
    """Focus by the best on this slide as a bar, light as a pointer between dark and bright."""

    _reading: Reading | None = None

    def show(self, reading: Reading | None) -> None:
        self._reading = reading
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        focus = (self._reading.focus if self._reading else None) or 0.0
        brightness = self._reading.brightness if self._reading else 0.0
        style = "bold yellow" if self._reading and self._reading.problems else "bold"
        length = max((width - len("focus  100%  light  100% ")) // 2, 1)
        filled = bar(focus, 1.0, length)
        track = ["─"] * (length + 1)
        if self._reading:
            track[min(round(brightness * length), length)] = "█"
        return [
            Content.assemble(
                ("focus ", "dim"),
                (filled, style),
                ("░" * (length - len(filled)), "dim"),
                f" {focus:>4.0%}  ",
                ("light ", "dim"),
                ("".join(track), style),
                f" {brightness:>4.0%}",
            )
        ]


class Details(Panel):
    """Speed by stage, fields and scale; in a tall window also what the slide is screened with."""

    _reading: Reading | None = None
    _frames_per_s: float | None = None

    def __init__(self, made_with: dict[str, str]) -> None:
        super().__init__()
        self._made_with = made_with

    def show(self, reading: Reading | None, frames_per_s: float | None) -> None:
        self._reading, self._frames_per_s = reading, frames_per_s
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        reading = self._reading
        if reading is None:
            return []
        speed = f"{self._frames_per_s:.1f} frames/s" if self._frames_per_s else "- frames/s"
        total = reading.ms.get("total", sum(reading.ms.values()))
        stages = {name: ms for name, ms in reading.ms.items() if name != "total"}
        if height < 5:
            fields = f"{reading.tally.rejected} of {reading.tally.frames} rejected"
            lines = [f"{speed}, {fields}", _stages(total, stages, width)]
            return [Content(fit(line, width)) for line in lines]
        tally = reading.tally
        rows = [
            ("fields", f"{tally.frames}, {tally.rejected} rejected, {tally.repeated} repeated"),
            ("scale", f"{reading.um_per_px:.3g} µm/px, {title(reading.um_per_px_from, 12)}"),
            ("speed", f"{speed}, {total:.1f} ms each"),
        ]
        if height >= len(rows) + len(stages) + len(self._made_with):
            rows += [("", f"{title(name, 12):<12} {ms:>5.1f} ms") for name, ms in stages.items()]
        else:
            rows.append(("", _stages(None, stages, width - _LABEL)))
        rows += self._made_with.items()
        return [
            Content.assemble((f"{name:<{_LABEL}}", "dim"), fit(text, width - _LABEL))
            for name, text in rows[:height]
        ]


def _stages(total: float | None, stages: dict[str, float], width: int) -> str:
    """Milliseconds by stage in one line; the quickest stages give way where it is too long."""
    head = "" if total is None else f"{total:.1f} ms: "
    shown = dict(stages)
    while shown:
        line = head + " ".join(f"{name} {ms:.1f}" for name, ms in shown.items())
        if len(line) <= width:
            return line
        del shown[min(shown, key=shown.__getitem__)]
    return head.rstrip(": ")
