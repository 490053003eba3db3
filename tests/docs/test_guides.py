"""The examples in docs/guides run and print what the guides show."""

import doctest
import re

import pytest

from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "guides"
GUIDES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "index")


def test_the_index_links_to_every_guide():
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert GUIDES
    assert [guide.name for guide in GUIDES if f"({guide.name})" not in index] == []


def test_the_onnx_example_is_the_same_in_both_places():
    """It states the normalization, the lengths and the boundary; it needs a package and a model to run."""
    example = re.compile(r"^```python\nimport numpy as np, onnxruntime\n.*?^```", re.DOTALL | re.MULTILINE)
    pages = (ROOT / "README.md", FOLDER / "decoding.md")
    [[first], [second]] = [example.findall(page.read_text(encoding="utf-8")) for page in pages]
    assert first == second
    assert all(part in first for part in ("/ 255 - 0.5) / 0.5", "input_lengths=lengths", "lm_boundary=False"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_the_examples_run(guide):
    failures, tried = doctest.testfile(str(guide), module_relative=False, encoding="utf-8")
    assert (failures, tried > 0) == (0, True)
