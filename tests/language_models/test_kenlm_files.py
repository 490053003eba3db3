"""Binary files of KenLM: its own scores, and errors for all else. tests/golden/make_kenlm.py made the files."""

import copy
import json
import lzma
import math
import pickle
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.compat import kenlm
from ctckit.errors import DataError, InvalidInputError, ModelFormatError
from tests.support.tolerances import LM_NATS

FOLDER = Path(__file__).parents[1] / "golden" / "kenlm"
SCORES = json.loads(lzma.decompress((FOLDER / "scores.json.xz").read_bytes()))
FILES = sorted(name for model in SCORES.values() for name in model["files"])
WITH_WORDS = [name for name in FILES if "nowords" not in name]
KINDS = ["probing", "rest", "trie", "quantized", "array", "quantized_array"]
LOG10 = 1e-6


def words_of(model):
    """The words of an ARPA file."""
    return list(NGramModel.load(FOLDER / f"{model}.arpa", unit="word"))


def load(name):
    return NGramModel.load(FOLDER / name, unit="word")


def test_all_kinds_are_here():
    assert {f"{model}.{kind}.bin" for model in ("word3", "word4") for kind in KINDS} <= set(FILES)
    assert {"word3.probing.nowords.bin", "word3.trie.nowords.bin", "char4.probing.bin"} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_scores_are_kenlm_s(name):
    asked = SCORES[name.partition(".")[0]]
    model = kenlm.Model(NGramModel.load(FOLDER / name, unit="word"))
    for line, expected in zip(asked["lines"], asked["files"][name], strict=True):
        for bos, right in zip((True, False), expected, strict=True):
            found = list(model.full_scores(line, bos=bos, eos=bos))
            assert [each[1:] for each in found] == [tuple(each[1:]) for each in right]
            assert [each[0] for each in found] == pytest.approx([each[0] for each in right], abs=LOG10)
            assert model.score(line, bos=bos, eos=bos) == pytest.approx(sum(each[0] for each in right), abs=20 * LOG10)


@pytest.mark.parametrize("name", [name for name in WITH_WORDS if "quantized" not in name])
def test_a_binary_file_is_the_arpa_file_that_it_was_built_from(name, tmp_path):
    binary, arpa = load(name), load(f"{name.partition('.')[0]}.arpa")
    assert binary.order == arpa.order
    assert sorted({*binary, "<unk>"}) == sorted({*arpa, "<unk>"})
    binary.save(tmp_path / "m.arpa")
    binary.save(tmp_path / "m.ctclm")
    lines = SCORES[name.partition(".")[0]]["lines"]
    for each in (binary, NGramModel.load(tmp_path / "m.arpa", unit="word"), NGramModel.load(tmp_path / "m.ctclm")):
        for line in lines:
            for bos in (True, False):
                assert each.log_prob(line, bos=bos) == pytest.approx(arpa.log_prob(line, bos=bos), abs=1e-4)


@pytest.mark.parametrize("name", [name for name in WITH_WORDS if "quantized" in name])
def test_a_quantized_file_is_converted_with_its_own_values(name, tmp_path):
    binary = load(name)
    binary.save(tmp_path / "m.ctclm")
    converted = NGramModel.load(tmp_path / "m.ctclm")
    for line in SCORES[name.partition(".")[0]]["lines"]:
        assert converted.log_prob(line) == pytest.approx(binary.log_prob(line), abs=1e-4)


def test_words_case_and_utf8():
    for name in (f"word3.{kind}.bin" for kind in KINDS):
        model = load(name)
        for word in ("Sing", "sing", "Über", "über", "naïve", "東京", "<s>", "</s>", "<unk>"):
            assert word in model
        for word in ("SING", "uber", "東", "", "<UNK>", "naïve"[:3]):
            assert word not in model
        native = model.native
        assert [native.find(native.word(each)) for each in range(len(model))] == list(range(len(model)))
        assert model.native.word(0) == "<unk>"


def test_the_unit_of_a_model_of_characters_is_told():
    for name in ("char4.probing.bin", "char4.quantized_array.bin"):
        model = NGramModel.load(FOLDER / name)
        assert (model.unit, model.space) == ("char", "|")
    assert NGramModel.load(FOLDER / "word3.trie.bin").unit == "word"


@pytest.mark.parametrize("kind", ["probing", "trie"])
class TestWithoutWords:
    """Files that were built with -v hold only the hashes of the words."""

    @pytest.fixture
    def path(self, kind):
        return FOLDER / f"word3.{kind}.nowords.bin"

    def test_a_list_is_asked_for(self, path):
        with pytest.raises(InvalidInputError, match=r"does not hold its words.*Pass unigrams=\[…\]"):
            NGramModel.load(path)

    def test_it_scores_texts_without_a_list(self, path, kind, tmp_path):
        model, whole = NGramModel.load(path, unit="word"), load(f"word3.{kind}.bin")
        assert not model.has_names
        assert "Sing" in model
        assert "sung" not in model
        assert model.log_prob("Sing a sung") == whole.log_prob("Sing a sung")
        with pytest.raises(InvalidInputError, match=r"only their hashes. Load it with the words"):
            list(model)
        with pytest.raises(InvalidInputError, match=r"only their hashes"):
            model.save(tmp_path / "m.arpa")

    def test_with_a_list_it_is_as_with_words(self, path, kind, tmp_path):
        model, whole = NGramModel.load(path, unigrams=[*words_of("word3"), "sung"]), load(f"word3.{kind}.bin")
        assert model.unit == "word"
        assert list(model) == list(whole)
        model.save(tmp_path / "a.arpa")
        whole.save(tmp_path / "b.arpa")
        assert (tmp_path / "a.arpa").read_bytes() == (tmp_path / "b.arpa").read_bytes()

    def test_with_a_part_of_the_list(self, path, tmp_path):
        model = NGramModel.load(path, unigrams=["Sing", "sung"])
        assert set(model) == {"Sing", "<s>", "</s>", "<unk>"}
        with pytest.raises(ModelFormatError, match=r"names of some of its words are missing.*Pass all of them"):
            model.save(tmp_path / "m.arpa")

    def test_a_wrong_list(self, path):
        with pytest.raises(InvalidInputError, match="unigrams is the string 'Sing'; expected a list"):
            NGramModel.load(path, unigrams="Sing")
        with pytest.raises(InvalidInputError, match=r"unigrams\[1\] is 3; expected a string"):
            NGramModel.load(path, unigrams=["Sing", 3])


# ---- damaged and other files


def changed(tmp_path, name, at, new):
    content = bytearray((FOLDER / name).read_bytes())
    content[at : at + len(new)] = new
    path = tmp_path / "m.bin"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("at", "new", "message"),
    [
        (0, b"mmap lm http://kheafield.com/code incomplete\n", "KenLM did not finish to write this file. Build it"),
        (49, b"4", "version 4 of KenLM's format; this ctckit reads version 5"),
        (49, b"x", "version \\? of KenLM's format"),
        (51, b"x", "the file is damaged: text follows the version"),
        (56, struct.pack(">fff", 0, 1, -0.5) + struct.pack(">II", 1, 2**32 - 1), "with another byte order"),
        (72, struct.pack("<IIQ", 2**32 - 1, 1, 0), "written by a KenLM of 32 bits"),
        (64, struct.pack("<f", 0.5), "the numbers that tell the machine are not those of this one"),
        (88, b"\1", "its order is 1; expected 2 to 32"),
        (88, b"\xff", "its order is 255"),
        (92, struct.pack("<f", 0.5), "its tables have 0.5[0]* times as many buckets"),
        (92, struct.pack("<f", math.nan), "its tables have .* times as many buckets"),
        (92, struct.pack("<f", 1e30), "its tables have .* times as many buckets"),
        (96, struct.pack("<i", 6), "its kind is 6; expected 0 to 5"),
        (96, struct.pack("<i", -1), "its kind is -1"),
        (100, b"\2", "neither that the words are in the file nor that they are not"),
        (104, b"\7", "version 7 of KenLM's (hash tables|trie); this ctckit reads version [01]"),
        (108, struct.pack("<Q", 2**60), "its header says 1152921504606846976 n-grams"),
        (116, struct.pack("<Q", 9000), "too few for its [23]-grams. Is it truncated"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["word3.probing.bin", "word3.quantized_array.bin"])
def test_what_is_wrong_with_a_header(tmp_path, name, at, new, message):
    path = changed(tmp_path, name, at, new)
    with pytest.raises(ModelFormatError, match=rf"m\.bin: .*{message}"):
        NGramModel.load(path)


def test_what_is_wrong_with_the_rest(tmp_path):
    words = len(words_of("word3"))
    header = 136  # 108 bytes and three counts, in whole multiples of 8
    for name, at, new, message in [
        ("word3.trie.bin", header, struct.pack("<Q", words + 1), r"it has \d+ words and <unk>, its header says"),
        ("word3.trie.bin", header, b"\xff" * 8, r"it has \d+ words and <unk>, its header says"),
        ("word3.trie.bin", header + 8, b"\xff" * 8, "its vocabulary is not sorted"),
        ("word3.trie.bin", header + 8 + 8 * words + 8 + 16, struct.pack("<Q", 5000), "children of its words"),
        ("word3.trie.bin", header + 8 + 8 * words + 8, struct.pack("<Q", 1), "the children of its words are not in"),
        ("word3.probing.bin", header, b"\1", "version 1 of KenLM's vocabulary"),
        ("word3.probing.bin", header + 4, struct.pack("<I", 0), "it has 0 words"),
        ("word3.probing.bin", header + 4, struct.pack("<I", 9999), "it has 9999 words"),
        ("word3.quantized.bin", header + 8 + 8 * words, b"\1", "version 1 of KenLM's quantization"),
        ("word3.quantized.bin", header + 8 + 8 * words + 1, b"\x1a", "its values have 26 and 5 bits"),
        ("word3.quantized.bin", header + 8 + 8 * words + 2, b"\0", "its values have 6 and 0 bits"),
    ]:  # fmt: skip
        with pytest.raises(ModelFormatError, match=rf"m\.bin: .*{message}"):
            NGramModel.load(changed(tmp_path, name, at, new))


@pytest.mark.parametrize("name", [f"word3.{kind}.bin" for kind in KINDS])
def test_a_truncated_file_is_refused_wherever_it_is_cut(tmp_path, name):
    whole = (FOLDER / name).read_bytes()
    path = tmp_path / "m.bin"
    for size in [*range(33, len(whole), 29), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelFormatError, match=r"m\.bin: .*truncated"):
            NGramModel.load(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(ModelFormatError, match="4 bytes follow the list of words"):
        NGramModel.load(path)


def test_words_that_are_not_those_of_the_vocabulary(tmp_path):
    for name in ("word3.trie.bin", "word3.probing.bin"):
        content = (FOLDER / name).read_bytes()
        with pytest.raises(ModelFormatError, match=r"word \d+ of the list of words is not in the vocabulary"):
            NGramModel.load(changed(tmp_path, name, content.rindex(b"king\0"), b"kimg"))
        with pytest.raises(ModelFormatError, match="word 0 of the list of words"):
            NGramModel.load(changed(tmp_path, name, content.rindex(b"<unk>\0"), b"<unq>"))


def use(model):
    state = model.start
    for entry in ["the", "king", "was", "in", "the", "never", "Über", "</s>"] * 3:
        log_prob, state = model.score(state, entry)
        assert log_prob < math.inf
        model.end(state)
        model.native.match(state, 7)
    for state in (0, 1, 2**32 - 1, 2**64 + 5, 2**128 - 1):
        for word in (0, 3, 1000, 2**32 - 1):
            assert model.native.query(state, word)[0] < math.inf


@pytest.mark.parametrize("name", [f"word4.{kind}.bin" for kind in KINDS])
def test_damage_is_found_or_harmless(tmp_path, name):
    draw = random.Random(name)
    whole = (FOLDER / name).read_bytes()
    path = tmp_path / "m.bin"
    refused = unclear = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 1, 8, 50])):
            damaged[draw.randrange(len(damaged))] = draw.choice([0, 255, draw.randrange(256)])
        path.write_bytes(damaged)
        try:
            model = NGramModel.load(path, unit="word")
            use(model)
            model.save(tmp_path / "m.ctclm")
        except DataError as error:
            refused += 1
            unclear += str(path) not in str(error)
    assert unclear == 0
    assert refused > 25


def test_states_out_of_range():
    native = load("word3.trie.bin").native
    for wrong in (-1, 2**128):
        with pytest.raises(TypeError, match="a state"):
            native.query(wrong, 0)


# ---- in the search, in other processes


def random_log_probs(seed, frames=60, classes=28):
    scores = np.random.default_rng(seed).normal(0, 3, (frames, classes)).astype(np.float32)
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


VOCABULARY = Vocabulary(["", " ", *"abcdefghijklmnopqrstuvwxyz"], blank=0, separator=" ")


@pytest.mark.parametrize("kind", ["probing", "rest", "trie", "array"])
@pytest.mark.parametrize("options", [{}, {"lexicon": ["the", "king", "queen", "was", "in", "garden"]}])
def test_a_decoder_finds_what_it_finds_with_the_arpa_file(kind, options):
    decoders = [
        BeamDecoder(VOCABULARY, language_model=load(name), beam_width=32, **options)
        for name in ("word3.arpa", f"word3.{kind}.bin")
    ]
    for seed in range(5):
        log_probs = random_log_probs(seed)
        expected, found = (decoder.decode(log_probs, n_best=3)[0] for decoder in decoders)
        assert [each.text for each in found] == [each.text for each in expected]
        assert [each.score for each in found] == pytest.approx([each.score for each in expected], abs=1e-3)


def test_models_of_characters_in_the_search():
    models = [NGramModel.load(FOLDER / name) for name in ("char4.arpa", "char4.probing.bin")]
    found = [BeamDecoder(VOCABULARY, language_model=each, beam_width=32).decode(random_log_probs(9)) for each in models]
    assert found[0][0][0].text == found[1][0][0].text
    assert found[0][0][0].score == pytest.approx(found[1][0][0].score, abs=1e-3)


@pytest.mark.parametrize("kind", ["probing", "quantized_array"])
def test_streams_and_their_states(kind):
    decoder = BeamDecoder(VOCABULARY, language_model=load(f"word4.{kind}.bin"), beam_width=32)
    log_probs = random_log_probs(3)
    whole = decoder.decode(log_probs)[0][0]
    stream = decoder.stream()
    stream.push(log_probs[:30])
    for each in (stream, copy.copy(stream), pickle.loads(pickle.dumps(stream))):
        each.push(log_probs[30:])
        assert each.finish().text == whole.text


def test_pickles_hold_the_path(tmp_path):
    path = tmp_path / "m.bin"
    path.write_bytes((FOLDER / "word3.trie.bin").read_bytes())
    model = NGramModel.load(path)
    content = pickle.dumps(model)
    assert len(content) < 1000
    again = pickle.loads(content)
    assert again.log_prob("the king") == model.log_prob("the king")
    assert list(again) == list(model)
    decoder = pickle.loads(pickle.dumps(BeamDecoder(VOCABULARY, language_model=model)))
    assert decoder.language_models[0].source == str(path)

    other = tmp_path / "other.bin"
    other.write_bytes((FOLDER / "word4.trie.bin").read_bytes())
    other.replace(path)
    with pytest.raises(ModelFormatError, match=r"the file .*m\.bin, which has changed since"):
        pickle.loads(content)
    path.unlink()
    with pytest.raises(
        ModelFormatError, match=r"m\.bin, which cannot be mapped here: No such file.*keep the file there"
    ):
        pickle.loads(content)


def test_pickles_hold_the_given_words():
    model = NGramModel.load(FOLDER / "word3.trie.nowords.bin", unigrams=words_of("word3"))
    assert list(pickle.loads(pickle.dumps(model))) == list(model)
    without = NGramModel.load(FOLDER / "word3.trie.nowords.bin", unit="word")
    assert not pickle.loads(pickle.dumps(without)).has_names


def test_a_relative_path_is_pickled_as_absolute(tmp_path, monkeypatch):
    (tmp_path / "m.bin").write_bytes((FOLDER / "word3.trie.bin").read_bytes())
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(NGramModel.load("m.bin"))
    monkeypatch.chdir("/")
    assert len(pickle.loads(content)) == len(words_of("word3"))


def test_look_ahead_is_that_of_the_arpa_file():
    arpa, binary = load("word3.arpa").native, load("word3.trie.bin").native
    for word in words_of("word3"):
        assert binary.look_ahead(binary.find(word)) == pytest.approx(arpa.look_ahead(arpa.find(word)), abs=LM_NATS)
