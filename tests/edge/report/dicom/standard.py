"""What the standard asks of a file: attributes of types 1 and 2, and what items of a report must have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from pydicom import Dataset

OPTIONAL = ("patient-study", "optical-path")
"""Modules that the standard leaves to whoever writes images, and that are written."""

_TREE = "sr-document-content"
_VALUES = {
    "TEXT": "TextValue",
    "CODE": "ConceptCodeSequence",
    "NUM": "MeasuredValueSequence",
    "PNAME": "PersonName",
    "UIDREF": "UID",
    "IMAGE": "ReferencedSOPSequence",
    "SCOORD": "GraphicData",
    "CONTAINER": "ContinuityOfContent",
}
_RELATIONS = {  # PS3.3 table A.35.3-2, those that occur
    ("CONTAINER", "CONTAINS"), ("CONTAINER", "HAS OBS CONTEXT"), ("CONTAINER", "HAS CONCEPT MOD"),
    ("NUM", "HAS PROPERTIES"), ("TEXT", "INFERRED FROM"), ("SCOORD", "SELECTED FROM"),
}  # fmt: skip


def missing(dataset: Dataset, optional: Sequence[str] = ()) -> list[str]:
    """Attributes of PS3.3 that a data set lacks: of type 1 that have no value, of type 2 that are not there.

    Of its mandatory modules and these, as `module: sequence/attribute`.
    """
    modules = get_iod_module_map()[get_sop_class_iod_map()[dataset.SOPClassUID]]
    wanted = [one["key"] for one in modules if one["usage"] == "M" or one["key"] in optional]
    return [
        f"{module}: {'/'.join([*attribute['path'], attribute['keyword']])}"
        for module in wanted
        if module != _TREE
        for attribute in get_module_attribute_map()[module]
        if attribute["type"] in ("1", "2")
        for holder in _holders(dataset, attribute["path"])
        if not _there(holder, attribute["keyword"], attribute["type"])
    ]


def _holders(dataset: Dataset, path: Sequence[str]) -> Iterator[Dataset]:
    """The items that a path of sequences leads to."""
    if not path:
        yield dataset
        return
    for item in dataset.get(path[0]) or []:
        yield from _holders(item, path[1:])


def _there(holder: Dataset, keyword: str, kind: str) -> bool:
    if kind == "2":
        return keyword in holder
    return keyword in holder and holder.get(keyword) not in (None, "", [])


def items(dataset: Dataset) -> Iterator[Dataset]:
    """All content items of a report below its root."""
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items(item)


def check_tree(item: Dataset) -> None:
    """Every item has its name and value, and stands where Comprehensive SR lets it."""
    assert item.ValueType in _VALUES
    assert item[_VALUES[item.ValueType]].VM >= 1, item
    (name,) = item.ConceptNameCodeSequence
    assert 0 < len(name.CodeMeaning) <= 64
    for child in item.get("ContentSequence", []):
        assert (item.ValueType, child.RelationshipType) in _RELATIONS
        check_tree(child)
