"""The live lattice as a file, and opened in a browser."""

import pytest

from ctckit.viz import write_live_page


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_live_page(tmp_path_factory.mktemp("live") / "lattice.html")


@pytest.fixture
def page(opened, file):
    return opened(file)
