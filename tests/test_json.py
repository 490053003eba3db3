"""Results as JSON and back, and spans in seconds and pixels."""

import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from ctckit import BeamDecoder, Hypothesis, Transcript, Vocabulary, align_utterances, forced_align, greedy_decode
from ctckit.alignment import Alignment, UtteranceSpan, WordSpan
from ctckit.alignment.spans import PlacedSpan, Spans
from ctckit.decoding.partials import Partial
from ctckit.errors import InvalidInputError
from tests.test_vocabulary_files import FALLBACK, LEVEL, SPOKEN, emission

LETTERS = Vocabulary(("", "a", "b", "|", "c"), separator="|")
WORDPIECES = Vocabulary(("", "a", "##b", "c", "##"), continuation="##")
PIECES = Vocabulary(("▁a", "b", "", "c"), blank=2, word_start="▁")


def through_json(result):
    text = json.dumps(result.to_dict(), allow_nan=False)
    data = json.loads(text)
    assert data == result.to_dict()
    again = type(result).from_dict(data) if not isinstance(result, Hypothesis) else Hypothesis.from_dict(data)
    assert json.dumps(again.to_dict(), allow_nan=False) == text
    return again


def noise(vocabulary, seed, frames=9):
    return np.log(np.random.default_rng(seed).dirichlet(np.ones(len(vocabulary)), frames))


@pytest.mark.parametrize("vocabulary", [LETTERS, WORDPIECES, PIECES, FALLBACK, LEVEL, Vocabulary(("", "x", "y"))])
@pytest.mark.parametrize("seed", range(4))
def test_hypotheses(vocabulary, seed):
    log_probs = noise(vocabulary, seed)
    for best in BeamDecoder(vocabulary, beam_width=6).decode(log_probs, n_best=6)[0]:
        again = through_json(best)
        assert again == best
        assert (again.text, again.words, again.spans, again.times(0.1)) == (
            best.text,
            best.words,
            best.spans,
            best.times(0.1),
        )
        assert str(again) == str(best)
        known = Hypothesis.from_dict(best.to_dict(), vocabulary)
        assert known == best
        assert known.vocabulary is vocabulary
        assert again.spans(unit="seconds", stride=0.1) == best.spans(unit="seconds", stride=0.1)
    for best in (greedy_decode(log_probs, vocabulary=vocabulary)[0], greedy_decode(log_probs)[0]):
        assert through_json(best) == best
        assert through_json(best).spans[0].confidence is None
    assert Hypothesis.from_dict(best.to_dict()) != replace(Hypothesis.from_dict(best.to_dict()), score=1.0)


def test_hypotheses_with_words_of_a_lexicon_and_hotwords():
    lexicon = {"two": ["a", "b"], "too": ["a", "b"], "see": ["c"]}
    decoder = BeamDecoder(LETTERS, lexicon=lexicon, hotwords={"see": -2.5, "two": 1.0}, word_bonus=0.5)
    for best in decoder.decode(noise(LETTERS, 1), n_best=5)[0]:
        again = through_json(best)
        assert again == best
        assert again.parts == best.parts
        assert [word.text for word in again.words] == [word.text for word in best.words]
    best = decoder.decode(emission([1, 2, 3, 4], LETTERS))[0][0]
    assert through_json(best).text in ("two see", "too see")
    assert best != greedy_decode(emission([1, 2, 3, 4], LETTERS), vocabulary=LETTERS)[0]


def test_numbers_that_json_does_not_have():
    best = BeamDecoder(LETTERS).decode(noise(LETTERS, 0))[0][0]
    rescoring = replace(
        best.decoded.rescoring,
        log_prob=-math.inf,
        token_log_probs=np.full(len(best.tokens), -math.inf),
        confidences=np.full(len(best.tokens), math.nan),
    )
    odd = replace(best, decoded=replace(best.decoded, rescoring=rescoring), score=math.inf)
    data = odd.to_dict()
    assert (data["log_prob"], data["score"]) == ("-inf", "inf")
    assert (data["spans"][0]["log_prob"], data["spans"][0]["confidence"]) == ("-inf", None)
    assert through_json(odd) == odd
    worst = replace(best, score=math.nan)
    assert math.isnan(through_json(worst).score)
    masked = np.array([[-0.5, -1.0, -np.inf], [0.0, -np.inf, -np.inf]])
    assert through_json(greedy_decode(masked)[0]).log_prob == greedy_decode(masked)[0].log_prob


def test_alignments():
    log_probs = noise(LETTERS, 3, 20)
    [found] = forced_align(log_probs, [1, 2, 3, 4])
    again = through_json(found)
    assert again == found
    assert again.spans == found.spans
    assert again.words(LETTERS) == found.words(LETTERS)
    assert again.frame_tokens.tolist() == found.frame_tokens.tolist()
    assert str(again) == str(found)
    assert again.draw(LETTERS) == found.draw(LETTERS)
    assert pickle.loads(pickle.dumps(again)) == found
    assert hash(again) == hash(found)
    assert found != forced_align(log_probs, [1, 2, 3, 1])[0]
    assert found != forced_align(noise(LETTERS, 4, 20), [1, 2, 3, 4])[0]
    assert found != "an alignment"
    with pytest.raises(
        InvalidInputError, match=r"made by from_dict, and its dict has no frames and no average path\. Ask"
    ):
        again.boundaries()
    whole = Alignment.from_dict(json.loads(json.dumps(found.to_dict(LETTERS, average_path=True), allow_nan=False)))
    assert whole.boundaries().tolist() == found.boundaries().tolist()
    assert through_json(whole) == found
    assert found.to_dict(LETTERS)["words"][0]["text"] == "ab"
    assert [each["text"] for each in found.to_dict(LETTERS)["spans"]] == ["a", "b", "|", "c"]


def test_alignments_with_wildcards():
    [found] = forced_align(noise(LETTERS, 3, 20), [-1, 2, -1, 4], star=-1, edges=True)
    again = through_json(found)
    assert again == found
    assert again.spans == found.spans
    assert again.spans[0].confidence is None
    assert again.frame_tokens.tolist() == found.frame_tokens.tolist()
    assert str(again) == str(found)
    [empty] = forced_align(noise(LETTERS, 3, 2), [])
    assert through_json(empty) == empty


def test_utterances():
    letters = Vocabulary.from_characters("ab |", separator=" ")
    texts = [Transcript("ab, a!", letters), "b", "", [1, 2]]
    found = align_utterances(noise(letters, 5, 60), texts, letters, absent_below=0.9)
    assert len({each.absent for each in found}) == 2
    for each in found:
        again = through_json(each)
        assert again == each
        assert (again.spans, again.words) == (each.spans, each.words)
        assert again.seconds(0.1) == each.seconds(0.1)
        assert [span.end for span in again.spans] == [span.end for span in each.spans]
    assert (found[2].to_dict()["log_prob"], found[3].to_dict()["text"]) == (None, None)
    assert found[0] != found[1]
    [present] = align_utterances(noise(letters, 5, 60), ["ba"], letters)
    assert [each["text"] for each in present.to_dict(letters)["spans"]] == ["b", "a"]


def test_partials():
    stream = BeamDecoder(LETTERS, beam_width=3).stream()
    stream.push(emission([1, 2, 3, 4] * 3, LETTERS, sure=1 - 1e-6))
    now = stream.partial()
    assert len(now.stable_tokens) > 0
    assert through_json(now) == now
    assert Partial.from_dict(Partial("", "", (), ()).to_dict()) == Partial("", "", (), ())


def changed(data, path, value):
    data = json.loads(json.dumps(data))
    place = data
    for name in path[:-1]:
        place = place[name]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["type"], "Alignment", r"data is that of a 'Alignment'; expected the dict of Hypothesis\.to_dict\(\)\."),
        (["score"], None, r"data\['score'\] is missing; expected the dict of Hypothesis\.to_dict\(\)\."),
        (["score"], "high", r'data\[\'score\'\] is \'high\'; expected a number, "inf", "-inf" or "nan"\.'),
        (["spans"], 7, r"data\['spans'\] is 7; expected a list\."),
        (["spans", 0], 7, r"data is of type int; expected the dict of"),
        (["spans", 0, "token"], 1.5, r"data\['token'\] is 1\.5; expected an integer"),
        (["spans", 0, "token"], 99, r"data\['spans'\]\[0\]\['token'\] is 99; with C = 5 the classes are 0\.\.4\."),
        (["spans", 0, "token"], True, r"data\['token'\] is True; expected an integer"),
        (["spans", 0, "start"], -1, r"data\['start'\] is -1; expected an integer from 0 on\."),
        (
            ["parts", "word_indices"],
            [0],
            r"data\['parts'\]\['word_indices'\] has not one entry for each word of the text",
        ),
        (["parts", "hotwords"], [], r"data\['hotwords'\] is \[\]; expected a number"),
        (["vocabulary", "tokens"], {"x": "y"}, r"has an entry 'x'; expected a class\."),
        (["vocabulary", "tokens"], {"99999999": "y"}, r"has class 99999999; expected at most"),
        (["vocabulary", "separator"], "?", r"separator is '\?', which is not among the tokens\."),
        (["word_names"], {}, r"data\['[012]'\] is missing"),
    ],
)
def test_what_is_wrong_with_a_dict_is_said(path, value, message):
    decoder = BeamDecoder(LETTERS, lexicon={"two": ["a", "b"], "see": ["c"]})
    data = decoder.decode(emission([1, 2, 3, 4], LETTERS))[0][0].to_dict()
    assert data["text"] == "two see"
    with pytest.raises(InvalidInputError, match=message):
        Hypothesis.from_dict(changed(data, path, value))
    with pytest.raises(InvalidInputError, match=r"data is of type list; expected the dict of Hypothesis\.to_dict"):
        Hypothesis.from_dict([])


def test_what_is_wrong_with_the_dict_of_an_alignment_is_said():
    data = forced_align(noise(LETTERS, 3, 20), [-1, 2], star=-1)[0].to_dict(average_path=True)
    for path, value, message in (
        (["spans", 1, "end"], 99, r"data\['spans'\]\[1\] is \d+\.\.99; expected frames in 0\.\.20\."),
        (["durations"], [1.0], r"data\['durations'\] has 1 entries; expected 5\."),
        (["frame_tokens"], [1], r"data\['frame_tokens'\] has 1 entries; expected 20\."),
        (["frame_tokens", 3], "x", r"data\['frame_tokens\[3\]'\] is 'x'; expected an integer"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            Alignment.from_dict(changed(data, path, value))
    [span] = align_utterances(noise(LETTERS, 3, 20), [[1]])
    with pytest.raises(InvalidInputError, match=r"data\['recording'\] is 3; expected an object\."):
        UtteranceSpan.from_dict({**span.to_dict(), "recording": 3})
    with pytest.raises(InvalidInputError, match=r"data\['absent'\] is 0; expected true or false\."):
        UtteranceSpan.from_dict({**span.to_dict(), "absent": 0})


def test_spans_in_seconds_and_pixels():
    log_probs = emission([1, 2, 3, 4], LETTERS)
    best = BeamDecoder(LETTERS).decode(log_probs)[0][0]
    [found] = forced_align(log_probs, best.tokens)
    assert best.spans(unit="frames") is best.spans
    assert best.spans() == best.spans
    for spans in (best.spans, found.spans):
        placed = spans(unit="seconds", stride=0.02, offset=1.5)
        assert [(each.start, each.end) for each in placed] == [
            (each.start * 0.02 + 1.5, each.end * 0.02 + 1.5) for each in best.spans
        ]
        assert [each.token for each in placed] == [1, 2, 3, 4]
        assert [each.confidence for each in placed] == [each.confidence for each in spans]
        assert {each.unit for each in spans(unit="pixels", stride=4)} == {"pixels"}
    assert [each.text for each in best.spans("pixels", stride=4)] == ["a", "b", "|", "c"]
    assert [each.text for each in found.spans("pixels", stride=4)] == ["1", "2", "3", "4"]
    words = [
        PlacedSpan("ab", 0.0, 12.0, best.words[0].confidence, "pixels"),
        PlacedSpan("c", 24.0, 28.0, best.words[1].confidence, "pixels"),
    ]
    assert list(best.words(unit="pixels", stride=4)) == words
    same = found.words(LETTERS)(unit="pixels", stride=4)
    assert [(each.text, each.start, each.end) for each in same] == [(each.text, each.start, each.end) for each in words]
    [utterance] = align_utterances(log_probs, ["ab c"], LETTERS, edges=False)
    assert [each.text for each in utterance.words("seconds", stride=1)] == ["ab", "c"]
    assert [each.start for each in utterance.spans("seconds", stride=1)] == [0, 2, 4, 6]
    assert BeamDecoder(["", "a"]).decode(np.log([[0.9, 0.1]]))[0][0].words("seconds", stride=1) == ()
    assert pickle.loads(pickle.dumps(best.spans)) == best.spans
    assert pickle.loads(pickle.dumps(best.spans))("pixels", stride=2) == best.spans("pixels", stride=2)
    bytes_of = BeamDecoder(FALLBACK).decode(emission(SPOKEN, FALLBACK))[0][0]
    assert [each.text for each in bytes_of.words("seconds", stride=0.5)] == ["the", "爿", "cats"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unit": "hours", "stride": 1}, r'unit is \'hours\'; expected one of "frames", "seconds", "pixels"\.'),
        ({"unit": "seconds"}, r"stride is missing; expected the seconds from one frame to the next\."),
        ({"unit": "pixels", "stride": 0}, r"stride is 0; expected a number in"),
        ({"unit": "pixels", "stride": math.nan}, r"stride is nan; expected a number in"),
        ({"unit": "pixels", "stride": math.inf}, r"stride is inf; expected a number in"),
        ({"unit": "seconds", "stride": 1, "offset": "1"}, r"offset is '1'; expected a number in"),
        ({"stride": 0.02}, r'stride or offset is given, but unit is "frames"; expected "seconds" or "pixels"\.'),
    ],
)
def test_units_and_strides_are_checked(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        Spans([WordSpan("a", 0, 1, None)])(**arguments)
