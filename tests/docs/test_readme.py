"""The README is short, and its figures are those of the pages that it links to."""

import re

import pytest

from tests.support.paths import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.*\]\((docs/benchmarks/\w+\.md)\).*)$", TEXT, re.MULTILINE)


def test_it_fits_on_a_few_screens():
    assert len([line for line in TEXT.splitlines() if line]) <= 115


def test_the_chapters_have_their_titles():
    listed = re.findall(r"^(\d)\. \[(.*)\]\((docs/learn/.*\.py)\)", TEXT, re.MULTILINE)
    assert [number for number, _, _ in listed] == list("123456789")
    for number, title, path in listed:
        assert (ROOT / path).read_text(encoding="utf-8").startswith(f"# %% [markdown]\n# # {number} · {title}\n")


@pytest.mark.parametrize(("row", "page"), ROWS, ids=[page for _, page in ROWS])
def test_figures_are_on_the_page_of_the_benchmark(row, page):
    figures = re.findall(r"\d+\.\d+(?=×| %| ms)", row)
    measured = (ROOT / page).read_text(encoding="utf-8")
    assert figures
    assert [figure for figure in figures if not re.search(rf"\b{re.escape(figure)}\b", measured)] == []
