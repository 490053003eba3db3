"""ctckit.compat.kenlm: the names, arguments and results of the kenlm package."""

import copy
import pickle

import numpy as np
import pytest

import ctckit
from ctckit.compat import kenlm
from ctckit.errors import DataError, InvalidInputError
from tests.support.tolerances import DOUBLE, LM_LOG10

# The values below are from this file: log10 p and back-offs that can be added up by hand.
ARPA = """\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-2\t<unk>
-99\t<s>\t-0.5
-1\t</s>
-0.25\tred\t-0.125
-0.75\tcar\t-0.0625

\\2-grams:
-0.375\t<s> red\t-0.03125
-0.625\tred car
-0.875\tcar </s>

\\3-grams:
-0.1875\t<s> red car

\\end\\
"""


@pytest.fixture
def path(tmp_path):
    result = tmp_path / "cars.arpa"
    result.write_text(ARPA)
    return result


@pytest.fixture
def model(path):
    return kenlm.Model(str(path))


@pytest.mark.parametrize(
    ("sentence", "bos", "eos", "expected"),
    [
        ("red car", True, True, [(-0.375, 2, False), (-0.1875, 3, False), (-0.875, 2, False)]),
        ("red car", False, False, [(-0.25, 1, False), (-0.625, 2, False)]),
        ("car car", True, False, [(-1.25, 1, False), (-0.8125, 1, False)]),
        ("a red", True, True, [(-2.5, 1, True), (-0.25, 1, False), (-1.125, 1, False)]),
        ("<unk>", False, True, [(-2.0, 1, True), (-1.0, 1, False)]),
        ("", True, True, [(-1.5, 1, False)]),
    ],
)
def test_full_scores_are_the_parts_of_the_score(model, sentence, bos, eos, expected):
    found = list(model.full_scores(sentence, bos=bos, eos=eos))
    assert [each[1:] for each in found] == [each[1:] for each in expected]
    assert [each[0] for each in found] == pytest.approx([each[0] for each in expected], abs=LM_LOG10)
    assert model.score(sentence, bos, eos) == pytest.approx(sum(each[0] for each in expected), abs=LM_LOG10)
    assert list(model.full_scores(sentence.encode(), bos, eos)) == found


def test_one_word_with_its_full_score(model):
    before, after, same = kenlm.State(), kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(before)
    full = model.BaseFullScore(before, "red", after)
    assert (full.log_prob, full.ngram_length, full.oov) == (pytest.approx(-0.375, abs=LM_LOG10), 2, False)
    assert full.log_prob == model.BaseScore(before, "red", same)
    assert same == after
    assert repr(kenlm.FullScoreReturn(-1.5, 1, True)) == "FullScoreReturn(-1.5, 1, True)"
    with pytest.raises(AttributeError):
        full.oov = True


def test_states_are_contexts(model):
    begin, empty, after, other = (kenlm.State() for _ in range(4))
    model.BeginSentenceWrite(begin)
    model.NullContextWrite(empty)
    assert empty == kenlm.State()
    assert begin != empty
    assert (begin > empty) != (begin < empty)
    assert begin >= copy.copy(begin) <= copy.deepcopy(begin) == pickle.loads(pickle.dumps(begin))
    model.BaseScore(begin, "car", after)
    model.BaseScore(empty, "car", other)  # no n-gram of the model tells "<s> car" from "car"
    assert {after: 1}[other] == 1
    assert after != "car"
    with pytest.raises(TypeError):
        sorted([begin, "car"])


def test_texts_are_strings_or_bytes(model, path):
    assert b"red" in model
    assert b"\xff" not in model
    assert "<unk>" not in model
    assert "<s>" in model
    assert model.score(b"red\t car\n") == model.score("red car")
    assert model.score("red\u00a0car") == pytest.approx(-2.5 - 1, abs=LM_LOG10)  # one word: only ASCII space splits
    assert model.perplexity(b"red car") == model.perplexity("red car")
    assert model.BaseScore(kenlm.State(), b"car", kenlm.State()) == pytest.approx(-0.75, abs=LM_LOG10)
    for name in (str(path), bytes(path), path):
        again = kenlm.Model(name)
        assert again.path == bytes(path)
        assert repr(again) == "<Model from b'cars.arpa'>"
        assert again.score("red car") == model.score("red car")


@pytest.mark.parametrize("call", ["score", "perplexity", "full_scores", "__contains__", "BaseScore", "BaseFullScore"])
def test_other_types_are_refused(model, call):
    states = [kenlm.State(), kenlm.State()] if call.startswith("Base") else []
    with pytest.raises(TypeError, match=r"(word|sentence) is 3; expected str or bytes") as caught:
        list(getattr(model, call)(*states[:1], 3, *states[1:]))
    assert isinstance(caught.value, InvalidInputError)


def test_wrong_types_of_models_are_refused(path):
    with pytest.raises(TypeError, match="path is 3; expected str or bytes or PathLike"):
        kenlm.Model(3)
    with pytest.raises(TypeError, match="config is 3; expected Config"):
        kenlm.Model(str(path), 3)


def test_options_are_accepted(path, model):
    config = kenlm.Config()
    assert (config.load_method, config.show_progress, config.arpa_complain) == (2, True, 0)
    methods = ("LAZY", "POPULATE_OR_LAZY", "POPULATE_OR_READ", "READ", "PARALLEL_READ")
    assert [getattr(kenlm.LoadMethod, name) for name in methods] == [0, 1, 2, 3, 4]
    complain = kenlm.ARPALoadComplain
    assert [complain.ALL, complain.EXPENSIVE, complain.NONE] == [0, 1, 2]
    config.load_method = kenlm.LoadMethod.LAZY
    config.show_progress = False
    assert kenlm.LanguageModel(str(path), config).score("red") == model.score("red")
    assert kenlm.Model(str(path), config=config).order == 3


def test_files_that_cannot_be_read_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Cannot read model '.*none\.arpa'") as missing:
        kenlm.Model(str(tmp_path / "none.arpa"))
    (tmp_path / "text.arpa").write_text("no model")
    with pytest.raises(OSError, match=r"Cannot read model '.*text.arpa' \(.*This is not an ARPA file") as damaged:
        kenlm.Model(str(tmp_path / "text.arpa"))
    assert isinstance(missing.value, DataError)
    assert isinstance(damaged.value, DataError)


def test_models_travel(path, model):
    sent = pickle.dumps(model)
    path.unlink()
    again = pickle.loads(sent)
    assert (again.path, again.score("red car")) == (model.path, model.score("red car"))
    assert copy.deepcopy(model).ngrams is model.ngrams
    trained = kenlm.Model(ctckit.NGramModel.train(["red car"], order=2))
    again = pickle.loads(pickle.dumps(trained))
    assert (again.path, again.score("red car")) == (None, trained.score("red car"))
    assert repr(trained).startswith("<Model from NGramModel(")


def test_impossible_words_have_a_probability_of_zero(path):
    path.write_text(ARPA.replace("-0.75\tcar", "-inf\tcar"))
    model = kenlm.Model(str(path))
    assert model.score("red car") == pytest.approx(-0.375 - 0.1875 - 0.875, abs=LM_LOG10)
    assert model.score("car") == -np.inf


def test_scores_are_those_of_the_model_in_log10(path, model):
    ngrams = ctckit.NGramModel.load(path, unit="word")
    for sentence in ("red car", "car blue", ""):
        state, after = kenlm.State(), kenlm.State()
        model.BeginSentenceWrite(state)
        total = 0.0
        for word in [*sentence.split(), "</s>"]:
            total += model.BaseScore(state, word, after)
            state, after = after, kenlm.State()
        assert total == pytest.approx(ngrams.log_prob(sentence) / np.log(10), abs=LM_LOG10)
        assert model.score(sentence) == pytest.approx(total, abs=LM_LOG10)
        assert model.perplexity(sentence) == pytest.approx(10 ** (-total / (len(sentence.split()) + 1)), rel=DOUBLE)
