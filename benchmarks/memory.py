"""Memory of `edge-run --headless`: how much it takes at its peak, and whether that grows over many fields.

Simulated fields, each drawn once, lie in a folder under as many names as fields are wanted, so that each is
decoded, read and recorded anew; the slide map knows a place again after the first round. Fields of several
slides are drawn, so that with many of them the map fills as on a long slide.

    python benchmarks/memory.py [--frames 5000] [--fields 60] [--size 1920x1080] [--starts 3]
        [--folder DIR] [--json OUT]

`at the start` is the memory at the 50th reading, when the scale is measured and nothing is new any more;
`grown` compares the last looks with those after 500 fields (`edge.bench.process.growth`). MB are of 10^6
bytes, and count the pages of libraries that are shared with other programs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
from results import Results, parser_of

from edge.bench import fields, process
from edge.types import U8

PEAK_MB, GROWN, FIRST_S = 160.0, 0.01, 0.8
_OF_A_SLIDE = 200  # drawn fields of one, which has 320


def drawn(count: int, size: tuple[int, int]) -> Iterator[U8]:
    """So many fields of slides that differ, (H, W, 3) uint8 RGB."""
    share = size[0] * size[1] / (fields.SIZE_PX[0] * fields.SIZE_PX[1])
    scope = replace(fields.microscope(fields.CELLS * share), field_px=size)
    for begun in range(0, count, _OF_A_SLIDE):
        of_slide = replace(scope, seed=scope.seed + begun // _OF_A_SLIDE)
        yield from fields.draw(of_slide, min(_OF_A_SLIDE, count - begun))


def laid_out(folder: Path, frames: int, count: int, size: tuple[int, int]) -> Path:
    """A folder of so many pictures, of which `count` differ."""
    folder.mkdir()
    for i, field in enumerate(drawn(min(count, frames), size)):
        quality = [cv2.IMWRITE_JPEG_QUALITY, fields.JPEG_QUALITY]
        cv2.imwrite(str(folder / f"{i:06d}.jpg"), cv2.cvtColor(field, cv2.COLOR_RGB2BGR), quality)
    for i in range(count, frames):
        (folder / f"{i:06d}.jpg").hardlink_to(folder / f"{i % count:06d}.jpg")
    return folder


def measured(arguments: argparse.Namespace, results: Results, place: Path) -> dict[str, object]:
    """Watch starts and the whole run; what it found beside the figures."""
    frames = arguments.frames
    camera = laid_out(place / "fields", frames, arguments.fields, arguments.size)
    common = ["--camera", str(camera), "--records", str(place / "records.db")]
    first_s = min(
        process.run([*common, "--max-frames", "1"]).first_reading_s for _ in range(arguments.starts)
    )
    seen = process.run(common, lambda n: _tell(n, frames))
    resident = {n: now for n, (now, _) in seen.memory.items()}
    about = {
        "what": f"{frames} fields of {arguments.size[0]} × {arguments.size[1]}",
        "n": frames,
        "of": "fields",
    }
    at_start = next(iter(resident.values()), None)
    results.add("at the start", at_start, unit="MB", **about)
    results.add("peak", max((peak for _, peak in seen.memory.values()), default=None), unit="MB",
                wanted=f"≤ {PEAK_MB:g}", **about)  # fmt: skip
    results.add("at the end", list(resident.values())[-1] if resident else None, unit="MB", **about)
    results.add("grown", process.growth(resident), wanted=f"≤ {GROWN:g}", **about)
    results.add("first reading", first_s, what="the fastest start", unit="s", n=arguments.starts,
                of="starts", wanted=f"≤ {FIRST_S:g}")  # fmt: skip
    return {"resident_mb": {str(n): round(mb, 1) for n, mb in resident.items()}}


def _tell(done: int, of: int) -> None:
    if done % 500 == 0:
        print(f"{done} of {of} fields", file=sys.stderr)


def _size(text: str) -> tuple[int, int]:
    width, height = map(int, text.split("x"))
    return width, height


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--fields", type=int, default=60, help="that differ (default: 60)")
    parser.add_argument("--size", type=_size, default=fields.SIZE_PX, help="of a field (default: 1920x1080)")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where fields and records lie (default: temporary)")
    arguments = parser.parse_args()
    results = Results("memory", parser, arguments)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        details = measured(arguments, results, Path(temporary))
    for figure in results.figures:
        value = "-" if figure["value"] is None else f"{figure['value']:.4g}"
        print(f"{figure['name']:16}{value:>8} {figure['unit']:4}{figure['wanted']}")
    results.write(details)


if __name__ == "__main__":
    main()
