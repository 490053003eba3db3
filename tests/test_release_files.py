"""What a release needs besides its wheels: notes, a citation, a recipe for conda. They agree with pyproject.toml."""

import re

import pytest

from release.contents import LICENSED
from release.notes import CHANGELOG, notes
from tests.support.paths import ROOT

PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
RECIPE = (ROOT / "release" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
LICENSES = re.search(r'^license = "(.*?)"', PROJECT, re.MULTILINE)[1].split(" AND ")


def stated(pattern, text):
    return re.search(pattern, text, re.MULTILINE)[1]


def requirements(text):
    return set(re.findall(r"([\w-]+) ?(>=[\d.]+)", text))


def test_the_recipe_has_the_version_the_requirements_and_the_licenses():
    assert stated(r'version: "(.*)"', RECIPE) == stated(r'^version = "(.*)"', PROJECT)
    run = requirements(RECIPE[RECIPE.index("  run:\n") : RECIPE.index("tests:\n")])
    python = ("python", stated(r'^requires-python = "(.*)"', PROJECT))
    assert run == requirements(stated(r"^dependencies = (\[.*\])", PROJECT)) | {python}
    build = requirements(stated(r"^requires = (\[.*\])", PROJECT))
    assert build <= requirements(RECIPE[RECIPE.index("  host:\n") : RECIPE.index("  run:\n")])
    assert stated(r"license: (.*)", RECIPE) == " AND ".join(LICENSES)
    files = re.findall(r'^  "(.*LICENSE)"', PROJECT, re.MULTILINE)
    assert re.findall(r"^    - (.*LICENSE)$", RECIPE, re.MULTILINE) == files
    assert [f"{folder}/LICENSE" for folder in LICENSED] == files[1:]


def test_the_citation_has_the_licenses():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^  - (\S+)$", stated(r"^license:\n((?:  - .*\n)+)", citation), re.MULTILINE) == LICENSES


def test_the_image_and_the_compose_file_name_the_same_extras():
    image, compose = ((ROOT / name).read_text(encoding="utf-8") for name in ("Dockerfile", "compose.yaml"))
    extras = stated(r"^ARG EXTRAS=(.*)", image)
    assert stated(r"EXTRAS: \$\{EXTRAS:-(.*)\}", compose) == extras
    for extra in [*extras.split(","), *stated(r"EXTRAS=(\S+)", image).split(",")]:
        assert re.search(rf"^{extra} = \[", PROJECT, re.MULTILINE)


def test_the_notes_of_a_release_are_its_section_of_the_changelog():
    text = "# Changes\n\n## Unreleased\n\n- New.\n\n## 0.2.0 (today)\n\n### Added\n\n- Old.\n\n## 0.1.0\n\n- First.\n"
    assert notes(text) == "- New."
    assert notes(text, "0.2.0") == "### Added\n\n- Old."
    assert notes(text, "0.1.0") == "- First."
    with pytest.raises(SystemExit, match=r"no heading ## 0\.3\.0; it has Unreleased, 0\.2\.0, 0\.1\.0\."):
        notes(text, "0.3.0")
    assert notes(CHANGELOG.read_text(encoding="utf-8")).startswith("### Changed")
