"""transformers' ``Wav2Vec2ProcessorWithLM`` on ctckit, by one line: ``ctckit.compat.pyctcdecode.install()``.

A tiny Wav2Vec2 from a configuration, with random weights: nothing is fetched.
"""

import json
import multiprocessing

import numpy as np
import pytest

from ctckit.compat import pyctcdecode
from tests.support import pyctcdecode_cases as cases

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8, 8),
    "conv_stride": (5, 2),
    "conv_kernel": (10, 3),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
VOCABULARY = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz"]


@pytest.fixture(scope="module")
def transformers():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        pyctcdecode.install()
        import transformers

        yield transformers
        pyctcdecode.uninstall()


@pytest.fixture(scope="module")
def parts(transformers, tmp_path_factory):
    """A folder, the arguments of a processor but its decoder, and the labels of the model."""
    folder = tmp_path_factory.mktemp("wav2vec2")
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(VOCABULARY)}))
    (folder / "small.arpa").write_text(cases.small_arpa(), encoding="utf-8")
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    ids = tokenizer.get_vocab()
    return folder, (transformers.Wav2Vec2FeatureExtractor(), tokenizer), sorted(ids, key=ids.get)


@pytest.fixture(scope="module")
def processor(transformers, parts):
    folder, others, labels = parts
    decoder = pyctcdecode.build_ctcdecoder(labels, str(folder / "small.arpa"))
    return transformers.Wav2Vec2ProcessorWithLM(*others, decoder)


@pytest.fixture(scope="module")
def model(transformers):
    import torch

    torch.manual_seed(0)
    model = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(vocab_size=len(VOCABULARY), **TINY)).eval()
    with torch.no_grad():
        model.lm_head.weight *= 10  # random weights are sure of nothing
    return model


@pytest.fixture(scope="module")
def wave():
    return np.random.default_rng(0).normal(size=600).astype(np.float32)


@pytest.fixture(scope="module")
def logits(model, wave, processor):
    import torch

    with torch.no_grad():
        return model(**processor(wave, sampling_rate=16_000, return_tensors="pt")).logits.numpy()


def test_texts_words_and_scores(processor, logits):
    found = processor.decode(logits[0], beam_width=20, output_word_offsets=True, n_best=3)
    beams = processor.decoder.decode_beams(logits[0], beam_width=20)[:3]
    assert found.text == [beam[0] for beam in beams]
    assert found.logit_score == [beam[3] for beam in beams]
    assert found.lm_score == [beam[4] for beam in beams]
    words = [(word["word"], (word["start_offset"], word["end_offset"])) for word in found.word_offsets[0]]
    assert words == beams[0][2]
    assert set(found.text[0].split()) & set(cases.vocabulary())


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # transformers makes a pool where none is given
def test_batches_and_padding(processor, logits):
    padded = np.concatenate([logits, np.full_like(logits, -100.0)], axis=1)
    both = np.concatenate([padded, padded[:, ::-1]])
    best = processor.decode(logits[0], beam_width=20).text
    assert processor.batch_decode(both, beam_width=20, num_processes=1).text == [
        best,
        processor.decode(logits[0, ::-1], beam_width=20).text,
    ]


def test_settings_pass_through(processor, logits):
    settings = {"hotwords": ["zuzu"], "hotword_weight": 60.0, "alpha": 0.1, "beta": 0.0, "unk_score_offset": -1.0}
    decoder = processor.decoder
    assert (
        processor.decode(logits[0], beam_width=20, **settings).text != processor.decode(logits[0], beam_width=20).text
    )
    assert (processor.language_model.alpha, processor.language_model.beta) == (0.1, 0.0)
    decoder.reset_params(alpha=0.5, beta=1.5, unk_score_offset=-10.0)


def test_the_pipeline_takes_the_decoder(transformers, processor, parts, model, wave, logits):
    extractor, tokenizer = parts[1]
    read = transformers.pipeline(
        "automatic-speech-recognition",
        model=model,
        tokenizer=tokenizer,
        feature_extractor=extractor,
        decoder=processor.decoder,
    )
    assert read(wave)["text"] == processor.decode(logits[0]).text


@pytest.mark.parametrize("strict", [False, True])
def test_a_folder_and_back(transformers, processor, logits, tmp_path, strict):
    processor.save_pretrained(tmp_path)
    assert sorted(path.name for path in (tmp_path / "language_model").iterdir()) == [
        "attrs.json",
        "small.arpa",
        "unigrams.txt",
    ]
    again = transformers.Wav2Vec2ProcessorWithLM.from_pretrained(tmp_path)
    again.decoder.strict = strict
    expected = pyctcdecode.build_ctcdecoder(
        processor.decoder._alphabet.labels, str(tmp_path / "language_model" / "small.arpa"), strict=strict
    )
    assert again.decode(logits[0], beam_width=20).text == expected.decode_beams(logits[0], beam_width=20)[0][0]
    other = transformers.Wav2Vec2ProcessorWithLM.from_pretrained(tmp_path, alpha=0.0, beta=3.0)
    assert (other.language_model.alpha, other.language_model.beta) == (0.0, 3.0)


MARKS = """\\data\\
ngram 1=5
ngram 2=1

\\1-grams:
-9\t<unk>\t0
0\t<s>\t0
0\t</s>\t0
0\txylo\t0
0\tzulu\t0

\\2-grams:
0\txylo zulu

\\end\\
"""


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("context", [None, "fork", "spawn"])
def test_sentence_marks_are_the_words_of_a_model_that_cannot_be_written(
    transformers, tmp_path, strict, context, caplog
):
    """Labels that cannot write a word of the model but <s> and </s>; with each kind of pool."""
    labels = ["|", "<pad>", "<unk>", "<s>", "</s>", *"abcdefghijk"]
    (tmp_path / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(labels)}))
    (tmp_path / "marks.arpa").write_text(MARKS)
    decoder = pyctcdecode.build_ctcdecoder(labels, str(tmp_path / "marks.arpa"), strict=strict)
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"))
    processor = transformers.Wav2Vec2ProcessorWithLM(transformers.Wav2Vec2FeatureExtractor(), tokenizer, decoder)
    logits = np.random.default_rng(1).random((2, 10, 16))
    expected = [each[0] for each in decoder.decode_beams_batch(None, list(logits))]
    assert set(" ".join(beam.text for beam in expected).split()) == {"<s>", "</s>"}
    if context is None:
        found = processor.batch_decode(logits, num_processes=1)
    else:
        with multiprocessing.get_context(context).Pool(1) as pool:
            found = processor.batch_decode(logits, pool)
    assert found.text == [beam.text for beam in expected]
    assert found.logit_score == [beam.logit_score for beam in expected]
    assert found.lm_score == [beam.lm_score for beam in expected]
    assert ("Falling back to sequential decoding." in caplog.text) == (context == "spawn")
    offsets = processor.decode(logits[0], output_word_offsets=True).word_offsets
    assert [(each["word"], (each["start_offset"], each["end_offset"])) for each in offsets] == expected[0].text_frames


def test_tokens_that_the_alphabet_lacks_are_found(transformers, parts):
    _, others, labels = parts
    decoder = pyctcdecode.build_ctcdecoder(labels[:-1])
    with pytest.raises(ValueError, match="not in the decoder's alphabet"):
        transformers.Wav2Vec2ProcessorWithLM(*others, decoder)
