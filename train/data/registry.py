"""The data sets there are, by name; only the one that is asked for is imported."""

from __future__ import annotations

from importlib import import_module

from train.data.dataset import DataError, DataSet
from train.data.own import PREFIX, Own, folder
from train.data.splits import split_anew

DATASETS: dict[str, str] = {
    "deepapl": "train.data.sets.deepapl:DEEPAPL",
    "pbc": "train.data.sets.pbc:PBC",
    "bccd": "train.data.sets.fields:BCCD",
    "chula": "train.data.sets.fields:CHULA",
    "txl-pbc": "train.data.sets.fields:TXL_PBC",
    "aria": "train.data.sets.aria:ARIA",
    "aria-cells": "train.data.sets.aria:ARIA_CELLS",
    "aria-fields": "train.data.sets.aria:ARIA_FIELDS",
    "cnmc": "train.data.sets.cnmc:CNMC",
    "cnmc-preliminary": "train.data.sets.cnmc:CNMC_PRELIMINARY",
    "allidb1": "train.data.sets.allidb:ALLIDB1",
    "allidb1-cells": "train.data.sets.allidb:ALLIDB1_CELLS",
    "allidb2": "train.data.sets.allidb:ALLIDB2",
    "munich": "train.data.sets.munich:MUNICH",
    "raabin": "train.data.sets.raabin:RAABIN",
    "raabin-b": "train.data.sets.raabin:RAABIN_B",
    "fivetype": "train.data.sets.fivetype:FIVETYPE",
    "zheng-1": "train.data.sets.masks:ZHENG_1",
    "zheng-2": "train.data.sets.masks:ZHENG_2",
    "simulated": "train.data.sets.simulated:SIMULATED",
    "oddities": "train.data.sets.oddities:ODDITIES",
    "folder": "train.data.own.source:FOLDER",
}
"""Data set name -> 'module:object'."""


def dataset(name: str) -> DataSet:
    """The data set of that name, 'cnmc', or under another split, 'cnmc@random'; see `train.data.splits`.

    Raises
    ------
    DataError : there is none of that name, or no such split. Names those there are.
    """
    plain, at, scheme = name.partition("@")
    if at:
        return split_anew(dataset(plain), scheme)
    if name not in DATASETS:
        raise DataError(f"data set {name!r}: unknown; choose one of {', '.join(DATASETS)}")
    module, attribute = DATASETS[name].split(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, DataSet)
    return found


def named(name: str, about: Own | None = None) -> DataSet:
    """The data set that the command line calls so; `about` is for folders. DataError for an unknown one."""
    return folder(name, about) if name.partition(":")[0] == PREFIX else dataset(name)
