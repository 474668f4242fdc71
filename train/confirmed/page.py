"""The report of a data set of confirmed cells as one HTML file that needs no other, and no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files as resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from edge.report.report import RESEARCH_USE
from train.statistics.plots import confusion_matrix

GALLERY = 120
"""Cells shown at most."""

_CHOSEN = (
    "People look at the most suspicious cells first, so these shares are of the cells that somebody looked "
    "at: they are no error rates of the machine over a slide. The intervals (Wilson, 95%) take cells for "
    "independent, which those of one slide are not, so they are too narrow."
)
_WHY = {
    "readers-differ": "two readers call it differently",
    "no-picture": "the records keep no picture of it",
    "unreadable": "its picture cannot be read",
    "no-scale": "an older version did not keep the scale of its picture",
}


def page(found: Mapping[str, Any], folder: Path) -> str:
    """The report as HTML.

    Parameters
    ----------
    found : as `train.confirmed.figures.figures` gives it. folder : where the pictures are.
    """
    return "".join(f"{line}\n" for line in _lines(found, folder))


def _lines(found: Mapping[str, Any], folder: Path) -> Iterator[str]:
    style = (resources("edge.report.pages") / "style.css").read_text(encoding="utf-8")
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    yield "style-src 'unsafe-inline'\"><title>Confirmed cells</title>"
    yield f"<style>\n{style}\nimg {{ max-width: 100%; }}\nul.gallery img {{ width: 100%; }}</style>"
    yield "</head><body>"
    yield "<h1>Confirmed cells: where machine and people differ</h1>"
    yield _table((), _essentials(found))
    yield f'<p class="small">{_CHOSEN}</p>'
    yield "<h2>How often people said otherwise</h2>"
    yield _table(("", "cells", "said otherwise", "share", "95% interval"), _shares(found))
    yield "<h2>What the machine called what people call so</h2>"
    yield _matrix(found["confusion"])
    yield from _gallery(found["differing"], folder)
    yield from _groups("By slide", ("slide", "patient"), found["by_slide"])
    yield from _groups("By reader", ("by",), found["by_reader"])
    yield from _left_out(found)
    yield "<h2>Read with</h2>"
    yield _table(
        ("bundle", "SHA-256", "cells"),
        [(b["bundle"], b["bundle_sha256"][:16], b["cells"]) for b in found["bundles"]],
    )
    yield _table(("version", "cells"), [(v["version"], v["cells"]) for v in found["versions"]])
    yield f'<p class="small">{escape(RESEARCH_USE)}</p></body></html>'


def _essentials(found: Mapping[str, Any]) -> list[tuple[object, ...]]:
    when = f"{found['from']} to {found['to']}" if found["from"] else "not known"
    undated = f"; {found['undated']} slides of a clock that was not set" if found["undated"] else ""
    wide = sum(found["pictures"]["field"].values())
    return [
        ("cells", found["cells"]),
        ("slides, patients, stores", f"{found['slides']}, {found['patients']}, {len(found['stores'])}"),
        ("screened", when + undated),
        ("classes by people", ", ".join(f"{n} {name}" for name, n in found["by_class"].items())),
        ("pictures", f"{wide} with what lies round the cell, {found['cells'] - wide} of the cell alone"),
        ("left out", sum(found["left_out"].values())),
    ]


def _shares(found: Mapping[str, Any]) -> list[tuple[object, ...]]:
    names = {
        "blasts_denied": "called blasts by the machine, and not by people",
        "blasts_missed": "called blasts by people, and not by the machine",
        "named_otherwise": "named otherwise, of whatever class",
    }
    return [(text, *_share(found[key])) for key, text in names.items()]


def _share(found: Mapping[str, Any]) -> tuple[object, ...]:
    if found["share"] is None:
        return 0, 0, "", ""
    low, high = found["interval"]
    return found["cells"], found["of_these"], f"{found['share']:.1%}", f"{low:.1%} to {high:.1%}"


def _matrix(confusion: Mapping[str, Any]) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "confusion.png"
        table = np.array(confusion["people_by_machine"], np.int64)
        confusion_matrix(table, confusion["classes"], path)
        return f'<img alt="Rows: people. Columns: machine." src="{_data(path.read_bytes(), "png")}">'


def _gallery(differing: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[str]:
    yield f"<h2>Cells that they name differently ({len(differing)})</h2>"
    if not differing:
        yield "<p>None.</p>"
        return
    yield '<ul class="gallery">'
    for cell in differing[:GALLERY]:
        readers = ", ".join(cell["words"])
        lines = (
            f"people: {cell['class']} ({readers})",
            f"machine: {cell['machine']} ({cell['machine_p']:.2f})",
            f"slide {cell['slide']}, cell {cell['cell']}",
        )
        caption = "".join(f"<span>{escape(line)}</span>" for line in lines)
        shown = _shown(folder / cell["path"])
        yield f'<li><figure><img alt="" src="{shown}"><figcaption>{caption}</figcaption></figure></li>'
    yield "</ul>"
    if more := len(differing) - GALLERY:
        yield f'<p class="small">{more} more in report.json.</p>' if more > 0 else ""


def _shown(path: Path) -> str:
    """A cell's picture: the stored one, or of a wider one the middle."""
    content = path.read_bytes()
    if path.suffix == ".jpg":
        return _data(content, "jpeg")
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    start = pixels.shape[0] // 4
    middle = pixels[start : pixels.shape[0] - start, start : pixels.shape[1] - start]
    return _data(cv2.imencode(".jpg", middle, (cv2.IMWRITE_JPEG_QUALITY, 92))[1].tobytes(), "jpeg")


def _groups(title: str, names: Sequence[str], groups: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"<h2>{title}</h2>"
    header = (*names, "cells", "named otherwise", "machine's blasts", "denied", "missed")
    rows = []
    for one in groups:
        cells, denied, missed = one["named_otherwise"], one["blasts_denied"], one["blasts_missed"]
        rows.append(
            (
                *(one[name] for name in names),
                cells["cells"],
                cells["of_these"],
                denied["cells"],
                denied["of_these"],
                missed["of_these"],
            )
        )
    yield _table(header, rows)


def _left_out(found: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Left out</h2>"
    if not found["left_out"]:
        yield "<p>Nothing.</p>"
        return
    yield _table(("why", "cells"), [(_WHY[why], n) for why, n in found["left_out"].items()])
    if found["unsettled"]:
        yield "<p>Cells that readers call differently: let them look again (edge-slides review), and import "
        yield "again.</p>"
        rows = [
            (
                c["slide"],
                c["cell"],
                ", ".join(f"{by}: {word}" for by, word in c["words"].items()),
                c["machine"],
            )
            for c in found["unsettled"]
        ]
        yield _table(("slide", "cell", "readers", "machine"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
