"""The films of the live lattice are those that the script makes, and small."""

import importlib

import pytest

from tests.support.paths import ROOT

DOCS = ROOT / "docs"


@pytest.fixture
def film(monkeypatch):
    pytest.importorskip("playwright")
    monkeypatch.syspath_prepend(str(DOCS / "_figures"))
    return importlib.import_module("live_film")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_film_is_as_the_script_makes_it(film, scheme):
    image = pytest.importorskip("PIL.Image")
    path = film.FILMS[scheme]
    assert path.stat().st_size <= film.MOST_BYTES
    with image.open(path) as pictures:
        assert pictures.size == (film.WIDTH, film.HEIGHT)
        assert pictures.is_animated
        assert pictures.info["loop"] == 0  # for ever
        times = []
        for n in range(pictures.n_frames):
            pictures.seek(n)
            pictures.load()
            times.append(pictures.info["duration"])
        corner = pictures.convert("RGB").getpixel((2, 2))
    assert 10_000 < sum(times) < 20_000  # milliseconds
    assert (sum(corner) < 3 * 60) == (scheme == "dark")


def test_both_films_are_below_the_limit(film):
    assert 2 * film.MOST_BYTES <= 1_500_000


@pytest.mark.parametrize(
    ("page", "schemes"),
    [("README.md", ["light"]), ("docs/index.md", ["light", "dark"])],  # a package index shows no <picture>
)
def test_the_pages_show_them(film, page, schemes):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [scheme for scheme in schemes if f"images/{film.FILMS[scheme].name}" not in text] == []
