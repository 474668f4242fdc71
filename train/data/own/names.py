"""What people call classes -> the program's, and what they say themselves before it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from train.data.classes import LEUKOCYTE
from train.data.sets.fields import RED_CELL

LEFT_OUT = "-"
"""What a class is mapped to that is left out on purpose."""

NAMES: Mapping[str, str] = {
    "blast": "blast blast_no_lineage_spec bla myeloblast myo monoblast mob lymphoblast megakaryoblast all "
    "abnormal_promyelocyte promyelocyte_bilobed pmb promonocyte",
    "immature-granulocyte": "immature_granulocyte ig promyelocyte pmo myelocyte myb metamyelocyte mmz",
    "lymphocyte": "lymphocyte lym ly lyt typical_lymphocyte lya atypical_lymphocyte lymphocyte_variant lyi "
    "reactive_lymphocyte small_lymph large_lymph hairy_cell hac plasma_cell plm hem",
    "monocyte": "monocyte mon mono mo",
    "neutrophil": "neutrophil neu segmented_neutrophil ngs sne band_neutrophil ngb bne",
    "eosinophil": "eosinophil eos eo abnormal_eosinophil abe",
    "basophil": "basophil bas baso ba",
    "erythroblast": "erythroblast ebo erb normoblast nrbc proerythroblast peb",
    "platelet": "platelet plt thrombocyte giant_thrombocyte thrombocyte_aggregation platelet_clump",
    "smudge-cell": "smudge_cell smudge ksc smu burst basket_cell",
    "artefact": "artefact artifact art dirt debris stain_deposit",
    LEUKOCYTE: "leukocyte leucocyte wbc white_blood_cell white_cell",
    RED_CELL: "red_cell rbc red_blood_cell erythrocyte",
}
"""Label -> what folders of it are called, in the singular, separated by blanks: full names, and the
abbreviations of the Munich AML and bone marrow sets, DeepAPL, PBC, Raabin and C-NMC. Promyelocytes are blast
equivalents only where they are abnormal, which a name does not tell: the recipe's table can."""

_LABEL_OF = {alias: label for label, aliases in NAMES.items() for alias in aliases.split()}


def key(name: str) -> str:
    """A name as it is looked up: small letters and digits, '_' between them."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def as_class(name: str) -> str:
    """What a class of its own is called that is called so there."""
    return key(name).replace("_", "-") or name


def alike(names: Iterable[str]) -> list[list[str]]:
    """Names that differ in small and capital letters alone."""
    same: dict[str, set[str]] = defaultdict(set)
    for name in names:
        same[name.casefold()].add(name)
    return [sorted(several) for several in same.values() if len(several) > 1]


class Names:
    """What each name of a class means.

    Parameters
    ----------
    table : name -> class, before what is understood anyway.
    classes : those of the recipe, whose own names are understood too.
    """

    def __init__(self, table: Mapping[str, str] | None = None, classes: Sequence[str] = ()) -> None:
        self._given = dict(table or {})
        self._by_key = {key(name): name for name in classes if key(name)}
        self._by_key |= {key(name): label for name, label in self._given.items() if key(name)}

    def of(self, name: str) -> str:
        """The class, whatever number stands before and whether in the plural; '' for none known.

        LEFT_OUT for one that is left out on purpose.
        """
        if name in self._given:
            return self._given[name] or LEFT_OUT
        whole = key(name)
        if whole in self._by_key:
            return self._by_key[whole] or LEFT_OUT
        bare = re.sub(r"^[0-9]+_", "", whole)
        for form in (whole, bare, bare.removesuffix("s"), bare.replace("s_", "_")):
            if label := self._by_key.get(form) or _LABEL_OF.get(form):
                return label
        return ""
