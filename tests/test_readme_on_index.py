"""The description of the package, as a package index shows it."""

import re
import subprocess
import sys
from email import message_from_bytes
from html.parser import HTMLParser

import pytest

from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
BUILD = "import sys; from scikit_build_core import build; build.prepare_metadata_for_build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def metadata(tmp_path_factory):
    pytest.importorskip("scikit_build_core")
    pytest.importorskip("hatch_fancy_pypi_readme")
    folder = tmp_path_factory.mktemp("metadata")
    subprocess.run([sys.executable, "-c", BUILD, folder], cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*/METADATA")
    return message_from_bytes(file.read_bytes())


@pytest.fixture(scope="module")
def description(metadata):
    return metadata.get_payload(decode=True).decode()


class Addresses(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, _, attributes):
        self.found += [value for name, value in attributes if name in ("href", "src", "srcset")]


def test_an_index_can_show_the_readme_and_no_link_is_relative(description):
    markdown = pytest.importorskip("readme_renderer.markdown")
    page = markdown.render(description)
    assert page is not None
    assert "<table" in page
    assert [address for address in Addresses(page).found if not re.match(r"\w+:|#", address)] == []
    assert "](" not in FENCE.sub("", description)


def test_the_code_is_that_of_the_readme(description):
    assert FENCE.findall(description) == FENCE.findall(README)


def test_the_words_of_links_stay(description):
    words = re.findall(r"(?<!!)\[([^\[\]]+)\]\((?!\w+:)[^)\s]+\)", FENCE.sub("", README))
    assert words
    assert [each for each in words if each not in description] == []


def test_what_an_index_asks_for_is_there(metadata):
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["License-Expression"] == "MIT AND BSD-2-Clause AND BSD-3-Clause"
    assert metadata["Summary"].startswith("The CTC toolkit for Python")
    assert metadata["Requires-Python"] == ">=3.10"
