"""The model card and the weights' licence that travel in a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from train.data.classes import CLASSES
from train.data.dataset import DataSet

MEMBER = "MODEL_CARD.md"
"""Where it lies in a bundle."""

LICENCE_NAME = "Leukoscope weights, research use"

LICENCE = """Leukoscope weights: research use

These weights were learned in part from pictures whose owners allow research and nothing more (the model
card names every data set with its licence). The weights therefore go no further than that:

1. You may use, copy, change and pass on the weights, free of charge, for research and teaching.
2. You may not use them to diagnose, treat or screen people outside a study that the competent authority or
   ethics board has approved, nor sell them or a service built on them.
3. Whoever receives the weights or weights fitted from them receives this licence and the model card too.
4. They come as they are. Nobody who made them answers for any harm that comes of their use.

The program around the weights has a licence of its own (Apache-2.0), which does not extend to them.
"""

_LICENCE = "Licence of the weights: "
_LICENCE_LINE = f"{_LICENCE}{LICENCE_NAME} (file LICENSE in this bundle)."
_REFERENCES = "## Reference cells"


def model_card(
    manifest: Mapping[str, Any],
    sources: Sequence[DataSet],
    metrics: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> str:
    """The model card, Markdown, from the run's own figures.

    Parameters
    ----------
    notes : sections that its makers add: what it does elsewhere, what it does not reach.
    """
    limits = _LIMITS if tuple(manifest["classes"]) == CLASSES else _LIMITS_OF_OTHERS
    elsewhere = "network" in manifest["training"]
    return "\n".join(
        (
            *_heading(manifest),
            _use(manifest),
            _data(sources, metrics["data"], _ITS_CELLS if elsewhere else _NO_TEST_CELL),
            _figures(manifest, metrics),
            _precisions(manifest),
            _LIMITS_OF_ELSEWHERE if elsewhere else limits,
            *notes,
            f"{_LICENCE}{manifest['licence']} (file LICENSE in this bundle).",
            "",
        )
    )


def with_references(told: str, references: Mapping[str, Any]) -> str:
    """A model card that names the reference cells of its bundle too, by the manifest's `references`."""
    licence = next((line for line in told.splitlines() if line.startswith(_LICENCE)), _LICENCE_LINE)
    before, _, _ = told.partition(f"{_REFERENCES}\n")
    cells = references["cells"]
    lines = [
        _REFERENCES,
        "",
        f"{len(cells)} cells to hold others against (references.webp), in no figure above:",
        "",
    ]
    for name, source in references["sources"].items():
        kinds = dict.fromkeys(cell["class"] for cell in cells if cell["source"] == name)
        lines.append(f"- {', '.join(kinds)}: {source['credit']} {source['licence']}.")
    return "\n".join((before.replace(licence, "").rstrip(), "", *lines, "", licence, ""))


def _heading(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"# {manifest['name']} {manifest['version']}",
        "",
        f"Made for {manifest['training']['recipe']['title']}.",
        "For research use only: it does not replace a haematologist, and no regulator has seen it.",
        "",
    )


def detector_card(
    manifest: Mapping[str, Any],
    sources: Sequence[DataSet],
    metrics: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> str:
    """The model card of a detector, Markdown; arguments as for `model_card`."""
    given = manifest["input"]
    rows = [
        f"| {source.name}: {source.title}. {source.citation}. {source.home} | {source.licence} "
        f"| {metrics['data'][source.name]['train']} / {metrics['data'][source.name]['validation']} "
        f"| {source.split} |"
        for source in sources
    ]
    return "\n".join(
        (
            *_heading(manifest),
            "## What goes in and what comes out",
            "",
            f"In: whole fields at {given['pitch_um']} µm per pixel, after {', '.join(given['steps'])}.",
            f"Out: a box round each cell, and which of these it is: {', '.join(manifest['classes'])}.",
            f"A find counts from a confidence of {manifest['thresholds']['confidence']} on.",
            "It tells no blasts from other cells.",
            "",
            "## Data",
            "",
            "| data set | licence | fields to train / validate | split |",
            "|---|---|---|---|",
            *rows,
            "",
            _LIMITS_OF_OTHERS,
            *notes,
            _LICENCE_LINE,
            "",
        )
    )


def _use(manifest: Mapping[str, Any]) -> str:
    given, limits = manifest["input"], manifest["thresholds"]
    cut = given.get("cut_px", given["size_px"])
    size, width_um = given["size_px"], cut * given["pitch_um"]
    kind, what = "field", f"whole fields scaled to {cut} × {cut} px"
    if manifest["task"] != "field":
        kind, at = "cell", f"at {given['pitch_um']} µm ({width_um:g} µm across)"
        what = f"crops of {cut} × {cut} px {at}, a cell in the middle"
    steps = f", after the preprocessing steps {', '.join(given['steps'])}" if given["steps"] else ""
    positive = " or ".join(manifest["positive"])
    return f"""## What goes in and what comes out

In: {what}{steps}; {size} × {size} px reach the network. Out: a probability for each of these classes:
{", ".join(manifest["classes"])}.

A {kind} is called {positive}, and counted as {positive}, from a probability of {limits["positive"]} on, and
beyond doubt from {limits["certain"]} on. Any other {kind} is its likeliest class; where that stays below
{limits["confidence"]} the classifier abstains, and the {kind} is not counted.
"""


_NO_TEST_CELL = "No test cell was trained on or used to fit the temperature and the thresholds."
_ITS_CELLS = """The network comes from elsewhere: what its weights were fitted to, its makers know.
If cells of these data sets were among it, every figure here flatters. Test cells were used for nothing."""


def _data(sources: Sequence[DataSet], census: Mapping[str, Any], whose: str) -> str:
    if not sources:
        return f"## Data\n\nNo cells were given to judge it on. {whose.splitlines()[0]}\n"
    lines = [
        "## Data",
        "",
        "| data set | licence | cells to train / validate | split |",
        "|---|---|---|---|",
    ]
    for source in sources:
        counts = [
            sum(census[source.name].get(part, {}).get("cells", {}).values())
            for part in ("train", "validation")
        ]
        lines.append(
            f"| {source.name}: {source.title}. {source.citation}. {source.home} | {source.licence} "
            f"| {counts[0]} / {counts[1]} | {source.split} |"
        )
    lines += ["", *whose.splitlines()]
    if any(source.name.startswith("deepapl") for source in sources):
        lines += [
            "Promyelocytes and promonocytes of deepapl count as blasts (all its patients have acute",
            "leukemia); promyelocytes of healthy people are among the immature granulocytes. Artefacts are",
            "places in fields, far from any label.",
        ]
    if any(source.name.endswith("@random") for source in sources):
        lines += [
            "",
            "**This split leaks**: pictures of one patient or slide are on both sides. No figure counts.",
        ]
    lines.append("")
    return "\n".join(lines)


def _figures(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    if not metrics["validation"]:
        return "## Figures on validation cells\n\nThere are none: its makers gave the thresholds.\n"
    lines = [
        "## Figures on validation cells",
        "",
        "These cells chose the thresholds, so the figures flatter.",
    ]
    known = dict(metrics["validation"])
    if counted := known.pop("counted", None):
        left = counted["abstained"]
        lines += [
            "",
            f"Of the cells that are counted; the classifier abstains on {left:.1%}, which are left out:",
            "",
        ]
        lines += [f"- {_words(key)}: {value:.3f}" for key, value in counted.items() if key != "abstained"]
    lines += ["", "Of all cells, whatever the thresholds; accuracies are of the likeliest class:", ""]
    lines += [f"- {_words(key)}, all of them: {value:.3f}" for key, value in known.pop("all", {}).items()]
    lines += [f"- {_words(key)}: {value:.3f}" for key, value in known.items()]
    if "ece" in manifest["calibration"]:
        lines.append(f"- calibration error: {manifest['calibration']['ece']:.3f}")
    for result in metrics["test"]:
        lines += _test_lines(result)
    return "\n".join(lines) + "\n"


def _test_lines(result: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        f"## Figures on {result['dataset']}, {result['split']}: {sum(result['cells'].values())} cells, "
        f"{result['groups']} groups",
        "",
        f"With intervals ({result['interval']}). The classifier abstains on {result['abstained']:.1%}, left",
        "out of all figures but areas and calibration errors, which no threshold touches.",
        "",
    ]
    for name, figure in result["figures"].items():
        if figure["value"] is not None:
            interval = f"({figure['low']:.3f} to {figure['high']:.3f})"
            lines.append(f"- {_words(name)}: {figure['value']:.3f} {interval}")
    return lines


def _words(name: str) -> str:
    return name.replace("_", " ")


def _precisions(manifest: Mapping[str, Any]) -> str:
    """What each precision loses against FP32, one table."""
    parity = manifest["metrics"]["parity"]
    against = parity.get("against", "PyTorch")
    said = (
        f"FP32 in ONNX Runtime against {against}: probabilities within {parity['largest_difference']:g} on "
        f"{parity['cells']} crops."
    )
    if not manifest["precisions"]:
        return f"## Precisions\n\n{said} It has no other.\n"
    lines = [
        "## Precisions",
        "",
        f"{said} The others against FP32, on validation cells (one that is not counted counts as lost):",
        "",
        "| runtime and precision | usable | sensitivity | ROC area | worst recall | layers left in float |",
        "|---|---|---|---|---|---|",
    ]
    for variant, found in manifest["precisions"].items():
        if "sensitivity" not in found:
            lines.append(f"| {variant} | no: {found['why']} | | | | |")
            continue
        usable = "yes" if found["usable"] else f"no: {found['why']}"
        lines.append(
            f"| {variant} | {usable} | {found['sensitivity']:.3f} ({found['sensitivity_change']:+.4f}) "
            f"| {found['roc_area']:.3f} ({found['roc_area_change']:+.4f}) "
            f"| {found['worst_recall_change']:+.4f} ({found['worst_recall_class']}) "
            f"| {', '.join(found['float_layers']) or 'none'} |"
        )
    lines += [
        "",
        "Graphs for TensorRT were judged as ONNX Runtime computes them. A device uses a precision only if it",
        "finds the golden cases again in it and is faster for it.",
        "",
    ]
    return "\n".join(lines)


_APL = "## Acute promyelocytic leukemia\n"
_ELSEWHERE = "## How often it errs elsewhere\n"


def with_operation(text: str, table: Mapping[str, Any]) -> str:
    """A model card with what the manifest's `operation` table says, before its limits or in its old place."""
    lines = [
        _ELSEWHERE,
        "Runs of the same recipe that did not learn from a laboratory, asked about its cells:",
        "",
        "| laboratory | blasts | of them called blasts | other leukocytes counted | of them called blasts |",
        "|---|---|---|---|---|",
    ]
    for told in table.get("laboratories", ()):
        shares = ("" if told[key] is None else f"{told[key]:.3f}" for key in ("sensitivity", "false_blasts"))
        sensitivity, false = shares
        units = f"{told['name']}, {told['units']} × {told['unit']}"
        lines.append(f"| {units} | {told['blasts']} | {sensitivity} | {told['others']} | {false} |")
    lines.append("")
    for key, name in (
        ("sensitivity", "Sensitivity"),
        ("false_blasts", "False blasts among other leukocytes"),
    ):
        rate = table[key]
        lines.append(
            f"{name}: {rate['mean']:.3f} in the mean, "
            f"{rate['low']:.4f} to {rate['high']:.3f} on 95% of slides."
        )
    lines += ["A finding reckons with these.", "", f"Source: {table['source']}.", "", ""]
    return _with_section(text, _ELSEWHERE, lines)


def with_apl(text: str, table: Mapping[str, Any]) -> str:
    """A model card with what the manifest's `apl` table says, before its limits or in its old place."""
    seen, false, area = table["sensitivity"], table["false_alarms"], table["roc_area"]
    few = table["too_few_cells"]
    lines = [
        _APL,
        "Where a finding is positive, the device says whether the patient's blasts look like those of acute",
        "promyelocytic leukemia, which is treated on suspicion. Each patient, asked about by a fit on the",
        "others:",
        "",
        f"- ROC area against other acute leukemias: {_interval(area)}",
        f"- false alarms among {false['n']} with another acute leukemia: {_interval(false)}",
        f"- sensitivity among {seen['n']} with APL: {_interval(seen)}",
        f"- too few cells to be asked about: {few['apl']} with APL, {few['others']} others",
        "",
        "All of them are of one laboratory: elsewhere nobody knows. No alert never means that it is not APL.",
        "",
        f"Source: {table['source']}.",
        "",
        "",
    ]
    return _with_section(text, _APL, lines)


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _with_section(text: str, title: str, lines: Sequence[str]) -> str:
    """The section of this title, with a blank line at its end, before the limits or in its old place."""
    before, heading, after = text.partition(title)
    if heading:
        after = after[after.index("\n## ") + 1 :] if "\n## " in after else ""
    else:
        before, heading, after = text.partition("## Limits\n")
        after = heading + after
    return before + "\n".join(lines) + after


_LIMITS_OF_OTHERS = """## Limits

- It learned from one laboratory's pictures, made one way. Under another stain, camera or scale expect less.
- It knows its classes and nothing else: whatever it is shown, it calls one of them.
- Cells or fields of one patient look alike. A figure on a split that does not keep patients apart flatters.
"""

_LIMITS_OF_ELSEWHERE = """## Limits

- It comes from elsewhere. What it learned from and where it fails, its makers know; this program has only
  wrapped it, and judged it on the cells named above, if any.
- It knows its classes and nothing else: whatever it is shown, it calls one of them.
- Under another stain, camera or scale expect less: check on your own slides before believing anything.
"""

_LIMITS = """## Limits

- It is meant for smears of blood. Marrow is outside of its use: there a device counts and says nothing more.
  On marrow of a laboratory that it never saw a network of its kind had a ROC area of .90, a sensitivity of
  .69 and a specificity of .90.
- The blasts it learned are of acute myeloid and promyelocytic leukemia in the blood of one laboratory, and
  lymphoblasts that were cut out of marrow by the makers of one data set. Of ripe lymphoid cells prepared
  like those it has seen those of a few people, and calls most of them blasts.
- Nearly all typed cells come from two laboratories with one make of camera. Under another stain, camera or
  scale expect less, and other probabilities than here: check on your own slides before believing anything.
- Rare classes (basophils, immature granulocytes of patients, platelet clumps) rest on few pictures.
- It has also learned cells drawn by a program. Figures on drawn slides say that the line works, and nothing
  about patients.
"""
