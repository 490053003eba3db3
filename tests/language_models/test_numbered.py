"""The sessions in which the search asks a model in Python: numbers of states and entries, and what is forgotten."""

import math
import pickle

import pytest

from ctckit import NGramModel
from ctckit.errors import InvalidInputError
from ctckit.language_models import LanguageModel
from ctckit.language_models.numbered import NumberedModel
from tests.support.open_models import Delegating, Minimal, RandomModel


def test_answers_are_those_of_the_model():
    model = RandomModel("word", 4)
    numbered = NumberedModel(model)
    session = numbered.session()
    number, state = session.start, model.begin()
    for word in ["a", "b", "a", "<unk>", "b"]:
        log_prob, number = session.query(number, numbered.find(word))
        expected, state = model.score(state, word)
        assert log_prob == expected
    assert session.query(number, numbered.end) == (model.end(state), number)
    assert session.query(session.empty, numbered.find("a"))[0] == model.score(model.without_context(), "a")[0]


@pytest.mark.parametrize("hashable", [True, False])
def test_equal_states_have_one_number_if_they_are_hashable(hashable):
    numbered = NumberedModel(RandomModel("word", order=2, hashable=hashable))
    session = numbered.session()
    a, b = numbered.find("a"), numbered.find("b")
    _, after_a = session.query(session.start, a)
    _, after_b = session.query(session.start, b)
    assert after_a != after_b
    assert (session.query(after_b, a)[1] == after_a) is hashable
    assert session.query(session.start, a)[1] == after_a  # the same query always has the same state


def test_a_session_asks_once_and_together():
    class Counting(Delegating):
        pass

    model = Counting(NGramModel.train(["a b", "b a"], order=2))
    numbered = NumberedModel(model)
    session = numbered.session()
    a, b = numbered.find("a"), numbered.find("b")
    for _ in range(3):
        session.query(session.start, a)
    assert len(model.asked) == 1
    answers = session.ask([session.start] * 3, [a, numbered.end, b])
    assert model.batches == [2]
    assert [each[0] for each in answers] == [
        model.model.score(model.begin(), "a")[0],
        model.model.end(model.begin()),
        model.model.score(model.begin(), "b")[0],
    ]
    assert answers[1][1] == session.start


def test_only_states_that_are_kept_are_known():
    numbered = NumberedModel(Minimal())
    session = numbered.session()
    a, b = numbered.find("a"), numbered.find("b")
    _, after_a = session.query(session.start, a)
    _, after_b = session.query(session.start, b)
    session.keep_only([after_a])
    assert session.query(after_a, a)[0] == math.log(0.1)
    with pytest.raises(InvalidInputError, match=r"a state of its language model, \d+, that the session does not know"):
        session.query(after_b, a)
    assert session.query(session.start, b)[1] not in (after_a, after_b)
    assert session.query(session.query(session.start, b)[1], a)[1] == after_a


def test_copies_know_the_same_states_and_go_their_own_way():
    model = RandomModel("word", 2)
    numbered = NumberedModel(model)
    session = numbered.session()
    a, b = numbered.find("a"), numbered.find("b")
    _, state = session.query(session.start, a)
    for other in (session.copy(), pickle.loads(pickle.dumps(session))):
        assert other.query(state, b)[0] == model.score(model.score(model.begin(), "a")[1], "b")[0]
        other.keep_only([])
        session.query(state, b)
        with pytest.raises(InvalidInputError, match="Pickle it again"):
            other.query(state, a)


def test_look_ahead():
    class Known(Minimal):
        def unigram(self, entry):
            return {"a": -1.0, "never": -math.inf, "<unk>": -4.0}[entry]

    numbered = NumberedModel(Known())
    a, never = numbered.find_words(["a", "never"])
    assert [numbered.look_ahead(each) for each in (a, never, numbered.unknown)] == [-1.0, -4.0, -4.0]
    without = NumberedModel(Minimal())
    assert [without.look_ahead(each) for each in (*without.find_words(["a"]), without.unknown)] == [0.0, 0.0]
    default = NumberedModel(type("Default", (Minimal, LanguageModel), {})())
    assert default.look_ahead(default.find_words(["a"])[0]) == 0.0


def test_the_optional_methods_have_defaults():
    model = type("Default", (Minimal, LanguageModel), {})()
    assert model.score_many(["", "a"], ["a", "a"]) == [(math.log(0.3), "a"), (math.log(0.1), "a")]
    assert model.without_context() == model.begin()
    assert model.unigram("a") == 0.0


def test_the_methods_of_an_ngram_model():
    model = NGramModel.train(["a b", "b a"], order=2)
    assert model.without_context() == model.empty
    assert model.unigram("a") == model.log_prob(["a"], bos=False, eos=False)
    assert model.unigram("nowhere") == model.unknown_log_prob
    assert model.score_many([model.begin(), model.empty], ["a", "b"]) == [
        model.score(model.begin(), "a"),
        model.score(model.empty, "b"),
    ]
