"""ctckit.compat.pyctcdecode: the tuples of a beam, decoding in parts, and the scorer of hotwords."""

import pickle
import re

import numpy as np
import pytest

from ctckit.compat.pyctcdecode import HotwordScorer, build_ctcdecoder
from ctckit.compat.pyctcdecode.decoder import EMPTY_START_BEAM, Beam, LMBeam, OutputBeam, OutputBeamMPSafe
from ctckit.compat.pyctcdecode.language_model import CharTrie
from ctckit.errors import InvalidInputError
from tests.compat.test_pyctcdecode import LETTERS, peaked
from tests.support import pyctcdecode_cases as cases
from tests.support.tolerances import PYCTCDECODE

WIDE = {"beam_width": 30, "beam_prune_logp": -30.0}


@pytest.fixture(scope="module")
def arpa(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.arpa"
    path.write_text(cases.small_arpa(), encoding="utf-8")
    return path


@pytest.mark.parametrize("strict", [False, True])
def test_the_parts_of_a_beam_have_names(strict, arpa):
    decoder = build_ctcdecoder(LETTERS, arpa, strict=strict)
    best = decoder.decode_beams(peaked("bagu be"))[0]
    assert isinstance(best, OutputBeam)
    text, state, frames, logit_score, lm_score = best
    assert (best.text, best.last_lm_state, best.text_frames) == (text, state, frames)
    assert (best.logit_score, best.lm_score) == (logit_score, lm_score)
    sent = decoder.decode_beams_batch(None, [peaked("bagu be")])[0][0]
    assert (sent.text, sent.last_lm_state, sent.text_frames) == (text, None, frames)
    text, frames, logit_score, lm_score = sent
    assert (sent.logit_score, sent.lm_score) == (logit_score, lm_score)


def test_a_beam_without_its_state_equals_one_whose_state_is_none():
    four = OutputBeamMPSafe("a", [("a", (0, 1))], -0.5, -0.25)
    five = OutputBeam("a", None, [("a", (0, 1))], -0.5, -0.25)
    assert five.get_mp_safe_beam() == four == five == four
    assert (four != five, five != four) == (False, False)
    assert four == tuple(four)
    assert five == tuple(five)
    for other in (five._replace(last_lm_state="there"), five._replace(text="b"), ("a",), None):
        assert four != other
        assert other != four
    assert pickle.loads(pickle.dumps([four])) == [five]


def in_parts(decoder, logits, ends, scorers=None, **settings):
    """The beams after each part; the last part ends the item."""
    beams, scores, partial_scores = decoder.get_starting_state()
    assert beams == [EMPTY_START_BEAM]
    found, first = [], 0
    for number, end in enumerate(ends):
        options = {"hotword_scorer": scorers[number], **settings} if scorers else settings
        beams = decoder.partial_decode_beams(
            logits[first:end], scores, partial_scores, beams, first, is_end=end == ends[-1], **options
        )
        found.append(beams)
        first = end
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.parametrize("pieces", [False, True])
def test_parts_give_the_beams_of_the_whole(seed, with_model, pieces, arpa):
    labels = ["", "▁ba", "gu", "▁be", "▁", "b"] if pieces else ["", " ", *"abegu"]
    decoder = build_ctcdecoder(labels, arpa if with_model else None, strict=True)
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (14, len(labels)))
    if pieces:
        logits[:, 4] = -50  # the flag of the original: "▁" would end words in other texts
    hotwords = ["gu", "bagu"] if seed % 2 else None
    scorer = HotwordScorer.build_scorer(hotwords, 4.0)
    whole = decoder.decode_beams(logits, **WIDE, hotwords=hotwords, hotword_weight=4.0, prune_history=seed % 3 == 0)
    *_, last = in_parts(decoder, logits, (3, 3, 8, 14), [scorer] * 4, **WIDE, prune_history=seed % 3 == 0)
    assert [each.text for each in last] == [each.text for each in whole]
    assert [each.text_frames for each in last] == [[frames for _, frames in each.text_frames] for each in whole]
    for name in ("logit_score", "lm_score"):
        expected = [getattr(each, name) for each in whole]
        assert [getattr(each, name) for each in last] == pytest.approx(expected, abs=PYCTCDECODE)


def test_beams_between_parts_are_unfinished():
    first, second, _ = in_parts(build_ctcdecoder(LETTERS, strict=True), peaked("be bag", height=20.0), (3, 8, 12))
    assert all(isinstance(each, LMBeam) for each in first)
    beam = first[0]
    assert (beam.text, beam.next_word, beam.partial_word, beam.last_char) == ("", "", "be", "e")
    assert (beam.text_frames, beam.partial_frames) == ([], (0, 3))
    beam = second[0]
    assert (beam.text, beam.partial_word, beam.last_char, beam.text_frames) == ("be", "b", "", [(0, 3)])
    assert beam.partial_frames == (6, 7)


@pytest.mark.parametrize("with_model", [False, True])
def test_an_unfinished_word_may_be_declared_complete(with_model, arpa):
    decoder = build_ctcdecoder(LETTERS, arpa if with_model else None, strict=True)
    beams, *scores = decoder.get_starting_state()
    first = decoder.partial_decode_beams(peaked("bagu", height=20.0), *scores, beams, 0, force_next_word=True)[0]
    assert (first.text, first.partial_word, first.last_char, first.text_frames) == ("bagu", "", None, [(0, 7)])
    last = decoder.partial_decode_beams(peaked("be", height=20.0), *scores, [first], 8, is_end=True)[0]
    assert (last.text, last.text_frames) == ("bagu be", [(0, 7), (8, 11)])
    whole = decoder.decode_beams(peaked("bagu be", height=20.0))[0]
    assert last.lm_score - last.logit_score == pytest.approx(whole.lm_score - whole.logit_score, abs=PYCTCDECODE)


def test_a_beam_may_have_a_next_word(arpa):
    decoder = build_ctcdecoder(LETTERS, arpa, strict=True)
    logits = peaked("be", height=20.0)
    one, two = (
        decoder.partial_decode_beams(logits, {}, {}, [Beam(text, word, "", " ", [(0, 4), (5, 7)], (-1, -1), -1.0)], 8)
        for text, word in (("bagu", "be"), ("bagu be", ""))
    )
    assert one == two


def test_hotwords_may_change_between_parts():
    decoder = build_ctcdecoder(["", *"abc"], strict=True)
    logits = np.log([[0.05, 0.85, 0.05, 0.05], [0.05, 0.05, 0.5, 0.4], [0.05, 0.5, 0.05, 0.4]])
    scorer = HotwordScorer.build_scorer(["aca"], 5.0)
    found = [
        in_parts(decoder, logits, (1, 2, 3), scorers)[-1][0]
        for scorers in ([None] * 3, [scorer, scorer, None], [None, None, scorer])
    ]
    assert [each.text for each in found] == ["aba", "aba", "aca"]
    assert found[2].lm_score - found[2].logit_score == pytest.approx(5.0, abs=PYCTCDECODE)


def test_decoding_in_parts_checks_its_frames():
    decoder = build_ctcdecoder(LETTERS, strict=True)
    with pytest.raises(InvalidInputError, match=r"shape \(2, 3\) but the alphabet has 28 labels"):
        decoder.partial_decode_beams(np.zeros((2, 3)), {}, {}, [EMPTY_START_BEAM], 0)
    with pytest.raises(InvalidInputError, match="beam_width is 0"):
        decoder.partial_decode_beams(np.zeros((2, 28)), {}, {}, [EMPTY_START_BEAM], 0, beam_width=0)


def test_hotwords_are_counted_as_whole_words():
    scorer = HotwordScorer.build_scorer(["ice cream", "  ", "a.b"], 2.0)
    assert scorer.score("ice icecream cream axb a.b cream") == 8.0
    assert [scorer.score_partial_token(part) for part in ("", "i", "cre", "cream", "creams")] == [0, 2 / 3, 1.2, 2, 0]
    assert "ic" in scorer
    assert "x" not in scorer
    assert HotwordScorer.build_scorer(None).score("ice") == 0


class ForeignTrie:
    """The methods of pygtrie's CharTrie that count."""

    def __init__(self, words):
        self.words = words

    def has_node(self, key):
        return 2 if any(word.startswith(key) for word in self.words) else 0

    def iterkeys(self, prefix, shallow):
        assert shallow
        return (word for word in self.words if word.startswith(prefix))


@pytest.mark.parametrize("trie", [CharTrie, ForeignTrie])
def test_a_scorer_is_made_of_a_pattern_and_a_trie(trie):
    scorer = HotwordScorer(match_ptn=re.compile(r"ice \w+|cream"), char_trie=trie(["ice", "cream"]), weight=2.0)
    assert scorer.score("ice age and ice cream and cream") == 6.0
    assert ("cre" in scorer, "age" in scorer) == (True, False)
    assert [scorer.score_partial_token(part) for part in ("ic", "cream", "age")] == [pytest.approx(4 / 3), 2.0, 0.0]
    assert HotwordScorer(re.compile("a"), trie(["a"])).weight == 10.0
