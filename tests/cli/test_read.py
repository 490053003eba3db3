"""``ctckit read`` with the beam search."""

import json
import re
import subprocess
import sys

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
from tests.support.page_files import page_xml, write_page
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


def test_a_file_of_settings(files):
    (files / "settings.json").write_text('{"word_bonus": 30, "oov_charge": null}', encoding="utf-8")
    lexicon = ("--lexicon", files / "lexicon.txt", "--separator", " ")
    found = read(files, *lexicon, "--settings", files / "settings.json")
    assert found == read(files, *lexicon, "--closed", "--word-bonus", 30)
    assert found != read(files, *lexicon)


def test_several_texts_with_rank_and_score(files):
    lines = [line.split("\t") for line in read(files, "--n-best", 30, images=("0.png", "1.png")).splitlines()]
    for n in range(2):
        of_image = [line for line in lines if line[0] == str(files / f"{n}.png")]
        assert [int(rank) for _, rank, _, _ in of_image] == list(range(1, len(of_image) + 1))
        scores = [float(score) for _, _, score, _ in of_image]
        assert scores == sorted(scores, reverse=True)
        assert len({text for *_, text in of_image}) == len(of_image) > 1


def test_several_texts_as_json(files):
    (found,) = json.loads(read(files, "--n-best", 30, "--json"))
    assert found["path"] == str(files / "0.png")
    assert [set(reading) for reading in found["readings"]] == [
        {"text", "log_prob", "confidence", "spans", "score"}
    ] * len(found["readings"])
    printed = [line.split("\t")[3] for line in read(files, "--n-best", 30).splitlines()]
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


# --- files that cannot be read


def run(files, *arguments):
    return runner.invoke(app, ["read", *map(str, arguments), "--model", str(files / "model")])


def test_one_bad_file_does_not_stop_the_others_and_all_are_named(files, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    Image.new("L", (1_000_000, 2), 255).save(tmp_path / "strip.png")
    images = [tmp_path / "bad.png", files / "0.png", tmp_path / "none.png", tmp_path / "strip.png", files / "1.png"]
    result = run(files, *images)
    assert result.exit_code == 2
    readable = [str(files / f"{n}.png") for n in range(2)]
    assert [line.partition("\t")[0] for line in result.stdout.splitlines()] == readable
    errors = result.stderr.splitlines()
    assert errors[0] == "ctckit: 3 of 5 images cannot be read:"
    assert [error.strip().partition(": ")[0] for error in errors[1:]] == [str(images[n]) for n in (0, 2, 3)]
    as_json = run(files, *images, "--json")
    assert [each["path"] for each in json.loads(as_json.stdout)] == readable
    assert as_json.exit_code == 2


def test_an_image_may_be_named_twice(files):
    path = files / "0.png"
    assert len(run(files, path, path).stdout.splitlines()) == 2


def test_the_limit_of_width_is_an_option(files):
    result = run(files, files / "0.png", "--max-width", 100)
    assert result.exit_code == 2
    assert "0.png: the image is 120 × 32 pixels, 120 × 32 when scaled" in result.stderr


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict", "latin-1:strict"])
@pytest.mark.parametrize("as_json", [False, True])
def test_names_and_texts_that_the_output_cannot_encode_are_printed(files, tmp_path, encoding, as_json):
    names = ["caf\udce9.png", "Ω.png"]
    try:
        for name in names:
            (tmp_path / name).write_bytes((files / "0.png").read_bytes())
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    paths = [str(tmp_path / name) for name in names]
    command = [sys.executable, "-m", "ctckit", "read", *paths, "--model", str(files / "model"), *["--json"] * as_json]
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "1", "PATH": ""}
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.decode("latin-1" if "latin" in encoding else "utf-8", "surrogateescape")
    if as_json:
        assert [each["path"] for each in json.loads(printed)] == paths
    else:
        assert len(printed.splitlines()) == 2
        assert printed.splitlines()[0].partition("\t")[0].rpartition("/")[2] in (r"caf\udce9.png", "caf?.png")


# --- pages and folders


@pytest.fixture
def pages(tmp_path):
    """A folder with two pages and an image of a line."""
    write_page(tmp_path / "in" / "book", name="one", texts=("ab", "b"))
    write_page(tmp_path / "in" / "book", page_xml, name="two", texts=("a",))
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (32, 90)).astype(np.uint8)).save(
        tmp_path / "in" / "x.png"
    )
    return tmp_path / "in"


def test_a_page_alone_prints_its_lines(files, pages):
    result = run(files, pages / "book" / "one.xml")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 2


def test_a_folder_prints_the_names_of_its_lines(files, pages):
    result = run(files, pages)
    assert result.exit_code == 0, result.output
    names = [line.split("\t")[0] for line in result.stdout.splitlines()]
    book = pages / "book"
    assert names == [
        f"{book / 'one.xml'}, l0",
        f"{book / 'one.xml'}, l1",
        f"{book / 'two.xml'}, l0",
        str(pages / "x.png"),
    ]


def test_json_of_pages(files, pages):
    both = json.loads(run(files, pages, "--json").stdout)
    lines = [json.loads(line) for line in run(files, pages, "--jsonl").stdout.splitlines()]
    assert both == lines
    assert [each.get("line") for each in both] == ["l0", "l1", "l0", None]
    assert set(both[0]["words"][0]) == {"text", "confidence", "outline"}
    assert all(len(each["readings"]) > 1 for each in json.loads(run(files, pages, "--json", "--n-best", 30).stdout))


def test_pages_are_written_into_a_folder(files, pages, tmp_path):
    before = (pages / "book" / "one.xml").read_bytes()
    result = run(files, pages, "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert re.search(rf"2 pages, 4 lines(, . without text)?: {re.escape(str(tmp_path / 'out'))}/", result.stderr)
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")) == [
        "book/one.xml",
        "book/two.xml",
        "x.txt",
    ]
    assert (pages / "book" / "one.xml").read_bytes() == before
    printed = run(files, pages / "x.png").stdout
    assert (tmp_path / "out" / "x.txt").read_text() == printed
    assert b"<Glyph " in (tmp_path / "out" / "book" / "one.xml").read_bytes()


def test_results_never_replace_what_they_come_from(files, pages, tmp_path):
    result = run(files, pages, "--out", pages)
    assert result.exit_code == 2
    assert "would replace" in result.stderr
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.png").write_bytes((pages / "x.png").read_bytes())
    result = run(files, pages / "x.png", tmp_path / "other" / "x.png", "--out", tmp_path / "out")
    assert "would both be written to" in result.stderr


def test_one_bad_page_does_not_stop_the_others(files, pages):
    (pages / "book" / "two.png").unlink()
    (pages / "broken.xml").write_text("<alto>")
    result = run(files, pages)
    assert result.exit_code == 2
    assert len(result.stdout.splitlines()) == 3
    assert "ctckit: 2 of 5 lines and pages cannot be read:" in result.stderr
    assert "two.xml: there is no image of this page" in result.stderr


def test_an_empty_folder_is_told(files, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no images and no pages in this folder" in run(files, tmp_path / "empty").stderr
