"""``ctckit decode``."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.cli import app
from ctckit.cli.inputs import read_hotwords
from ctckit.cli.options import VocabularyOptions
from ctckit.errors import InvalidInputError
from tests.support.search_problems import random_arpa
from tests.support.tolerances import LM_NATS

runner = CliRunner()
TOKENS = ["", "a", "b", "|"]


def invoke(*arguments):
    return runner.invoke(app, ["decode", *(str(argument) for argument in arguments)])


def frames(text):
    """Log-probs of a text that is read clearly, with a doubtful last letter."""
    probs = np.full((2 * len(text), 4), 0.01)
    for n, letter in enumerate(text):
        probs[2 * n, TOKENS.index(letter)] = 0.97
        probs[2 * n + 1, 0] = 0.97
    probs[-2] = [0.02, 0.50, 0.47, 0.01]
    return np.log(probs).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    texts = ["ab|b", "ba", "aab"]
    items = [frames(text) for text in texts]
    (tmp_path / "tokens.txt").write_text("\na\nb\n|\n", encoding="utf-8")
    (tmp_path / "list.json").write_text(json.dumps(TOKENS))
    (tmp_path / "classes.json").write_text(json.dumps({"|": 3, "a": 1, "<pad>": 0, "b": 2}))
    (tmp_path / "lm.arpa").write_text(random_arpa(["a", "b", "|"], 0), encoding="utf-8")
    (tmp_path / "words.arpa").write_text(random_arpa(["ab", "ba", "b"], 0), encoding="utf-8")
    (tmp_path / "hot.txt").write_text("ab\t5.5\n\nba\n", encoding="utf-8")
    batch = np.full((3, 8, 4), np.nan, dtype=np.float32)
    for row, item in zip(batch, items, strict=True):
        row[: len(item)] = item
    np.savez(tmp_path / "padded.npz", log_probs=batch, input_lengths=[len(item) for item in items])
    np.savez(
        tmp_path / "joined.npz", logp=np.concatenate(items), offsets=[0, *np.cumsum([len(item) for item in items])]
    )
    np.savez(tmp_path / "apart.npz", one=items[0], two=items[1], three=items[2])
    return tmp_path


@pytest.mark.parametrize("name", ["padded", "joined", "apart"])
@pytest.mark.parametrize("vocabulary", ["tokens.txt", "list.json"])
def test_texts_are_printed_a_line_each(files, name, vocabulary):
    result = invoke(files / f"{name}.npz", "-v", files / vocabulary, "--separator", "|")
    assert (result.exit_code, result.stdout) == (0, "ab a\nba\naaa\n"), result.output


def test_the_blank_may_be_called_anything_where_it_is_named(files):
    result = invoke(files / "apart.npz", "-v", files / "classes.json", "--blank", 0)
    assert result.stdout == "ab|a\nba\naaa\n"
    assert invoke(files / "apart.npz", "-v", files / "classes.json").stdout == "ab|a\nba\naaa\n"  # it is called <pad>
    (files / "classes.json").write_text('{"nothing": 0, "a": 1, "b": 2, "|": 3}', encoding="utf-8")
    assert invoke(files / "apart.npz", "-v", files / "classes.json", "--blank", 0).stdout == "ab|a\nba\naaa\n"
    refused = invoke(files / "apart.npz", "-v", files / "classes.json")
    assert refused.exit_code == 2
    assert "no token has a usual name of the blank (" in refused.stderr
    assert "the first ones are 'nothing', 'a', 'b', '|'. State its class: blank=…." in refused.stderr


def test_several_texts_with_rank_and_score(files):
    result = invoke(files / "apart.npz", "-v", files / "tokens.txt", "--n-best", 2, "--beam-width", 5)
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[:2] for row in rows] == [[name, rank] for name in ("one", "two", "three") for rank in "12"]
    assert [row[3] for row in rows[:2]] == ["ab|a", "ab|b"]
    assert float(rows[0][2]) > float(rows[1][2])


def test_hotwords_and_models_change_the_text(files):
    arguments = (files / "apart.npz", "-v", files / "tokens.txt", "--separator", "|")
    boosted = invoke(*arguments, "--hotwords", files / "hot.txt", "--hotword-weight", 10)
    assert boosted.stdout.splitlines()[:2] == ["ab ba", "ba"]
    assert invoke(*arguments, "--hotwords", files / "hot.txt").stdout.splitlines()[:2] == ["ab ab", "ab"]
    closed = invoke(*arguments, "--lm", files / "words.arpa", "--closed", "--lm-weight", 0.1)
    assert closed.stdout.splitlines() == ["ab b", "ba", "ab"]
    both = invoke(
        *arguments, "--lm", files / "lm.arpa", "--lm", files / "words.arpa", "--lm-weight", 0.1, "--lm-weight", 0.1
    )
    decoder = BeamDecoder(
        Vocabulary(tuple(TOKENS), separator="|"),
        language_model=[NGramModel.load(files / "lm.arpa"), NGramModel.load(files / "words.arpa")],
        lm_weight=[0.1, 0.1],
    )
    expected = [decoder.decode(frames(text))[0][0].text for text in ("ab|b", "ba", "aab")]
    assert both.stdout.splitlines() == expected
    assert expected != invoke(*arguments).stdout.splitlines()
    assert read_hotwords(files / "hot.txt", 3.0) == {"ab": 5.5, "ba": 3.0}


def test_a_text_may_be_a_part_of_one(files):
    """Without the boundary the score has no term for </s>."""
    arguments = (files / "apart.npz", "-v", files / "tokens.txt", "--lm", files / "lm.arpa", "--json")
    arguments += ("--lm-unit", "token")
    whole, part = (json.loads(invoke(*arguments, *more).stdout)[1] for more in ((), ("--no-lm-boundary",)))
    assert invoke(*arguments, "--lm-boundary").stdout == invoke(*arguments).stdout
    model = NGramModel.load(files / "lm.arpa", unit="token")
    (whole,), (part,) = whole["hypotheses"], part["hypotheses"]
    assert [token["text"] for token in whole["tokens"]] == [token["text"] for token in part["tokens"]]
    assert whole["lm_log_prob"] == pytest.approx(model.log_prob(list(whole["text"])), abs=LM_NATS)
    assert part["lm_log_prob"] != whole["lm_log_prob"]


@pytest.mark.parametrize(
    ("tokens", "arguments", "texts", "words"),
    [
        ("\n▁a\nb\n|", ("--word-start", "▁"), ["ab| a", "b a", "a a a"], [["ab|", "a"], ["b", "a"], ["a"] * 3]),
        (
            "\na\n##b\n|",
            ("--continuation", "##"),
            ["ab | a", "b a", "a a a"],
            [["ab", "|", "a"], ["b", "a"], ["a"] * 3],
        ),
    ],
)
def test_marks_of_words_other_than_a_separator(files, tokens, arguments, texts, words):
    (files / "pieces.txt").write_text(tokens, encoding="utf-8")
    found = json.loads(invoke(files / "apart.npz", "-v", files / "pieces.txt", *arguments, "--json").stdout)
    best = [item["hypotheses"][0] for item in found]
    assert [each["text"] for each in best] == texts
    assert [[word["text"] for word in each["words"]] for each in best] == words


def test_a_lexicon_of_spellings(files):
    (files / "lexicon.txt").write_text("Abba\ta b\nx\ta\nx\tb\n", encoding="utf-8")
    result = invoke(
        files / "apart.npz", "-v", files / "tokens.txt", "--separator", "|", "--lexicon", files / "lexicon.txt"
    )
    assert result.stdout.splitlines()[0] == "Abba x"
    (files / "lexicon.txt").write_text("b\nab\nba\n", encoding="utf-8")
    result = invoke(
        files / "apart.npz",
        *("-v", files / "tokens.txt", "--separator", "|", "--lexicon", files / "lexicon.txt", "--oov-charge", 5),
    )
    assert result.stdout.splitlines()[0] == "ab b"


def test_json(files):
    arguments = ("--separator", "|", "--json", "--frame-seconds", 0.5, "--n-best", 2)
    result = invoke(files / "joined.npz", "-v", files / "tokens.txt", *arguments)
    found = json.loads(result.stdout)
    assert [item["item"] for item in found] == ["0", "1", "2"]
    best, other = found[0]["hypotheses"]
    assert best["score"] == best["log_prob"] > other["log_prob"]
    assert set(best) == {"text", "log_prob", "lm_log_prob", "score", "tokens", "words"}
    assert [token["text"] for token in best["tokens"]] == ["a", "b", "|", "a"]
    assert best["words"][1] == {
        "text": "a",
        "start": 6,
        "end": 7,
        "start_seconds": 3.0,
        "end_seconds": 3.5,
        "confidence": best["tokens"][3]["confidence"],
    }
    assert 0.4 < best["words"][1]["confidence"] < 0.6
    assert best["log_prob"] > math.log(0.3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "holds no items."),
        ({"log_probs": np.zeros(3)}, "log_probs has shape (3,); expected (B, T, C)."),
        ({"log_probs": np.zeros((1, 2, 4)), "input_lengths": [3]}, "input_lengths[0] is 3; log_probs has T = 2 frames"),
        ({"logp": np.zeros((3, 4)), "offsets": [0, 4]}, "offsets must rise from 0 to at most the 3 frames of logp."),
        ({"logp": np.zeros((3, 4)), "offsets": [2, 1]}, "offsets must rise"),
        ({"x": np.zeros((1, 2, 4))}, "x has shape (1, 2, 4); expected log_probs (B, T, C), or logp and offsets, or"),
        ({"x": np.full((2, 4), 0.25)}, "log_probs[0, 0] reaches 0.25; logarithms of probabilities are at most 0."),
        ({"x": np.zeros((2, 5))}, "log_probs has C = 5 classes, but vocabulary has 4"),
    ],
)
def test_posteriors_that_cannot_be_used(files, arrays, message):
    np.savez(files / "bad.npz", **arrays)
    result = invoke(files / "bad.npz", "-v", files / "tokens.txt")
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("v.json", "{", (), "v.json: not JSON ("),
        ("v.json", '["", 3]', (), "v.json: entry 1 is 3; expected a token, a string."),
        ("v.json", '{"a": 0, "b": 0}', (), "v.json: token 'b' has class 0, and so has token 'a'; expected"),
        ("v.txt", b"\xff\xfe\x00", (), "v.txt: not a text in UTF-8 ("),
        ("v.txt", "\na\nb\n|\n", ("--lm", "missing.arpa"), "missing.arpa"),
        ("v.txt", "\na\nb\n|\n", ("--separator", "x"), "separator is 'x', which is not among the tokens."),
        ("v.txt", "\na\nb\n|\n", ("--lexicon", "v.txt"), "lexicon is given, but vocabulary has no mark of words"),
        ("v.txt", "\na\nb\n|\n", ("--hotwords", "nowhere"), "nowhere: there is no such file."),
        ("v.txt", "\na\nb\n|\n", ("--closed",), "oov_charge=None forbids unknown words, but no words are known."),
    ],
)
def test_files_that_cannot_be_used(files, name, content, arguments, message, monkeypatch):
    monkeypatch.chdir(files)
    (files / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    result = invoke("apart.npz", "-v", name, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_lines_that_cannot_be_used(files, monkeypatch):
    monkeypatch.chdir(files)
    (files / "hot.txt").write_text("ab\tmuch\n", encoding="utf-8")
    result = invoke("apart.npz", "-v", "tokens.txt", "--hotwords", "hot.txt")
    assert "hot.txt: line 1 is 'ab\\tmuch'; expected a phrase, or a phrase, a tab and nats." in result.stderr
    (files / "lexicon.txt").write_text("ab\ta b\nba\n", encoding="utf-8")
    result = invoke("apart.npz", "-v", "tokens.txt", "--separator", "|", "--lexicon", "lexicon.txt")
    assert "lexicon.txt: line 2 is 'ba'; expected a word, a tab and its tokens." in result.stderr
    (files / "lexicon.txt").write_text("a\nab  a b\n", encoding="utf-8")
    result = invoke("apart.npz", "-v", "tokens.txt", "--separator", "|", "--lexicon", "lexicon.txt")
    assert result.exit_code == 2
    assert "lexicon.txt: line 2 is 'ab  a b', and no line has a tab; expected one word a line, or a " in result.stderr
    (files / "lexicon.txt").write_text("a\ta\nab  a b\n", encoding="utf-8")
    result = invoke("apart.npz", "-v", "tokens.txt", "--separator", "|", "--lexicon", "lexicon.txt")
    assert "lexicon.txt: line 2 is 'ab  a b'; expected a word, a tab and its tokens." in result.stderr


def test_hotwords_that_cannot_be_spelled_are_named(files, monkeypatch):
    monkeypatch.chdir(files)
    (files / "hot.txt").write_text("ab\nxy\n", encoding="utf-8")
    result = invoke("apart.npz", "-v", "tokens.txt", "--separator", "|", "--hotwords", "hot.txt")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 3)
    assert result.stderr.startswith("ctckit: hotwords has a phrase with letters that the vocabulary cannot write: 'xy'")
    assert len(result.stderr.splitlines()) == 1
    result = invoke("apart.npz", "-v", "tokens.txt", "--lm", "lm.arpa", "--lm-unit", "char", "--lm-unit", "word")
    assert "--lm-unit is given 2 times for 1 models; expected one for each." in result.stderr


def test_no_such_posteriors(files):
    for name in ("nothing.npz", "tokens.txt"):
        result = invoke(files / name, "-v", files / "tokens.txt")
        assert result.exit_code == 2
        assert "there is no such file" in result.stderr or "not a .npz file of arrays" in result.stderr


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        ("<blk> 0\nb 2\na 1\n", ("", "a", "b")),  # as k2 and Kaldi write them
        ("<blk>\t0\na\t1\n \t2\n", ("", "a", " ")),
        ("\na 1\nb 2\n", ("", "a 1", "b 2")),  # tokens that hold spaces: the first line has no class
        ("\n1\n2\n", ("", "1", "2")),
    ],
)
def test_vocabularies_of_tokens_and_classes(tmp_path, content, tokens):
    path = tmp_path / "tokens.txt"
    path.write_text(content, encoding="utf-8")
    assert Vocabulary.load(path).tokens == tokens


@pytest.mark.parametrize("content", ["a\nb\n", "a\nb\n\n", "a\r\nb\r\n", "a\nb\n<pad>\n"])
def test_the_blank_may_be_the_last_line(tmp_path, content):
    path = tmp_path / "tokens.txt"
    path.write_bytes(content.encode())
    assert Vocabulary.load(path, blank=2).tokens == ("a", "b", "")


@pytest.mark.parametrize(("content", "blank"), [("a 0\nb 1\n", 3), ("a\nb", 3), ("a\nb\n", 4)])
def test_a_blank_beyond_the_file_is_refused(tmp_path, content, blank):
    path = tmp_path / "tokens.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=rf"blank is {blank}; with C = 3 the classes are 0\.\.2\."):
        VocabularyOptions(blank=blank).load(path)


def test_npy_files_and_folders(files):
    arguments = ("-v", files / "tokens.txt", "--separator", "|")
    items = [frames(text) for text in ("ab|b", "ba", "aab")]
    np.save(files / "one.npy", items[0])
    np.save(files / "two.npy", np.stack([items[1], items[1]]))
    assert invoke(files / "one.npy", *arguments).stdout == "ab a\n"
    assert invoke(files / "two.npy", *arguments).stdout == "ba\nba\n"
    named = invoke(files / "two.npy", *arguments, "--n-best", 2).stdout.splitlines()
    assert [line.split("\t")[0] for line in named[::2]] == ["0", "1"]
    folder = files / "folder"
    folder.mkdir()
    for name, item in zip("cab", items, strict=True):
        np.save(folder / f"{name}.npy", item)
    (folder / "notes.txt").write_text("no item")
    found = json.loads(invoke(folder, *arguments, "--json").stdout)
    assert [(each["item"], each["hypotheses"][0]["text"]) for each in found] == [
        ("a", "ba"),
        ("b", "aaa"),
        ("c", "ab a"),
    ]


def test_one_bad_item_is_left_out_and_named(files):
    good = frames("ba")
    bad = {
        "nan": np.full((3, 4), np.nan, dtype=np.float32),
        "wide": np.log(np.full((3, 5), 0.2)),
        "logits": np.full((2, 4), 7.0),
        "texts": np.array([["a"]]),
        "cube": np.zeros((1, 2, 4)),
        "probs": np.full((2, 4), 0.25),
    }
    np.savez(files / "mixed.npz", first=good, **bad, last=good, pickled=np.array([{}], dtype=object))
    result = invoke(files / "mixed.npz", "-v", files / "tokens.txt", "--n-best", 1)
    assert (result.exit_code, result.stdout) == (2, "ba\nba\n")
    lines = result.stderr.splitlines()
    assert lines[0] == "ctckit: 7 of 9 items cannot be decoded:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [*bad, "pickled"]
    assert "is nan for class 0" in lines[1]
    assert "has C = 5 classes, but vocabulary has 4" in lines[2]
    written = invoke(files / "mixed.npz", "-v", files / "tokens.txt", "--json")
    assert [each["item"] for each in json.loads(written.stdout)] == ["first", "last"]
    assert written.exit_code == 2


def test_every_file_of_a_folder_may_be_bad(files):
    folder = files / "folder"
    folder.mkdir()
    nothing = invoke(folder, "-v", files / "tokens.txt")
    assert (nothing.exit_code, nothing.stderr) == (2, f"ctckit: {folder}: holds no .npy files.\n")
    np.save(folder / "good.npy", frames("ab"))
    (folder / "empty.npy").write_bytes(b"")
    (folder / "short.npy").write_bytes((folder / "good.npy").read_bytes()[:-5])
    np.savez(folder / "zip.npz", frames("ab"))
    (folder / "zip.npz").rename(folder / "zip.npy")
    np.save(folder / "flat.npy", np.zeros(3))
    np.save(folder / "objects.npy", np.array([{}], dtype=object))
    np.save(folder / "bfloat16.npy", np.zeros((2, 4), dtype="V2"))
    result = invoke(folder, "-v", files / "tokens.txt")
    assert (result.exit_code, result.stdout) == (2, "aa\n")
    lines = result.stderr.splitlines()
    assert lines[0] == "ctckit: 6 of 7 items cannot be decoded:"
    for line, part in zip(
        lines[1:],
        (
            "If this is bfloat16, pass",
            "not a .npy file",
            "has shape (3,); expected (T, C)",
            "not a .npy",
            "not a .npy",
            "expected the ending .npz",
        ),
        strict=True,
    ):
        assert part in line


def test_vocabulary_files_of_models(files):
    content = {
        "added_tokens": [],
        "model": {"type": "Unigram", "vocab": [["<pad>", 0.0], ["▁a", -1.0], ["b", -2.0], ["<unk>", -3.0]]},
        "decoder": {"type": "Metaspace", "replacement": "▁"},
    }
    (files / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    arguments = ("-v", files / "tokenizer.json", "--silent", "<unk>", "--silent", "<pad>", "--json")
    found = json.loads(invoke(files / "apart.npz", *arguments).stdout)
    assert found[0]["hypotheses"][0]["text"] == "ab a"
    assert [word["text"] for word in found[0]["hypotheses"][0]["words"]] == ["ab", "a"]
    assert found[0]["hypotheses"][0]["tokens"][2]["text"] == "<unk>"
    (files / "gpt2.json").write_text(json.dumps({"<pad>": 0, "Ġa": 1, "Ã": 2, "©": 3}), encoding="utf-8")
    level = ("-v", files / "gpt2.json", "--byte-tokens", "level", "--word-start", "Ġ")
    assert invoke(files / "apart.npz", *level).stdout.splitlines()[0] == "aé a"
