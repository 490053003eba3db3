"""The lists of differences in the guides are those that the tests assert."""

import pytest

from tests.support import differences

GUIDES = [guide for guide in differences.GUIDES if differences.lists(guide.read_text(encoding="utf-8"))]
EMPTY = "# A guide\n\n<!-- differences: {name} -->\n{heading}\n<!-- end of differences -->\n\nThe end.\n"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_has_the_lists_that_the_tests_assert(guide):
    text = guide.read_text(encoding="utf-8")
    assert text == differences.filled(text, differences.rows_by_list()), "run `make differences`"


def test_each_list_is_in_one_guide():
    found = [name for guide in GUIDES for name in differences.lists(guide.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(differences.rows_by_list())


def test_marks_are_found_on_tests_and_on_their_parameters():
    source = (
        'mark = pytest.mark.difference("no test")\n'
        '@pytest.mark.difference("numpy", "sums", "pairs", "blocks")\n'
        "def test_sums(): ...\n"
        'two = pytest.param(2, marks=pytest.mark.difference("numpy", "no decorator"))\n'
        '@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.difference("numpy", "Two " "is new."))])\n'
        "def test_sizes(n): ...\n"
        '@pytest.mark.difference("numpy", "no test")\n'
        "def helper(): ...\n"
    )
    assert list(differences.marks(source)) == [("numpy", "sums", "pairs", "blocks"), ("numpy", "Two is new.")]


@pytest.mark.parametrize(
    ("heading", "cells", "rows"),
    [
        ("| | numpy | here |\n|---|---|---|\n", ['"sums", "pairs", "blocks"'], "| sums | pairs | blocks |\n"),
        ("", ['"Sums are exact."', '"Two is new."', '"Sums are exact."'], "- Sums are exact.\n- Two is new.\n"),
    ],
)
def test_a_list_is_written_between_its_comments(tmp_path, heading, cells, rows):
    tests = tmp_path / "test_sums.py"
    tests.write_text("".join(f'@pytest.mark.difference("numpy", {each})\ndef test_a(): ...\n' for each in cells))
    guide = EMPTY.format(name="numpy", heading=heading)
    written = differences.filled(guide, differences.rows_by_list([tests]))
    assert written == EMPTY.format(name="numpy", heading=f"{heading}{rows}")
    assert differences.filled(written, differences.rows_by_list([tests])) == written
    assert differences.lists(written) == ["numpy"]
