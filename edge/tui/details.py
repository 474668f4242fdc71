"""The engineers' page: what the slide is screened with, how fast, and the figures behind the finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from edge.bundle.site import in_words
from edge.tui.wording import title
from edge.types import Reading

if TYPE_CHECKING:
    from edge.bundle.operation import Spread
    from edge.line.screening import Screening

_LABEL = 10

Row = tuple[str, str]


class DetailsScreen(ModalScreen[None]):
    """Everything that nobody needs while screening, kept up to date while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("d,escape,enter,space,q", "dismiss", "Close")]
    DEFAULT_CSS = """
    DetailsScreen { align: center middle; }
    DetailsScreen VerticalScroll {
        width: 78; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; padding: 0 1;
    }
    """

    def __init__(self, screening: Screening) -> None:
        super().__init__()
        self._screening = screening
        self._page = Static()

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self._page

    def show(self, reading: Reading | None, frames_per_s: float | None, notes: Sequence[str]) -> None:
        rows = [*_made_with(self._screening), *_site(self._screening), *_rates(self._screening)]
        if reading is not None:
            rows += [*_figures(reading), *_speed(reading, frames_per_s)]
        rows += [("note", note) for note in notes]
        lines = [Content.assemble((f"{name:<{_LABEL}}", "dim"), text) for name, text in rows]
        self._page.update(
            Content("\n").join([*lines, Content(), Content.styled("d closes this page", "dim")])
        )


def _made_with(screening: Screening) -> Iterator[Row]:
    yield "camera", screening.camera
    yield "bundle", screening.bundle
    yield "sha256", screening.bundle_sha256
    yield "runtime", screening.runtime
    yield "records", str(screening.records or "none (--no-records)")


def _rates(screening: Screening) -> Iterator[Row]:
    """What the finding reckons with."""
    rates = screening.rules.rates
    if rates is None:
        yield "rates", "nobody measured how often this model errs elsewhere"
        return
    yield "rates", f"of {'this site' if rates.place == 'site' else 'other laboratories'}: {rates.source}"
    yield "", f"sensitivity {_spread(rates.sensitivity)}"
    yield "", f"false blasts {_spread(rates.false_blasts)}"


def _site(screening: Screening) -> Iterator[Row]:
    """Whose threshold decides, where it is not the bundle's."""
    if screening.site is not None:
        yield "site", in_words(screening.site)


def _spread(rate: Spread) -> str:
    return f"{rate.mean:.2%} (95% of slides {rate.low:.2%} to {rate.high:.2%})"


def _figures(reading: Reading) -> Iterator[Row]:
    finding, tally = reading.finding, reading.tally
    if finding.blast_fraction is not None and finding.interval is not None:
        low, high = finding.interval
        yield (
            "fraction",
            f"as counted {finding.blast_fraction:.1%} ({finding.level:.0%}: {low:.1%} to {high:.1%})",
        )
    if finding.corrected is not None and finding.corrected_interval is not None:
        low, high = finding.corrected_interval
        yield "", f"corrected {finding.corrected:.1%} (at any look: {low:.1%} to {high:.1%})"
    yield "fields", f"{tally.frames}, {tally.rejected} rejected, {tally.repeated} repeated"
    yield "scale", f"{reading.um_per_px:.3g} µm/px, {title(reading.um_per_px_from, 40)}"


def _speed(reading: Reading, frames_per_s: float | None) -> Iterator[Row]:
    total = reading.ms.get("total", sum(reading.ms.values()))
    speed = f"{frames_per_s:.1f} frames/s" if frames_per_s else "- frames/s"
    yield "speed", f"{speed}, {total:.1f} ms each"
    for name, ms in reading.ms.items():
        if name != "total":
            yield "", f"{title(name, 12):<12} {ms:>5.1f} ms"
