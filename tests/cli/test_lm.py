import gzip
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ctckit import NGramModel
from ctckit.cli import app
from tests.language_models.test_ngram import TEXT, arpa
from tests.support.page_files import write_page
from tests.support.tolerances import LM_LOG10

runner = CliRunner()


def invoke(*arguments):
    return runner.invoke(app, ["lm", *(str(argument) for argument in arguments)])


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(TEXT) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["m.arpa", "m.arpa.gz", "m.ctclm"])
def test_train_writes_what_the_name_says(tmp_path, text, name):
    result = invoke("train", text, "--order", 4, "--out", tmp_path / name)
    assert result.exit_code == 0, result.output
    assert re.search(rf"{name}: order 4, 13 words, \d+ n-grams, in \d\.\d s", result.stdout)
    expected = NGramModel.train(TEXT, order=4)
    guessed = ", ".join(str(n) for n, each in enumerate(expected.discounts, 1) if each.fallback)
    assert f"too small or too regular to estimate the discounts of order {guessed}: 0.5" in result.stderr
    loaded = NGramModel.load(tmp_path / name)
    assert loaded.counts == expected.counts
    assert loaded.log_prob("the cat") == pytest.approx(expected.log_prob("the cat"), abs=LM_LOG10)


@pytest.mark.parametrize("source", ["", "page.xml"])
def test_train_takes_the_texts_of_pages(tmp_path, source):
    write_page(tmp_path / "pages", texts=("a cat  sat", "the cat"))
    result = invoke("train", tmp_path / "pages" / source, "--order", 2, "--out", tmp_path / "m.arpa")
    assert result.exit_code == 0, result.output
    assert NGramModel.load(tmp_path / "m.arpa").counts == NGramModel.train(["a cat sat", "the cat"], order=2).counts


def test_train_takes_the_options(tmp_path, text):
    packed = tmp_path / "text.gz"
    packed.write_bytes(gzip.compress(("\ufeff" + text.read_text().upper()).encode()))
    arguments = ("train", packed, "--unit", "char", "--space", "_", "--lowercase", "--prune", "0 0 1")
    result = invoke(*arguments, "--out", tmp_path / "m.ctclm")
    assert result.exit_code == 0, result.output
    expected = NGramModel.train(TEXT, order=6, unit="char", space="_", prune=(0, 0, 1))
    loaded = NGramModel.load(tmp_path / "m.ctclm")
    assert (loaded.unit, loaded.space, loaded.order, loaded.counts) == ("char", "_", 6, expected.counts)
    assert "\ufeff" not in loaded
    assert arpa(loaded) == arpa(expected)


def test_info_says_what_is_there(tmp_path, text):
    invoke("train", text, "--out", tmp_path / "m.ctclm")
    result = invoke("info", tmp_path / "m.ctclm")
    counts = NGramModel.load(tmp_path / "m.ctclm").counts
    assert result.stdout.startswith(f"{tmp_path / 'm.ctclm'}: order 3, 13 words, {sum(counts)} n-grams")
    for order, count in enumerate(counts, 1):
        assert re.search(rf"{order}-grams +{count}\n", result.stdout)
    assert re.search(r"format +compact, mapped; \d+ bits for each log p\n", result.stdout)
    invoke("convert", tmp_path / "m.ctclm", tmp_path / "q.ctclm", "--quantize", "2")
    assert "; 2 bits for each" in invoke("info", tmp_path / "q.ctclm").stdout
    invoke("convert", tmp_path / "m.ctclm", tmp_path / "f.ctclm", "--layout", "fast")
    assert "compact" not in invoke("info", tmp_path / "f.ctclm").stdout


def test_info_finds_damage(tmp_path, text):
    path = tmp_path / "m.ctclm"
    invoke("train", text, "--out", path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    result = invoke("info", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "m.ctclm: the content is damaged" in result.stderr


def test_convert_there_and_back(tmp_path, text):
    invoke("train", text, "--out", tmp_path / "a.arpa")
    assert invoke("convert", tmp_path / "a.arpa", tmp_path / "b.ctclm", "--unit", "token").exit_code == 0
    assert NGramModel.load(tmp_path / "b.ctclm").unit == "token"
    result = invoke("convert", tmp_path / "b.ctclm", tmp_path / "c.arpa")
    assert "c.arpa: order 3, 13 tokens" in result.stdout
    assert NGramModel.load(tmp_path / "c.arpa").counts == NGramModel.load(tmp_path / "a.arpa").counts


def test_convert_to_each_layout(tmp_path, text):
    invoke("train", text, "--out", tmp_path / "a.arpa")
    sizes = []
    for options in (["--layout", "fast"], [], ["--quantize", "4"]):
        result = invoke("convert", tmp_path / "a.arpa", tmp_path / "b.ctclm", *options)
        assert re.search(r"b\.ctclm: order 3, 13 words, \d+ n-grams, 0\.0 MB\n", result.stdout), result.output
        sizes.append((tmp_path / "b.ctclm").stat().st_size)
        close = 1.0 if "--quantize" in options else LM_LOG10
        model, right = NGramModel.load(tmp_path / "b.ctclm"), NGramModel.load(tmp_path / "a.arpa")
        assert model.log_prob("the cat") == pytest.approx(right.log_prob("the cat"), abs=close)
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3
    result = invoke("convert", tmp_path / "a.arpa", tmp_path / "c.arpa", "--quantize", "4")
    assert result.exit_code == 2
    assert "c.arpa is ARPA" in result.stderr


def test_score_gives_the_perplexity(tmp_path, text):
    invoke("train", text, "--order", 2, "--out", tmp_path / "m.arpa")
    other = tmp_path / "other.txt"
    other.write_text("The cat\n\nthe cow ran\n")
    result = invoke("score", tmp_path / "m.arpa", other, "--lowercase")
    assert "2 lines, 5 entries, 1 of them unknown (20.00%)" in result.stdout
    model = NGramModel.load(tmp_path / "m.arpa")
    total = model.log_prob("the cat") + model.log_prob("the cow ran")
    assert f"log p        {total:.2f}\n" in result.stdout
    assert f"perplexity   {2.718281828 ** (-total / 7):.2f}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "nothing", "--out", "m.arpa"), "nothing: cannot be read"),
        (("train", "TEXT", "--out", "m.arpa", "--prune", "0 x"), "prune is '0 x'; expected numbers"),
        (("train", "EMPTY", "--out", "m.arpa"), "there is no text"),
        (("train", "LATIN", "--out", "m.arpa"), "latin.txt, line 2: not UTF-8"),
        (("info", "TEXT"), r"text.txt: line 1: expected \data\, found"),
        (("score", "TEXT", "TEXT"), r"text.txt: line 1: expected \data\, found"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_written(tmp_path, text, arguments, message):
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "latin.txt").write_bytes(b"a\n\xe9\n")
    paths = {"TEXT": text, "EMPTY": tmp_path / "empty.txt", "LATIN": tmp_path / "latin.txt"}
    result = invoke(*(paths.get(each, tmp_path / each if each == "m.arpa" else each) for each in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "m.arpa").exists()


GOLDEN = Path(__file__).parents[1] / "golden" / "kenlm"


def test_files_of_kenlm(tmp_path, text):
    shown = invoke("info", GOLDEN / "word3.trie.bin")
    assert shown.exit_code == 0, shown.output
    assert "order 3, 78 words" in shown.stdout
    assert "KenLM's binary file, mapped" in shown.stdout
    for name in ("m.arpa", "m.ctclm"):
        converted = invoke("convert", GOLDEN / "word3.probing.bin", tmp_path / name)
        assert converted.exit_code == 0, converted.output
        scores = [invoke("score", path, text).stdout for path in (GOLDEN / "word3.probing.bin", tmp_path / name)]
        assert scores[0] == scores[1]


def test_files_of_kenlm_without_words(tmp_path, text):
    path = GOLDEN / "word3.trie.nowords.bin"
    refused = invoke("info", path)
    assert refused.exit_code != 0
    assert "does not hold its words" in refused.stderr
    words = tmp_path / "words.txt"
    words.write_text(" ".join(NGramModel.load(GOLDEN / "word3.arpa", unit="word")), encoding="utf-8")
    converted = invoke("convert", path, tmp_path / "m.arpa", "--unigrams", words)
    assert converted.exit_code == 0, converted.output
    assert invoke("score", path, text, "--unit", "word").stdout == invoke("score", tmp_path / "m.arpa", text).stdout
