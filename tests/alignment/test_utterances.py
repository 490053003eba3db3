"""A list of texts in one recording."""

import numpy as np
import pytest

from ctckit import Transcript, Vocabulary, align_utterances, forced_align
from ctckit.alignment import timed_utterances
from ctckit.errors import InfeasibleTargetError, InvalidInputError
from tests.support.alignment_truth import off, recording, text
from tests.support.tolerances import DOUBLE

LETTERS = Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz'|", separator="|")
ABC = Vocabulary.from_characters("abc")


def frames_of(utterance):
    return np.array([(span.start, span.end) for span in utterance.spans]).reshape(-1, 2)


def made_of(sentences, seed=0, **options):
    pieces = [("speech", text(np.random.default_rng(9), 30))]
    for sentence in sentences:
        pieces += [("text", sentence), ("silence", 10)]
    return recording(pieces, seed, misread=0.0, **options)


def test_each_text_is_where_it_is_said():
    rng = np.random.default_rng(0)
    sentences = [text(rng, count) for count in (20, 35, 3, 50)]
    made = made_of(sentences)
    found = align_utterances(made.log_probs, sentences)
    for utterance, truth in zip(found, made.spans, strict=True):
        assert off(frames_of(utterance), truth).max() <= 2
        assert (utterance.start, utterance.end) == (utterance.spans[0].start, utterance.spans[-1].end)
        assert len(utterance) == utterance.end - utterance.start
        assert utterance.seconds(0.5) == (utterance.start / 2, utterance.end / 2)
        assert utterance.confidence == pytest.approx(np.mean([span.confidence for span in utterance.spans]), rel=DOUBLE)
        assert utterance.confidence > 0.8
        assert not utterance.absent


def test_scores_are_means_along_the_path():
    rng = np.random.default_rng(1)
    sentences = [text(rng, 20), text(rng, 30)]
    made = made_of(sentences)
    for utterance in align_utterances(made.log_probs, sentences, window=12):
        frame = np.arange(utterance.start, utterance.end)
        path = made.log_probs[frame, utterance.alignment.frame_tokens[frame]].astype(float)
        assert utterance.log_prob == pytest.approx(path.mean(), rel=DOUBLE)
        means = [path[t : t + 12].mean() for t in range(len(path) - 11)]
        assert utterance.worst_log_prob == pytest.approx(min(means), rel=DOUBLE)
    short = align_utterances(made.log_probs, sentences[:1], window=10**6)[0]
    assert short.worst_log_prob == pytest.approx(short.log_prob, rel=DOUBLE)


def test_a_wrong_word_shows_in_the_worst_window():
    rng = np.random.default_rng(2)
    right = text(rng, 60)
    wrong = [*right[:30], *text(rng, 8), *right[38:]]
    made = recording([("text", right)], 0, misread=0.0)
    (good,), (bad,) = (align_utterances(made.log_probs, [said]) for said in (right, wrong))
    assert bad.worst_log_prob < 3 * good.worst_log_prob
    assert bad.worst_log_prob < 2 * bad.log_prob
    assert good.confidence - bad.confidence > 0.05


def test_strings_transcripts_and_words():
    texts = ["Oh, it's — 42!", "Zoë said."]
    tokens = [Transcript(each, LETTERS).tokens.tolist() for each in texts]
    made = made_of([[*tokens[0], LETTERS.tokens.index("|")], tokens[1]])
    by_string = align_utterances(made.log_probs, texts, LETTERS)
    by_transcript = align_utterances(made.log_probs, [Transcript(each, LETTERS) for each in texts])
    for each in (by_string, by_transcript):
        assert [utterance.text for utterance in each] == texts
        assert [[word.text for word in utterance.words] for utterance in each] == [each.split() for each in texts]
        assert off(frames_of(each[0]), made.spans[0][:-1]).max() <= 2
        assert off(frames_of(each[1]), made.spans[1]).max() <= 2
        for utterance in each:
            assert all(utterance.start <= word.start <= word.end <= utterance.end for word in utterance.words)
    assert [word.text for word in by_string[0].words if not word.aligned] == ["—", "42!"]
    assert "'Zoë said.'" in repr(by_string[1])
    assert align_utterances(made.log_probs, tokens)[0].words == ()
    assert repr(align_utterances(made.log_probs, tokens)[0]).startswith("UtteranceSpan(7 tokens, ")


@pytest.mark.parametrize("kind", ["spike", "midpoint", "occupancy"])
def test_boundaries_are_those_of_the_alignment(kind):
    texts = ["oh it's", "said zoe"]
    made = made_of([Transcript(each, LETTERS).tokens.tolist() for each in texts])
    found = align_utterances(made.log_probs, texts, LETTERS, boundaries=kind)
    whole = found[0].alignment
    edges = np.rint(whole.boundaries(kind)).astype(int)
    for utterance in found:
        own = edges[utterance.positions.start : utterance.positions.stop]
        assert (utterance.start, utterance.end) == (own[0, 0], own[-1, 1])
        assert (utterance.words[0].start, utterance.words[-1].end) == (utterance.start, utterance.end)
    spikes = align_utterances(made.log_probs, texts, LETTERS)
    assert [each.log_prob for each in found] == [each.log_prob for each in spikes]
    assert (found[0].words == spikes[0].words) == (kind == "spike")


def test_times_of_utterances():
    texts = ["oh — it's", "…", "said zoe", "never"]
    tokens = [Transcript(each, LETTERS).tokens.tolist() for each in texts[:3]]
    made = made_of([each for each in tokens if each])
    found = align_utterances(made.log_probs, texts, LETTERS, absent_below=0.3)
    assert found[3].absent
    tiers = timed_utterances(found, LETTERS, 0.5, 10.0, boundaries="midpoint")
    assert [line.text for line in tiers["lines"]] == texts
    edges = 0.5 * found[0].alignment.boundaries("midpoint") + 10
    first, empty, last, missing = tiers["lines"]
    assert (first.start_seconds, first.end_seconds) == (edges[0, 0], edges[len(tokens[0]) - 1, 1])
    assert (empty.start_seconds, empty.end_seconds) == (first.end_seconds,) * 2
    assert (missing.start_seconds, missing.end_seconds) == (last.end_seconds,) * 2
    words = tiers["words"]
    assert [word.text for word in words] == ["oh", "—", "it's", "…", "said", "zoe", "never"]
    assert (words[4].start_seconds, words[5].end_seconds) == (last.start_seconds, last.end_seconds)
    assert first.confidence == pytest.approx(np.mean([words[0].confidence, words[2].confidence]), rel=DOUBLE)
    assert words[6].start_seconds == words[6].end_seconds == last.end_seconds
    assert "".join(token.text for token in tiers["tokens"]) == "ohit'ssaidzoe"
    numbers = timed_utterances(align_utterances(made.log_probs, tokens), LETTERS, 0.5, 10.0, boundaries="midpoint")
    assert (numbers["words"], numbers["lines"][0].start_seconds) == ((), first.start_seconds)
    assert timed_utterances([], LETTERS, 0.5) == {"lines": (), "words": (), "tokens": ()}


def test_wildcards_within_utterances():
    starred = Transcript("ab 1984 cd", LETTERS, star=-7)
    pieces = [("text", [1, 2, 28]), ("speech", [5, 9, 5]), ("text", [28, 3, 4])]
    made = recording(pieces, 3, misread=0.0)
    (found,) = align_utterances(made.log_probs, [starred])
    year = found.words[1]
    assert made.spans[0][-1, 1] <= year.start < year.end <= made.spans[1][0, 0]
    assert year.confidence is None
    assert np.isfinite([found.log_prob, found.worst_log_prob, found.confidence]).all()


def test_texts_without_tokens_have_a_place_and_no_score():
    sentences = [[], [1, 2, 3], [], [4, 5], []]
    made = made_of([each for each in sentences if each])
    found = align_utterances(made.log_probs, sentences)
    assert found[0].start == found[0].end == 0
    assert found[2].start == found[2].end == found[1].end
    assert found[4].start == found[4].end == found[3].end
    for empty in found[::2]:
        assert (empty.log_prob, empty.worst_log_prob, empty.confidence, empty.spans) == (None, None, None, ())
        assert repr(empty).endswith("log_prob=None, confidence=None)")
    assert align_utterances(made.log_probs, []) == []


def test_without_wildcards_it_is_one_forced_alignment():
    rng = np.random.default_rng(4)
    sentences = [text(rng, 10), text(rng, 12)]
    made = recording([("text", sentences[0]), ("text", sentences[1])], 0)
    found = align_utterances(made.log_probs, sentences, between=False, edges=False)
    whole = forced_align(made.log_probs, sentences[0] + sentences[1])[0]
    spans = np.concatenate([frames_of(each) for each in found])
    np.testing.assert_array_equal(spans[:, 0], whole.starts)
    np.testing.assert_array_equal(spans[:, 1], whole.ends)


def test_absent_texts_keep_their_scores_and_lose_their_frames():
    rng = np.random.default_rng(5)
    there, missing = text(rng, 30), text(rng, 25)
    made = recording([("text", there), ("silence", 40)], 0, misread=0.0)
    unmarked = align_utterances(made.log_probs, [there, missing])[1]
    first, second = align_utterances(made.log_probs, [there, missing], absent_below=0.3)
    assert (second.absent, second.start, second.words) == (True, second.end, ())
    assert (second.confidence, second.log_prob) == (unmarked.confidence, unmarked.log_prob)
    assert second.confidence < 0.1
    assert not first.absent
    assert off(frames_of(first), made.spans[0]).max() <= 2


def test_strings_are_spelled_in_sounds():
    sounds = Vocabulary(("", "ð", "ə", "k", "æ", "t", "ʃ", "|"), separator="|")
    spoken = [0, 1, 2, 0, 7, 3, 4, 5, 0]
    frames = np.log(np.where(np.arange(8) == np.array(spoken)[:, None], 0.93, 0.01))
    [found] = align_utterances(frames, ["The cat."], sounds, spell={"the": ["ð", "ə"], "cat": ["k", "æ", "t"]})
    assert [(word.text, word.start, word.end) for word in found.words] == [("The", 1, 3), ("cat.", 5, 8)]
    with pytest.raises(InvalidInputError, match=r"has sounds \('ə', 'ʃ'\), and the text is written in letters"):
        align_utterances(frames, ["The cat."], sounds)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("ab",), {}, InvalidInputError, r"utterances is one text; expected a sequence of texts"),
        ((["ab"],), {}, InvalidInputError, r"utterances\[0\] is a string, but there is no vocabulary"),
        (([[1], [0.5]],), {}, InvalidInputError, r"utterances\[1\] has dtype float64; expected integers"),
        (([[1]],), {"between": 1}, InvalidInputError, r"between is 1; expected True or False"),
        (([[1]],), {"boundaries": "peak"}, InvalidInputError, r"boundaries is 'peak'; expected one of \('spike', "),
        (([[1]],), {"edges": "yes"}, InvalidInputError, r"edges is 'yes'; expected True or False"),
        (([[1]],), {"absent_below": 2}, InvalidInputError, r"absent_below is 2; expected a number in 0\.\.1"),
        (([[1]],), {"window": 0}, InvalidInputError, r"window is 0; expected a positive integer"),
        (
            ([[1] * 5, [1] * 4],),
            {},
            InfeasibleTargetError,
            r"^utterances, taken together, cannot be emitted: 9 tokens with 8 adjacent repeats need 17 frames, there "
            r"are 10\. Are they all of this recording\?$",
        ),
        (([[1], [2, 0]],), {}, InvalidInputError, r"^utterances\[1\]\[1\] is 0, the blank"),
        (([[1], [2, 4]],), {}, InvalidInputError, r"^utterances\[1\]\[1\] is 4; with C = 4 the classes are 0\.\.3\."),
        (([[1], [-2]],), {}, InvalidInputError, r"^utterances\[1\]\[0\] is -2; with C = 4"),
        (([[1]], ABC), {"blank": 1}, InvalidInputError, r"blank is 1, but vocabulary says 0; .* Leave blank out\."),
        (([[1]],), {"blank": 4}, InvalidInputError, r"blank is 4; with C = 4 the classes"),
        (([[1]], ["", "a"]), {}, InvalidInputError, r"vocabulary is of type list; expected a Vocabulary"),
    ],
)
def test_what_is_wrong_is_said(arguments, options, error, message):
    with pytest.raises(error, match=message):
        align_utterances(np.log(np.full((10, 4), 0.25)), *arguments, **options)


def test_texts_that_need_a_masked_class():
    log_probs = np.log(np.full((10, 4), 0.25))
    log_probs[:, 2] = -np.inf
    with pytest.raises(InfeasibleTargetError, match=r"^utterances, .* emitted: every alignment passes a class whose"):
        align_utterances(log_probs, [[1], [2]])


def test_the_blank_is_that_of_the_vocabulary():
    probs = np.full((12, 4), 0.05)
    probs[range(12), [3, 0, 1, 3, 2, 2, 3, 1, 0, 3, 3, 3]] = 0.85
    last = Vocabulary(("a", "b", "c", ""), blank=3)
    found = align_utterances(np.log(probs), ["ab", "ba"], last)
    assert [(each.start, each.end) for each in found] == [(1, 3), (7, 9)]
    assert found[0].alignment.blank == 3


def test_numbers_have_no_negative_zero():
    log_probs = np.full((5, 4), -np.inf)
    log_probs[range(5), [1, 0, 2, 3, 1]] = -0.0
    found = align_utterances(log_probs, [[1, 2], [], [3, 1]])
    assert (
        [str(each.log_prob) for each in found] == [str(each.worst_log_prob) for each in found] == ["0.0", "None", "0.0"]
    )
    assert {str(span.log_prob) for each in found for span in each.spans} == {"0.0"}
    assert not np.signbit(forced_align(log_probs, [1, 2, 3, 1])[0].token_log_probs).any()


def test_one_recording_at_a_time():
    with pytest.raises(InvalidInputError, match=r"log_probs has shape \(2, 5, 4\); expected \(T, C\)"):
        align_utterances(np.zeros((2, 5, 4)), [[1]])
