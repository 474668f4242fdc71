"""HTML: a report as one file that needs no other, no network and no script, for screens, phones and print."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files as resources

from edge.report.formats import Layout
from edge.report.pages.blocks import Block, Facts, Figure, Gallery, Key, Pages, Section, Shown, Table, Text
from edge.report.pages.content import content
from edge.report.pages.drawing import Drawing
from edge.report.pages.svg import svg
from edge.report.report import RESEARCH_USE, Report

_PAPERS = {"a4": "A4", "letter": "letter"}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may load and run for it: nothing but what stands in it."""


def files(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """The report as `.html`."""
    yield ".html", page(content(report), layout.paper)


def page(pages: Pages, paper: str = "a4") -> bytes:
    """Any pages as one HTML document."""
    return "".join(f"{line}\n" for line in _lines(pages, paper)).encode()


def _lines(pages: Pages, paper: str) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f'<meta name="generator" content="{escape(pages.made_by)}">'
    yield f'<meta name="date" content="{escape(pages.made_at)}">'
    yield f"<title>{escape(pages.title)}</title>"
    yield f"<style>\n{_style()}{_paper(pages, paper)}</style></head><body>"
    yield f"<header><h1>{escape(pages.title)}</h1></header><main>"
    yield '<section id="essentials">'
    yield from map(_block, pages.essentials)
    yield "</section>"
    links = "".join(f'<li><a href="#{one.name}">{escape(one.title)}</a></li>' for one in pages.sections)
    yield f'<nav aria-label="Sections"><ul>{links}</ul></nav>'
    for section in pages.sections:
        yield from _section(section)
    yield f'</main><footer><p class="small">{escape(RESEARCH_USE)}</p></footer></body></html>'


def _section(section: Section) -> Iterator[str]:
    together = ' class="together"' if section.together else ""
    yield f'<section id="{section.name}"{together}><h2>{escape(section.title)}</h2>'
    yield from map(_block, section.blocks)
    yield "</section>"


def _block(block: Block) -> str:
    match block:
        case Text():
            tone = "" if block.tone == "plain" else f' class="{block.tone}"'
            return f"<p{tone}>{_text(block.text)}</p>"
        case Facts():
            return f"<dl>{''.join(f'<dt>{_text(k)}</dt><dd>{_text(v)}</dd>' for k, v in block.rows)}</dl>"
        case Table():
            return _table(block)
        case Figure():
            return f"<figure>{svg(block.drawing, 'full' if block.full else 'code')}</figure>"
        case Key():
            items = "".join(f"<li>{svg(mark)}{_text(text)}</li>" for mark, text in block.items)
            return f'<ul class="key">{items}</ul>'
        case Gallery():
            kind = "gallery wide" if block.wide else "gallery"
            return f'<ul class="{kind}">{"".join(map(_shown, block.items))}</ul>'


def _shown(item: Shown) -> str:
    lines = "".join(f"<span>{_text(line)}</span>" for line in item.lines)
    return f"<li><figure>{svg(item.drawing)}<figcaption>{lines}</figcaption></figure></li>\n"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.header)
    rows = []
    for i, (first, *others) in enumerate(table.rows):
        heavy = ' class="heavy"' if i in table.heavy else ""
        cells = "".join(
            f'<td data-label="{escape(name)}">{_cell(value)}</td>'
            for name, value in zip(table.header[1:], others, strict=True)
        )
        rows.append(f'<tr{heavy}><th scope="row">{_cell(first)}</th>{cells}</tr>')
    body = "\n".join(rows)
    columns = "".join(f'<col style="width: {share * 100:.4g}%">' for share in table.wide)
    return (
        f"<table><colgroup>{columns}</colgroup><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"
    )


def _cell(value: str | Drawing) -> str:
    return svg(value) if isinstance(value, Drawing) else _text(value)


def _text(text: str) -> str:
    return escape(text)


@cache
def _style() -> str:
    return (resources("edge.report.pages") / "style.css").read_text(encoding="utf-8")


def _paper(pages: Pages, paper: str) -> str:
    """Size and margins of printed pages, with slide, patient and number on each."""
    font = "font: 8pt sans-serif;"
    return (
        f"@page {{ size: {_PAPERS[paper]}; margin: 16mm 14mm;\n"
        f"  @top-left {{ content: {_quoted(pages.about)}; {font} }}\n"
        f"  @top-right {{ content: {_quoted(pages.standing)}; {font} }}\n"
        f"  @bottom-left {{ content: {_quoted(RESEARCH_USE)}; {font} }}\n"
        f'  @bottom-right {{ content: "Page " counter(page) " of " counter(pages); {font} }} }}\n'
    )


def _quoted(text: str) -> str:
    """A string of CSS in which nothing but letters and digits stands as it is."""
    return '"' + "".join(one if one.isalnum() else f"\\{ord(one):06x}" for one in text) + '"'
