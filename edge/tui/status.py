"""The lines that say what is going on: the slide at the top, the field under the picture."""

from __future__ import annotations

from textwrap import wrap

from textual.content import Content

from edge.tui.panel import Panel
from edge.tui.wording import fit, fit_all
from edge.types import Reading

# What to do about a frame that was turned down, where its problem does not say so itself.
_ADVICE = {
    "out of focus": "turn the fine focus",
    "too dark": "turn up the lamp",
    "too bright": "turn down the lamp",
    "no contrast": "move onto the smear",
}

_LEAST = 6  # characters, in which the name of a camera or a bundle can still be made out


class TitleBar(Panel):
    """Which slide is screened, and with what."""

    _parts: tuple[str, ...] = ()

    def show(self, *parts: str) -> None:
        self._parts = parts
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        name = " Leukoscope"
        texts = _whole_slide(self._parts, width - len(name) - 3 * len(self._parts))
        return [Content.assemble((name, "bold"), *(f" · {text}" for text in texts))]


def _whole_slide(parts: tuple[str, ...], width: int) -> list[str]:
    """The parts in `width`, the first, by which people note a slide down, whole if the rest then has room."""
    left = width - sum(map(len, parts[:1]))
    if left < _LEAST * len(parts[1:]):
        return fit_all(parts, width)
    return [*parts[:1], *fit_all(parts[1:], left)]


class StatusLine(Panel):
    """What became of the newest field, or that there are no more."""

    _text = "waiting for the camera"
    _style = "dim"

    def show(
        self, reading: Reading | None, *, paused: bool, ended: bool, failed: bool, waiting: bool = False
    ) -> None:
        if failed:
            self._text, self._style = "▲ the screening stopped", "bold yellow"
        elif waiting and not ended:
            held = "paused, and " if paused else ""
            self._text, self._style = f"▲ {held}no pictures from the camera", "bold yellow"
        elif ended:
            self._text, self._style = "■ no more fields: press q to finish", "bold cyan"
        elif paused:
            self._text, self._style = "■ paused: press space to go on", "bold cyan"
        else:
            self._text, self._style = _became(reading)
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        return [Content.styled(fit(self._text, width), self._style)]


def _became(reading: Reading | None) -> tuple[str, str]:
    """What became of a field, in words, and their style."""
    if reading is None:
        return "waiting for the camera", "dim"
    if reading.problems:
        problem = reading.problems[0]
        if reading.frame.fault is not None:
            return f"▲ {reading.frame.source}: {problem}", "bold yellow"
        advice = _ADVICE.get(problem)
        return f"▲ {problem}: {advice}" if advice else f"▲ {problem}", "bold yellow"
    counted = int(reading.counted.sum())
    if counted:
        kind = "field" if reading.tally.unit == "field" else "cell"
        return f"○ {counted} new {kind}{'s' if counted > 1 else ''} counted", "#5fd75f"
    if reading.repeated:
        return "○ seen before: move to an unseen field", "#5fd75f"
    return f"○ no new {reading.tally.unit}s here: move on", "#5fd75f"


class Trouble(Panel):
    """What ended the screening or holds it up, such as a camera that is away, and what to do."""

    _message = _advice = ""

    def show(self, message: str, advice: str) -> None:
        self._message, self._advice = message, advice
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        advice = [Content(line) for line in wrap(self._advice, width)]
        room = max(height - len(advice), 1)
        lines = [Content.styled(line, "bold yellow") for line in wrap(f"▲ {self._message}", width)]
        return [*lines[:room], *advice][: max(height, 1)]
