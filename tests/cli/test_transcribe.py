"""``ctckit transcribe``, with tiny acoustic models that are installed as plug-ins."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit import BeamDecoder, NGramModel
from ctckit.acoustic_models import AcousticModel, listen, load_model
from ctckit.cli import app
from ctckit.cli.lazy import with_all_commands
from ctckit.decoding.streaming import DecodeStream
from tests.support import tiny_acoustic_model
from tests.support.tiny_acoustic_model import FRAME_SAMPLES, RATE, VOCABULARY, samples_of

runner = CliRunner()
COMMANDS = with_all_commands(app).commands


def invoke(*arguments):
    return runner.invoke(app, ["transcribe", *(str(argument) for argument in arguments)])


def load_failing(argument):
    """A model whose network fails on recordings that begin loud."""

    def log_probs(samples):
        if abs(samples[0]) > 0.75:
            raise RuntimeError("too loud")
        return tiny_acoustic_model.log_probs(samples)

    return AcousticModel(VOCABULARY, RATE, FRAME_SAMPLES, log_probs)


def load_nan(argument):
    return AcousticModel(VOCABULARY, RATE, FRAME_SAMPLES, lambda part: tiny_acoustic_model.log_probs(part) * np.nan)


def load_unmarked(argument):
    """A model without marks of words: the space is a token like others."""
    unmarked = VOCABULARY.from_characters(tiny_acoustic_model.LETTERS)
    return AcousticModel(unmarked, RATE, FRAME_SAMPLES, tiny_acoustic_model.log_probs)


@pytest.fixture
def files(tmp_path, monkeypatch):
    here = "tests.cli.test_transcribe"
    tiny_acoustic_model.install(
        tmp_path,
        tiny="tests.support.tiny_acoustic_model:load",
        speller="tests.support.tiny_acoustic_model:load_speller",
        failing=f"{here}:load_failing",
        nan=f"{here}:load_nan",
        unmarked=f"{here}:load_unmarked",
    )
    monkeypatch.syspath_prepend(tmp_path)
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "bad.wav", samples_of("bad cab", lead=5), RATE)
    soundfile.write(tmp_path / "face.wav", samples_of("face"), RATE)
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), RATE)
    soundfile.write(tmp_path / "loud.wav", samples_of("gag"), RATE)
    (tmp_path / "text.wav").write_text("not a recording", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


TINY = ("--model", "tiny")


def test_the_text_is_printed(files):
    result = invoke("bad.wav", *TINY)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "bad cab\n", ""), result.output


def test_the_times_are_less_the_lag_of_the_model(files):
    plain, less = (
        json.loads(invoke("bad.wav", "-m", model, "--format", "json").stdout) for model in ("tiny", "tiny:0.1")
    )
    for tier in ("lines", "words"):
        for before, after in zip(plain["tiers"][tier], less["tiers"][tier], strict=True):
            assert after["start_seconds"] == pytest.approx(before["start_seconds"] - 0.1, abs=1e-6)
            assert after["end_seconds"] == pytest.approx(before["end_seconds"] - 0.1, abs=1e-6)


def test_path_and_text_of_several(files):
    result = invoke("bad.wav", "face.wav", "none.wav", *TINY)
    assert (result.exit_code, result.stdout) == (0, "bad.wav\tbad cab\nface.wav\tface\nnone.wav\t\n")


def test_subtitles_have_the_times_of_the_decoder(files):
    result = invoke("bad.wav", *TINY, "--format", "srt", "--cue-padding", 0, 0)
    assert result.stdout == "1\n00:00:00,500 --> 00:00:02,500\nbad cab\n"
    found = invoke("bad.wav", *TINY, "-f", "vtt", "--cue-padding", 0, 0).stdout
    assert found == "WEBVTT\n\nNOTE confidence 1.00\n\n00:00:00.500 --> 00:00:02.500\nbad cab\n"


def test_words_have_times_within_lines(files):
    def last_line(form):
        return invoke("bad.wav", *TINY, "-f", form, "--karaoke", "--cue-padding", 0, 0).stdout.splitlines()[-1]

    assert last_line("vtt") == "bad <00:00:01.700>cab"
    assert last_line("lrc") == "[00:00.50]<00:00.50>bad <00:01.70>cab"
    assert last_line("ass").endswith(r",,{\k120}bad {\k80}cab")
    assert ">cab</span>" in last_line("ttml")
    assert last_line("srt") == "bad cab"


def test_json_has_lines_and_words(files):
    content = json.loads(invoke("bad.wav", *TINY, "--format", "json").stdout)
    assert (content["format"], content["media"], content["duration_seconds"]) == ("ctckit-alignment", "bad.wav", 2.6)
    assert list(content["tiers"]) == ["lines", "words"]
    model = load_model("tiny")
    [[best]] = BeamDecoder(VOCABULARY).decode(listen("bad.wav", model).log_probs)
    for found, word in zip(content["tiers"]["words"], best.words, strict=True):
        start, end = word.seconds(0.1)
        assert found == {
            "text": word.text,
            "start_seconds": round(start, 6),
            "end_seconds": round(end, 6),
            "confidence": word.confidence,
        }
    assert [line["text"] for line in content["tiers"]["lines"]] == ["bad cab"]


@pytest.mark.parametrize(("form", "ending"), [("text", "txt"), ("srt", "srt"), ("vtt", "vtt"), ("json", "json")])
def test_a_folder_of_files(files, form, ending):
    result = invoke("bad.wav", "face.wav", *TINY, "--format", form, "--out", "made/here")
    assert (result.exit_code, result.output) == (0, "")
    assert sorted(path.name for path in (files / "made/here").iterdir()) == [f"bad.{ending}", f"face.{ending}"]
    alone = invoke("bad.wav", *TINY, "--format", form).stdout
    assert (files / f"made/here/bad.{ending}").read_text(encoding="utf-8") == alone


def test_bad_recordings_are_left_out_and_named(files):
    result = invoke("text.wav", "bad.wav", "loud.wav", "no.wav", "face.wav", "--model", "failing")
    assert result.exit_code == 2
    assert result.stdout == "bad.wav\tbad cab\nface.wav\tface\n"
    lines = result.stderr.splitlines()
    assert lines[0] == "ctckit: 3 of 5 recordings cannot be transcribed:"
    assert lines[1].startswith("  text.wav: not a recording that libsndfile reads (")
    assert lines[2] == (
        "  loud.wav: the acoustic model cannot compute 900 samples of it (RuntimeError: too loud)."
    )  # fmt: skip
    assert lines[3:] == ["  no.wav: there is no such file."]


def test_one_bad_recording_is_one_message(files):
    result = invoke("no.wav", *TINY)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "ctckit: no.wav: there is no such file.\n")
    result = invoke("bad.wav", "--model", "nan")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("ctckit: bad.wav: log_probs[0] ")


def test_a_recording_that_breaks_off(files):
    soundfile = pytest.importorskip("soundfile")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 60 * RATE).astype(np.float32)
    soundfile.write("broken.flac", noise, RATE)
    content = (files / "broken.flac").read_bytes()
    (files / "broken.flac").write_bytes(content[: len(content) // 2])
    result = invoke("broken.flac", "bad.wav", *TINY)
    assert (result.exit_code, result.stdout) == (2, "bad.wav\tbad cab\n")
    assert "1 of 2 recordings cannot be transcribed:\n  broken.flac: " in result.stderr


def test_the_decoder_gets_the_frames_chunk_by_chunk(files, monkeypatch):
    """A long recording: no push is longer than a chunk, and the result is that of decoding all frames at once."""
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    text = " ".join("".join(rng.choice(list("abcdefg"), 4)) for _ in range(60))
    soundfile.write("long.wav", samples_of(text) + rng.normal(0, 0.01, len(samples_of(text))), RATE)
    pushed, push = [], DecodeStream.push
    monkeypatch.setattr(DecodeStream, "push", lambda self, frames: (pushed.append(len(frames)), push(self, frames))[1])
    result = invoke("long.wav", *TINY, "--chunk-seconds", 10)
    emissions = listen("long.wav", load_model("tiny"), chunk_seconds=10)
    assert sum(pushed) == len(emissions.log_probs)
    assert max(pushed) <= 150  # a chunk, and the context that is left at the end
    assert result.stdout == BeamDecoder(VOCABULARY).decode(emissions.log_probs)[0][0].text + "\n"
    assert result.stdout == text + "\n"


def test_a_language_model_and_a_file_of_settings(files):
    NGramModel.train(["bag cab"] * 5 + ["bag"], order=2, unit="word").save("words.arpa")
    (files / "settings.json").write_text('{"lm_weight": 20, "oov_charge": null}', encoding="utf-8")
    lm = ("--lm", "words.arpa", "--lm-unit", "word")
    assert invoke("bad.wav", *TINY, *lm).stdout == "bad cab\n"
    assert invoke("bad.wav", *TINY, *lm, "--settings", "settings.json").stdout == "bag cab\n"
    assert invoke("bad.wav", *TINY, *lm, "--closed").stdout == "bag cab\n"


# --- models of sounds: the tiny model spells words backwards


def test_sounds_without_words(files):
    assert invoke("bad.wav", "--model", "speller").stdout == "bad cab\n"


def test_the_words_of_a_lexicon_are_spelled_by_the_model(files):
    (files / "words.txt").write_text("Dab\nbac\nace\n", encoding="utf-8")
    result = invoke("bad.wav", "--model", "speller", "--lexicon", "words.txt", "--format", "json")
    assert result.exit_code == 0, result.output
    words = json.loads(result.stdout)["tiers"]["words"]
    assert [(word["text"], word["start_seconds"], word["end_seconds"]) for word in words] == [
        ("Dab", 0.5, 1.3),
        ("bac", 1.7, 2.5),
    ]


def test_the_words_of_a_language_model_are_spelled_by_the_model(files):
    NGramModel.train(["dab bac", "ace dab"], order=2, unit="word").save("words.arpa")
    result = invoke("bad.wav", "--model", "speller", "--lm", "words.arpa", "--lm-unit", "word")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "dab bac\n", "")


def test_of_a_language_model_the_words_of_the_dictionary(files):
    """The model would spell "dab" as well, but a language model may have too many words for that."""
    NGramModel.train(["dab taxi", "ace dab"], order=2, unit="word").save("words.arpa")
    (files / "d.dict").write_text("taxi c a b\n", encoding="utf-8")
    lm = ("--lm", "words.arpa", "--lm-unit", "word", "--dictionary", "d.dict")
    result = invoke("bad.wav", "--model", "speller", *lm)
    assert (result.exit_code, result.stdout) == (0, "bad taxi\n")
    assert result.stderr.startswith("ctckit: 2 of 3 words have no pronunciation and are left out: ")


def test_the_dictionary_comes_first_and_words_without_sounds_are_named(files):
    (files / "words.txt").write_text("naughty\ntaxi\ngab\n", encoding="utf-8")
    (files / "d.dict").write_text("naughty b a d\ntaxi c a b\ntaxi(2) f a c\nother e\n", encoding="utf-8")
    result = invoke("bad.wav", "--model", "speller:gab", "--lexicon", "words.txt", "--dictionary", "d.dict")
    assert (result.exit_code, result.stdout) == (0, "naughty taxi\n")
    assert result.stderr == (
        "ctckit: 1 of 3 words have no pronunciation and are left out: gab. Add them to --dictionary.\n"
    )  # fmt: skip
    assert invoke("bad.wav", *TINY, "--dictionary", "d.dict", "--closed").stdout == "naughty taxi\n"


def test_a_lexicon_of_spellings(files):
    (files / "words.txt").write_text("naughty\tb a d\ntaxi\tc a b\n", encoding="utf-8")
    result = invoke("bad.wav", "--model", "speller", "--lexicon", "words.txt")
    assert (result.exit_code, result.stdout) == (0, "naughty taxi\n")
    (files / "d.dict").write_text("naughty b a d\n", encoding="utf-8")
    refused = invoke("bad.wav", "--model", "speller", "--lexicon", "words.txt", "--dictionary", "d.dict")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "ctckit: --dictionary is given, but words.txt has the spellings of its words.\n",
    )


def test_a_model_without_marks_of_words(files):
    assert invoke("bad.wav", "--model", "unmarked").stdout == "bad cab\n"
    assert invoke("bad.wav", "--model", "unmarked", "-f", "srt").stdout.splitlines()[2] == "bad cab"
    tiers = json.loads(invoke("bad.wav", "--model", "unmarked", "-f", "json").stdout)["tiers"]
    assert [token["text"] for token in tiers["tokens"]] == list("bad␣cab")
    assert invoke("none.wav", "--model", "unmarked", "-f", "vtt").stdout == "WEBVTT\n"


# --- options and messages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bad.wav", "face.wav", *TINY, "-f", "srt"), "--format srt is for one recording each; expected --out, a fold"),
        (
            ("bad.wav", "x/bad.wav", *TINY, "-o", "made"),
            "bad.wav and x/bad.wav would both be written to made/bad.txt; transcribe one of them with another --out.",
        ),
        (("bad.wav", "--model", "nobody"), "model is 'nobody'; expected a folder"),
        (("bad.wav",), "Missing option '--model'"),
        (("bad.wav", *TINY, "--format", "doc"), "'doc' is not one of"),
        (("bad.wav", *TINY, "-o", "text.wav"), "text.wav: this folder cannot be made"),
        (("bad.wav", *TINY, "--lexicon", "no.txt"), "no.txt: there is no such file."),
        (
            ("bad.wav", "--model", "speller:d", "--lexicon", "dab.txt"),
            "no word has a pronunciation (dab); expected --di",
        ),
    ],
)
def test_what_cannot_be_done_is_said(files, arguments, message):
    (files / "dab.txt").write_text("dab\n", encoding="utf-8")
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split()), result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("name", "other"), [("chunk_seconds", "align"), ("settings", "decode"), ("lm", "decode"), ("beam_width", "read")]
)
def test_options_are_those_of_other_commands(name, other):
    def declared(command):
        [option] = [each for each in COMMANDS[command].params if each.name == name]
        return option.opts, option.help, option.default

    assert declared("transcribe") == declared(other)
