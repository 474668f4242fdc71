"""Memory and time of listing an archive, from ten thousand pictures to a million.

No picture is there: a file system that is only told lists folders of 50, as object storage would, and a
manifest lists pictures whose slides are scattered over all its rows. Each size is listed and planned by a
process of its own. Its growth is what its memory reaches beyond what it has once everything is loaded
and a plan of 1,000 pictures is made, by /proc.

    python benchmarks/archive_listing.py [--sizes 10000 100000 1000000] [--json OUT]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from results import Results, parser_of

from edge.archive.order import Order
from edge.archive.place import Place
from edge.archive.planning.plan import Plan, entries_of, tasks_of

_EACH = 50  # pictures of a slide
_FOLDERS = 200  # slides of a folder of slides
_WARM = 1000
_WANTED_MB = 20


class Simulated(fsspec.AbstractFileSystem):
    """Folders of folders of pictures, so many in all as the address says: `simulated://1000000`."""

    protocol = "simulated"

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """What a folder would hold."""
        path = self._strip_protocol(path)
        size, *within = path.split("/")
        slides = -(-int(size) // _EACH)
        if len(within) == 2:
            names, kind = (f"field-{i}.jpg" for i in range(_EACH)), "file"
        elif within:
            first = int(within[0]) * _FOLDERS
            names, kind = (f"S-{i:07d}" for i in range(first, min(first + _FOLDERS, slides))), "directory"
        else:
            names, kind = (str(i) for i in range(-(-slides // _FOLDERS))), "directory"
        found = [
            {"name": f"{path}/{name}", "type": kind, "size": 1, "LastModified": "2024-03-01T10:00:00Z"}
            for name in names
        ]
        return found if detail else [each["name"] for each in found]

    def isdir(self, path: str) -> bool:
        """All that is asked for."""
        return True


def manifest(path: Path, size: int) -> str:
    """A manifest whose slides stand as far apart as can be."""
    slides = -(-size // _EACH)
    with open(path, "w", encoding="utf-8") as text:
        text.write("path,slide,um_per_px\n")
        text.writelines(f"fields/2024/{i % slides}/{i}.jpg,S-{i % slides:07d},0.25\n" for i in range(size))
    return str(path)


def planned(source: str, out: str) -> Plan:
    """The plan of an input, of 100,000 fields a shard and 200 a task."""
    return Plan.of(Order(source, "bundle", "0", "0"), Place(out))


def measure(warm: str, source: str, out: str) -> dict[str, float]:
    """Memory and time of a plan, in this process."""
    planned(warm, f"{out}/warm")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew: proc(5)
    before, start = _memory_mb("VmRSS"), time.perf_counter()
    plan = planned(source, f"{out}/plan")
    took = time.perf_counter() - start
    peak = _memory_mb("VmHWM")
    first = [
        entry
        for task in tasks_of(Place(f"{out}/plan"), 0)[:1]
        for entry in entries_of(Place(f"{out}/plan"), task)
    ]
    assert len({entry.slide for entry in first}) * _EACH == len(first)
    return {"fields": plan.fields, "slides": plan.slides, "shards": len(plan.shards),
            "peak_mb": peak, "growth_mb": peak - before, "s": took}  # fmt: skip


def _memory_mb(name: str) -> float:
    text = Path("/proc/self/status").read_text("utf-8")
    return int(text.partition(f"{name}:")[2].split()[0]) / 1024


def cases(sizes: list[int], folder: Path) -> Iterator[tuple[str, int, str, str]]:
    """What is listed, of how many pictures, a small and the large input of its kind."""
    for size in sizes:
        yield "folders", size, f"simulated://{_WARM}", f"simulated://{size}"
        warm = manifest(folder / "warm.csv", _WARM)
        yield "scattered manifest", size, warm, manifest(folder / "all.csv", size)


def main() -> None:
    """Measure each case in a process of its own."""
    if sys.argv[1:2] == ["--one"]:
        fsspec.register_implementation("simulated", Simulated)
        print(json.dumps(measure(*sys.argv[2:])))
        return
    parser = parser_of(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    results, found = Results("archive_listing", parser, arguments), []
    with tempfile.TemporaryDirectory() as name:
        for kind, size, warm, source in cases(arguments.sizes, Path(name)):
            out = tempfile.mkdtemp(dir=name)
            done = subprocess.run(
                [sys.executable, __file__, "--one", warm, source, out],
                capture_output=True,
                text=True,
                encoding="utf-8",
            )
            if done.returncode:
                sys.exit(done.stderr)
            one = json.loads(done.stdout)
            found.append({"input": kind, **one})
            print(f"{kind}, {size:,} pictures: {one['growth_mb']:.1f} MB more, peak {one['peak_mb']:.0f} MB, "
                  f"{one['s']:.1f} s, {one['shards']} shards")  # fmt: skip
            results.add("memory growth", one["growth_mb"], what=f"{kind}, {size:,}", unit="MB", n=size,
                        of="pictures")  # fmt: skip
    for kind in dict.fromkeys(one["input"] for one in found):
        grown = [one["growth_mb"] for one in found if one["input"] == kind]
        results.add("spread of memory growth", max(grown) - min(grown), what=kind, unit="MB",
                    wanted=f"≤ {_WANTED_MB} MB")  # fmt: skip
        print(f"{kind}: {max(grown) - min(grown):.1f} MB between the sizes")
    results.write(found)


if __name__ == "__main__":
    main()
