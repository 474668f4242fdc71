"""The report as one HTML file: whole, harmless, and the same everywhere."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from edge.records.people import Note
from edge.report.formats import Layout
from edge.report.pages.html import files
from edge.report.report import Report
from tests.edge.report.pages.slide import NOTE, PATIENT

_VOID = {"meta", "col", "br"}


class _Page(HTMLParser):
    """What a browser would see: elements, attributes, text; it holds that every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def _html(report: Report, paper: str = "a4") -> str:
    ((ending, content),) = files(report, Layout(paper))
    assert ending == ".html"
    return content.decode()


def test_it_is_one_file_that_loads_and_runs_nothing(report: Report) -> None:
    html = _html(report)
    page = _Page(html)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    links = [value for name, value in page.attributes if name in ("href", "src")]
    assert links
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in links)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert "url(" not in html
    assert ("lang", "en") in page.attributes


def test_links_lead_to_sections(report: Report) -> None:
    page = _Page(_html(report))
    names = {value for name, value in page.attributes if name == "id"}
    assert {value[1:] for name, value in page.attributes if name == "href" and value[0] == "#"} <= names


def test_texts_of_people_are_shown_and_do_nothing(report: Report) -> None:
    page = _Page(_html(report))
    assert "b" not in page.tags
    for text in (PATIENT, NOTE, "cell 5 <again>"):
        assert text in page.text
    style = re.search(r"<style>(.*?)</style>", _html(report), re.DOTALL)
    assert style
    assert "alert" in style[1]  # in the head of printed pages
    assert "<script" not in style[1]
    assert "\\00003cscript\\00003e" in style[1]


def test_what_turns_text_round_is_written_out(report: Report) -> None:
    strange = replace(report, patient="משה 12", notes=(Note("AB", "2026-11-30T00:00:00+00:00", "a\u202eb"),))
    html = _html(strange)
    assert "\u202e" not in html
    assert "a\\u202eb" in html
    assert "\u2068משה 12\u2069" in html


def test_pictures_are_the_bytes_that_were_kept_and_each_is_described(report: Report) -> None:
    html = _html(report)
    crops = report.pictures.crops([cell.seen.id for cell in report.gallery])
    assert crops
    for jpeg in crops.values():
        assert b64encode(jpeg).decode() in html
    page = _Page(html)
    images = [value for name, value in page.attributes if (name, value) == ("role", "img")]
    assert page.tags.count("svg") == len(images)
    assert all(value for name, value in page.attributes if name == "aria-label")


@pytest.mark.parametrize(("paper", "size"), [("a4", "A4"), ("letter", "letter")])
def test_it_prints_on_the_paper_chosen(report: Report, paper: str, size: str) -> None:
    assert f"@page {{ size: {size};" in _html(report, paper)
