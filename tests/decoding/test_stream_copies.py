"""Streams that are pickled or copied on the way: the copy gives the bits of the original, which does not change."""

import copy
import multiprocessing
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctckit import BeamDecoder
from ctckit.decoding import beam, streaming
from ctckit.errors import InvalidInputError
from ctckit.kernels.search import native
from tests.support.search_problems import ENGINES, LETTERS, PIECES, UNMARKED, model

W = 16

WAYS = {
    "pickle": lambda stream: pickle.loads(pickle.dumps(stream)),
    "oldest protocol": lambda stream: pickle.loads(pickle.dumps(stream, protocol=0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}

HOMOPHONES = {"x": [["a", "b"], ["a"]], "y": ["a", "b"], "z": ["b"]}

DECODERS = {
    "plain": lambda folder: BeamDecoder(UNMARKED, beam_width=5),
    "thresholds": lambda folder: BeamDecoder(UNMARKED, beam_width=9, token_threshold=-3.0, beam_threshold=-6.0),
    "bonus": lambda folder: BeamDecoder(LETTERS, beam_width=5, token_bonus=0.2, word_bonus=0.3),
    "model of words": lambda folder: BeamDecoder(
        LETTERS, beam_width=6, language_model=model(folder, ["a", "b", "ab", "ba"], "word")
    ),
    "two models": lambda folder: BeamDecoder(
        PIECES,
        beam_width=6,
        language_model=[model(folder, ["a", "ab"], "word"), model(folder, ["▁a", "b", "▁"], "token")],
        lm_weight=[0.6, 0.4],
        hotwords=["ab a"],
    ),
    "lexicon": lambda folder: BeamDecoder(LETTERS, beam_width=6, lexicon=HOMOPHONES),
    "closed lexicon": lambda folder: BeamDecoder(LETTERS, beam_width=6, lexicon=["ab", "ba"], oov_charge=None),
    "hotwords": lambda folder: BeamDecoder(UNMARKED, beam_width=5, hotwords={"abc": 6.0, "ca": 3.0}),
}


@pytest.fixture(params=sorted(ENGINES), autouse=True)
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])
    monkeypatch.setattr(streaming, "WINDOW", W)
    return request.param


@pytest.fixture(params=sorted(WAYS))
def duplicate(request):
    return WAYS[request.param]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def speech(seed, frames, classes=4):
    """Log-probs that are rather certain, of tokens that last one or two frames."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(classes), size=frames) * 0.2
    probs[np.arange(frames), rng.integers(0, classes, frames)] += 0.8
    return np.log(probs)


def outcome(stream, frames):
    """All that a stream says from here on, to the bit."""
    half = len(frames) // 2
    stream.push(frames[:half])
    said = [stream.partial(), stream.take(), stream.partial(), stream.frames]
    stream.push(frames[half:])
    return [*said, stream.partial(), stream.finish_all(3)]


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("at", [0, 11, 5 * W + 3])
def test_a_copy_continues_with_the_same_bits(decoder, at, folder):
    frames = speech(at, at + 4 * W)
    decoder = DECODERS[decoder](folder)
    never_copied, stream = decoder.stream(), decoder.stream()
    never_copied.push(frames[:at])
    stream.push(frames[:at])
    early, late = ([duplicate(stream) for duplicate in WAYS.values()] for _ in range(2))
    expected = outcome(never_copied, frames[at:])
    for each in early:
        assert outcome(each, frames[at:]) == expected
    assert outcome(stream, frames[at:]) == expected  # the copies changed nothing
    for each in late:  # nor did the original
        assert outcome(each, frames[at:]) == expected


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.sampled_from(["push", "partial", "take", "copy"]), max_size=20))
def test_copies_between_any_calls(seed, calls):
    frames = speech(seed, 5 * len(calls) + 7)
    decoder = BeamDecoder(LETTERS, beam_width=4, lexicon=HOMOPHONES, hotwords=["ab"])
    stream, copied = decoder.stream(), decoder.stream()
    for n, call in enumerate(calls):
        if call == "push":
            stream.push(frames[5 * n : 5 * n + 5])
            copied.push(frames[5 * n : 5 * n + 5])
        elif call == "copy":
            copied = list(WAYS.values())[n % len(WAYS)](copied)
        else:
            assert getattr(stream, call)() == getattr(copied, call)()
    assert outcome(copied, frames[-7:]) == outcome(stream, frames[-7:])


def test_streams_that_part(duplicate):
    """From one place on, each of two streams gets its own frames."""
    decoder = BeamDecoder(UNMARKED, beam_width=5)
    start, one, other = speech(1, 3 * W), speech(2, 3 * W), speech(3, 3 * W)
    stream = decoder.stream()
    stream.push(start)
    twin = duplicate(stream)
    for at in range(0, 3 * W, 4):
        stream.push(one[at : at + 4])
        twin.push(other[at : at + 4])
        stream.partial()
    twin.take()
    assert stream.finish().tokens == decoder.decode(np.concatenate([start, one]))[0][0].tokens
    twin, whole = duplicate(twin), decoder.decode(np.concatenate([start, other]))[0][0].tokens
    rest = twin.finish().tokens
    assert whole[len(whole) - len(rest) :] == rest


def test_a_finished_stream_stays_finished(duplicate):
    stream = BeamDecoder(UNMARKED).stream()
    stream.push(speech(0, 5))
    stream.finish()
    for call in (lambda twin: twin.push(speech(0, 1)), lambda twin: twin.partial(), lambda twin: twin.finish()):
        with pytest.raises(InvalidInputError, match="the stream is finished"):
            call(duplicate(stream))


def test_a_copy_shares_the_decoder_and_a_pickle_has_it_once(folder):
    stream = DECODERS["model of words"](folder).stream()
    assert copy.copy(stream)._decoder is copy.deepcopy(stream)._decoder is stream._decoder
    assert len(pickle.dumps([stream, stream._decoder])) < len(pickle.dumps(stream)) + 50


def test_no_text_is_left(duplicate):
    """The frames allow no word of the lexicon."""
    frames = np.full((3, 4), -np.inf)
    frames[:, 1] = 0
    decoder = BeamDecoder(LETTERS, lexicon=["bb"], oov_charge=None)
    stream = decoder.stream()
    stream.push(frames[:2])
    twin = duplicate(stream)
    twin.push(frames[2:])
    assert (twin.partial().text, twin.finish()) == ("", decoder.decode(frames)[0][0])


def continue_elsewhere(stream, frames):
    return outcome(stream, frames), stream


@pytest.fixture(scope="module")
def process():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


@pytest.mark.parametrize("decoder", ["two models", "lexicon"])
def test_another_process_continues(decoder, folder, process):
    frames = speech(7, 6 * W)
    stream = DECODERS[decoder](folder).stream()
    stream.push(frames[: 3 * W])
    found, finished = process.apply(continue_elsewhere, (stream, frames[3 * W :]))
    assert found == outcome(stream, frames[3 * W :])
    with pytest.raises(InvalidInputError, match="the stream is finished"):
        finished.partial()


def test_a_stream_is_copied_while_another_thread_pushes(duplicate):
    """Each copy is a stream between two calls of the other thread."""
    frames = speech(8, 100)
    decoder = BeamDecoder(UNMARKED, beam_width=10)
    stream, failures = decoder.stream(), []

    def push():
        try:
            for at in range(0, len(frames), 2):
                stream.push(frames[at : at + 2])
        except Exception as error:
            failures.append(error)

    pushing = threading.Thread(target=push)
    pushing.start()
    copies = [duplicate(stream)]
    while pushing.is_alive() and len(copies) < 8:
        copies.append(duplicate(stream))
    pushing.join()
    expected = stream.finish()
    assert not failures
    for each in copies:
        assert each.frames % 2 == 0
        each.push(frames[each.frames :])
        assert each.finish() == expected


def test_damaged_bytes_are_an_error():
    """Each byte in turn; the fuzz test of the core forges the checksum too."""
    search = BeamDecoder(LETTERS, beam_width=3, hotwords=["ab"])._search
    search = native.Decoder(search.plan).search()
    search.push(speech(9, 6))
    restored, (decoder, state) = search.__reduce__()
    assert restored(decoder, state).best(3) == search.best(3)
    for at in range(len(state)):
        damaged = bytearray(state)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(InvalidInputError, match="a pickled search cannot be restored: "):
            restored(decoder, bytes(damaged))
    for end in (0, 7, 47, 48, len(state) - 1):
        with pytest.raises(
            InvalidInputError, match=r"(the header is incomplete|the checksum is wrong).*Pickle it again"
        ):
            restored(decoder, state[:end])
    with pytest.raises(InvalidInputError, match="the checksum is wrong: the bytes are damaged"):
        restored(decoder, state + b"\0")
    for at, message in ((8, "the byte order is that of another kind"), (12, "the version is that of another ctckit")):
        with pytest.raises(InvalidInputError, match=message):
            restored(decoder, state[:at] + b"\7" + state[at + 1 :])


@pytest.mark.parametrize("other", [{"beam_width": 4}, {"vocabulary": PIECES}, {"vocabulary": ["", *"abcd"]}])
def test_the_state_of_another_plan_is_an_error(other):
    def searching(vocabulary=LETTERS, beam_width=3):
        return native.Decoder(BeamDecoder(vocabulary, beam_width=beam_width).plan).search()

    restored, (_, state) = searching().__reduce__()
    with pytest.raises(
        InvalidInputError, match="the classes, the blank or the beam width are not those of the decoder"
    ):
        restored(searching(**other)._decoder, state)
