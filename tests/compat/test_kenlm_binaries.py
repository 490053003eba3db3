"""Binary files of KenLM in the adapters: the results are those of the ARPA file that they were built from."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from ctckit import NGramModel
from ctckit.compat import ctc_beam_decoder, kenlm, pyctcdecode
from ctckit.compat.pyctcdecode import BeamSearchDecoderCTC, LanguageModel, build_ctcdecoder
from ctckit.errors import DataError, InvalidInputError
from tests.support.tolerances import LM_LOG10

FOLDER = Path(__file__).parents[1] / "golden" / "kenlm"
ARPA = FOLDER / "word3.arpa"
LETTERS = ["", " ", *"abcdefghijklmnopqrstuvwxyz"]
UNIGRAMS = ["the", "king", "queen", "was", "in", "garden", "pie", "a", "bread", "and", "honey", "sung"]
# Without its words, a file can only say the given ones. In the default search, its others are then unknown ones.
ALL = [word for word in NGramModel.load(ARPA, unit="word") if word not in ("<s>", "</s>", "<unk>")]
WEIGHTS = {"alpha": 0.5, "beta": 1.5, "unk_score_offset": -10.0, "score_boundary": True}


def logits(seed):
    rng = np.random.default_rng(seed)
    text = "the king was in the garden"
    labels = [label for letter in text for label in (LETTERS.index(letter), 0)]
    return rng.normal(0, 2, (len(labels), len(LETTERS))) + 3 * np.eye(len(LETTERS))[labels]


def expect_same(decoder, expected):
    for seed in range(4):
        found = decoder.decode_beams(logits(seed), beam_width=20)
        right = expected.decode_beams(logits(seed), beam_width=20)
        assert [(beam[0], beam[2]) for beam in found[:5]] == [(beam[0], beam[2]) for beam in right[:5]]
        assert [beam[4] for beam in found[:5]] == pytest.approx([beam[4] for beam in right[:5]], abs=1e-3)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("kind", ["probing", "trie", "array", "probing.nowords", "trie.nowords"])
@pytest.mark.parametrize("unigrams", [UNIGRAMS, ALL, None])
def test_a_decoder_with_a_binary_file(kind, strict, unigrams):
    path = FOLDER / f"word3.{kind}.bin"
    decoder = build_ctcdecoder(LETTERS, path, unigrams, strict=strict)
    if unigrams is None and not strict and "nowords" in kind:
        with pytest.raises(InvalidInputError, match=r"nowords\.bin does not hold its words.*expected unigrams="):
            decoder.decode_beams(logits(0))
        return
    expected = BeamSearchDecoderCTC(decoder._alphabet, LanguageModel(kenlm.Model(ARPA), unigrams), strict=strict)
    if unigrams is UNIGRAMS and not strict and "nowords" in kind:
        assert decoder.decode_beams(logits(0))[0][0] == expected.decode_beams(logits(0))[0][0]
        return
    expect_same(decoder, expected)
    expect_same(pickle.loads(pickle.dumps(decoder)) if strict else decoder, expected)


def hub_folder(folder, model, unigrams):
    """A folder as on model hubs, with this model file."""
    models = folder / "language_model"
    models.mkdir(parents=True)
    (folder / "alphabet.json").write_text(json.dumps({"labels": LETTERS, "is_bpe": False}))
    (models / "attrs.json").write_text(json.dumps(WEIGHTS))
    (models / "unigrams.txt").write_text("\n".join(unigrams) + "\n", encoding="utf-8")
    shutil.copyfile(model, models / f"5gram{model.suffix}")
    return folder


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", ["word3.trie.bin", "word3.probing.nowords.bin", "word3.ctclm"])
def test_folders(tmp_path, name, strict):
    model = FOLDER / name
    if name.endswith(".ctclm"):
        model = tmp_path / name
        NGramModel.load(ARPA, unit="word").save(model)
    unigrams = ALL if "nowords" in name else UNIGRAMS
    decoder = BeamSearchDecoderCTC.load_from_dir(hub_folder(tmp_path / "hub", model, unigrams), strict=strict)
    expected = build_ctcdecoder(LETTERS, ARPA, unigrams, strict=strict)
    expect_same(decoder, expected)
    (tmp_path / "again").mkdir()
    decoder.save_to_dir(tmp_path / "again")
    saved = tmp_path / "again" / "language_model"
    if model.suffix == ".bin":
        assert (saved / "5gram.bin").read_bytes() == model.read_bytes()
    else:  # the original does not read ctckit's files
        assert (saved / "5gram.arpa").exists()
    expect_same(BeamSearchDecoderCTC.load_from_dir(tmp_path / "again", strict=strict), expected)


def test_a_model_without_a_path_is_saved_as_its_file(tmp_path):
    path = FOLDER / "word3.trie.nowords.bin"
    ngrams = NGramModel.load(path, unigrams=UNIGRAMS)
    LanguageModel(ngrams, UNIGRAMS).save_to_dir(tmp_path)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes((FOLDER / "word3.trie.bin").read_bytes()[:200])
    with pytest.raises(DataError, match=r"Cannot read model .*model\.bin.*too few for its.*Is it truncated"):
        build_ctcdecoder(LETTERS, path)
    with pytest.raises(OSError, match="truncated"):  # as KenLM's
        kenlm.Model(path)


@pytest.mark.parametrize("name", ["word4.probing.bin", "word4.array.bin", "word3.trie.nowords.bin"])
def test_the_methods_of_kenlm(name):
    binary, arpa = kenlm.Model(str(FOLDER / name)), kenlm.Model(str(FOLDER / f"{name[:5]}.arpa"))
    assert binary.order == arpa.order == int(name[4])
    states = [kenlm.State() for _ in range(4)]
    binary.BeginSentenceWrite(states[0])
    arpa.BeginSentenceWrite(states[2])
    for word in ["the", "king", "was", "in", "the", "sung", "Über"]:
        full = binary.BaseFullScore(states[0], word, kenlm.State())
        found = binary.BaseScore(states[0], word, states[1])
        right = arpa.BaseScore(states[2], word, states[3])
        assert found == full.log_prob == pytest.approx(right, abs=LM_LOG10)
        assert full.oov == (word not in arpa)
        states = [states[1], states[0], states[3], states[2]]
    binary.NullContextWrite(states[1])
    assert states[1] == kenlm.State()
    assert {states[0]: 1}[states[0]] == 1
    assert states[0] != states[1]
    again = pickle.loads(pickle.dumps(binary))
    assert again.score("the king") == binary.score("the king")


def test_ctc_beam_decoder():
    decoder = ctc_beam_decoder.build_ctcdecoder(LETTERS, FOLDER / "word3.trie.bin", UNIGRAMS)
    expected = ctc_beam_decoder.build_ctcdecoder(LETTERS, ARPA, UNIGRAMS)
    assert decoder.decode(logits(1)) == expected.decode(logits(1))


def test_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    pyctcdecode.install()
    try:
        tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS[2:]]
        (tmp_path / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
        tokenizer = transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"))
        ids = tokenizer.get_vocab()
        labels = sorted(ids, key=ids.get)
        decoder = pyctcdecode.build_ctcdecoder(labels, str(FOLDER / "word3.trie.nowords.bin"), UNIGRAMS)
        processor = transformers.Wav2Vec2ProcessorWithLM(transformers.Wav2Vec2FeatureExtractor(), tokenizer, decoder)
        processor.save_pretrained(tmp_path / "saved")
        again = transformers.Wav2Vec2ProcessorWithLM.from_pretrained(tmp_path / "saved")
        scores = np.random.default_rng(1).normal(0, 3, (50, len(labels)))
        assert again.decode(scores).text == processor.decode(scores).text
    finally:
        pyctcdecode.uninstall()
