"""The examples in docs/guides run and print what the guides show."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from ctckit import NGramModel, Vocabulary
from tests.support.examples import run_page
from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "guides"
GUIDES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "index")


def test_the_index_and_the_sidebar_have_every_guide_in_the_same_order():
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[.*\]\((\w+)\.md\)", index, re.MULTILINE)
    sidebar = index.partition("```{toctree}\n:hidden:\n\n")[2].removesuffix("```\n").split()
    assert listed == sidebar
    assert sorted(listed) == [guide.stem for guide in GUIDES]


def test_the_onnx_example_states_what_the_model_expects():
    example = re.compile(r"^```python\nimport numpy as np, onnxruntime\n.*?^```", re.DOTALL | re.MULTILINE)
    [found] = example.findall((FOLDER / "decoding.md").read_text(encoding="utf-8"))
    assert all(part in found for part in ("/ 255 - 0.5) / 0.5", "input_lengths=lengths", "lm_boundary=False"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # of its own settings
def test_the_examples_run(guide):
    failures, tried = run_page(guide)
    assert (failures, tried > 0) == (0, True)


def test_the_service_of_the_serving_guide_runs(tmp_path):
    """A program of its own: its workers import it."""
    [program] = re.findall(
        r"^```python\n(import multiprocessing\n.*?)^```", (FOLDER / "serving.md").read_text("utf-8"), re.M | re.S
    )
    (tmp_path / "service.py").write_text(program, encoding="utf-8")
    texts = ["the hat", "on the cat"]
    NGramModel.train(texts, order=2).save(tmp_path / "words.ctclm")
    tokens = [Vocabulary.from_characters(" acehinost", separator=" ").encode(text) for text in texts]
    np.savez(tmp_path / "items.npz", *(np.log(np.where(np.eye(11)[list(each)] > 0, 0.9, 0.01)) for each in tokens))
    command = [sys.executable, "service.py"]
    environment = os.environ | {"CTCKIT_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (texts, "")


@pytest.mark.parametrize("page", [FOLDER / "index.md", FOLDER.parent / "index.md"], ids=["guides", "home"])
def test_a_guide_has_one_name(page):
    """The lists of guides name each by its title, which the sidebar also shows."""
    listed = re.findall(r"^\|.*\[([^\]`]+)\]\((?:guides/)?(\w+)\.md\)", page.read_text(encoding="utf-8"), re.MULTILINE)
    titles = {guide.stem: guide.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for guide in GUIDES}
    assert {name: titles[name] for _, name in listed if name in titles} == {
        name: said for said, name in listed if name in titles
    }
