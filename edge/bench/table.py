"""The bench's figures for the terminal, 80 columns, each with what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH = 80


def table(figures: Mapping[str, Any]) -> str:
    """The figures as lines of at most 80 columns."""
    parts = (_machine, _line, _video, _cells, _classifier, _process, _long_run, _conditions)
    lines = [line for part in parts for line in part(figures)]
    if figures["quick"]:
        lines.append("A rough look (--quick): few fields and rounds.")
    return "\n".join(line[:_WIDTH].rstrip() for line in lines)


def _machine(figures: Mapping[str, Any]) -> list[str]:
    machine, runtime = figures["machine"], figures["runtime"]
    memory = f", {machine['memory_mb'] / 1024:.0f} GB" if machine["memory_mb"] else ""
    # what an engine runs on is not the processor
    instructions = machine["instructions"] if runtime["variant"].startswith("ort-") else None
    return [
        f"{machine['name']}",
        f"{machine['architecture']}, {machine['cores']} cores{memory}, Python {machine['python']}, "
        f"leukoscope {figures['version']}",
        f"{runtime['variant']}{f' on {instructions}' if instructions else ''}, {runtime['threads']} threads "
        f"({runtime['version']})",
        f"OpenCV {runtime['opencv']}, {runtime['image_threads']} threads",
        f"profile {runtime['profile']}, bundle {runtime['bundle']}",
        "",
    ]


def _line(figures: Mapping[str, Any]) -> list[str]:
    line, lines = figures["line"], figures["lines"]
    heads = [f"{each['field']}, {each['cells_per_field']} cells" for each in lines]
    return [
        f"fields of {line['width']} × {line['height']}, records on; ms, median and 95%",
        f"  {'':<18}" + "".join(f"{head:>20}" for head in heads),
        *(_row(name, [each["stages"][name] for each in lines]) for name in line["stages"]),
        _row("the whole line", lines),
        f"  {'fields/s':<18}" + "".join(f"{each['fields_per_s']:>20.1f}" for each in lines),
        f"  {'fields':<18}" + "".join(f"{each['fields']:>20}" for each in lines),
        f"  the first took {line['first_ms']:.0f} ms (warm-up of {line['warm_up_fields']} left out)",
        "",
    ]


def _row(name: str, figures: Sequence[Mapping[str, Any]]) -> str:
    return f"  {name:<18}" + "".join(f"{each['median_ms']:>12.2f}{each['p95_ms']:>8.2f}" for each in figures)


def _video(figures: Mapping[str, Any]) -> list[str]:
    return [
        f"{'MJPEG, ' + video['field']:<18}{video['fields_per_s']:.1f} fields/s, {video['ratio']:.0%} of "
        f"decoding alone ({video['decode_fields_per_s']:.1f})"
        for video in figures["videos"]
    ]


def _cells(figures: Mapping[str, Any]) -> list[str]:
    cells = figures["cells"]
    numbers = [field["cells"] for field in cells["fields"]]
    return [
        f"{'a further cell':<18}{cells['ms_per_cell']:.2f} ms, from {min(numbers)} to {max(numbers)} cells "
        f"a field (r² {cells['r2']:.3f})"
    ]


def _classifier(figures: Mapping[str, Any]) -> list[str]:
    rows = figures["classifier"]
    return [
        f"{'cells at once':<18}" + "".join(f"{row['batch']:>8}" for row in rows),
        f"{'cells/s':<18}" + "".join(f"{row['cells_per_s']:>8}" for row in rows),
    ]


def _process(figures: Mapping[str, Any]) -> list[str]:
    process = figures["process"]
    memory = "the system does not tell"
    if process["resident_mb"] is not None:
        memory = f"{process['resident_mb']:.0f} MB resident, {process['peak_mb']:.0f} MB at most"
    return [
        f"{'memory':<18}{memory} (edge-run, {process['frames']} fields)",
        f"{'first reading':<18}{process['first_reading_s']:.2f} s after edge-run is started",
    ]


def _long_run(figures: Mapping[str, Any]) -> list[str]:
    run = figures.get("long_run")
    if run is None:
        return []
    memory, grown = "the system does not tell", ""
    if run["largest_resident_mb"] is not None:
        memory = f"{run['largest_resident_mb']:.0f} MB at most"
        growth = run["growth_after_500"]
        grown = ", too short for growth" if growth is None else f", {growth:+.1%} after 500 fields"
    return [
        f"{'long run':<18}{memory}{grown} ({run['frames']} fields)",
        f"{'  first reading':<18}{run['first_reading_s']:.2f} s after edge-run is started",
    ]


def _conditions(figures: Mapping[str, Any]) -> list[str]:
    seen = figures["conditions"]
    heat = "not told by this system" if seen["cpu_c"] is None else f"{seen['cpu_c']:.0f} °C at most"
    clock = "not told by this system"
    if seen["clock_mhz"] is not None:
        clock = f"{seen['clock_mhz']['lowest']:.0f} to {seen['clock_mhz']['highest']:.0f} MHz"
    return [
        f"{'CPU temperature':<18}{heat}",
        f"{'CPU clock':<18}{clock}",
        f"{'load':<18}{seen['load'][0]} before, {seen['load'][1]} after",
    ]
