"""The lines that say what is going on: the slide at the top, the field under the picture, the keys below."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from textual.binding import Binding
from textual.content import Content

from edge.tui.colours import GOOD, css
from edge.tui.panel import Panel
from edge.tui.wording import fit, fit_all
from edge.types import Reading
from edge.types.problems import MEND, kind_of

# What to do about a frame that was turned down, where its problem does not say so itself.
_FINE = css(GOOD)
_LEAST = 6  # characters, in which what goes with a slide can still be made out


class TitleBar(Panel):
    """Which slide it is about and what else goes with it, and what all of it is not for."""

    _parts: tuple[str, ...] = ()

    def show(self, *parts: str) -> None:
        self._parts = parts
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        name, notice = " Leukoscope · ", " research use only "
        if len("".join(self._parts[:1])) > width - len(name + notice):
            name = " "
        room = width - len(name + notice)
        text = " · ".join(_whole_slide(self._parts, room - 3 * (len(self._parts) - 1)))
        return [Content.assemble((name, "bold"), f"{text:<{room}}", (notice, "dim"))]


def _whole_slide(parts: tuple[str, ...], width: int) -> list[str]:
    """The parts in `width`, the first, by which people note a slide down, whole if the rest then has room."""
    left = width - sum(map(len, parts[:1]))
    if left < _LEAST * len(parts[1:]):
        return fit_all(parts, width)
    return [*parts[:1], *fit_all(parts[1:], left)]


class Keys(Panel):
    """What can be pressed, the most important first; what does not fit is left to the help."""

    def __init__(self, bindings: Sequence[Binding]) -> None:
        super().__init__()
        self.auto_links = False  # they are pressed, and look it; a mouse may click them
        self._offered = bindings

    def lay_out(self, width: int, height: int) -> list[Content]:
        shown, left = [Content(" ")], width - 1
        for binding in self._offered:
            key = binding.key_display or binding.key
            text = f"{key} {binding.description} "
            if len(text) > left:
                break
            action = f"[@click=app.{binding.action}]"
            shown.append(Content.from_markup(f"{action}[b $accent]{key}[/] {binding.description} "))
            left -= len(text)
        return [Content.assemble(*shown)]


class Notes(Panel):
    """What must be kept in mind while this slide is read, in as few lines as it takes."""

    _notes: tuple[str, ...] = ()

    def show(self, notes: Sequence[str]) -> None:
        self._notes = tuple(notes)
        self.update()

    def rows(self, width: int, most: int) -> int:
        """How many lines it wants at this width."""
        return min(sum(len(_wrapped(note, width)) for note in self._notes), most)

    def lay_out(self, width: int, height: int) -> list[Content]:
        lines = [line for note in self._notes for line in _wrapped(note, width)]
        if len(lines) > height > 0:
            more = " .. (d)"
            lines = [*lines[: height - 1], lines[height - 1][: width - len(more)] + more]
        return [Content(line) for line in lines]


def _wrapped(note: str, width: int) -> list[str]:
    return wrap(f"! {note}", max(width, 8), subsequent_indent="  ")


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
        lines = wrap(self._text, width) if height > 1 else [fit(self._text, width)]
        return [Content.styled(line, self._style) for line in lines[: max(height, 1)]]


def _became(reading: Reading | None) -> tuple[str, str]:
    """What became of a field, in words, and their style."""
    if reading is None:
        return "waiting for the camera", "dim"
    if reading.problems:
        problem = reading.problems[0]
        if reading.frame.fault is not None:
            return f"▲ {reading.frame.source}: {problem}", "bold yellow"
        advice, _ = MEND.get(kind_of(problem), ("", ""))
        return f"▲ {problem}: {advice}" if advice else f"▲ {problem}", "bold yellow"
    counted = int(reading.counted.sum())
    if counted:
        kind = "field" if reading.tally.unit == "field" else "cell"
        return f"• {counted} new {kind}{'s' if counted > 1 else ''} counted", _FINE
    if reading.repeated:
        return "• seen before: move to an unseen field", _FINE
    return f"• no new {reading.tally.unit}s here: move on", _FINE


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
