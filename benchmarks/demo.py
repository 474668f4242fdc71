"""Simulated slides, whose truth is known: is the finding right at every field, and the interval?

    python benchmarks/demo.py [--frames 200] [--seeds 0-20]
    python benchmarks/demo.py --seeds 100-139 --site edge/bundles/demo-site.json

A finding is wrong where it is positive on a healthy slide, `no-blasts-seen` on one with blasts, or positive
before 3 positive cells; the corrected interval, valid at every look, must hold the slide's true fraction at
the last one in 19 of 20 seeds. With `--site` the slides are other ones: how often the shipped model errs on
them is written there, and is what `--camera demo` reckons with.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from results import Results, parser_of

from edge.bundle import bundle, sitefile
from edge.bundle.site import Healthy, Site
from edge.bundle.spreads import of_beta, of_healthy_slides
from edge.cameras.selection import camera_for
from edge.line.engine import Engine, open_engine
from edge.line.options import ScreeningOptions
from edge.line.screening import Screening
from edge.machine.profile import load_profile
from edge.optics.scale import Scales
from edge.records.store import Unrecorded
from edge.types import Finding, Tally
from train.statistics.betabinomial import between_units, fit

LEAST = 3  # positive cells before a positive finding
MISSED = 0.05


@dataclass(frozen=True)
class Read:
    """A slide as it was read: its true fraction of blasts, tally and finding after each field."""

    truth: float
    looks: list[tuple[Tally, Finding]]

    @property
    def wrong(self) -> int:
        """Fields after which the finding was wrong."""
        return sum(
            (said.kind in ("refer", "read-film") and (not self.truth or tally.positives < LEAST))
            or (said.kind == "no-blasts-seen" and self.truth >= MISSED)
            for tally, said in self.looks
        )

    @property
    def flips(self) -> int:
        """How often a positive finding was taken back."""
        kinds = [said.kind in ("refer", "read-film") for _, said in self.looks]
        return sum(before and not after for before, after in pairwise(kinds))


def read(engine: Engine, seed: int, frames: int) -> Read:
    """One slide through the line of `edge-run`."""
    about, site = engine.bundle.manifest, sitefile.read(sitefile.DEMO)
    camera = camera_for(f"demo:{seed}", engine.profile.camera, None)
    screening = Screening(
        camera=camera, bundle=engine.bundle, classifier=engine.classifier, store=Unrecorded(),
        scales=Scales(asked="auto", nominal=engine.profile.camera.nominal_um_per_px, camera=camera),
        profile=engine.profile.name, options=ScreeningOptions(max_frames=frames), find=engine.find,
        site=site if site.network == about.network else None,
    )  # fmt: skip
    looks = [(reading.tally, reading.finding) for reading in screening.readings()]
    return Read(camera.truth()["blast_fraction"], looks)  # type: ignore[attr-defined]


def slides(first: int, last: int, frames: int) -> Iterator[tuple[int, Read]]:
    """Seeds and their slides."""
    engine = open_engine(load_profile(None), bundle.load(), None, lambda line: print(line, file=sys.stderr))
    try:
        for seed in range(first, last + 1):
            yield seed, read(engine, seed, frames)
    finally:
        engine.close()


def measured(found: list[tuple[int, Read]], command: str) -> Site:
    """The simulated microscope as a site: false blasts of healthy slides, sensitivity of the others.

    The threshold is the shipped one, by which these slides were read.

    Of a slide with blasts it is known how many of its leukocytes are, not which of those counted: sensitivity
    is what was called by what is there, false blasts taken off. That spreads it, if anything.
    """
    healthy = [
        (read.looks[-1][0].positives, read.looks[-1][0].leukocytes) for _, read in found if not read.truth
    ]
    between = between_units([np.array(healthy)]) or 0.0
    false = of_healthy_slides(healthy, between)
    ill = []
    for _, slide in found:
        tally, blasts = slide.looks[-1][0], round(slide.truth * slide.looks[-1][0].leukocytes)
        if blasts:
            ill.append(
                (min(round(tally.positives - false.mean * (tally.leukocytes - blasts)), blasts), blasts)
            )
    over = fit([np.array(ill)])
    source = f"{len(healthy)} healthy simulated slides and {len(ill)} with blasts: {command}"
    about = bundle.load().manifest
    called, cells = np.sum(healthy, axis=0).tolist()
    return Site(
        network=about.network,
        healthy=Healthy(
            threshold=about.thresholds.positive, false_blasts=false, cells=cells, called=called,
            slides=len(healthy), by_type={}, source=source,
        ),
        sensitivity=of_beta(over.a, over.b),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        made_by="benchmarks/demo.py",
    )  # fmt: skip


def main() -> None:
    """Print a line a slide."""
    parser = parser_of(__doc__)
    parser.add_argument("--frames", type=int, default=200, metavar="N", help="of each slide (default: 200)")
    parser.add_argument("--seeds", default="0-20", metavar="A-B", help="first and last (default: 0-20)")
    parser.add_argument("--site", type=Path, metavar="OUT", help="write there how often the model errs")
    arguments = parser.parse_args()
    results = Results("demo", parser, arguments)
    first, last = (int(n) for n in arguments.seeds.split("-"))
    found: list[tuple[int, Read]] = []
    for seed, slide in slides(first, last, arguments.frames):
        found.append((seed, slide))
        _tell(results, seed, slide)
    held = sum(_holds(slide) for _, slide in found)
    wrong, flips = sum(slide.wrong for _, slide in found), sum(slide.flips for _, slide in found)
    print(f"interval held in {held} of {len(found)} slides; {wrong} wrong findings, {flips} taken back")
    results.add("interval holds the truth", held / len(found), n=len(found), of="slides", wanted="≥ 0.95")
    fields = sum(len(slide.looks) for _, slide in found)
    results.add("wrong findings", wrong, n=fields, of="fields", wanted="0")
    results.add("positive findings taken back", flips, n=len(found), of="slides", wanted="0")
    results.write()
    if arguments.site is not None:
        words = f"python benchmarks/demo.py --seeds {arguments.seeds} --frames {arguments.frames} --site SITE"
        arguments.site.write_text(sitefile.text(measured(found, words)), encoding="utf-8")


def _holds(slide: Read) -> bool:
    low, high = slide.looks[-1][1].corrected_interval or (0.0, 1.0)
    return low <= slide.truth <= high


def _tell(results: Results, seed: int, slide: Read) -> None:
    tally, said = slide.looks[-1]
    low, high = said.corrected_interval or (0.0, 1.0)
    value = said.corrected or 0.0
    decided = next((t.leukocytes for t, f in slide.looks if f.kind == said.kind), 0)
    about = {"n": tally.leukocytes, "of": "leukocytes", "wanted": f"{slide.truth:.3f}"}
    seen = SimpleNamespace(value=value, low=low, high=high)
    results.add("blast fraction, corrected", seen, what=f"demo:{seed}, {said.kind}", **about)
    print(
        f"demo:{seed:<3} truth {slide.truth:.3f}  read {value:.3f} [{low:.3f}, {high:.3f}] "
        f"{'held' if _holds(slide) else 'MISSED':6} {tally.positives:4} of {tally.leukocytes:4} leukocytes: "
        f"{said.kind} from {decided} on, {slide.wrong} wrong, {slide.flips} flips",
        flush=True,
    )


if __name__ == "__main__":
    main()
