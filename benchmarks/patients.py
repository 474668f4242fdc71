"""Patients with acute leukemia as slides: what is found of each, and whether APL is told from the others.

    python benchmarks/patients.py --data ../shared/data

Each patient of a part of DeepAPL is a slide: their cells, as many as there are, in random order. The finding
is that of the bundle by its own `operation` table: by the machine alone, and once a person has looked at the
40 cells likeliest to be blasts (as in leftout_slides.py). Beside it stands the share of blasts by the
experts; of a class there may be 30 pictures at most, so it need not be the patient's true share.

Where the bundle has an `apl` table: how many of the patients with enough cells raise its alert, and of how
many with APL it is shown, which takes a positive finding too. It is fitted on training and validation
patients: there its figures flatter.

The bundle learned from other patients of the same laboratory.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from leftout_slides import POSITIVE, SHOWN, Looked, Pool, looked_at
from results import Results, parser_of
from tqdm import tqdm

from edge.bundle import bundle
from edge.bundle.manifest import Manifest
from edge.line.rules import Rules
from edge.types import Apl
from train.judging.apl import Patient, area_of, patients, share

NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Read:
    """What came of one patient's slide; `blasts` is the experts' share of them among the leukocytes."""

    patient: Patient
    blasts: float
    looked: Looked
    apl: Apl | None

    def as_json(self) -> dict[str, Any]:
        return {
            "patient": self.patient.name,
            "diagnosis": "APL" if self.patient.apl else "AML",
            "blasts by experts": round(self.blasts, 4),
            "counted": self.looked.counted,
            "called blasts": self.looked.called,
            "machine": self.looked.kinds[-1],
            "reviewed": self.looked.reviewed,
            "apl score": self.apl and round(self.apl.score, 4),
            "apl alert": self.apl and self.apl.alert,
        }

    def line(self) -> str:
        told = self.as_json()
        alert = "-" if self.apl is None else f"{self.apl.score:+.1f}{' ALERT' if self.apl.alert else ''}"
        return (
            f"{told['patient']:<12}{told['diagnosis']:<5}{self.blasts:>5.0%}{told['counted']:>5}"
            f"{told['called blasts']:>5}  {told['machine']:<15}{told['reviewed']:<15}{alert}"
        )


def read(patient: Patient, about: Manifest, seed: int) -> Read:
    """One patient's slide."""
    rng = np.random.default_rng([seed, *patient.name.encode()])
    cells = len(patient.labels)
    names = np.full(cells, patient.name)
    pool = Pool(patient.name, patient.labels, names, patient.calls.probabilities, (), NOTHING, ())
    looked = looked_at(pool, rng.permutation(cells), about, Rules.of(about), rng)
    leukocytes = np.isin(patient.labels, about.leukocytes)
    blasts = float(np.isin(patient.labels[leukocytes], about.positive).mean()) if leukocytes.any() else 0.0
    return Read(patient, blasts, looked, about.apl.of_cells(patient.features) if about.apl else None)


def tell_findings(slides: Sequence[Read], about: Manifest, part: str, results: Results) -> None:
    """How many are positive: all, and those with as many blasts by the experts as are referred."""
    limit = about.finding.refer_fraction
    for what, kept in (
        (f"{part} patients", slides),
        (f"{part} patients with {limit:.0%} blasts or more", [s for s in slides if s.blasts >= limit]),
    ):
        if not kept:
            continue
        for name, kinds in (
            ("positive by the machine alone", [each.looked.kinds[-1] for each in kept]),
            (f"positive once a person saw {SHOWN}", [each.looked.reviewed for each in kept]),
        ):
            found = share(np.isin(kinds, POSITIVE))
            results.add(name, found, what=what, n=found.n, of="patients")
            ends = ", ".join(f"{kind} {n}" for kind, n in Counter(kinds).most_common())
            print(
                f"{what}: {name} {found.value:.2f} ({found.low:.2f} to {found.high:.2f}) of {found.n}: {ends}"
            )


def tell_apl(slides: Sequence[Read], part: str, results: Results) -> None:
    """How the alert does among the patients with enough cells, and how many have too few."""
    asked = [each for each in slides if each.apl is not None]
    truth = np.array([each.patient.apl for each in asked], np.bool_)
    alerts = np.array([each.apl is not None and each.apl.alert for each in asked], np.bool_)
    what = f"{part} patients"
    for name, kept in (("APL alert, sensitivity", truth), ("APL alert, false alarms", ~truth)):
        if kept.any():
            found = share(alerts[kept])
            results.add(name, found, what=what, n=found.n, of="patients")
            print(f"{what}: {name} {found.value:.2f} ({found.low:.2f} to {found.high:.2f}) of {found.n}")
    if truth.any() and not truth.all():
        scores = np.array([each.apl.score for each in asked if each.apl is not None])
        area = area_of(scores, truth, [each.patient.name for each in asked])
        results.add("APL, ROC area", area, what=what, n=len(asked), of="patients")
        print(f"{what}: APL, ROC area {area}")
    with_apl = [each for each in slides if each.patient.apl]
    if with_apl:
        shown = share(np.array([_is_shown(each) for each in with_apl], np.bool_))
        name = f"APL alert shown once a person saw {SHOWN}, of all with APL"
        results.add(name, shown, what=what, n=shown.n, of="patients")
        print(f"{what}: {name} {shown.value:.2f} ({shown.low:.2f} to {shown.high:.2f}) of {shown.n}")
    few = Counter("APL" if each.patient.apl else "AML" for each in slides if each.apl is None)
    print(f"{what}: too few cells for the alert: {few['APL']} with APL, {few['AML']} others")


def _is_shown(slide: Read) -> bool:
    return slide.apl is not None and slide.apl.alert and slide.looked.reviewed in POSITIVE


def main() -> None:
    """Read every patient of a part, and print what comes of them."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="folder with the data sets")
    add("--cache", type=Path, metavar="DIR", help="of cut cells; test cells are kept nowhere")
    add("--bundle", type=Path, help="default: the shipped one")
    parts = ("train", "validation", "test")
    add("--split", default="test", choices=parts, help="part of the patients (default: test)")
    add("--seed", type=int, default=1, metavar="N", help="of the order and the reader (default: 1)")
    arguments = parser.parse_args()
    results = Results("patients", parser, arguments)

    def notice(message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    opened = bundle.load(arguments.bundle or bundle.shipped_path(), allow_unsigned=True)
    about = opened.manifest
    listed = patients(opened, arguments.data, arguments.cache, notice, (arguments.split,))
    bar = tqdm(listed, "patients", unit="patient", leave=False, disable=None)
    slides = [read(each, about, arguments.seed) for each in bar]
    print(f"{'patient':<17}{'blast':>5}{'n':>5}{'call':>5}  {'machine':<15}{'reviewed':<15}APL")
    for each in slides:
        print(each.line())
    tell_findings(slides, about, arguments.split, results)
    if about.apl is not None:
        tell_apl(slides, arguments.split, results)
    results.write({"patients": [each.as_json() for each in slides]})


if __name__ == "__main__":
    main()
