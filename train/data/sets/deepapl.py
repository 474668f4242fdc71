"""DeepAPL: single leukocytes of patients with acute myeloid or promyelocytic leukemia."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from train.data.dataset import DataError, DataSet, Notice, Picture, Scale, Spot
from train.data.pictures import class_folders, one_spot
from train.data.split import split_of

_SCALE = Scale(0.1, "CellaVision at 100×; red cells measure 76 px")

_CLASSES = {
    "Blast, no lineage spec": "blast",
    # every patient here has acute leukemia, where these two count as blast equivalents (WHO 2022)
    "Promyelocyte": "blast",
    "Promonocyte": "blast",
    "Myelocyte": "immature-granulocyte",
    "Metamyelocyte": "immature-granulocyte",
    "Lymphocyte": "lymphocyte",
    "Lymphocyte, variant": "lymphocyte",
    "Plasma cells": "lymphocyte",
    "Monocyte": "monocyte",
    "Band neutrophils": "neutrophil",
    "Segmented neutrophils": "neutrophil",
    "Eosinophils": "eosinophil",
    "Basophil": "basophil",
    "Erythroblast": "erythroblast",
    "Giant thrombocyte": "platelet",
    "Thrombocyte aggregation": "platelet",
    "Smudge cells": "smudge-cell",
}


APL = "APL"
"""The diagnosis of acute promyelocytic leukemia, as the authors' table has it; the others are 'AML'."""


def diagnoses(root: Path) -> dict[str, str]:
    """Patient → diagnosis, `APL` or 'AML'; nobody where the authors' table is absent."""
    return {row["Patient_ID"]: row.get("Diagnosis") or "" for row in _patients(root)}


def _held_back(root: Path) -> frozenset[str]:
    """Patients of the authors' own validation cohort: never trained on, whatever their hash says."""
    rows = _patients(root)
    return frozenset(r["Patient_ID"] for r in rows if r.get("Cohort", "Discovery") != "Discovery")


def _patients(root: Path) -> list[dict[str, str]]:
    """The authors' table of patients; empty where it is absent."""
    table = root / "Data" / "master.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        return list(csv.DictReader(lines))


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    patients = root / "Data" / "All"
    if not patients.is_dir():
        raise DataError(f"data set deepapl: no folder {patients}; the layout is {DEEPAPL.layout}")
    held_back = _held_back(root)
    for patient in sorted(p for p in patients.iterdir() if p.is_dir()):
        split = "test" if patient.name in held_back else split_of(patient.name)
        slides = patient / "Signed slides"
        if not slides.is_dir():
            notice(f"{patient}: no folder 'Signed slides', left out")
            continue
        for path, label in class_folders([slides], _CLASSES, notice):
            yield one_spot(path, root, _SCALE.um_per_px, Spot(label, patient.name, split))


DEEPAPL = DataSet(
    name="deepapl",
    title="leukocytes of patients with AML or APL, classes signed by experts",
    folder="deepapl",
    home="https://github.com/sidhomj/DeepAPL",
    licence="open repository with a bare copyright line: research use, do not redistribute",
    citation="Sidhom et al., Deep learning for diagnosis of acute promyelocytic leukemia via recognition of "
    "genomically imprinted morphologic features, npj Precision Oncology 2021;5:38",
    layout="deepapl/Data/All/Patient_NN/Signed slides/<class>/*, deepapl/Data/master.csv",
    groups="patient",
    split="by patient, by a hash of the patient's number: about 65% train, 15% validation, 20% test; "
    "patients of the authors' validation cohort always test",
    read=_read,
    scale=_SCALE,
    laboratory="Johns Hopkins Hospital, Baltimore; CellaVision",
)
