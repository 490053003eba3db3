"""Streams: the same bits as decoding all frames at once, in bounded memory."""

import gc
import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ctckit
from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.decoding import beam, streaming
from ctckit.errors import InvalidInputError
from tests.support.search_problems import ENGINES, LETTERS, TOLERANCES, UNMARKED, model
from tests.support.tolerances import STREAM_CONFIDENCE, STREAM_LOG_PROB, STREAM_SILENCE

W = 32


@pytest.fixture(params=sorted(ENGINES), autouse=True)
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])
    monkeypatch.setattr(streaming, "WINDOW", W)
    return TOLERANCES[request.param]


def speech(seed, frames, classes=4, sure=0.9):
    """Log-probs of a model that is certain in most frames: a random class for some frames, then blanks."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(classes), size=frames) * (1 - sure)
    t = 0
    while t < frames:
        length = int(rng.integers(1, 4))
        probs[t : t + length, rng.integers(1, classes)] += sure
        probs[t + length : t + 2 * length, 0] += sure
        t += 2 * length
    return np.log(probs)


def chunks(log_probs, rng):
    at = 0
    while at < len(log_probs):
        size = int(rng.choice([0, 1, 2, 7, 40, 200]))
        yield log_probs[at : at + size]
        at += size


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 5 * W))
def test_any_chunks_give_the_bits_of_the_whole(seed, frames):
    log_probs = speech(seed, frames)
    decoder = BeamDecoder(LETTERS, beam_width=6, hotwords=["ab"], word_bonus=0.3)
    stream = decoder.stream()
    for chunk in chunks(log_probs, np.random.default_rng(seed)):
        stream.push(chunk)
    assert stream.frames == frames
    (expected,) = decoder.decode(log_probs, n_best=3)
    assert stream.finish_all(3) == expected


def test_up_to_two_windows_it_is_the_plain_search(engine):
    log_probs = speech(0, 2 * W - 1, sure=0.6)
    decoder = BeamDecoder(UNMARKED, beam_width=6)
    found = decoder.decode(log_probs, n_best=3)[0]
    expected = beam._engine.Decoder(decoder.plan).decode_batch(log_probs[None], np.array([len(log_probs)]), 3)[0]
    assert [each.score for each in found] == [each.score(decoder.plan) for each in expected]
    assert [each.tokens for each in found] == [tuple(each.tokens.tolist()) for each in expected]


@pytest.mark.parametrize("vocabulary", [UNMARKED, LETTERS])
def test_contributions_telescope(vocabulary, engine):
    """Over ten cuts: log p and spans of the whole, as one lattice has them."""
    log_probs = speech(1, 12 * W, sure=0.97)
    decoder = BeamDecoder(vocabulary, beam_width=8, word_bonus=0.1 if vocabulary.has_words else None)
    best = decoder.decode(log_probs)[0][0]
    whole = beam._engine.rescore(log_probs, best.tokens, 0)
    if vocabulary.has_words:  # the text has other token sequences, with more marks between words
        assert whole.log_prob < best.log_prob < whole.log_prob + 0.1
    else:
        assert best.log_prob == pytest.approx(whole.log_prob, abs=max(engine, STREAM_LOG_PROB))
    rescoring = best.decoded.rescoring
    assert rescoring.starts.tolist() == whole.starts.tolist()
    assert rescoring.ends.tolist() == whole.ends.tolist()
    assert rescoring.token_log_probs.tolist() == pytest.approx(whole.token_log_probs.tolist(), abs=engine)
    assert rescoring.confidences.tolist() == pytest.approx(whole.confidences.tolist(), abs=STREAM_CONFIDENCE)
    parts = beam._engine.Decoder(decoder.plan).score_parts(best.tokens)
    assert best.parts == parts
    assert best.score == best.log_prob + decoder.plan.fusion_score(parts, len(best.tokens))


def test_long_items_beside_short_ones():
    log_probs = np.stack([speech(seed, 3 * W) for seed in range(3)])
    decoder = BeamDecoder(UNMARKED, beam_width=4)
    lengths = [W, 3 * W, 5]
    found = decoder.decode(log_probs, lengths)
    assert found == [decoder.decode(row[:length])[0] for row, length in zip(log_probs, lengths, strict=True)]


def test_silence_is_dropped():
    log_probs = np.log(np.tile([0.9997, 0.0001, 0.0001, 0.0001], (10 * W, 1)))
    log_probs[7 * W] = np.log([0.01, 0.97, 0.01, 0.01])
    stream = BeamDecoder(UNMARKED, beam_width=4).stream()
    stream.push(log_probs)
    found = stream.finish()
    assert (found.text, found.spans[0].start) == ("a", 7 * W)
    exact = ctckit.lattice(log_probs, [1]).log_likelihood
    assert found.log_prob == pytest.approx(exact, abs=STREAM_SILENCE)


def test_a_token_that_lasts_many_windows(engine):
    log_probs = np.log(np.tile([0.0001, 0.9997, 0.0001, 0.0001], (8 * W, 1)))
    log_probs[: W // 2] = np.log([0.9997, 0.0001, 0.0001, 0.0001])
    log_probs[6 * W :] = np.log([0.0001, 0.0001, 0.9997, 0.0001])
    stream = BeamDecoder(UNMARKED, beam_width=4).stream()
    for frame in log_probs:
        stream.push(frame[None])
        assert stream.frames - stream._first_kept <= 2 * W
    found = stream.finish()
    assert found.text == "ab"
    assert [(span.start, span.end) for span in found.spans] == [(W // 2, 6 * W), (6 * W, 8 * W)]
    exact = ctckit.lattice(log_probs, [1, 2]).log_likelihood
    assert found.log_prob == pytest.approx(exact, abs=STREAM_LOG_PROB)


def test_what_is_closed_can_be_taken():
    log_probs = speech(4, 10 * W, sure=0.97)
    decoder = BeamDecoder(LETTERS, beam_width=8)
    whole = decoder.decode(log_probs)[0][0]
    stream, taken = decoder.stream(), []
    for at in range(0, len(log_probs), W):
        stream.push(log_probs[at : at + W])
        taken.append(stream.take())
    taken.append(stream.finish())
    assert sum(len(each.tokens) > 0 for each in taken) > 5
    assert tuple(token for each in taken for token in each.tokens) == whole.tokens
    assert tuple(span for each in taken for span in each.spans) == whole.spans
    assert sum(each.log_prob for each in taken) == pytest.approx(whole.log_prob, rel=STREAM_LOG_PROB)
    assert "".join(each.text for each in taken).replace(" ", "") == whole.text.replace(" ", "")
    parted = sum(len(each.text.split()) for each in taken) - len(whole.text.split())
    assert parted <= 1  # words of more than W frames; all other cuts are between words
    search = beam._engine.Decoder(decoder.plan)
    for each in taken:
        assert each.parts == search.score_parts(each.tokens)


def test_partial_results():
    log_probs = speech(3, 6 * W, sure=0.95)
    decoder = BeamDecoder(LETTERS, beam_width=8)
    stream, stable, guesses = decoder.stream(), [], 0
    assert stream.partial().text == ""
    for frame in log_probs:
        stream.push(frame[None])
        partial = stream.partial()
        assert partial.text == LETTERS.decode(partial.stable_tokens + partial.tentative_tokens)
        assert partial.stable == LETTERS.decode(partial.stable_tokens)
        assert str(partial) == partial.text
        stable.append(partial.stable_tokens)
        guesses += bool(partial.tentative)
    final = stream.finish()
    assert guesses > 10
    assert len(stable[-1]) > 10
    for each in stable:
        assert final.tokens[: len(each)] == each


@pytest.mark.parametrize("beam_width", [1, 5, 10])
@pytest.mark.parametrize("vocabulary", [UNMARKED, LETTERS])
def test_what_is_stable_stays(beam_width, vocabulary, engine):
    """Also in the text of finish(), which refines only what was not stable yet."""
    refined, native = 0, beam._engine is ENGINES["native"]
    for seed in range(30 if native else 8):
        rng = np.random.default_rng(seed)
        log_probs = np.log(rng.dirichlet(np.ones(len(vocabulary)), 5 * W // 2)).astype(np.float32)
        decoder = BeamDecoder(vocabulary, beam_width=beam_width)
        stream, stable = decoder.stream(), ""
        for chunk in chunks(log_probs, rng):
            stream.push(chunk)
            partial = stream.partial()
            assert partial.stable.startswith(stable)
            stable = partial.stable
        final = stream.finish().text
        assert final.startswith(stable)
        refined += final != decoder.decode(log_probs)[0][0].text
    assert refined > 0 or not native  # without the promise, some of these would change


@pytest.mark.parametrize("oov_charge", [0.2, None])
@pytest.mark.parametrize("beam_width", [1, 8])
def test_what_is_stable_stays_with_names(beam_width, oov_charge, engine):
    """Tokens that hold two words, homophones, words that stay incomplete, texts that become impossible."""
    pieces = Vocabulary(("", "▁a", "b▁c", "▁", "b", "c"), word_start="▁")
    names = {"X": "ab", "Y": "c", "Y2": "c", "Z": "cb", "Q": "abc"}
    for vocabulary in (pieces, Vocabulary(("", "a", "b", "c", "|"), separator="|")):
        decoder = BeamDecoder(vocabulary, lexicon=names, beam_width=beam_width, oov_charge=oov_charge)
        for seed in range(30 if beam._engine is ENGINES["native"] else 4):
            rng = np.random.default_rng(seed)
            sharp = rng.choice([0.05, 0.3, 1.0])
            log_probs = np.log(rng.dirichlet(np.full(len(vocabulary), sharp), rng.integers(5, 90)) + 1e-9)
            stream, stable = decoder.stream(), ""
            for chunk in np.array_split(log_probs, len(log_probs) // 3):
                stream.push(chunk)
                partial = stream.partial()
                assert partial.stable.startswith(stable)
                stable = partial.stable
            found = stream.finish_all(4)
            assert all(each.text.startswith(stable) for each in found)
            assert len({each.text for each in found}) == len(found)


def test_the_score_is_that_of_the_words_that_stayed(tmp_path):
    arpa = (
        "\\data\\\nngram 1=6\nngram 2=1\n\n\\1-grams:\n-2\t<unk>\t0\n-99\t<s>\t0\n-2\t</s>\t0\n-0.5\ttoo\t0\n"
        "-1\ttwo\t0\n-1\tcats\t0\n\n\\2-grams:\n-0.1\ttwo cats\n\n\\end\\\n"
    )
    path = tmp_path / "words.arpa"
    path.write_text(arpa, encoding="utf-8")
    loaded = NGramModel.load(path)
    vocabulary = Vocabulary(("", "t", "u", "k", "_"), separator="_")
    decoder = BeamDecoder(
        vocabulary, lexicon={"too": "tu", "two": "tu", "cats": "k"}, language_model=loaded, lm_weight=1.0, beam_width=1
    )
    probs = np.full((5, 5), 0.001)
    probs[range(5), [1, 2, 4, 3, 4]] = 0.996
    stream = decoder.stream()
    stream.push(np.log(probs[:3]))
    assert stream.partial().stable == "too"
    stream.push(np.log(probs[3:]))
    best = stream.finish()
    assert best.text == "too cats"
    assert best.lm_log_prob == pytest.approx(loaded.log_prob(["too", "cats"]), abs=1e-4)
    assert best.score == pytest.approx(best.log_prob + best.lm_log_prob + 2 * 2.0, abs=1e-4)
    assert decoder.decode(np.log(probs))[0][0].text == "two cats"


def test_taking_closed_text_changes_nothing_after_it(tmp_path):
    """The language model goes on from what was taken."""
    decoder = BeamDecoder(
        LETTERS, beam_width=4, language_model=model(tmp_path, ["a", "ab", "b"], "word", seed=3), lm_weight=1.0
    )
    for seed in range(8 if beam._engine is ENGINES["native"] else 1):
        log_probs = np.log(np.random.default_rng(seed).dirichlet(np.full(4, 0.4), 8 * W) + 1e-9)
        whole, taken = decoder.stream(), decoder.stream()
        tokens = ()
        for chunk in np.array_split(log_probs, 10):
            whole.push(chunk)
            taken.push(chunk)
            tokens += taken.take().tokens
        assert tokens + taken.finish().tokens == whole.finish().tokens


def test_partial_results_in_words_of_a_lexicon(tmp_path):
    vocabulary = Vocabulary(("", "t", "uː", "_"), separator="_")
    decoder = BeamDecoder(
        vocabulary,
        lexicon={"two": ["t", "uː"], "tea": ["t"]},
        language_model=model(tmp_path, ["two", "tea"], "word"),
        beam_width=1,
    )
    probs = np.full((6, 4), 0.001)
    probs[range(6), [1, 2, 3, 1, 0, 2]] = 0.997
    stream = decoder.stream()
    stream.push(np.log(probs))
    partial = stream.partial()
    assert (partial.stable, partial.tentative) == ("two", " two")
    assert stream.finish().text == "two two"


SOUNDS = Vocabulary(("", "_", "k", "a", "t", "b"), separator="_")
SPELLED = {
    "cat": "kat",
    "catkin": "katkat",
    "cab": "kab",
    "at": "at",
    "tack": "tak",
    "tat": [["t", "a", "t"]],
    "act": "akt",
}


def so_far(decoder, *classes):
    """The tentative text after these classes, one in each frame."""
    probs = np.full((len(classes), 6), 1e-4)
    probs[range(len(classes)), classes] = 1.0
    stream = decoder.stream()
    stream.push(np.log(probs / probs.sum(axis=1, keepdims=True)))
    return stream.partial()


@pytest.mark.parametrize("oov_charge", [None, 0.1])
@pytest.mark.parametrize("modelled", [False, True])
def test_a_word_in_progress_is_the_likeliest_that_begins_so(tmp_path, modelled, oov_charge):
    """By the definition: of the words whose spelling begins so, the first with the largest log p without context."""
    words = list(SPELLED)
    lm = model(tmp_path, words, "word", seed=5) if modelled else None
    decoder = BeamDecoder(
        SOUNDS, lexicon=SPELLED, language_model=lm, oov_charge=oov_charge, lm_weight=0.1, beam_width=9
    )
    spelled = {word: "".join(np.ravel(spelling)) for word, spelling in SPELLED.items()}
    seen = set()
    for begun in ("k", "ka", "kat", "katk", "kab", "t", "ta", "a", "ak", "at", "tab"):
        fitting = [word for word in words if spelled[word].startswith(begun)]
        whole = [word for word in words if spelled[word] == begun]
        likely = max(fitting, key=lambda word: lm.native.look_ahead(lm.native.find(word)) if lm else 0.0, default="")
        found = so_far(decoder, 2, 3, 4, 1, *(SOUNDS.tokens.index(letter) for letter in begun))
        if oov_charge is None and not fitting:
            continue  # the search finds another text
        assert found.words[0].text == "cat"
        assert [word.text for word in found.words[1:]] == (whole or [likely] if fitting else [])
        assert found.text == "cat" + "".join(f" {word}" for word in (whole or [likely] if fitting else []))
        seen.add(found.text)
    assert len(seen) > 4


def test_a_word_in_progress_has_its_frames():
    decoder = BeamDecoder(SOUNDS, lexicon=SPELLED, oov_charge=None)
    word = so_far(decoder, 0, 0, 2, 2, 3).tentative_words[0]
    assert (word.text, word.start, word.end) == ("cat", 2, 5)


def test_texts_that_differ_too_long_ago_are_dropped():
    """Two texts for the first frame stay equally likely: at the first cut one of them is dropped."""
    log_probs = np.log(np.tile([0.97, 0.01, 0.01, 0.01], (3 * W, 1)))
    log_probs[0] = np.log([0.0002, 0.4999, 0.4998, 0.0001])
    decoder = BeamDecoder(UNMARKED, beam_width=8)
    stream = decoder.stream()
    stream.push(log_probs[: 2 * W - 1])
    assert stream.partial().stable == ""
    stream.push(log_probs[2 * W - 1 :])
    assert stream.partial().stable == "a"
    assert {each.text[0] for each in stream.finish_all(8)} == {"a"}


def test_a_search_without_any_possible_text(engine):
    """Only unknown words are possible, and they are forbidden: the empty text is the result, with log p = −∞."""
    probs = np.tile([0.0, 1.0, 0.0, 0.0], (5 * W, 1))
    probs[W:, 1], probs[W:, 2] = 0.0, 1.0
    with np.errstate(divide="ignore"):
        log_probs = np.log(probs)
    stream = BeamDecoder(LETTERS, lexicon=["aa"], oov_charge=None).stream()
    stream.push(log_probs)
    assert stream.partial().text == ""
    found = stream.finish()
    assert (found.text, found.log_prob) == ("", -math.inf)


def test_memory_is_bounded():
    """Measured over some thousand frames, because ten million would take hours here."""
    clip = speech(4, 25 * W, sure=0.97)
    stream = BeamDecoder(UNMARKED, beam_width=3).stream()
    stream.push(clip)
    stream.take()
    gc.collect()
    tracemalloc.start()
    for _ in range(3):
        for at in range(0, len(clip), 100):
            stream.push(clip[at : at + 100])
        stream.take()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stream.frames == 100 * W
    assert peak < 400_000
    assert len(stream._kept) < 2 * W


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_types_of_frames(kind):
    log_probs = speech(5, 3 * W).astype(kind)
    decoder = BeamDecoder(UNMARKED, beam_width=4)
    stream = decoder.stream()
    stream.push(torch.from_numpy(log_probs[:10]))
    stream.push(log_probs[10:])
    assert stream.finish() == decoder.decode(log_probs)[0][0]


def test_the_callers_memory_may_be_used_again():
    log_probs = speech(6, 3 * W)
    decoder = BeamDecoder(UNMARKED, beam_width=4)
    stream, buffer = decoder.stream(), np.empty((W, 4))
    for at in range(0, len(log_probs), W):
        buffer[:] = log_probs[at : at + W]
        stream.push(buffer)
        buffer[:] = np.nan
    assert stream.finish() == decoder.decode(log_probs)[0][0]


def test_windows_are_shorter_for_many_classes(monkeypatch):
    monkeypatch.setattr(streaming, "WINDOW", 2048)
    assert [streaming.window_of(classes) for classes in (2, 96, 6625, 18710, 10**6)] == [2048, 2048, 633, 512, 512]


def test_what_is_wrong_is_said():
    stream = BeamDecoder(UNMARKED).stream()
    stream.push(speech(0, 3))
    with pytest.raises(
        InvalidInputError, match=r"log_probs has shape \(1, 2, 4\); expected \(T, C\)\. For one item of"
    ):
        stream.push(np.zeros((1, 2, 4)))
    with pytest.raises(InvalidInputError, match=r"log_probs has C = 3 classes, but vocabulary has 4"):
        stream.push(np.zeros((2, 3)))
    wrong = speech(0, 4)
    wrong[2, 1] = np.nan
    with pytest.raises(
        InvalidInputError, match=r"log_probs\[2\] \(frame 5 of the stream\) is nan for class 1; expected"
    ):
        stream.push(wrong)
    assert stream.frames == 3  # none of them was taken
    with pytest.raises(InvalidInputError, match=r"n_best is 0; expected a positive integer\."):
        stream.finish_all(0)
    stream.finish()
    for call in (stream.finish, stream.partial, stream.take, lambda: stream.push(wrong)):
        with pytest.raises(
            InvalidInputError, match=r"the stream is finished\. Start another one: decoder\.stream\(\)\."
        ):
            call()
