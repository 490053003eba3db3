"""ctckit.compat.ctc_beam_decoder: the calls of ctc-beam-decoder, answered by the strict search of pyctcdecode."""

import numpy as np
import pytest

import ctckit
from ctckit.compat import ctc_beam_decoder, pyctcdecode
from ctckit.errors import InvalidInputError

LABELS = {"pieces": ["▁a", "▁b", "c", "d", "▁", "<unk>"], "characters": [" ", "a", "b", "c", "d", "<unk>"]}


@pytest.fixture(scope="module")
def arpa(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny.arpa"
    ctckit.NGramModel.train(["a b", "b a", "a ac", "b bd", "cd a"], order=2).save(path)
    return path


def logits(seed, columns):
    return np.random.default_rng(seed).normal(0, 3, (12, columns)).astype(np.float32)


@pytest.mark.difference(
    "ctc-beam-decoder",
    "The messages of errors are others, and `BeamSearchDecoder` has no argument `library`, because there is none.",
)
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.parametrize("hotwords", [None, ["ac", "abcd"], ["ac\u00a0bd"]])
def test_texts_and_scores_are_those_of_the_strict_search(labels, with_model, hotwords, arpa):
    model = {"unigrams": ["a", "b", "ac", "bd"], "alpha": 0.2, "beta": 1.0} if with_model else {}
    path = str(arpa) if with_model else None
    decoder = ctc_beam_decoder.build_ctcdecoder(labels, path, **model)
    same = ctc_beam_decoder.BeamSearchDecoder(labels, kenlm_model_path=path, **model)
    strict = pyctcdecode.build_ctcdecoder(labels, path, strict=True, **model)
    for seed in range(5):
        frames = logits(seed, decoder.n_columns)
        beams = decoder.decode_beams(frames, beam_width=8, hotwords=hotwords, hotword_weight=5.0)
        expected = strict.decode_beams(frames, beam_width=8, hotwords=hotwords, hotword_weight=5.0)
        assert beams == [(text, None, *others) for text, _, *others in expected]
        text = strict.decode(frames, beam_width=8, hotwords=hotwords)
        assert decoder.decode(frames, beam_width=8, hotwords=hotwords) == text
        assert same.decode(frames.astype(np.float64), beam_width=8, hotwords=hotwords) == text


@pytest.mark.parametrize(
    ("labels", "columns", "blank"), [([" ", "a"], 3, 2), (["", "a"], 2, 0), (["a", "<pad>", " "], 3, 1)]
)
def test_columns_and_the_blank(labels, columns, blank):
    decoder = ctc_beam_decoder.build_ctcdecoder(labels)
    assert (decoder.n_columns, decoder.blank_id) == (columns, blank)


def test_errors(tmp_path):
    decoder = ctc_beam_decoder.build_ctcdecoder([" ", "a"])
    with pytest.raises(ValueError, match=r"logits has shape \(2, 4\) but the alphabet has 3 labels"):
        decoder.decode(np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"shape \(3,\); expected \(T, C\)"):
        decoder.decode_beams(np.zeros(3))
    with pytest.raises(InvalidInputError, match=r"labels\[1\] is 'a', the same as labels\[0\]"):
        ctc_beam_decoder.build_ctcdecoder(["a", "a"])
    with pytest.raises(FileNotFoundError, match=r"none\.arpa"):
        ctc_beam_decoder.build_ctcdecoder([" ", "a"], tmp_path / "none.arpa")
    assert ctc_beam_decoder.has_kenlm()
