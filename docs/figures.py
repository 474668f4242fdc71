"""Makes docs/figures.md of docs/figures/*.json: what benchmarks and `edge-train evaluate` wrote with --json.

python docs/figures.py             writes docs/figures.md
python docs/figures.py --check     ends with 3 where docs/figures.md is not what the files say

To measure a figure again, run the command beside it with `--json docs/figures/NAME.json`, then this.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE / "figures.md"

SECTIONS = {
    "What it sees": ("evaluate-*", "detection-*", "masks", "quality"),
    "Pictures as they come": ("scale", "windows", "litfield", "colours", "reduced"),
    "Whether the finding can be trusted": (
        "finding",
        "demo",
        "leftout_slides",
        "patients",
        "review",
        "why",
        "likeness",
    ),
    "Laboratories that it never saw": ("leftout", "away"),
    "What the camera and the box withstand": ("system-*", "focus", "flatfield", "arm64"),
    "What leaves the device": ("report", "export", "custody"),
    "Archives and fleets": ("archive", "archive_failures", "archive_listing", "fleet"),
    "On the workstation": ("cutting",),
    "How fast, and how much memory": (
        "bench",
        "line",
        "memory",
        "many_slides",
        "long",
        "peers",
        "rivals-costs",
        "architectures",
    ),
    "What a precision costs and buys": ("precisions", "instructions"),
}
"""Title -> files, by pattern, in the order in which they are shown."""

WANTED = {
    ("deepapl", "roc_area"): "≥ 0.975",
    ("deepapl", "accuracy_differential"): "≥ 0.86",
    ("deepapl", "calibration_error"): "≤ 0.04",
    ("pbc", "accuracy_differential"): "≥ 0.93",
    ("pbc", "specificity"): "≥ 0.98",
}
"""What was set as a goal for `edge-train evaluate`, by data set and figure."""

_HEAD = """# Figures

Made by `python docs/figures.py` of what the benchmarks wrote. `DATA` is the folder of the data sets.
Intervals are 95%, by bootstrap over patients, slides or blocks of files. Test parts were not trained on,
nor used to choose thresholds; those of the sets for detection and of the masks were looked at often while
the segmentation was made faster, so they are figures of development. Machines are two shared x86-64 cores
where nothing else is said. What falls short of what was wanted is **bold**.
"""
_TAIL = """
## Known limits

No Raspberry Pi, Jetson or other real aarch64 machine has run it yet, and the values in their profiles are
reasoned, not measured. TensorRT has never run. No USB, Raspberry Pi or Jetson camera and no stage
micrometer was at hand. The Jetson's package (`noble`) is built but was never installed. A JPEG damaged
without a trace in its code is decoded all the same. One counted cell in a hundred is counted twice
where fields overlap only at a corner. Cells cut out and laid on black (C-NMC) of new people are misnamed.
Red cells much smaller than 7.5 µm make the scale too large, by as much as they are smaller. What was tried
and what
harmed stands in [training](training.md).
"""
_OF_CELLS = (
    ("roc_area", "ROC area"), ("sensitivity", "sensitivity"), ("specificity", "specificity"),
    ("accuracy_differential", "accuracy of the differential"), ("balanced_accuracy", "balanced accuracy"),
    ("calibration_error", "calibration error"),
)  # fmt: skip


def page() -> str:
    """The page, from the files."""
    found = {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted((HERE / "figures").glob("*.json"))
    }
    found["precisions"] = _precisions()
    parts, used = [_HEAD], set()
    for title, patterns in SECTIONS.items():
        names = [name for pattern in patterns for name in found if Path(name).match(pattern)]
        if names:
            parts.append(
                f"\n## {title}\n\n" + "\n".join(line for name in names for line in _table(found[name]))
            )
        used |= set(names)
    if strange := sorted(set(found) - used):
        sys.exit(f"docs/figures/{strange[0]}.json: belongs to no section of docs/figures.py; name it there")
    return "".join(parts).rstrip() + "\n" + _TAIL


def _table(run: Mapping[str, Any]) -> Iterator[str]:
    """One file's figures, and below them where they come from."""
    run = _evaluation(run) if "operating_point" in run else _bench(run) if run.get("kind") == "bench" else run
    figures = run["figures"]
    wanted = any(figure["wanted"] for figure in figures)
    yield "| what | " + ("wanted | " if wanted else "") + "measured | of |"
    yield "|---|" + ("---|" if wanted else "") + "---|---|"
    for figure in figures:
        what = f"{figure['what']}: {figure['name']}" if figure["what"] else figure["name"]
        many = f"{figure['n']:,} {figure['of']}".strip() if figure["n"] is not None else ""
        cells = [what, *([figure["wanted"]] if wanted else []), _measured(figure), many]
        yield f"| {' | '.join(cells)} |"
    yield f"\n`{run['command']}`, {run['measured']}{_origin(run)}.\n"


def _measured(figure: Mapping[str, Any]) -> str:
    if figure.get("text"):
        return str(figure["text"])
    if figure["value"] is None:
        return "–"
    unit = f" {figure['unit']}" if figure["unit"] else ""
    text = _short(figure["value"]) + unit
    if _falls_short(figure):
        text = f"**{text}**"
    if figure["low"] is not None:
        text += f" ({_short(figure['low'])} to {_short(figure['high'])})"
    return text


def _short(value: float) -> str:
    """As many digits as the intervals bear."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 4 if 0 < abs(value) < 0.01 else 3 if abs(value) <= 1 else 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f}"


def _falls_short(figure: Mapping[str, Any]) -> bool:
    """Whether the figure misses the bound in `wanted`, such as '≥ 0.97' or '≤ 12 ms'."""
    words = figure["wanted"].replace("%", "").split()
    if len(words) < 2 or words[0] not in ("≥", "≤"):
        return False
    bound = float(words[1])
    return bool(figure["value"] < bound if words[0] == "≥" else figure["value"] > bound)


def _origin(run: Mapping[str, Any]) -> str:
    commit = f", commit {run['commit'][:7]}" if run.get("commit") else ""
    instructions = (run.get("machine") or {}).get("instructions")
    note = f"; {run['note']}" if run.get("note") else ""
    return commit + (f", {instructions}" if instructions else "") + note


def _evaluation(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `edge-train evaluate --json` wrote, in the shape of benchmarks/results.py."""
    drawn = run["interval"].removeprefix("95%, bootstrap by ")
    about = {"what": f"{run['dataset']}, {run['split']} part", "unit": "", "n": sum(run["cells"].values())}
    about |= {"of": f"cells, {run['groups']} groups ({drawn})", "wanted": ""}
    rows = [
        {**about, "name": title, **run["figures"][name], "wanted": WANTED.get((run["dataset"], name), "")}
        for name, title in _OF_CELLS
        if (run["figures"].get(name) or {}).get("value") is not None
    ]
    rows.append(
        {**about, "name": "left out, abstaining", "value": run["abstained"], "low": None, "high": None}
    )
    name, dataset = run["bundle"]["name"], run["dataset"]
    return {
        "command": f"edge-train evaluate --bundle {name} --dataset {dataset} --data DATA",
        "measured": run["measured"],
        "commit": (run["program"] or {}).get("commit"),
        "note": "figures of calls are of the cells counted, areas and calibration of all",
        "figures": rows,
    }


def _bench(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `edge-device bench --json` wrote, in the same shape."""
    cells, process = run["cells"], run["process"]
    # files of earlier programs have the usual field only
    lines = run.get("lines", [{"field": "usual", **run["line"]}])
    videos = run.get("videos", [{"field": "usual", **run["video"]}])
    named: list[tuple[str, str, float, str, str]] = []
    for line in lines:
        field = f"a {_kind(line)}1080p field with {line['cells_per_field']:.0f} cells, records on"
        wanted = "≤ 12" if line["field"] == "usual" else ""
        named += [
            ("the whole line, median", field, line["median_ms"], "ms", wanted),
            ("the whole line, 95%", field, line["p95_ms"], "ms", ""),
        ]
        named += [
            (f"{name}, median", field, stage["median_ms"], "ms", "") for name, stage in line["stages"].items()
        ]
    named += [
        (
            "by decoding alone",
            f"MJPEG file{' of crowded fields' if video['field'] == 'crowded' else ''} to reading",
            video["ratio"],
            "",
            "≥ 0.5",
        )
        for video in videos
    ]
    named += [
        ("each", "a further cell in a field", cells["ms_per_cell"], "ms", "≤ 0.5"),
        ("after the command is given", "first reading", process["first_reading_s"], "s", "≤ 1.5"),
    ]
    if long := run.get("long_run"):
        fields = f"edge-run --headless, {long['frames']:,} fields"
        named += [
            ("memory at most", fields, long["peak_mb"], "MB", "≤ 200"),
            ("growth after 500", fields, long["growth_after_500"], "", "≤ 0.01"),
        ]
    rows = [
        {"name": name, "what": what, "value": value, "low": None, "high": None, "unit": unit, "n": None}
        | {"of": "", "wanted": wanted}
        for name, what, value, unit, wanted in named
    ]
    return {
        "command": "edge-device bench" + (f" --long {long['frames']}" if long else ""),
        "measured": run["measured"],
        "machine": run["machine"],
        "note": f"{run['machine']['cpu']}, {run['machine']['cores']} cores, {run['runtime']['variant']}",
        "figures": rows,
    }


def _kind(row: Mapping[str, Any]) -> str:
    """The word for fields that are not the usual ones, with a space."""
    return "" if row["field"] == "usual" else f"{row['field']} "


def _precisions() -> Mapping[str, Any]:
    """What the manifest of the shipped bundle says its faster graphs lose against FP32, in the same shape."""
    with zipfile.ZipFile(HERE.parent / "edge/bundles/leukocytes.bundle") as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
    rows = []
    for variant, about in manifest["precisions"].items():
        rest = {"what": variant, "low": None, "high": None, "unit": "", "n": about["cells"], "of": "cells"}
        worst = f"worst recall of a class ({about['worst_recall_class']})"
        for name, key, wanted in (
            ("sensitivity", "sensitivity_change", "≥ -0.005"),
            ("ROC area", "roc_area_change", "≥ -0.005"),
            (worst, "worst_recall_change", "≥ -0.02"),
        ):
            rows.append({**rest, "name": f"{name}, change", "value": float(about[key]), "wanted": wanted})
    return {
        "command": "edge-export bundle --run RUN --out OUT --quantize int8 --calibrate DATA",
        "measured": manifest["version"].replace(".", "-"),
        "note": "validation cells; graphs for TensorRT as ONNX Runtime computes them; told by the bundle",
        "figures": rows,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="only say whether the page is what the files say"
    )
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made, "utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text("utf-8") == made:
        return 0
    print("docs/figures.md is not what docs/figures/*.json say: python docs/figures.py", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
