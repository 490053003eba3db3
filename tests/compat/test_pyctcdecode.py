"""ctckit.compat.pyctcdecode with strict=True: compared with results of the original (tests/golden); calls and files."""

import copy
import json
import lzma
import multiprocessing
import pickle
import sys

import numpy as np
import pytest

import ctckit
from ctckit.compat import kenlm, pyctcdecode
from ctckit.compat.pyctcdecode import Alphabet, BeamSearchDecoderCTC, LanguageModel, build_ctcdecoder
from ctckit.compat.pyctcdecode.language_model import (
    AbstractLanguageModel,
    MultiLanguageModel,
    load_unigram_set_from_arpa,
)
from ctckit.errors import DataError, InvalidInputError
from tests.support import pyctcdecode_cases as cases
from tests.support.paths import GOLDEN_FILES
from tests.support.tolerances import DOUBLE, PYCTCDECODE

GOLDEN = json.loads(lzma.decompress((GOLDEN_FILES / "pyctcdecode.json.xz").read_bytes()))
LETTERS = ["", " ", *"abcdefghijklmnopqrstuvwxyz"]


@pytest.fixture(scope="session")
def arpa(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.arpa"
    path.write_text(cases.small_arpa(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def word3(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "word3.arpa"
    path.write_bytes(lzma.decompress((cases.DATA / "word3.arpa.xz").read_bytes()))
    return path


def expect_equal(found, expected):
    """All that does not depend on hashes or on rounding in the original itself."""
    open_parts = expected.get("differing", ())
    for part in ("text", "words", "count", "digest"):
        if part not in open_parts:
            assert found[part] == expected[part], part
    compared = 0 if "best" in open_parts else 1 if "beams" in open_parts else cases.MOST_KEPT
    for beam, other in zip(found["beams"][:compared], expected["beams"][:compared], strict=True):
        assert beam[0] == other[0]
        assert beam[1:] == pytest.approx(other[1:], abs=PYCTCDECODE)


@pytest.mark.parametrize("seeds", [range(first, first + 50) for first in range(0, cases.RANDOM_CASES, 50)], ids=str)
def test_random_problems_give_the_original_s_texts_and_scores(seeds, arpa):
    for seed in seeds:
        case = cases.random_case(seed)
        decoder = build_ctcdecoder(case.labels, case.language_model and arpa, strict=True, **case.build)
        expect_equal(cases.answer(decoder, case), GOLDEN["random"][seed])
        decoder.cleanup()


def test_few_answers_of_the_original_are_left_open():
    for kind in ("random", "real"):
        left_open = [each for each in GOLDEN[kind] if {"best", "text"} & set(each.get("differing", ()))]
        assert len(left_open) <= len(GOLDEN[kind]) // 50, kind


@pytest.mark.slow
@pytest.mark.skipif(not cases.DATA.exists(), reason="the real posteriors are not here")
@pytest.mark.parametrize("name", cases.REAL_SETS)
@pytest.mark.parametrize("setting", cases.REAL_SETTINGS)
def test_real_posteriors_give_the_original_s_texts_and_scores(name, setting, request):
    asked = [(n, each) for n, each in enumerate(cases.real_names()) if (each[0], each[2]) == (name, setting)]
    decoder = None
    for n, each in asked:
        case = cases.real_case(*each)
        if decoder is None:
            model = request.getfixturevalue("word3") if case.language_model else None
            decoder = build_ctcdecoder(case.labels, model, strict=True)
        expect_equal(cases.answer(decoder, case), GOLDEN["real"][n])


@pytest.mark.parametrize(("labels", "expected"), list(zip(cases.ALPHABETS, GOLDEN["alphabets"], strict=True)), ids=str)
def test_labels_are_rewritten_as_by_the_original(labels, expected):
    given = list(labels)
    if expected is None:
        with pytest.raises(InvalidInputError, match="labels"):
            Alphabet.build_alphabet(labels)
    else:
        alphabet = Alphabet.build_alphabet(labels)
        assert [alphabet.labels, alphabet.is_bpe, alphabet.dumps()] == expected
        again = Alphabet.loads(alphabet.dumps())
        assert (again.labels, again.is_bpe) == (alphabet.labels, alphabet.is_bpe)
    assert labels == given


def small_decoder(arpa, **options):
    return build_ctcdecoder(
        ["", " ", *"abc"], arpa, [*cases.vocabulary()[::3], "zebra"], alpha=0.25, beta=2.0, **options
    )


def test_a_folder_has_the_original_s_files(arpa, tmp_path):
    small_decoder(arpa).save_to_dir(tmp_path)
    files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
    assert sorted(files) == sorted(GOLDEN["files"])
    for name, content in GOLDEN["files"].items():
        if content is None:
            assert files[name].read_bytes() == arpa.read_bytes()
        else:
            assert files[name].read_text(encoding="utf-8") == content


def peaked(text, labels=LETTERS, height=6.0):
    """Scores that lean towards a text, a blank after each letter."""
    index = {label: number for number, label in enumerate(labels)}
    logits = np.zeros((2 * len(text), len(labels)))
    for position, letter in enumerate(text):
        logits[2 * position, index[letter]] = height
        logits[2 * position + 1, index[""]] = height
    return logits


def test_a_folder_is_read_again(arpa, tmp_path):
    decoder = build_ctcdecoder(LETTERS, arpa, alpha=0.75, beta=0.5, unk_score_offset=-3.0, lm_score_boundary=False)
    decoder.save_to_dir(tmp_path)
    again = BeamSearchDecoderCTC.load_from_dir(tmp_path, strict=True)
    model = again._language_model
    assert (model.alpha, model.beta, model.unk_score_offset, model.score_boundary) == (0.75, 0.5, -3.0, False)
    decoder.strict = True
    logits = peaked("bagu be", height=3.0)
    assert again.decode_beams(logits) == decoder.decode_beams(logits)


@pytest.mark.difference(
    "pyctcdecode",
    "`load_from_dir` of a folder without `language_model`, but with other files",
    "an error, so it cannot read back a processor of transformers without a model",
    "a decoder without a model, also with `strict`",
)
def test_a_folder_without_a_model_and_one_with_others_files(tmp_path):
    build_ctcdecoder(LETTERS).save_to_dir(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{}")
    assert BeamSearchDecoderCTC.load_from_dir(tmp_path)._language_model is None


def test_a_folder_is_not_written_over(arpa, tmp_path):
    small_decoder(arpa).save_to_dir(tmp_path)
    before = (tmp_path / "alphabet.json").read_bytes()
    with pytest.raises(DataError, match="holds files already"):
        build_ctcdecoder(LETTERS, arpa).save_to_dir(tmp_path)
    assert (tmp_path / "alphabet.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alphabet.json", "language_model"]


def test_models_that_are_no_arpa_file_are_saved_as_one(arpa, tmp_path):
    packed = tmp_path / "packed.arpa.xz"
    packed.write_bytes(lzma.compress(arpa.read_bytes()))
    for source in (packed, ctckit.NGramModel.load(arpa, unit="word")):
        folder = tmp_path / type(source).__name__
        folder.mkdir()
        model = LanguageModel(kenlm.Model(source), cases.vocabulary())
        BeamSearchDecoderCTC(Alphabet(LETTERS, False), model).save_to_dir(folder)
        again = BeamSearchDecoderCTC.load_from_dir(folder)._language_model
        state = again.get_start_state()
        assert again.score(state, "bagu")[0] == pytest.approx(
            model.score(model.get_start_state(), "bagu")[0], abs=PYCTCDECODE
        )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "alphabet.json").unlink(), r"expected alphabet\.json among them"),
        (lambda folder: (folder / "alphabet.json").write_text("[1"), "the alphabet is not JSON"),
        (lambda folder: (folder / "alphabet.json").write_text("[]"), "the alphabet holds list; expected an object"),
        (lambda folder: (folder / "alphabet.json").write_text('{"labels": []}'), r"holds \['labels'\]; expected"),
        (lambda folder: (folder / "language_model" / "attrs.json").unlink(), r"expected attrs\.json, unigrams\.txt"),
        (lambda folder: (folder / "language_model" / "attrs.json").write_text('{"alpha": 1}'), "holds .'alpha'.; exp"),
        (lambda folder: (folder / "language_model" / "more.arpa").touch(), r"'more\.arpa'.*expected attrs\.json"),
        (
            lambda folder: (folder / "language_model" / "small.arpa").rename(folder / "language_model" / "a"),
            "expected a",
        ),
        (lambda folder: (folder / "language_model" / "small.arpa").write_text("no"), r"small\.arpa"),
    ],
)
def test_damaged_folders_are_refused(spoil, message, arpa, tmp_path):
    small_decoder(arpa).save_to_dir(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=message):
        BeamSearchDecoderCTC.load_from_dir(tmp_path)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read: No such file or directory; expected a folder with alphabet"):
        BeamSearchDecoderCTC.load_from_dir(tmp_path / "none")


@pytest.mark.parametrize(
    ("logits", "settings", "message"),
    [
        (np.zeros((3, 27)), {}, r"shape \(3, 27\) but the alphabet has 28 labels"),
        (np.zeros((1, 3, 28)), {}, r"shape \(1, 3, 28\); expected \(T, C\)"),
        (np.zeros((3, 28), bool), {}, "dtype bool"),
        (np.full((3, 28), np.nan), {}, r"logits\[0, 0\] is nan"),
        (np.full((3, 28), -np.inf), {}, r"logits\[0\] is −∞ in every class"),
        (np.zeros((3, 28)), {"beam_width": 0}, "beam_width is 0; expected a positive integer"),
        (np.zeros((3, 28)), {"beam_prune_logp": 1.0}, "beam_prune_logp is 1.0; expected nats below"),
        (np.zeros((3, 28)), {"beam_prune_logp": np.nan}, "beam_prune_logp is nan; expected nats below"),
        (np.zeros((3, 28)), {"hotwords": "word"}, r"hotwords is the string 'word'; expected a list.*Pass \['word'\]"),
        (np.zeros((3, 28)), {"hotwords": [3]}, r"hotwords\[0\] is 3; expected a string"),
    ],
)
@pytest.mark.difference(
    "pyctcdecode",
    "NaN, a frame in which every class is −∞, a string instead of a list of hotwords, a `beam_prune_logp` above 0",
    "a text, or an error from inside",
    "`InvalidInputError`, a `ValueError`, also with `strict`",
)
@pytest.mark.parametrize("strict", [True, False])
def test_wrong_calls(logits, settings, message, strict):
    decoder = build_ctcdecoder(LETTERS, strict=strict)
    with pytest.raises(InvalidInputError, match=message):
        decoder.decode_beams(logits, **settings)
    with pytest.raises(InvalidInputError, match=message):
        decoder.decode_beams_batch(None, [logits], **settings)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 1}, "alpha is 1; expected a float"),
        ({"beta": "1"}, "beta is '1'; expected a float"),
        ({"unk_score_offset": 3}, "unk_score_offset is 3; expected a float"),
        ({"lm_score_boundary": 0.0}, "score_boundary is 0.0; expected a bool"),
    ],
)
def test_parameters_are_checked(params, message, arpa):
    with pytest.raises(InvalidInputError, match=message):
        small_decoder(arpa).reset_params(**params)
    build_ctcdecoder(LETTERS).reset_params(**params)  # without a model there is nothing to set


def test_parameters_change_the_scores(arpa):
    decoder = build_ctcdecoder(LETTERS, arpa, strict=True)
    logits = peaked("bagu be")
    before = decoder.decode_beams(logits)[0]
    decoder.reset_params(alpha=0.0, beta=0.0, unk_score_offset=-1.0, lm_score_boundary=False)
    after = decoder.decode_beams(logits)[0]
    assert after[3] == pytest.approx(after[4], abs=DOUBLE)
    assert before[4] != after[4]
    decoder.reset_params()
    assert decoder.decode_beams(logits)[0] == after


def test_single_and_batch_agree_and_pools_serve(arpa):
    decoder = build_ctcdecoder(LETTERS, arpa, strict=True)
    items = [peaked("bagu be", height=3.0), peaked("be", height=2.0)]
    single = [[(beam[0], *beam[2:]) for beam in decoder.decode_beams(each)] for each in items]
    assert decoder.decode_beams_batch(None, items) == single
    assert decoder.decode_batch(None, items) == [decoder.decode(each) for each in items]

    class Pool:  # one that sends everything through pickle, as a pool of processes does
        _ctx = multiprocessing.get_context()

        @staticmethod
        def map(function, values):
            return [pickle.loads(pickle.dumps(function))(each) for each in values]

    assert decoder.decode_beams_batch(Pool, items) == single


@pytest.mark.parametrize("strict", [True, False])
def test_a_spawned_pool_is_not_used(strict, caplog):
    class Pool:
        _ctx = multiprocessing.get_context("spawn")

    decoder = build_ctcdecoder(LETTERS, strict=strict)
    assert decoder.decode_batch(Pool, [peaked("be")]) == ["be"]
    assert "so it is not used. Falling back to sequential decoding." in caplog.text  # transformers looks for the last


def test_decoders_are_copied_and_let_go(arpa):
    decoder = build_ctcdecoder(LETTERS, arpa, strict=True)
    assert copy.deepcopy(decoder).decode(peaked("bagu")) == "bagu"
    assert decoder._model_key in BeamSearchDecoderCTC.model_container
    decoder.cleanup()
    decoder.cleanup()
    assert decoder._model_key not in BeamSearchDecoderCTC.model_container
    with pytest.raises(InvalidInputError, match="cleanup"):
        decoder.decode(peaked("bagu"))


@pytest.mark.parametrize("row", [[0.0, -np.inf], [0.0, -100.0], [1.0, 0.0]])  # logits, and probabilities
def test_probabilities_are_clipped_as_by_the_original(row):
    settings = {"token_min_logp": -200.0, "beam_prune_logp": -200.0}
    beams = build_ctcdecoder(["", "a"], strict=True).decode_beams(np.array([row]), **settings)
    assert [beam[:1] + beam[3:] for beam in beams] == [("", 0.0, 0.0), ("a", np.log(1e-15), np.log(1e-15))]


def test_states_go_on(arpa):
    decoder = build_ctcdecoder(LETTERS, arpa, lm_score_boundary=False, strict=True)
    whole = decoder.decode_beams(peaked("bagu be"))[0]
    first = decoder.decode_beams(peaked("bagu"))[0]
    second = decoder.decode_beams(peaked("be"), lm_start_state=first[1])[0]
    alone = decoder.decode_beams(peaked("be"))[0]
    assert first[4] - first[3] + second[4] - second[3] == pytest.approx(whole[4] - whole[3], abs=PYCTCDECODE)
    assert second[4] != pytest.approx(alone[4], abs=PYCTCDECODE)
    assert second[1] == whole[1]


def test_several_models_are_averaged(arpa):
    one = LanguageModel(kenlm.Model(arpa), cases.vocabulary())
    two = LanguageModel(kenlm.Model(arpa), cases.vocabulary(), alpha=1.0, beta=0.5, unk_score_offset=-4.0)
    both = MultiLanguageModel([one, two])
    states = both.get_start_state()
    expected = (one.score(states[0], "be")[0] + two.score(states[1], "be")[0]) / 2
    assert both.score(states, "be")[0] == pytest.approx(expected, abs=DOUBLE)
    assert both.score_partial_token("zz") == -7.0
    assert both.order == 3
    decoder = BeamSearchDecoderCTC(Alphabet(LETTERS, False), both, strict=True)
    assert decoder.decode(peaked("bagu be")) == "bagu be"
    with pytest.raises(InvalidInputError, match="has 1 entries; expected two or more"):
        MultiLanguageModel([one])


def test_a_model_of_the_users_own(arpa):
    """With ``strict``, any ``AbstractLanguageModel``; without, the message names the interface that works."""
    inner = LanguageModel(kenlm.Model(arpa), cases.vocabulary())

    class Own(AbstractLanguageModel):
        order = 3

        def get_start_state(self):
            return inner.get_start_state()

        def score_partial_token(self, partial_token):
            return inner.score_partial_token(partial_token)

        def score(self, prev_state, word, is_last_word=False):
            return inner.score(prev_state, word, is_last_word)

    alphabet = Alphabet(LETTERS, False)
    found, expected = (BeamSearchDecoderCTC(alphabet, each, strict=True) for each in (Own(), inner))
    assert found.decode_beams(peaked("bagu be")) == expected.decode_beams(peaked("bagu be"))
    with pytest.raises(InvalidInputError, match=r"A Own needs strict=True: .* any object with begin, score and end"):
        BeamSearchDecoderCTC(alphabet, Own()).decode(peaked("bagu be"))


def test_unknown_beginnings_are_charged_by_their_length(arpa):
    model = LanguageModel(kenlm.Model(arpa), ["bagu", "be"])
    assert [model.score_partial_token(part) for part in ("b", "bag", "bagu", "bagus")] == [0, 0, 0, -10]
    assert model.score_partial_token("zzzzzzzzz") == -15
    assert LanguageModel(kenlm.Model(arpa)).score_partial_token("b") == -10


def test_words_of_an_arpa_file_are_those_with_a_back_off(arpa, tmp_path):
    assert load_unigram_set_from_arpa(arpa) == {"<s>", "<unk>", *cases.vocabulary()}
    (tmp_path / "none.arpa").write_text("\\data\\\n\\1-grams:\n-1\ta\n\\end\\\n")
    with pytest.raises(DataError, match="no unigram with a back-off weight"):
        load_unigram_set_from_arpa(tmp_path / "none.arpa")


def test_only_models_of_words_are_taken():
    with pytest.raises(InvalidInputError, match=r"kenlm_model is 3; expected an NGramModel, a ctckit\.compat\.kenlm"):
        LanguageModel(3)


def test_a_name_is_lent_and_given_back():
    assert "pyctcdecode" not in sys.modules
    pyctcdecode.install()
    try:
        import pyctcdecode.alphabet as lent_alphabet
        from pyctcdecode import build_ctcdecoder as lent

        assert lent is build_ctcdecoder
        assert lent_alphabet.Alphabet is Alphabet
        pyctcdecode.install()
    finally:
        pyctcdecode.uninstall()
    pyctcdecode.uninstall()
    assert not {name for name in sys.modules if name.partition(".")[0] in ("pyctcdecode", "kenlm")}


def test_a_name_is_not_taken_from_another(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyctcdecode", sys)
    with pytest.raises(InvalidInputError, match=r"pyctcdecode is imported already, .*Call install\(\) before"):
        pyctcdecode.install()
    pyctcdecode.uninstall()
    assert sys.modules["pyctcdecode"] is sys


def test_the_hub_s_package_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="load_from_hf_hub needs huggingface_hub, which is not installed"):
        BeamSearchDecoderCTC.load_from_hf_hub("someone/model")

    class Hub:
        @staticmethod
        def snapshot_download(model_id, cache_dir, **options):
            asked.append((model_id, cache_dir, options))
            return str(tmp_path)

    asked = []
    build_ctcdecoder(LETTERS).save_to_dir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", Hub)
    decoder = BeamSearchDecoderCTC.load_from_hf_hub(
        "someone/model", cache_dir="here", allow_patterns=["*"], strict=True
    )
    assert decoder.strict
    assert asked == [("someone/model", "here", {"allow_patterns": ["*"]})]
