"""What was learned, for people: lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edge.adapt.gate import Figures
from edge.bundle.operation import Spread
from edge.bundle.site import Healthy, Site


def of_healthy(before: tuple[float, int, Spread], found: Healthy) -> Iterator[str]:
    """A site's threshold beside the one before: what it was, cells called at it, and the rate of these."""
    old, called, rate = before
    yield f"threshold     {old:.3f} -> {found.threshold:.3f}"
    yield f"false blasts  at {old:.3f}: {_rate(called, found.cells, rate)}"
    yield f"              at {found.threshold:.3f}: {_rate(found.called, found.cells, found.false_blasts)}"
    yield ""
    width = max((len(name) for name in found.by_type), default=0)
    yield f"{'':{width}}  cells  score of the highest tenth"
    for name, (cells, score) in found.by_type.items():
        yield f"{name:{width}}  {cells:5}  {score:.3f}"


def _rate(called: int, cells: int, rate: Spread) -> str:
    return f"{called} of {cells} cells; on the next slide {rate.mean:.1%} ({rate.low:.1%} to {rate.high:.1%})"


def of_labelled(
    before: Figures, after: Figures, told: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> Iterator[str]:
    """Cells left out in turn, without and with a correction; `told` is confusion by 'before' and 'after'."""
    cells = sum(sum(row.values()) for row in told["before"].values())
    yield f"of {cells} named cells, each left out when it was judged:   without   with it"
    rows: dict[str, tuple[object, object]] = {
        "called what they are": (f"{before.accuracy:.1%}", f"{after.accuracy:.1%}"),
        "mean log probability of what they are": (
            f"{before.log_likelihood:.3f}", f"{after.log_likelihood:.3f}"
        ),
        f"blasts called so, of {before.blasts}": (before.called, after.called),
        f"false blasts, of {before.others}": (before.false_blasts, after.false_blasts),
    }  # fmt: skip
    for name, (without, with_it) in rows.items():
        yield f"  {name:48} {without!s:>9} {with_it!s:>9}"
    for title, side in (("without", "before"), ("with it", "after")):
        yield f"called, {title}:"
        for truth, row in told[side].items():
            called = ", ".join(f"{n} {name}" for name, n in sorted(row.items(), key=lambda one: -one[1]))
            yield f"  {truth}: {called}"


def of_site(site: Site | None) -> str:
    """What is in use, in one line."""
    if site is None:
        return "nothing of this site: the model decides as it ships"
    parts = []
    if site.healthy is not None:
        parts.append(f"threshold {site.healthy.threshold:.3f} from {site.healthy.cells} cells")
    if site.correction is not None:
        parts.append(f"correction from {sum(site.correction.cells.values())} named cells")
    return f"{' and '.join(parts)}, made {site.made_at[:10] or 'at an unknown time'}"
