"""The examples in docs/guides run and print what the guides show."""

import doctest

import pytest

from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "guides"
GUIDES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "index")


def test_the_index_links_to_every_guide():
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert GUIDES
    assert [guide.name for guide in GUIDES if f"({guide.name})" not in index] == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_the_examples_run(guide):
    failures, tried = doctest.testfile(str(guide), module_relative=False, encoding="utf-8")
    assert (failures, tried > 0) == (0, True)
