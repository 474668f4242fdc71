"""A bundle that exists → the same with more in its manifest: what was measured after it was built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.bundle import bundle
from edge.bundle.apl import AplTable, Share
from edge.bundle.bundle import Bundle, BundleError
from edge.bundle.manifest import Manifest
from edge.bundle.operation import ErrorRates
from edge.files import atomic, strictjson
from edge.files.strictjson import Table
from export.bundle import card
from export.bundle.archive import Signer, pack
from export.bundle.manifest import finding_of, specimen_of
from export.graph import metadata
from export.graph.graph import ExportError

_PUBLIC = 0o644


def amend(
    path: Path,
    out: Path,
    tables: Mapping[str, Any],
    members: Mapping[str, bytes] | None = None,
    signer: Signer | None = None,
    *,
    large: bool = False,
) -> Bundle:
    """Write the bundle at `path`, changed, to `out`; the same changes give the same bytes.

    Its finding table and the specimen that it is made for become those that bundles of its kind are built
    with now, its model card tells an `operation` or `apl` table among them, its graphs say of themselves what
    its manifest says, and a signature falls away. It stays the same network to the sites that know it.

    Parameters
    ----------
    tables : of the manifest, added or put in the place of those of that name.
    members : name → content, added or put in the place of those of that name.
    signer, large : as in `export.bundle.archive.pack`.

    Raises
    ------
    BundleError : it cannot be opened. ExportError : a device would not open what came of it; nothing is
        written.
    """
    old = bundle.load(path, allow_unsigned=True, large=large)
    manifest = {
        **old.manifest.everything,
        **specimen_of(old.manifest.classes),
        "finding": finding_of(old.manifest.task),
        **tables,
    }
    held = {name: old.members[name] for name in old.manifest.files} | dict(members or {})
    if old.manifest.task != "detector":
        manifest["network"] = old.manifest.everything.get("network") or metadata.network(old.graph())
        about = metadata.told(manifest)
        held |= {name: metadata.with_metadata(held[name], about) for name in old.manifest.graphs.values()}
    try:
        if "operation" in tables and card.MEMBER in held:
            ErrorRates.of(Table(tables["operation"], "operation"))
            held[card.MEMBER] = card.with_operation(held[card.MEMBER].decode(), tables["operation"]).encode()
        if "apl" in tables and card.MEMBER in held:
            AplTable.of(Table(tables["apl"], "apl"), old.manifest.classes)
            held[card.MEMBER] = card.with_apl(held[card.MEMBER].decode(), tables["apl"]).encode()
        content = pack(manifest, held, signer, large=large)
        new = bundle.opened(out, content, allow_unsigned=True, large=large)
    except (BundleError, ValueError) as error:
        raise ExportError(f"what is to be amended: {error}") from None
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(out, content, _PUBLIC)
    return new


def operation(path: Path) -> dict[str, Any]:
    """The `operation` table in a file of `edge-train operation`; raises ExportError."""
    try:
        table = strictjson.read(path.read_bytes())
        ErrorRates.of(table)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExportError(
            f"--operation {path}: {reason}; give a file of edge-train operation --json"
        ) from None
    return table.values


def apl(path: Path, about: Manifest) -> dict[str, Any]:
    """The `apl` table in a file of `edge-train apl` made of a bundle with this manifest.

    Raises
    ------
    ExportError : it cannot be read, is none, or was made of another network.
    """
    try:
        table = strictjson.read(path.read_bytes())
        AplTable.of(table, about.classes)
        Share.of(table.table("roc_area"))
        for who in ("apl", "others"):
            table.table("too_few_cells").whole(who, 0)
        network = table.text("network")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExportError(f"--apl {path}: {reason}; give a file of edge-train apl --json") from None
    if network != about.network:
        raise ExportError(
            f"--apl {path}: was made of another network than that of {about.name} {about.version}; make it "
            "anew with edge-train apl --bundle"
        )
    return table.values
