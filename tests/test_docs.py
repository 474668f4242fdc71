"""README and docs: a first page that stays one, links that lead somewhere, paths that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# what is written there is history, and names what was there then
HISTORY = {ROOT / "CHANGELOG.md"}

_CODE = re.compile(r"```[^`]*```|^ {4}[^\n]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FILE = re.compile(r"`((?:edge|train|export|firmware_config|tests|benchmarks|docs|packaging)/[\w./-]+)`")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get on a forge: lower case, spaces to hyphens, punctuation gone."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_CODE.sub("", page.read_text("utf-8"))):
        target, _, anchor = link.partition("#")
        if re.match(r"\w+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", [page for page in PAGES if page not in HISTORY], ids=_name)
def test_files_are_where_they_are_said_to_be(page: Path) -> None:
    named = _FILE.findall(page.read_text("utf-8"))
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in _LINK.findall(page.read_text("utf-8"))
        if not re.match(r"\w+:", link)
    }
    assert not [page for page in PAGES if page not in linked and page.name != "README.md"]


def test_the_first_page_stays_one() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 110


def test_the_figures_are_what_the_benchmarks_wrote() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/figures.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
