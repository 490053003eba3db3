"""``ctckit read`` with the beam search."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from ctckit import Vocabulary
from ctckit.cli import app
from ctckit.cli.options import SearchOptions, WordMarks
from ctckit.ocr.model_folder import save_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.recognizer import Recognizer
from tests.support.search_problems import random_arpa

runner = CliRunner()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A network that was never trained, two images of noise, a model of characters, hotwords, a lexicon."""
    folder = tmp_path_factory.mktemp("read")
    torch.manual_seed(0)
    save_model(folder / "model", CRNN(CRNNConfig(num_classes=4)), Vocabulary.from_characters("ab "))
    for n in range(2):
        noise = np.random.default_rng(n).integers(0, 256, (32, 120)).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{n}.png")
    (folder / "lm.arpa").write_text(random_arpa(["a", "b", "|"], 0), encoding="utf-8")
    (folder / "hot.txt").write_text("abba\n", encoding="utf-8")
    (folder / "lexicon.txt").write_text("abab\nbb\n", encoding="utf-8")
    return folder


def read(files, *arguments, images=("0.png",)):
    paths = [str(files / image) for image in images]
    result = runner.invoke(app, ["read", *paths, "--model", str(files / "model"), *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_language_model_and_hotwords(files):
    options = ("--lm", files / "lm.arpa", "--lm-weight", 0.1, "--hotwords", files / "hot.txt", "--separator", " ")
    boosted = read(files, *options, "--hotword-weight", 60)
    assert "abba" not in read(files)
    assert "abba" in boosted.split()
    recognizer = Recognizer.load(files / "model")
    search = SearchOptions(hotwords=files / "hot.txt", hotword_weight=60.0)
    decoder = search.decoder(WordMarks(separator=" ").mark(recognizer.vocabulary))
    (reading,) = recognizer.read([files / "0.png"], decoder=decoder)
    assert "abba" in reading.text.split()
    assert "".join(span.character for span in reading.spans).split() == reading.text.split()
    assert reading.score > reading.log_prob


def test_a_closed_lexicon(files):
    words = read(files, "--lexicon", files / "lexicon.txt", "--closed", "--separator", " ", "--word-bonus", 30).split()
    assert words
    assert set(words) <= {"abab", "bb"}


def test_several_texts_with_rank_and_score(files):
    lines = [line.split("\t") for line in read(files, "--n-best", 3, images=("0.png", "1.png")).splitlines()]
    assert [line[:2] for line in lines] == [[str(files / f"{n}.png"), rank] for n in range(2) for rank in "123"]
    for n in range(2):
        scores = [float(line[2]) for line in lines[3 * n : 3 * n + 3]]
        assert scores == sorted(scores, reverse=True)
        assert len({line[3] for line in lines[3 * n : 3 * n + 3]}) == 3


def test_several_texts_as_json(files):
    (found,) = json.loads(read(files, "--n-best", 3, "--json"))
    assert found["path"] == str(files / "0.png")
    assert [set(reading) for reading in found["readings"]] == [{"text", "log_prob", "confidence", "spans", "score"}] * 3
    printed = [line.split("\t")[3] for line in read(files, "--n-best", 3).splitlines()]
    assert [reading["text"] for reading in found["readings"]] == printed


def test_without_options_of_the_search_the_best_path_is_read(files):
    (greedy,) = Recognizer.load(files / "model").read([files / "0.png"])
    assert read(files) == f"{greedy.text}\n"
    (found,) = json.loads(read(files, "--json"))
    assert found["score"] == greedy.log_prob


def test_any_option_of_the_search_searches(files):
    """Its text is at least as likely as that of the best path."""
    (greedy,) = json.loads(read(files, "--json"))
    (searched,) = json.loads(read(files, "--json", "--beam-width", 100))
    assert searched["log_prob"] > greedy["log_prob"]
    (default,) = json.loads(read(files, "--json", "--n-best", 1, "--token-bonus", 1e-9))
    assert default["text"] == searched["text"]
