"""Language models in Python in the search: same results as native ones, what they are asked, and their errors."""

import copy
import gc
import math
import pickle
import signal
import threading
import traceback
import weakref
from unittest import mock

import numpy as np
import pytest

import ctckit
from ctckit import BeamDecoder, NGramModel
from ctckit.decoding import beam, streaming
from ctckit.errors import InvalidInputError
from tests.support.open_models import Delegating, Minimal, RandomModel
from tests.support.search_problems import ENGINES, LETTERS, PIECES, UNMARKED, model
from tests.support.tolerances import SEARCH_SINGLE


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "words": model(folder, ["a", "b", "ab", "ba", "zz"], "word"),
        "some words": model(folder, ["a", "b", "ab", "ba"], "word", seed=2, impossible=["a", "ab"]),
        "characters": model(folder, ["a", "b", "|"], "char"),
        "letters": model(folder, ["a", "b", "c"], "char", seed=1),
        "tokens": model(folder, ["▁a", "b", "▁"], "token"),
    }


# name: vocabulary, models, and the other arguments of the decoder
CASES = {
    "characters": (LETTERS, ["characters"], {"lm_weight": 0.7}),
    "characters of a part": (LETTERS, ["characters"], {"lm_weight": 0.7, "lm_boundary": False}),
    "characters without words": (UNMARKED, ["letters"], {"lm_weight": 1.5}),
    "characters of pieces": (PIECES, ["characters"], {"lm_weight": 0.7}),
    "tokens": (PIECES, ["tokens"], {"lm_weight": 0.4, "token_bonus": 0.3}),
    "words": (LETTERS, ["words"], {"lm_weight": 0.6, "oov_charge": 0.4}),
    "words of a part": (LETTERS, ["words"], {"lm_weight": 0.6, "oov_charge": 0.4, "lm_boundary": False}),
    "no unknown words": (LETTERS, ["words"], {"lm_weight": 0.6, "oov_charge": None}),
    "some words": (LETTERS, ["some words"], {"lm_weight": 0.6, "oov_charge": 0.4}),
    "lexicon": (LETTERS, ["words"], {"lexicon": ["ab", "b", "bb"], "lm_weight": 0.9}),
    "homophones": (
        LETTERS,
        ["words"],
        {"lexicon": {"a": "a", "b": ["a", "b"], "ab": [["a"], ["a", "b"]], "zz": "a"}, "lm_weight": 2.0},
    ),
    "both, with hotwords": (
        LETTERS,
        ["characters", "words"],
        {"lm_weight": [0.3, 0.5], "hotwords": ["ab a"], "hotword_weight": 4.0, "token_bonus": 0.2},
    ),
}


def random_frames(rng, classes, frames=25, sharpness=1.5):
    logits = rng.normal(size=(frames, classes)) * sharpness
    return (logits - np.logaddexp.reduce(logits, axis=1)[:, None]).astype(np.float32)


def decoders(name, models, **changes):
    """The decoder with native models, and the one with the same models in Python."""
    vocabulary, names, arguments = CASES[name]
    used = [models[each] for each in names]
    given = {"beam_width": 12, **arguments, **changes}
    return (
        BeamDecoder(vocabulary, language_model=used, **given),
        BeamDecoder(vocabulary, language_model=[Delegating(each) for each in used], **given),
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_a_model_in_python_gives_the_results_of_the_native_one(name, engine, models):
    """The same bits: the same numbers come through another door."""
    rng = np.random.default_rng(7)
    with mock.patch.object(beam, "_engine", ENGINES[engine]):
        native, python = decoders(name, models)
        items = [random_frames(rng, len(native.vocabulary), int(rng.integers(1, 30))) for _ in range(4)]
        assert python.decode(items, n_best=5) == native.decode(items, n_best=5)
    assert all(each.asked for each in python.language_models)


@pytest.mark.parametrize("unit", ["word", "char", "token"])
@pytest.mark.parametrize("hashable", [True, False])
def test_native_and_reference_agree(unit, hashable):
    rng = np.random.default_rng(3)
    lexicon = {"a": "a", "b": [["b"], ["a"]], "ab": "ab", "ba": [["b", "a"], ["a", "b"]]}
    for seed in range(12):
        options = {"lexicon": lexicon, "oov_charge": 0.7} if unit == "word" else {"hotwords": ["ab"]}
        lm = RandomModel(unit, seed, hashable=hashable, impossible=0.1)
        frames, found = random_frames(rng, len(LETTERS), 12), []
        for engine in ENGINES.values():
            with mock.patch.object(beam, "_engine", engine):
                decoder = BeamDecoder(LETTERS, language_model=lm, lm_weight=0.8, beam_width=60, **options)
                found.append(decoder.decode(frames)[0][0])
        assert found[0].score == pytest.approx(found[1].score, abs=2 * SEARCH_SINGLE)


@pytest.mark.parametrize("name", CASES)
def test_streams_are_those_of_the_native_model(name, models, monkeypatch):
    """With cuts, commits, copies and pickles on the way, partial results, and a second utterance."""
    monkeypatch.setattr(streaming, "window_of", lambda classes: 20)
    rng = np.random.default_rng(11)
    native, python = decoders(name, models, beam_width=6)
    frames = random_frames(rng, len(native.vocabulary), 130, sharpness=4.0)
    for commit_after in (None, 10):
        streams = [each.stream(commit_after=commit_after) for each in (native, python)]
        for keep_lm_state in (True, False):
            at = 0
            while at < len(frames):
                part = frames[at : at + int(rng.integers(1, 9))]
                at += len(part)
                for stream in streams:
                    stream.push(part)
                if rng.random() < 0.2:
                    streams[1] = copy.deepcopy(streams[1])
                if rng.random() < 0.2:
                    streams[1] = pickle.loads(pickle.dumps(streams[1]))
                if rng.random() < 0.3:
                    ours, expected = streams[1].partial(), streams[0].partial()
                    assert (ours.text, ours.stable_tokens) == (expected.text, expected.stable_tokens)
            ended = [stream.reset(keep_lm_state=keep_lm_state) for stream in streams]
            assert ended[1] == ended[0]
        assert streams[1].finish() == streams[0].finish()


def test_long_items_are_those_of_the_native_model(models, monkeypatch):
    monkeypatch.setattr(streaming, "window_of", lambda classes: 30)
    native, python = decoders("characters", models)
    frames = random_frames(np.random.default_rng(2), len(LETTERS), 200, sharpness=5.0)
    assert python.decode(frames, n_best=3) == native.decode(frames, n_best=3)


def test_a_model_without_a_base_class():
    decoder = BeamDecoder(["", "a", "b"], language_model=Minimal(), token_bonus=2.0, beam_width=8)
    best = decoder.decode(np.log([[0.2, 0.5, 0.3], [0.2, 0.41, 0.39]]))[0][0]
    assert best.text == "ab"
    assert best.lm_log_prob == pytest.approx(math.log(0.3 * 0.3 * 0.2))
    assert decoder.language_models[0].unit == "char"


def test_a_model_of_words_that_does_not_list_them():
    lm = RandomModel("word")
    with pytest.raises(InvalidInputError, match=r"is a RandomModel, which does not list its words .* pass lexicon=…"):
        BeamDecoder(LETTERS, language_model=lm)
    assert BeamDecoder(LETTERS, language_model=lm, lexicon=["a", "ab"]).decode(random_frames_of_letters())[0][0].words


def random_frames_of_letters(frames=12, seed=0):
    return random_frames(np.random.default_rng(seed), len(LETTERS), frames)


def test_unknown_words_are_one_entry():
    asked = []

    class Noting(RandomModel):
        def score(self, state, entry):
            asked.append(entry)
            return super().score(state, entry)

    decoder = BeamDecoder(LETTERS, language_model=Noting("word"), lexicon=["ab"], oov_charge=0.1)
    decoder.decode(random_frames_of_letters(20))
    assert set(asked) == {"ab", "<unk>"}


def test_a_subclass_of_an_ngram_model_is_asked_itself():
    class Halved(NGramModel):
        def score(self, state, entry):
            log_prob, after = super().score(state, entry)
            return log_prob / 2, after

    lines = ["ab ba", "b ab"]
    plain = NGramModel.train(lines, order=2, unit="char")
    halved = Halved(plain.native, unit="char")
    frames = random_frames_of_letters()
    for lm in (plain, halved):
        best = BeamDecoder(LETTERS, language_model=lm).decode(frames)[0][0]
        written = lm.entries(best.text)
        total, state = 0.0, lm.begin()
        for entry in written:
            log_prob, state = lm.score(state, entry)
            total += log_prob
        if not best.text.endswith(" ") and best.tokens[-1] != 3:
            assert best.lm_log_prob == pytest.approx(total + lm.end(state))


def test_each_query_is_asked_once(models):
    for name in ("characters of pieces", "both, with hotwords", "homophones"):
        _, python = decoders(name, models, beam_width=30)
        python.decode(random_frames(np.random.default_rng(1), len(python.vocabulary), 30), n_best=5)
        for each in python.language_models:
            assert len(set(each.asked)) == len(each.asked) > 0
            assert len(set(each.ends)) == len(each.ends) > 0


def test_most_queries_are_asked_together():
    class Counting(RandomModel):
        asked, batches = 0, ()

        def score(self, state, entry):
            self.asked += 1
            return super().score(state, entry)

        def score_many(self, states, entries):
            self.batches += (len(entries),)
            return super().score_many(states, entries)

    for unit, options in (("char", {}), ("word", {"lexicon": ["a", "b", "ab", "ba"]})):
        lm = Counting(unit, order=8)
        BeamDecoder(LETTERS, language_model=lm, beam_width=60, **options).decode(random_frames_of_letters(60))
        assert sum(lm.batches) > 0.8 * lm.asked
        assert len(lm.batches) < lm.asked / 5


def test_models_of_no_weight_are_not_asked(models):
    _, python = decoders("words", models)
    before = len(python.language_models[0].asked)
    other = python.with_settings(lm_weight=0.0)
    other.decode(random_frames_of_letters())
    assert len(python.language_models[0].asked) == before
    assert other.with_settings(lm_weight=0.6).decode(random_frames_of_letters()) == python.decode(
        random_frames_of_letters()
    )


def test_tuning_with_a_model_in_python(models):
    native, python = decoders("characters", models)
    items = [random_frames_of_letters(12, seed) for seed in range(3)]
    grid = {"lm_weight": [0.0, 1.0]}
    found = [ctckit.tune(each, items, ["ab", "b a", "ba"], grid=grid, refinements=1) for each in (native, python)]
    assert found[0].settings == found[1].settings
    np.testing.assert_array_equal(found[0].errors, found[1].errors)


def test_decoders_are_copied_and_pickled_with_their_models():
    lm = RandomModel("word", 5)
    decoder = BeamDecoder(LETTERS, language_model=lm, lexicon=["a", "ab", "b"], beam_width=20)
    frames = random_frames_of_letters(30)
    expected = decoder.decode(frames, n_best=3)
    assert copy.deepcopy(decoder).language_models[0] is lm
    for other in (copy.copy(decoder), copy.deepcopy(decoder), pickle.loads(pickle.dumps(decoder))):
        assert other.decode(frames, n_best=3) == expected
    unpickled = pickle.loads(pickle.dumps(decoder))
    assert unpickled.language_models[0] is not lm
    assert unpickled.plan.word_lm.model is unpickled.language_models[0]


def test_several_threads_and_items():
    decoder = BeamDecoder(LETTERS, language_model=RandomModel("char", 8), beam_width=20)
    items = [random_frames_of_letters(20, seed) for seed in range(12)]
    before = ctckit.num_threads()
    try:
        ctckit.set_num_threads(1)
        expected = decoder.decode(items, n_best=2)
        ctckit.set_num_threads(3)
        results = []
        threads = [threading.Thread(target=lambda: results.append(decoder.decode(items, n_best=2))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        ctckit.set_num_threads(before)
    assert results == [expected] * 3


def test_subnormal_numbers_are_python_s_in_a_model():
    seen = []

    class Small(Minimal):
        def score(self, state, entry):
            seen.append(5e-324 * 1.0 > 0 and float(np.float32(1e-40) * np.float32(1)) > 0)
            return super().score(state, entry)

    BeamDecoder(["", "a", "b"], language_model=Small()).decode(np.log([[0.2, 0.5, 0.3]] * 4))
    assert seen
    assert all(seen)


class State:
    """Can be referenced weakly, and is equal to itself only."""


class Heavy(Minimal):
    """Each state is another object."""

    def __init__(self):
        self.alive = weakref.WeakSet()

    def begin(self):
        return self._new()

    def _new(self):
        state = State()
        self.alive.add(state)
        return state

    def score(self, state, entry):
        return math.log(0.4), self._new()


def test_states_are_released_after_an_item():
    lm = Heavy()
    decoder = BeamDecoder(["", "a", "b"], language_model=lm, beam_width=10)
    decoder.decode(random_frames(np.random.default_rng(0), 3, 50))
    gc.collect()
    assert len(lm.alive) == 0


def test_a_long_stream_forgets_states():
    lm = Heavy()
    stream = BeamDecoder(["", "a", "b"], language_model=lm, beam_width=40).stream()
    frames = random_frames(np.random.default_rng(0), 3, 3000, sharpness=0.5)
    most = 0
    for part in np.array_split(frames, 60):
        stream.push(part)
        most = max(most, len(lm.alive))
    assert most < 25000
    assert stream.finish().tokens


# --- errors ----------------------------------------------------------------------------------------------------------


class Failing(RandomModel):
    """Raises once, at the call with this number."""

    def __init__(self, unit, calls, error, method="score", **options):
        super().__init__(unit, **options)
        self.left, self.error, self.method = calls, error, method

    def _count(self, method):
        if method == self.method:
            self.left -= 1
            if self.left == 0:
                raise self.error

    def score(self, state, entry):
        self._count("score")
        return super().score(state, entry)

    def begin(self):
        self._count("begin")
        return super().begin()

    def end(self, state):
        self._count("end")
        return super().end(state)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", ["begin", "score", "end"])
@pytest.mark.parametrize("unit", ["word", "char"])
def test_an_exception_of_the_model_reaches_the_caller(unit, method, engine):
    error = LookupError("the network is gone")
    failing = Failing(unit, 3 if method == "score" else 1, error, method)
    options = {"lexicon": ["a", "ab", "b"]} if unit == "word" else {}
    with mock.patch.object(beam, "_engine", ENGINES[engine]):
        decoder = BeamDecoder(LETTERS, language_model=failing, beam_width=10, **options)
        with pytest.raises(LookupError, match="the network is gone") as caught:
            decoder.decode([random_frames_of_letters(20)])
        assert caught.value is error
        assert any(each.name == method for each in traceback.extract_tb(caught.tb))
        if hasattr(error, "add_note"):
            assert error.__notes__ == ["In item 0 of log_probs."]
        expected = BeamDecoder(LETTERS, language_model=RandomModel(unit), beam_width=10, **options)
        frames = random_frames_of_letters(20)
        assert decoder.decode(frames) == expected.decode(frames)  # it fails once


def test_the_item_is_named():
    class Careful(RandomModel):
        def score(self, state, entry):
            if entry == "b":
                raise LookupError("b")
            return super().score(state, entry)

    with np.errstate(divide="ignore"):
        good = np.log([[0.2, 0.8, 0.0, 0.0], [0.8, 0.1, 0.0, 0.1]] * 3)
        bad = np.log([[0.1, 0.1, 0.7, 0.1]] * 3)
    decoder = BeamDecoder(LETTERS, language_model=Careful("char"), beam_width=4)
    before = ctckit.num_threads()
    for threads in (1, 3):
        ctckit.set_num_threads(threads)
        try:
            with pytest.raises(LookupError) as caught:
                decoder.decode([good, good, bad, good])
        finally:
            ctckit.set_num_threads(before)
        if hasattr(caught.value, "add_note"):
            assert caught.value.__notes__ == ["In item 2 of log_probs."]


def test_a_long_item_is_named(monkeypatch):
    monkeypatch.setattr(streaming, "window_of", lambda classes: 10)
    decoder = BeamDecoder(LETTERS, language_model=Failing("char", 20, LookupError("gone")), beam_width=10)
    with pytest.raises(LookupError) as caught:
        decoder.decode([random_frames_of_letters(1), random_frames_of_letters(60)])
    if hasattr(caught.value, "add_note"):
        assert caught.value.__notes__ == ["In item 1 of log_probs."]


@pytest.mark.parametrize("calls", [1, 5, 40, 100])
def test_a_stream_goes_on_after_an_exception(calls):
    """What was pushed before stays; pushed again, the result is that of a stream without the exception."""
    frames = random_frames_of_letters(40)
    expected = BeamDecoder(LETTERS, language_model=RandomModel("char", order=8), beam_width=10).stream()
    failing = Failing("char", calls, LookupError("gone"), order=8)
    stream = BeamDecoder(LETTERS, language_model=failing, beam_width=10).stream()
    expected.push(frames)
    failures = 0
    while stream.frames < len(frames):
        try:
            stream.push(frames[stream.frames : stream.frames + 7])
        except LookupError:
            failures += 1
    assert failures == 1
    assert stream.finish() == expected.finish()


@pytest.mark.parametrize("keep_lm_state", [None, False, True])
def test_the_end_of_a_stream_can_be_tried_again(keep_lm_state):
    frames = random_frames_of_letters(40)
    results = []
    for fails in (False, True):
        lm = Failing("char", 1 if fails else 0, LookupError("gone"), "end")
        stream = BeamDecoder(LETTERS, language_model=lm, beam_width=10).stream()
        stream.push(frames)
        end = stream.finish if keep_lm_state is None else lambda: stream.reset(keep_lm_state=keep_lm_state)  # noqa: B023
        if fails:
            with pytest.raises(LookupError):
                end()
        results.append(end())
        if keep_lm_state is not None:
            stream.push(frames)
            results.append(stream.finish())
    assert results[: len(results) // 2] == results[len(results) // 2 :]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ((math.nan, ""), r"Wrong\.score\(state, 'a'\) returned nan; expected a log-probability in nats, at most 0"),
        ((0.3, ""), r"returned 0\.3; .* Return the logarithm of a probability\."),
        ((np.float32(2), ""), r"returned 2\.0;"),
        ((True, ""), r"returned True; .* Return a float\."),
        (("-1.5", ""), r"returned '-1\.5';"),
        ((None, ""), r"returned None;"),
        ((np.zeros(3), ""), r"returned array\(\[0\., 0\., 0\.\]\);"),
        (-1.0, r"score\(state, 'a'\) returned -1\.0; expected a pair: the log-probability in nats, and the state"),
        ((-1.0, "", 3), r"returned \(-1\.0, '', 3\); expected a pair"),
        (None, r"returned None; expected a pair"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_wrong_results_are_refused(result, message, engine):
    class Wrong(Minimal):
        def score(self, state, entry):
            return result

    with mock.patch.object(beam, "_engine", ENGINES[engine]):
        decoder = BeamDecoder(["", "a"], language_model=Wrong())
        with pytest.raises(InvalidInputError, match=message) as caught:
            decoder.decode(np.log([[0.5, 0.5]]))
    assert str(caught.value).startswith("language_model: Wrong.score(state, 'a') returned")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"end": lambda self, state: 1.0}, r"Wrong\.end\(state\) returned 1\.0; expected a log-probability"),
        ({"end": lambda self, state: None}, r"Wrong\.end\(state\) returned None; .* Return a float\."),
        (
            {"score_many": lambda self, states, entries: [(-1.0, "")]},
            r"Wrong\.score_many\(states, entries\) returned 1 results for 2 entries; expected a list with a pair",
        ),
        ({"score_many": lambda self, states, entries: None}, r"score_many\(states, entries\) returned None for 2"),
        ({"score_many": lambda self, states, entries: [3, 4]}, r"score\(state, '.'\) returned 3; expected a pair"),
    ],
)
def test_wrong_results_of_other_methods_are_refused(methods, message):
    lm = type("Wrong", (Minimal,), methods)()
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(["", "a", "b"], language_model=lm).decode(np.log([[0.2, 0.4, 0.4]]))


def test_a_wrong_unigram_is_refused_when_the_decoder_is_made():
    lm = RandomModel("word")
    lm.unigram = lambda entry: 2.0
    with pytest.raises(InvalidInputError, match=r"RandomModel\.unigram\('<unk>'\) returned 2\.0; expected a log-prob"):
        BeamDecoder(LETTERS, language_model=lm, lexicon=["a"])


def test_numbers_of_other_types_are_taken():
    class Numbers(Minimal):
        def score(self, state, entry):
            log_prob, after = super().score(state, entry)
            return np.float32(log_prob), after

        def end(self, state):
            return np.array(-2)

    best = BeamDecoder(["", "a"], language_model=Numbers()).decode(np.log([[0.1, 0.9]]))[0][0]
    assert best.lm_log_prob == pytest.approx(float(np.float32(math.log(0.3))) - 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Minimal, r"language_model is <class .*; expected a language model\. Load one"),
        (type("Half", (), {"begin": print, "unit": "char"})(), r"language_model is a Half without score and end;"),
        (
            type("Other", (Minimal,), {"unit": "sound"})(),
            r"language_model is a Other with unit = 'sound'; expected what its entries are: 'word', 'char', 'token'\.",
        ),
        ([Minimal(), Minimal()], r'language_model has models of "char", "char"; expected at most one of words'),
        ([Minimal(), None], r"language_model\[1\] is None; expected a language model\."),
    ],
)
def test_objects_that_are_no_language_models_are_refused(given, message):
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(UNMARKED, language_model=given)


def test_words_that_are_no_strings_are_refused():
    class Numbered(RandomModel):
        def __iter__(self):
            return iter(["a", 3])

    with pytest.raises(InvalidInputError, match=r"language_model lists 3 as its word 1; expected strings\."):
        BeamDecoder(LETTERS, language_model=Numbered("word"))


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_a_search(threads):
    decoder = BeamDecoder(["", "a", "b"], language_model=Heavy(), beam_width=50)
    frames = random_frames(np.random.default_rng(0), 3, 4000, sharpness=0.5)
    before = ctckit.num_threads()
    ctckit.set_num_threads(threads)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores the signal
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    gc.disable()  # Hypothesis measures collections by a callback, which would lose an interrupt
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            decoder.decode([frames] * 4)
    finally:
        gc.enable()
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, handler)
        ctckit.set_num_threads(before)
    assert len(decoder.decode(frames[:5])) == 1
