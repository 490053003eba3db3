"""Streams for live captions: text that is committed early, words with times, ends of utterances."""

import copy
import gc
import json
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.decoding import EndpointRules, beam
from ctckit.decoding.partials import Partial
from ctckit.decoding.placing import Kept, Places
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.packed import PackedFrames
from tests.decoding.test_streaming import chunks, speech
from tests.support.search_problems import ENGINES, LETTERS, UNMARKED, model


@pytest.fixture(params=sorted(ENGINES), autouse=True)
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])
    return request.param


def many(native, reference):
    """Return the number for this engine: the reference is slow."""
    return native if beam._engine is ENGINES["native"] else reference


def doubtful(frames=200):
    """The first token is a or b with the same probability for ever; then come some sure tokens."""
    probs = np.tile([0.97, 0.01, 0.01, 0.01], (frames, 1))
    probs[0] = [0.0002, 0.4999, 0.4998, 0.0001]
    probs[2::4] = [0.01, 0.01, 0.01, 0.97]
    return np.log(probs)


# --- committing ------------------------------------------------------------------------------------------------------


def test_text_is_committed_after_the_delay():
    log_probs = doubtful()
    exact, early = (BeamDecoder(UNMARKED, beam_width=8).stream(**more) for more in ({}, {"commit_after": 40}))
    for frame in log_probs:
        exact.push(frame[None])
        early.push(frame[None])
        first, second = exact.partial(), early.partial()
        assert first.stable == ""  # the texts of the beam never agree
        assert first.text == second.text
        # Tokens end after the frames 1, 3, 7, 11, …; the stream looks every second frame for those 40 frames ago.
        ended = [end for end in (1, *range(3, 300, 4)) if end < early.frames - 40]
        assert early._closed.count in (len(ended), len(ended) - 1)
        assert (second.stable == "") == (early._closed.count == 0)
        assert early.frames - early._first_kept <= 40 + 4 + 2
    assert second.stable.startswith("a" + "c" * 39)


def test_the_default_is_the_exact_stream():
    log_probs = speech(3, 200, sure=0.6)
    decoder = BeamDecoder(LETTERS, beam_width=6)
    stream = decoder.stream(commit_after=None)
    stream.push(log_probs)
    assert stream.finish() == decoder.decode(log_probs)[0][0]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 300), st.sampled_from([1, 7, 30, 100]))
def test_the_result_does_not_depend_on_the_chunks(seed, frames, after):
    log_probs = speech(seed, frames, sure=0.7)
    decoder = BeamDecoder(LETTERS, beam_width=6, word_bonus=0.3)
    one, many_pushes = decoder.stream(commit_after=after), decoder.stream(commit_after=after)
    one.push(log_probs)
    for chunk in chunks(log_probs, np.random.default_rng(seed)):
        many_pushes.push(chunk)
    assert one.finish_all(3) == many_pushes.finish_all(3)


@pytest.mark.parametrize("beam_width", [1, 8])
@pytest.mark.parametrize("after", [1, 12, 60])
def test_what_is_committed_stays(beam_width, after):
    pieces = Vocabulary(("", "▁a", "b▁c", "▁", "b", "c"), word_start="▁")
    names = {"X": "ab", "Y": "c", "Y2": "c", "Z": "cb", "Q": "abc"}
    for vocabulary, more in ((UNMARKED, {}), (LETTERS, {}), (pieces, {"lexicon": names, "oov_charge": 0.2})):
        decoder = BeamDecoder(vocabulary, beam_width=beam_width, **more)
        for seed in range(many(20, 2)):
            rng = np.random.default_rng(seed)
            log_probs = np.log(rng.dirichlet(np.full(len(vocabulary), rng.choice([0.05, 0.3, 1.0])), 150) + 1e-9)
            stream, stable = decoder.stream(commit_after=after), ""
            for chunk in np.array_split(log_probs, 40):
                stream.push(chunk)
                partial = stream.partial()
                assert partial.stable.startswith(stable)
                stable = partial.stable
            found = stream.finish_all(4)
            assert all(each.text.startswith(stable) for each in found)


def test_whole_words_are_committed():
    """A word is committed with the mark after it, not before it is complete."""
    probs = np.full((60, 4), 0.01)
    probs[:, 0] = 0.97
    for frame, token in ((1, 1), (5, 2), (20, 1), (30, 3), (34, 2)):
        probs[frame] = 0.01
        probs[frame, token] = 0.97
    stream = BeamDecoder(LETTERS, beam_width=16).stream(commit_after=10)
    committed = {}
    for t, frame in enumerate(np.log(probs)):
        stream.push(frame[None])
        committed.setdefault(stream._closed.count, t)
        assert len(stream.partial().stable_words) == (stream._closed.count > 0)
    # The tokens are a b a | b. The mark is in frame 30; the word before it ended after frame 20, so that it is
    # committed as soon as the mark is there.
    assert list(committed) == [0, 3, 4]
    assert 30 <= committed[3] <= 32
    assert stream.finish().text == "aba b"


def test_scores_and_spans_are_those_of_the_whole(engine):
    log_probs = speech(1, 300, sure=0.97)
    for vocabulary in (UNMARKED, LETTERS):
        decoder = BeamDecoder(vocabulary, beam_width=8)
        stream = decoder.stream(commit_after=30)
        stream.push(log_probs)
        best = stream.finish()
        whole = beam._engine.rescore(log_probs, best.tokens, 0)
        assert best.decoded.rescoring.starts.tolist() == whole.starts.tolist()
        assert best.decoded.rescoring.ends.tolist() == whole.ends.tolist()
        if vocabulary is UNMARKED:
            assert best.log_prob == pytest.approx(whole.log_prob, abs=1e-3)


def test_committed_text_can_be_taken():
    log_probs = speech(4, 600, sure=0.97)
    decoder = BeamDecoder(LETTERS, beam_width=8)
    stream, twin, taken = decoder.stream(commit_after=25), decoder.stream(commit_after=25), []
    twin.push(log_probs)
    for chunk in np.array_split(log_probs, 60):
        stream.push(chunk)
        taken.append(stream.take())
    taken.append(stream.finish())
    assert sum(len(each.tokens) > 0 for each in taken) > 10
    assert tuple(token for each in taken for token in each.tokens) == twin.finish().tokens


def test_memory_is_that_of_the_delay(engine):
    if engine == "reference":
        pytest.skip("the reference keeps all that it has computed")
    classes, after, frames = 400, 64, 600
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary(("", "|", *(f"t{n}" for n in range(classes - 2))), separator="|")
    decoder = BeamDecoder(vocabulary, beam_width=2)
    stream = decoder.stream(commit_after=after)
    probs = np.full((frames, classes), 1e-6, dtype=np.float32)
    probs[range(frames), np.where(np.arange(frames) % 2, 0, rng.integers(1, classes, frames))] = 1.0
    log_probs = np.log(probs / probs.sum(axis=1, keepdims=True))
    gc.collect()
    tracemalloc.start()
    for at in range(0, frames, 10):
        stream.push(log_probs[at : at + 10])
        stream.partial()
        stream.take()
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = stream.frames - stream._first_kept
    assert after <= rows < 2 * after
    assert kept < rows * classes * 4 + 50_000


def test_copies_of_a_stream_that_commits():
    log_probs = speech(5, 200, sure=0.8)
    stream = BeamDecoder(LETTERS, beam_width=6).stream(commit_after=20)
    stream.push(log_probs[:90])
    stream.partial()
    twins = [stream, copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))]
    for twin in twins:
        twin.push(log_probs[90:])
    assert len({(twin.partial().stable, twin.finish()) for twin in twins}) == 1


def test_durations_in_seconds():
    log_probs = speech(6, 150, sure=0.8)
    decoder = BeamDecoder(UNMARKED, beam_width=6)
    stable = []
    for stream in (decoder.stream(commit_after=50), decoder.stream(commit_after=0.5, stride=0.01)):
        stream.push(log_probs)
        stable.append(stream.partial().stable_tokens)
    assert stable[0] == stable[1] != ()


def test_wrong_durations_are_said():
    decoder = BeamDecoder(UNMARKED)
    with pytest.raises(
        InvalidInputError, match=r"commit_after is 0\.5 frames; expected a whole number\. For seconds, say"
    ):
        decoder.stream(commit_after=0.5)
    with pytest.raises(InvalidInputError, match=r"commit_after is 0 frames; expected 1 to 1,099,511,627,776\."):
        decoder.stream(commit_after=0.001, stride=0.02)
    with pytest.raises(InvalidInputError, match=r"commit_after is -1"):
        decoder.stream(commit_after=-1)
    with pytest.raises(InvalidInputError, match=r"stride is 0"):
        decoder.stream(commit_after=2.0, stride=0)


# --- words -----------------------------------------------------------------------------------------------------------


def spoken(text, classes="_ab|", blanks=3, sure=0.97):
    """Log-probs of a text: a frame for each letter, and blanks after it."""
    rows = [0] * blanks
    for letter in text:
        rows += [classes.index(letter)] + [0] * blanks
    probs = np.full((len(rows), len(classes)), (1 - sure) / (len(classes) - 1))
    probs[range(len(rows)), rows] = sure
    return np.log(probs)


def placed(words):
    return [(each.text, each.start, each.end) for each in words]


@pytest.mark.parametrize("after", [None, 12, 90])
@pytest.mark.parametrize("text", ["ab|ba|aab|b|ab|" * 12, "ab|" * 50])
def test_words_have_the_places_of_the_final_result(after, text):
    """Also over cuts, and where the text after a cut begins like the text before."""
    log_probs = spoken(text)
    stream, seen = BeamDecoder(LETTERS, beam_width=8).stream(commit_after=after), {}
    for chunk in np.array_split(log_probs, 90):
        stream.push(chunk)
        partial = stream.partial()
        assert partial.words == partial.stable_words + partial.tentative_words
        assert " ".join(each.text for each in partial.words) == partial.text.strip()
        assert partial.stable.strip().startswith(" ".join(each.text for each in partial.stable_words))
        for n, word in enumerate(partial.words[:-1]):
            seen.setdefault(n, set()).add((word.text, word.start, word.end))
    final = stream.finish()
    assert placed(partial.words) == placed(final.words)
    assert all(seen[n] == {each} for n, each in enumerate(placed(final.words[:-1])))
    confidences = [each.confidence for each in final.words]
    assert [each.confidence for each in partial.words] == pytest.approx(confidences, abs=1e-3)


def test_a_confidence_is_that_with_the_token_before():
    """The token with which a later alignment begins keeps its own."""

    class Decoder:
        @staticmethod
        def align(frames, tokens):
            """Place a token in each tenth frame."""
            return np.arange(len(tokens)) * 10, np.arange(len(tokens)) * 10 + 1

        @staticmethod
        def confidences(frames, tokens, starts, ends):
            """The first one's confidence is 0, for want of a token before it."""
            assert len(frames) >= max(ends)
            return np.append(0.0, np.full(len(tokens), 0.9))[: len(tokens)]

    def last(count):
        return PackedFrames((), np.zeros((count, 4)))

    places = Places()
    for now in range(10, 400, 10):
        places = places.moved((1,) * (now // 10), Kept(last, 0, now, None), Decoder)
        assert places.starts.tolist() == list(range(0, now, 10))
        assert places.confidences.tolist() == [0.0] + [0.9] * (now // 10 - 1)


def test_words_after_text_was_taken():
    log_probs = spoken("ab|ba|aab|b|ab|" * 12)
    stream, taken = BeamDecoder(LETTERS, beam_width=8).stream(commit_after=12), []
    for chunk in np.array_split(log_probs, 90):
        stream.push(chunk)
        stream.partial()
        taken += stream.take().words
        rest = stream.partial().words
    assert len(taken) > 50
    assert placed([*taken, *rest]) == placed(BeamDecoder(LETTERS, beam_width=8).decode(log_probs)[0][0].words)


def test_a_word_whose_first_part_was_taken():
    """A word that is longer than the window is cut. Its rest is a word of the rest, before the other words."""
    stream = BeamDecoder(LETTERS, lexicon={"U": "ab", "V": "b"}, beam_width=1).stream(commit_after=64)
    stream.push(spoken("ab" * 20 + "|ab|b|", sure=1 - 1e-9))
    assert stream.partial().stable.endswith("ab U V")
    first = stream.take().text
    rest = stream.partial()
    assert 0 < len(first) < 40
    assert first + rest.stable == "ab" * 20 + " U V"
    assert [each.text for each in rest.stable_words] == rest.stable.split()
    assert stream.finish().text == rest.text


def test_words_are_placed_at_the_price_of_the_last_frames(monkeypatch):
    stream = BeamDecoder(LETTERS, beam_width=4).stream()
    stream.push(spoken("ab|ba|" * 60))
    stream.partial()
    lengths = []
    for name in ("align", "confidences"):
        call = getattr(stream._decoder, name)
        noted = lambda x, *more, call=call: lengths.append(len(x)) or call(x, *more)  # noqa: E731
        monkeypatch.setattr(stream._decoder, name, noted)
    stream.push(spoken("ab|"))
    words = stream.partial().words
    assert len(lengths) >= 2
    assert max(lengths) < 100 < stream.frames
    assert placed(words) == placed(stream.finish().words)


def test_a_token_that_lasts_over_a_cut_has_its_first_frame():
    probs = np.tile([0.001, 0.997, 0.001, 0.001], (400, 1))
    probs[:5] = [0.997, 0.001, 0.001, 0.001]
    stream = BeamDecoder(LETTERS, beam_width=4).stream(commit_after=20)
    for chunk in np.array_split(np.log(probs), 50):
        stream.push(chunk)
        assert placed(stream.partial().words) in ([], [("a", 5, stream.frames)])
    assert placed(stream.finish().words) == [("a", 5, 400)]


def test_a_word_in_progress_is_not_shown_in_phonemes():
    """With spellings of its own, it is a word that begins so."""
    vocabulary = Vocabulary(("", "a", "b", "|"), separator="|")
    decoder = BeamDecoder(vocabulary, lexicon={"Hi": "aba", "Hit": "abab", "Oh": "b"}, beam_width=8, oov_charge=1.0)
    stream, shown = decoder.stream(), []
    for frame in spoken("abab|bb|"):
        stream.push(frame[None])
        partial = stream.partial()
        if not shown or shown[-1] != partial.text:
            shown.append(partial.text)
        assert " ".join(each.text for each in partial.words) == partial.text
    assert shown == ["", "Hi", "Hit", "Hit Oh", "Hit", "Hit bb"]  # an unknown word that is complete is shown


def test_no_words_without_a_mark():
    stream = BeamDecoder(UNMARKED, beam_width=4).stream(commit_after=10)
    stream.push(speech(0, 100))
    assert stream.partial().words == ()


def test_partial_results_as_json():
    stream = BeamDecoder(LETTERS, beam_width=4).stream(commit_after=10)
    stream.push(spoken("ab|ba|a|b"))
    partial = stream.partial()
    assert len(partial.stable_words) > 0 < len(partial.tentative_words)
    data = json.loads(json.dumps(partial.to_dict(), allow_nan=False))
    assert Partial.from_dict(data) == partial
    assert [each["text"] for each in data["stable_words"] + data["tentative_words"]] == ["ab", "ba", "a", "b"]
    del data["stable_words"]
    with pytest.raises(InvalidInputError, match=r"data\['stable_words'\] is missing"):
        Partial.from_dict(data)


# --- ends of utterances ----------------------------------------------------------------------------------------------


def silence(frames, classes=4):
    probs = np.full((frames, classes), 0.0001)
    probs[:, 0] = 1 - 0.0001 * (classes - 1)
    return np.log(probs)


def reasons(stream, log_probs):
    """Push frame by frame; return the first frame count for each answer of ``endpoint``."""
    found = {}
    for frame in log_probs:
        stream.push(frame[None])
        found.setdefault(stream.endpoint(), stream.frames)
    return found


@pytest.mark.parametrize("after", [None, 8])
@pytest.mark.parametrize("vocabulary", [UNMARKED, LETTERS])
def test_silence_after_speech(vocabulary, after):
    """A mark between words, at the end of the speech or in the silence, is no speech; cuts change nothing."""
    rules = EndpointRules(silence_after_speech=30)
    stream = BeamDecoder(vocabulary, beam_width=4).stream(endpoint=rules, commit_after=after)
    said = spoken("ab|ba" if vocabulary is LETTERS else "ab")  # the last letter is in the fourth frame from the end
    late_mark = spoken("|" if vocabulary is LETTERS else "", blanks=10)
    found = reasons(stream, np.concatenate([silence(100), said, late_mark, silence(60)]))
    assert found == {None: 1, "silence_after_speech": 100 + len(said) - 3 + 30}
    assert stream.reset().text == ("ab ba" if vocabulary is LETTERS else "ab")


def test_silence_without_speech_and_the_longest_utterance():
    rules = EndpointRules(silence=20, silence_after_speech=8, longest=50)
    decoder = BeamDecoder(LETTERS, beam_width=4)
    assert reasons(decoder.stream(endpoint=rules), silence(49)) == {None: 1, "silence": 20}
    assert reasons(decoder.stream(endpoint=rules), spoken("ab|" * 20)) == {None: 1, "longest": 50}
    seconds = EndpointRules(silence=0.2)
    assert reasons(decoder.stream(endpoint=seconds, stride=0.01), silence(49)) == {None: 1, "silence": 20}


def test_an_utterance_begins_where_the_last_one_ended():
    rules = EndpointRules(silence_after_speech=20, longest=90)
    stream = BeamDecoder(LETTERS, beam_width=4).stream(endpoint=rules, commit_after=10)
    texts, lengths = [], []
    for frame in np.concatenate([spoken("ab|b"), silence(40), spoken("ba"), silence(30), spoken("ab|" * 9)]):
        stream.push(frame[None])
        if stream.endpoint():
            text = stream.reset()
            texts.append((stream.frames, text.text, placed(text.words)))
            assert stream.partial().words == ()
    lengths = [frames for frames, *_ in texts]
    assert texts[0][1:] == ("ab b", [("ab", 3, 8), ("b", 15, 16)])
    assert texts[1][1:] == ("ba", [("ba", 62, 67)])
    assert lengths == [16 + 20, 67 + 20, 67 + 20 + 90]


def test_an_utterance_is_decoded_like_an_item_of_its_own(tmp_path):
    """With reset(), the new text depends on nothing before it."""
    words = model(tmp_path, ["a", "ab", "b", "ba"], "word", seed=2)
    decoder = BeamDecoder(LETTERS, beam_width=6, language_model=words, lm_weight=1.0)
    first, second = speech(1, 60, sure=0.6), speech(2, 60, sure=0.6)
    stream = decoder.stream()
    stream.push(first)
    assert stream.reset() == decoder.decode(first)[0][0]
    stream.push(second)
    found, alone = stream.finish(), decoder.decode(second)[0][0]
    assert (found.tokens, found.score) == (alone.tokens, alone.score)
    assert [each.start - 60 for each in found.spans] == [each.start for each in alone.spans]


ARPA = """\\data\\
ngram 1=6
ngram 2=2

\\1-grams:
-2\t<unk>\t0
-99\t<s>\t0
-2\t</s>\t0
-1\ta\t0
-1\tb\t0
-1\tab\t0

\\2-grams:
-0.01\ta b
-0.01\tb a

\\end\\
"""


@pytest.mark.parametrize("vocabulary", [LETTERS, Vocabulary(("", "▁a", "▁b", "b"), word_start="▁")])
def test_the_language_model_goes_on(tmp_path, vocabulary, engine):
    (tmp_path / "words.arpa").write_text(ARPA, encoding="utf-8")
    words = NGramModel.load(tmp_path / "words.arpa")
    decoder = BeamDecoder(vocabulary, language_model=words, lm_weight=1.0, beam_width=4, lm_boundary=False)
    classes = {"a": 1, "b": 2}
    for said, expected in (("a", "b"), ("b", "a")):
        first, doubt = silence(4), silence(4)
        first[1] = np.log([0.01, 0.01, 0.01, 0.01])
        first[1, classes[said]] = np.log(0.97)
        doubt[1] = np.log([0.01, 0.49, 0.49, 0.01])
        stream = decoder.stream()
        for n in range(70):  # longer than the context that is read again
            stream.push(first)
            assert stream.reset(keep_lm_state=True).text == said
            if n in (0, 69):
                twin = pickle.loads(pickle.dumps(stream))
                twin.push(doubt)
                assert twin.finish().text == expected
    stream.reset()
    stream.push(doubt)
    assert {each.text for each in stream.finish_all(2)} == {"a", "b"}


def test_the_search_begins_in_the_state_after_the_text():
    """Not only the ranking at the end: the beam has one text."""
    characters = NGramModel.train(["abababab", "babababa"] * 5, order=3, unit="char")
    decoder = BeamDecoder(UNMARKED, language_model=characters, lm_weight=1.0, beam_width=1, lm_boundary=False)
    for said, expected in (("a", "b"), ("b", "a"), ("ba" * 70, "b")):
        stream = decoder.stream()
        stream.push(spoken(said, classes="_abc", blanks=1))
        assert stream.reset(keep_lm_state=True).text == said
        stream.push(np.log([[0.01, 0.49, 0.49, 0.01]]))
        assert stream.partial().text == expected


def test_a_text_that_the_search_cannot_read_again():
    """A stable part of a word is no text of a closed lexicon; the next utterance begins anew."""
    decoder = BeamDecoder(LETTERS, lexicon=["ab"], oov_charge=None, beam_width=4)
    stream = decoder.stream()
    stream.push(spoken("a"))
    stream.partial()
    stream.reset(keep_lm_state=True)
    stream.push(spoken("ab|"))
    assert stream.finish().text == "ab"


def test_wrong_rules_are_said():
    decoder = BeamDecoder(UNMARKED)
    with pytest.raises(
        InvalidInputError, match=r"endpoint has no rule; expected a duration for silence_after_speech or"
    ):
        decoder.stream(endpoint=EndpointRules())
    with pytest.raises(InvalidInputError, match=r"endpoint\.longest is 0\.5 frames; expected a whole number"):
        decoder.stream(endpoint=EndpointRules(longest=0.5))
    stream = decoder.stream()
    with pytest.raises(InvalidInputError, match=r"the stream has no rules for endpoints: decoder\.stream\(endpoint="):
        stream.endpoint()
    stream.finish()
    for call in (stream.endpoint, stream.reset):
        with pytest.raises(InvalidInputError, match="the stream is finished"):
            call()
