"""Members → one bundle file, the same bytes whenever and wherever it is packed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from edge.bundle import archive as limits
from export.graph.graph import ExportError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can tell


Signer = Callable[[bytes], bytes]
"""The bytes of `manifest.json` → those of `signature.json`."""


def pack(
    manifest: Mapping[str, Any],
    members: Mapping[str, bytes],
    signer: Signer | None = None,
    *,
    large: bool = False,
) -> bytes:
    """A zip of `manifest.json` and the members, whose sha256 are added to the manifest as `files`.

    With a signer it also holds `signature.json`: over the manifest, and so over every member.

    Raises
    ------
    ExportError : they are more than a device opens, or with `large` than anything does.
    """
    files = {name: hashlib.sha256(members[name]).hexdigest() for name in sorted(members)}
    text = json.dumps({**manifest, "files": files}, indent=1, ensure_ascii=False) + "\n"
    everything = {"manifest.json": text.encode(), **members}
    if signer is not None:
        everything["signature.json"] = signer(everything["manifest.json"])
    if over := limits.excess(sum(map(len, everything.values())), large):
        advice = "leave something out" if large else "--large writes it all the same, and opens it"
        raise ExportError(f"the bundle: its members have {over}; {advice}")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(everything):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, wherever it is packed
            info.external_attr = 0o644 << 16
            archive.writestr(info, everything[name])
    return out.getvalue()
