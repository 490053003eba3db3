"""``ctckit align``, on saved posteriors and on recordings with a tiny acoustic model."""

import base64
import io
import json
import re
import sys
import types
import wave
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit.alignment import TimedText, write_alignment
from ctckit.alignment.writers import FORMATS
from ctckit.cli import app
from ctckit.cli.align.files import KARAOKE, ONE_TIER
from ctckit.errors import InvalidInputError
from tests.support import tiny_acoustic_model
from tests.support.tiny_acoustic_model import RATE, VOCABULARY, samples_of
from tests.support.tolerances import LOUDNESS_16_BITS

runner = CliRunner()


def invoke(*arguments):
    return runner.invoke(app, ["align", *(str(argument) for argument in arguments)])


def rows(result):
    assert result.exit_code == 0, result.output
    return [line.split("\t") for line in result.stdout.splitlines()]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Posteriors of "bad cab", a frame of 100 ms each, five of silence before; a recording of the same; texts."""
    tiny_acoustic_model.install(
        tmp_path,
        tiny="tests.support.tiny_acoustic_model:load",
        speller="tests.support.tiny_acoustic_model:load_speller",
    )
    monkeypatch.syspath_prepend(tmp_path)
    samples = samples_of("bad cab", lead=5)
    frames = tiny_acoustic_model.log_probs(samples)
    np.savez(tmp_path / "one.npz", log_probs=frames)
    np.savez(tmp_path / "two.npz", first=frames[5:], second=frames)
    (tmp_path / "tokens.txt").write_text("\n".join(VOCABULARY.tokens), encoding="utf-8")
    (tmp_path / "text.txt").write_text("“Bad\ncab!”\n", encoding="utf-8")
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "talk.wav", samples, RATE)
    soundfile.write(tmp_path / "twice.wav", np.repeat(samples, 2), 2 * RATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


POSTERIORS = ("one.npz", "text.txt", "-v", "tokens.txt", "--separator", " ", "--frame-ms", 100)
RECORDING = ("talk.wav", "text.txt", "--model", "tiny", "--boundaries", "spike")


@pytest.mark.parametrize("arguments", [(*POSTERIORS, "--boundaries", "spike"), RECORDING])
def test_words_are_printed_as_they_are_written(files, arguments):
    found = rows(invoke(*arguments))
    assert [(row[0], row[1], row[3]) for row in found] == [("0.500", "1.300", "“Bad"), ("1.700", "2.500", "cab!”")]
    assert all(float(row[2]) > 0.9 for row in found)


def test_boundaries_and_offset(files):
    assert [row[:2] for row in rows(invoke(*RECORDING, "--offset", 60))] == [["60.500", "61.300"], ["61.700", "62.500"]]
    met = rows(invoke(*RECORDING[:-1], "midpoint"))
    assert [row[:2] for row in met] == [["0.450", "1.350"], ["1.650", "2.550"]]
    assert rows(invoke(*RECORDING[:-2])) == met


def test_one_channel_of_a_recording(files):
    import soundfile

    samples, _ = soundfile.read(files / "talk.wav", dtype="float32")
    noise = 0.7 * np.sign(np.sin(np.arange(len(samples)))).astype(np.float32)
    soundfile.write(files / "two.wav", np.stack([noise, samples], axis=1), RATE)
    found = rows(invoke("two.wav", *RECORDING[1:], "--channel", 2))
    assert [row[:2] for row in found] == [["0.500", "1.300"], ["1.700", "2.500"]]
    refused = invoke("two.wav", *RECORDING[1:], "--channel", 3)
    assert (refused.exit_code, refused.stderr) == (
        2,
        "ctckit: channel is 3, but two.wav has 2; expected 1..2.\n",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--language", "deu"), "ctckit: language is given, which the acoustic model 'tiny' does not have."),
        (("--device", "cuda"), "ctckit: device is given, which the acoustic model 'tiny' does not have."),
        (("--batch-size", 2), "ctckit: batch_size is 2, but the model computes one chunk at a time; expected 1."),
    ],
)
def test_options_that_an_acoustic_model_does_not_have(files, options, message):
    result = invoke(*RECORDING, *options)
    assert (result.exit_code, result.stderr.startswith(message)) == (2, True)


def test_times_may_be_shifted_forward(files):
    assert [row[:2] for row in rows(invoke(*RECORDING, "--offset", -0.6))] == [["0.000", "0.700"], ["1.100", "1.900"]]


def test_a_line_ends_with_its_last_word_that_is_spelled(files):
    (files / "text.txt").write_text("Bad 7\ncab", encoding="utf-8")
    result = invoke(*RECORDING, "--tier", "lines")
    assert [row[:2] for row in rows(result)] == [["0.500", "1.300"], ["1.700", "2.500"]]
    assert "Add spellings with --dictionary or --replacements, or read numbers with --numbers." in result.stderr


def test_words_before_the_start_are_told(files):
    result = invoke(*RECORDING, "--offset", -1.5)
    assert "ctckit: with --offset -1.5, the first word lies before 0 and has no time.\n" in result.stderr
    result = invoke(*RECORDING, "--offset", -2.6)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        "ctckit: --offset is -2.6, and the input has 2.600 s; expected a number above -2.600.",
    )


def test_the_lag_of_the_model(files):
    """It moves all times; if it is known, sounds are contiguous."""
    assert [row[:2] for row in rows(invoke(*RECORDING, "--lag", 0.05))] == [["0.450", "1.250"], ["1.650", "2.450"]]
    (files / "lag.json").write_text('{"lag_seconds": 0.05}')
    first, second = rows(invoke(*RECORDING[:-2], "--lag", "lag.json"))
    assert abs(float(first[0]) - 0.475) < 0.01  # it gets loud at 0.5
    assert float(first[1]) < float(second[0])  # 0.4 s of silence
    assert rows(invoke(*RECORDING[:-1], "contiguous", "--lag", 0.05)) == [first, second]
    for lag, message in (("x.json", "expected seconds, or a file that --calibrate wrote"), ("text.txt", "no lag_sec")):
        result = invoke(*RECORDING, "--lag", lag)
        assert result.exit_code == 2
        assert message in result.stderr


def test_calibrate_writes_a_lag_that_align_reads(files):
    textgrid = pytest.importorskip("praatio.textgrid")
    folder = files / "labeled"
    folder.mkdir()
    (files / "talk.wav").rename(folder / "talk.wav")
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("words", [(0.5, 1.6, "bad"), (1.6, 2.5, "cab")], 0, 2.6))
    grid.save(str(folder / "talk.TextGrid"), format="short_textgrid", includeBlankSpaces=True)
    result = invoke("--calibrate", "labeled", "--model", "tiny", "-o", "lag.json")
    assert result.exit_code == 0, result.output
    content = json.loads((files / "lag.json").read_text())
    assert (content["model"], content["words"], content["recordings"]) == ("tiny", 1, 1)
    [_, second] = rows(invoke("labeled/talk.wav", *RECORDING[1:-2], "--lag", "lag.json"))
    assert abs(float(second[0]) - 1.6) < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--calibrate", "talk.wav"), "--calibrate takes a folder of recordings with TextGrids, and no text; got talk"),
        (("--calibrate", ".", "text.txt"), "and no text; got . and text.txt."),
        (("--calibrate", "."), "--calibrate needs --model"),
        (("--calibrate", ".", "-m", "tiny"), "--calibrate needs one --out, a .json file."),
        (("talk.wav", "-m", "tiny"), "TEXT is missing; expected a file with the spoken text."),
        (("talk.wav", "text.txt", "-m", "tiny", "--dictionary-only"), "--dictionary-only needs --dictionary"),
    ],
)
def test_arguments_that_do_not_go_together(files, arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_the_dictionary_can_be_the_only_source(files):
    (files / "words.dict").write_text("bad d a b\n")
    both = ("talk.wav", "text.txt", "--model", "speller", "-d", "words.dict")
    assert "cannot be spelled" not in invoke(*both).stderr
    assert "cab!” cannot be spelled" in invoke(*both, "--dictionary-only").stderr


def test_a_recording_of_another_rate_and_in_chunks(files):
    found = rows(invoke("twice.wav", *RECORDING[1:], "--chunk-seconds", 1))
    assert [row[:2] for row in found] == [["0.500", "1.300"], ["1.700", "2.500"]]


def test_every_kind_of_file(files):
    endings = ("TextGrid", "eaf", "srt", "vtt", "ctm", "txt", "json")
    outputs = [part for ending in endings for part in ("-o", f"out.{ending}")]
    result = invoke(*RECORDING, *outputs)
    assert (result.exit_code, result.output) == (0, "ctckit: 2 lines, 2 words, mean confidence 1.00.\n")
    content = json.loads((files / "out.json").read_text(encoding="utf-8"))
    assert content["media"] == "talk.wav"
    assert content["duration_seconds"] == 2.6
    assert [each["text"] for each in content["tiers"]["lines"]] == ["“Bad", "cab!”"]
    assert [each["text"] for each in content["tiers"]["tokens"]] == list("badcab")
    assert content["tiers"]["tokens"][1] == {
        "text": "a",
        "start_seconds": 0.8,
        "end_seconds": 1.0,
        "confidence": pytest.approx(1.0, abs=LOUDNESS_16_BITS),
    }
    assert (files / "out.ctm").read_text(encoding="utf-8").startswith("talk 1 0.500000 0.800000 “Bad ")
    assert (files / "out.txt").read_text(encoding="utf-8").splitlines()[1] == "1.700000\t2.500000\tcab!”"
    assert (files / "out.srt").read_text(encoding="utf-8").splitlines()[2] == "“Bad"
    tiers = [tier.get("TIER_ID") for tier in ElementTree.parse(files / "out.eaf").iter("TIER")]
    assert tiers[:3] == ["lines", "words", "tokens"]
    assert 'name = "tokens"' in (files / "out.TextGrid").read_text(encoding="utf-8")


def test_one_tier_can_be_asked_for(files):
    for tier, count in (("lines", 2), ("words", 2), ("tokens", 6)):
        assert len(rows(invoke(*RECORDING, "--tier", tier))) == count
        invoke(*RECORDING, "--tier", tier, "-o", "out.json", "-o", "out.txt")
        assert list(json.loads((files / "out.json").read_text(encoding="utf-8"))["tiers"]) == [tier]
        assert len((files / "out.txt").read_text(encoding="utf-8").splitlines()) == count


def test_a_text_of_one_line_has_subtitles_too(files):
    (files / "text.txt").write_text("Bad cab.", encoding="utf-8")
    invoke(*RECORDING, "-o", "out.srt", "-o", "out.json")
    assert "Bad cab." in (files / "out.srt").read_text(encoding="utf-8").splitlines()
    assert list(json.loads((files / "out.json").read_text(encoding="utf-8"))["tiers"]) == ["lines", "words", "tokens"]
    assert [row[3] for row in rows(invoke(*RECORDING, "--tier", "lines"))] == ["Bad cab."]


def cues_of(path):
    """The times and texts of the cues in a file."""
    return [tuple(block.split("\n")[1:]) for block in path.read_text(encoding="utf-8").strip().split("\n\n")]


def test_limits_of_subtitles(files):
    (files / "text.txt").write_text("Bad cab.", encoding="utf-8")
    invoke(*RECORDING, "-o", "out.srt")
    assert cues_of(files / "out.srt") == [("00:00:00,500 --> 00:00:02,600", "Bad cab.")]  # 2.6 s: the recording's end
    invoke(*RECORDING, "-o", "out.srt", "--cue-characters", 4, "--cue-padding", 0.1, 0.25)
    assert cues_of(files / "out.srt") == [("00:00:00,400 --> 00:00:02,600", "Bad", "cab.")]
    limits = ("--cue-characters", 4, "--cue-lines", 1, "--cue-gap", 0.2, "--cue-seconds", 0.5, 3, "--reading-speed", 30)
    invoke(*RECORDING, "-o", "out.srt", "--preset", "broadcast", "--cue-padding", 0, 0, *limits)
    assert cues_of(files / "out.srt") == [
        ("00:00:00,500 --> 00:00:01,300", "Bad"),
        ("00:00:01,700 --> 00:00:02,500", "cab."),
    ]
    refused = invoke(*RECORDING, "-o", "out.srt", "--cue-seconds", 3, 1)
    assert refused.exit_code == 2
    assert "shortest_seconds is 3.0, longest_seconds 1.0" in " ".join(refused.output.split())


def test_words_that_cannot_be_spelled_are_named_and_have_a_wildcard(files):
    (files / "text.txt").write_text("bad 42 cab", encoding="utf-8")
    result = invoke(*RECORDING)
    assert result.stderr.startswith(
        "ctckit: 42 cannot be spelled in the model's tokens; each is aligned as a wildcard."
    )
    found = rows(result)
    assert [row[3] for row in found] == ["bad", "42", "cab"]
    assert found[1][0] == found[1][1]
    (files / "spoken.txt").write_text("42\tcab\n", encoding="utf-8")
    (files / "text.txt").write_text("bad 42", encoding="utf-8")
    result = invoke(*RECORDING, "--replacements", "spoken.txt")
    assert "spelled" not in result.stderr
    assert [row[3] for row in rows(result)] == ["bad", "42"]
    assert rows(result)[1][:2] == ["1.700", "2.500"]


def test_numbers_and_other_scripts(files, monkeypatch):
    numbers = types.ModuleType("num2words")
    numbers.CONVERTER_CLASSES, numbers.num2words = {"en": None}, lambda *_, **__: "cab"
    monkeypatch.setitem(sys.modules, "num2words", numbers)
    letters = types.SimpleNamespace(romanize_string=lambda _: "bad")
    monkeypatch.setattr("ctckit.alignment.spoken._uroman", lambda: letters)
    (files / "text.txt").write_text("бад 42", encoding="utf-8")
    result = invoke(*RECORDING, "--numbers", "en", "--romanize")
    assert [(row[0], row[1], row[3]) for row in rows(result)] == [("0.500", "1.300", "бад"), ("1.700", "2.500", "42")]
    assert "cannot be spelled" not in result.stderr
    (files / "spoken.txt").write_text("бад\tbad\n", encoding="utf-8")
    assert rows(invoke(*RECORDING, "--numbers", "en", "--replacements", "spoken.txt")) == rows(result)
    refused = invoke(*RECORDING, "--numbers", "xx")
    assert (refused.exit_code, refused.stderr) == (2, "ctckit: language is 'xx'; num2words knows en.\n")


def test_a_text_of_a_part_of_the_recording(files):
    (files / "text.txt").write_text("cab", encoding="utf-8")
    assert rows(invoke(*RECORDING))[0][:2] == ["1.700", "2.500"]
    assert rows(invoke(*RECORDING, "--no-edges"))[0][:2] != ["1.700", "2.500"]


def test_speech_between_two_lines_that_the_text_does_not_have(files):
    samples = samples_of("bad eeffgg cab", lead=5)
    np.savez("one.npz", log_probs=tiny_acoustic_model.log_probs(samples))
    found = rows(invoke(*POSTERIORS, "--boundaries", "spike"))
    assert [row[:2] for row in found] == [["0.500", "1.300"], ["3.800", "4.600"]]
    assert rows(invoke(*POSTERIORS, "--boundaries", "spike", "--no-gaps")) != found


def test_lines_that_were_not_said_are_told(files):
    """The summary has their numbers in the file and their times; --fail-below makes them a failure."""
    (files / "text.txt").write_text("\nfe\nbad\ncab\n", encoding="utf-8")
    result = invoke(*RECORDING)
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[0].startswith("ctckit: 3 lines, 3 words, mean confidence 0.66.")
    assert lines[1] == "ctckit: 1 suspicious, with a confidence below 0.1:"
    assert lines[2].startswith("  line 2, 0.")
    assert lines[2].endswith(" s, 0.00: fe")
    assert len(lines) == 3
    assert invoke(*RECORDING, "--fail-below", 0.1).exit_code == 3
    (files / "text.txt").write_text("bad\ncab\n", encoding="utf-8")
    assert invoke(*RECORDING, "--fail-below", 0.1).exit_code == 0


def test_a_page_of_suspicious_lines(files):
    """A part of the recording around each, drawn and playable; one file that loads nothing."""
    (files / "text.txt").write_text("fe & <>\nbad\ncab\n", encoding="utf-8")
    result = invoke(*RECORDING, "--report", "report.html")
    assert result.exit_code == 0, result.output
    page = (files / "report.html").read_text(encoding="utf-8")
    assert page.count('<figure class="card">') == page.count("<audio ") == page.count('class="sound"') == 1
    assert "fe &amp; &lt;&gt;" in page
    assert "talk.wav, line 1 · 0." in page
    assert not re.findall(r"<script|<link|https?:", page)
    [sound] = re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)
    with wave.open(io.BytesIO(base64.b64decode(sound))) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        assert 1.0 < file.getnframes() / RATE <= 2.6
    assert read_page(page) == ["talk.wav", "Confidences of lines", "Suspicious lines"]
    assert "report.html" in invoke(*RECORDING, "--report", "nodir/report.html").stderr


def read_page(page):
    return re.findall(r"<h[12]>([^<]*)</h[12]>", page)


def test_a_page_without_suspicious_lines_and_of_posteriors(files):
    assert invoke(*RECORDING, "--report", "report.html").exit_code == 0
    page = (files / "report.html").read_text(encoding="utf-8")
    assert '<p class="quiet">None.</p>' in page
    (files / "text.txt").write_text("fe\nbad\ncab\n", encoding="utf-8")
    assert invoke(*POSTERIORS, "--report", "report.html").exit_code == 0
    page = (files / "report.html").read_text(encoding="utf-8")
    assert (page.count('<figure class="card">'), page.count("<audio ")) == (1, 0)


def test_outputs_are_checked_before_the_model_runs(files, monkeypatch):
    monkeypatch.setattr(tiny_acoustic_model, "log_probs", None)  # a call would fail
    (files / "folder.srt").mkdir()
    result = invoke(*RECORDING, "-o", "nodir/x.srt", "-o", "folder.srt", "-o", "ok.TextGrid")
    assert result.exit_code == 2
    assert "nodir/x.srt: cannot be written (there is no folder nodir). Make it, or choose another." in result.stderr
    assert "folder.srt: is a folder; expected the name of a file." in result.stderr
    assert not (files / "ok.TextGrid").exists()
    result = invoke(*RECORDING, "--save-emissions", "kept.bin")
    assert "--save-emissions is kept.bin; expected a file whose name ends in .npz." in result.stderr


def test_an_output_that_fails_does_not_take_the_others_along(files):
    result = invoke(*RECORDING, "--figure", "a.what", "-o", "ok.TextGrid", "-o", "ok.srt")
    assert result.exit_code == 2
    assert "a.what: cannot be written" in result.stderr
    assert (files / "ok.TextGrid").exists()
    assert (files / "ok.srt").exists()


SUBTITLES = "1\n00:00:09,000 --> 00:00:10,000\n<i>Bad</i>\n\n2\n00:00:11,000 --> 00:00:12,000\n- cab!\n"


def test_subtitles_get_new_times_and_keep_their_texts(files):
    (files / "old.srt").write_text(SUBTITLES, encoding="utf-8")
    result = invoke("talk.wav", "old.srt", *RECORDING[2:], "-o", "new.srt", "-o", "new.vtt", "-o", "new.eaf")
    assert result.exit_code == 0, result.output
    assert (files / "new.srt").read_text(encoding="utf-8") == SUBTITLES.replace(
        "00:00:09,000 --> 00:00:10,000", "00:00:00,500 --> 00:00:01,600"
    ).replace("00:00:11,000 --> 00:00:12,000", "00:00:01,700 --> 00:00:02,600")
    options = ("--cue-padding", 0, 0, "--cue-seconds", 0.1, 3, "--reading-speed", 99)
    invoke("talk.wav", "old.srt", *RECORDING[2:], "-o", "close.srt", *options)
    assert [times for times, _ in cues_of(files / "close.srt")] == [
        "00:00:00,500 --> 00:00:01,300",
        "00:00:01,700 --> 00:00:02,500",
    ]
    sung = invoke("talk.wav", "old.srt", *RECORDING[2:], "-o", "sung.ass", "--karaoke")
    assert sung.exit_code == 0, sung.output
    assert "<i>" not in (files / "sung.ass").read_text(encoding="utf-8")
    again = invoke("talk.wav", "new.eaf", *RECORDING[2:], "-o", "again.srt")
    assert again.exit_code == 0, again.output
    assert (files / "again.srt").read_text(encoding="utf-8") == (files / "new.srt").read_text(encoding="utf-8")


def test_emissions_are_kept_and_take_the_place_of_the_recording(files, monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    first = rows(invoke(*RECORDING, "--save-emissions", "kept.npz"))
    (files / "alone").mkdir()
    (files / "kept.npz").rename(files / "alone" / "kept.npz")
    assert rows(invoke("alone/kept.npz", "text.txt", "--boundaries", "spike")) == first
    invoke("alone/kept.npz", "text.txt", "-o", "a.json")
    assert json.loads((files / "a.json").read_text(encoding="utf-8"))["media"] == "talk.wav"
    monkeypatch.setattr(tiny_acoustic_model, "log_probs", None)  # a call would fail
    assert rows(invoke(*RECORDING, "--save-emissions", "alone/kept.npz")) == first
    other = invoke(*RECORDING, "--chunk-seconds", 2, "--save-emissions", "alone/kept.npz")
    assert "the acoustic model cannot compute" in other.stderr
    soundfile.write("talk.wav", 0.9 * soundfile.read("talk.wav")[0], RATE)  # of the same size
    changed = invoke(*RECORDING, "--save-emissions", "alone/kept.npz")
    assert "the acoustic model cannot compute" in changed.stderr
    assert "--save-emissions is given, but one.npz is not a" in invoke(*POSTERIORS, "--save-emissions", "k.npz").stderr
    refused = invoke("alone/kept.npz", "text.txt", "--frame-ms", 5)
    assert "--frame-ms is given, but alone/kept.npz holds emissions with their vocabulary and times." in refused.stderr


def test_emissions_of_a_model_of_sounds_need_it_for_its_spellings(files):
    (files / "text.txt").write_text("dab bac", encoding="utf-8")
    model = ("--model", "speller", "--boundaries", "spike")
    first = rows(invoke("talk.wav", "text.txt", *model, "--save-emissions", "kept.npz"))
    assert rows(invoke("kept.npz", "text.txt", "--boundaries", "spike")) == first


def test_words_as_the_model_and_the_dictionary_spell_them(files):
    """The recording says "bad cab"; the model spells words backwards."""
    (files / "text.txt").write_text("dab gab", encoding="utf-8")
    (files / "d.dict").write_text("gab g a b\ngab(2) c a b\n", encoding="utf-8")
    model = ("--model", "speller", "--boundaries", "spike")
    found = rows(invoke("talk.wav", "text.txt", *model, "--dictionary", "d.dict"))
    assert [row[:2] for row in found] == [["0.500", "1.300"], ["1.700", "2.500"]]
    assert all(float(row[2]) > 0.9 for row in found)
    alone = rows(invoke("talk.wav", "text.txt", *model))
    assert float(alone[0][2]) > 0.9 > 0.1 > float(alone[1][2])
    unknown = invoke("talk.wav", "text.txt", "--model", "speller:gab")
    assert unknown.stderr.startswith("ctckit: gab cannot be spelled")


def test_posteriors_with_a_dictionary(files):
    (files / "text.txt").write_text("naughty taxi", encoding="utf-8")
    (files / "d.dict").write_text("naughty b a d\ntaxi c a b\n", encoding="utf-8")
    assert [row[3] for row in rows(invoke(*POSTERIORS, "--dictionary", "d.dict"))] == ["naughty", "taxi"]


@pytest.mark.parametrize(("mark", "token"), [("--word-start", "▁c"), ("--continuation", "@@c")])
def test_posteriors_over_pieces_of_words(files, mark, token):
    (files / "tokens.txt").write_text("\n".join(VOCABULARY.tokens).replace("c", token), encoding="utf-8")
    (files / "text.txt").write_text("naughty taxi", encoding="utf-8")
    (files / "d.dict").write_text(f"naughty b a d\ntaxi {token} a b\n", encoding="utf-8")
    arguments = (*POSTERIORS[:4], "--frame-ms", 100, mark, token[:-1], "--boundaries", "spike")
    found = rows(invoke(*arguments, "--dictionary", "d.dict"))
    assert [(row[0], row[1], row[3]) for row in found] == [("0.500", "1.300", "naughty"), ("1.700", "2.500", "taxi")]
    refused = invoke(*arguments)
    assert refused.exit_code == 2
    assert "tokens.txt has pieces of words, in which a word can be written in many ways; expected --dictionary" in (
        refused.stderr
    )


def test_the_blank_of_posteriors_may_be_another_class(files):
    """The classes in the opposite order: the blank is the last."""
    np.savez("one.npz", np.load("one.npz")["log_probs"][:, ::-1])
    (files / "tokens.txt").write_text("\n".join([*VOCABULARY.tokens[:0:-1], "<pad>"]), encoding="utf-8")
    found = rows(invoke(*POSTERIORS, "--blank", len(VOCABULARY) - 1, "--boundaries", "spike"))
    assert [(row[0], row[1], row[3]) for row in found] == [("0.500", "1.300", "“Bad"), ("1.700", "2.500", "cab!”")]


def test_one_of_several_items(files):
    result = invoke("two.npz", *POSTERIORS[1:], "--item", "first", "--boundaries", "spike")
    assert rows(result)[0][0] == "0.000"


@pytest.mark.parametrize("arguments", [POSTERIORS, RECORDING])
def test_a_figure(files, arguments):
    pytest.importorskip("matplotlib")
    result = invoke(*arguments, "--figure", "a.png", "--between", 0.2, 2.4)
    assert result.exit_code == 0, result.output
    assert (files / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one.npz", "text.txt"), "one.npz holds posteriors, which need --vocabulary."),
        (("one.npz", "text.txt", "-v", "tokens.txt"), "one.npz holds posteriors, which need --frame-ms."),
        ((*POSTERIORS, "--model", "tiny"), "--model is given, but one.npz holds posteriors."),
        ((*POSTERIORS, "--frame-ms", 0), "--frame-ms is 0.0; expected a positive number."),
        ((*POSTERIORS, "--item", "x"), "--item is 'x'; one.npz has 0."),
        (("two.npz", *POSTERIORS[1:]), "two.npz holds 2 items: first, second; expected --item with one of them."),
        ((*POSTERIORS, "-v", "text.txt"), 'text.txt: no token has a usual name of the blank ("", "<blank>", '),
        (
            (*POSTERIORS, "--replacements", "text.txt"),
            "text.txt: line 1 is '“Bad'; expected a word, a tab and the words",
        ),
        ((*POSTERIORS, "--figure", "a.what"), "a.what: cannot be written (Format 'what' is not supported"),
        (
            (*POSTERIORS, "--figure", "a.png", "--between", 2, 1),
            "between is (2.0, 1.0); expected a start before an end",
        ),
        ((*POSTERIORS, "-o", "a.doc"), "the ending of a.doc is '.doc'; expected one of"),
        (
            ("talk.wav", "text.txt"),
            "talk.wav is a recording, which needs --model, an acoustic model. Posteriors are read",
        ),
        (
            (*RECORDING, "--frame-ms", 5),
            "--frame-ms is given, but talk.wav is a recording, and this option is for posteriors.",
        ),
        (("talk.wav", "text.txt", "--model", "nobody"), "model is 'nobody'; expected a folder"),
        (("text.txt", "text.txt", "--model", "tiny"), "text.txt: not a recording that libsndfile reads"),
        (("no.wav", "text.txt", "--model", "tiny"), "no.wav: there is no such file."),
        (("no.wav", "text.txt", "--model", "tiny", "--save-emissions", "a.npz"), "no.wav: there is no such file."),
        (("talk.wav", "no.txt", "--model", "tiny"), "no.txt: there is no such file."),
        (("talk.wav", "--model", "tiny"), "TEXT is missing; expected a file with the spoken text."),
        ((*RECORDING, "--workers", 2), "--workers is given, but talk.wav is not a folder."),
        ((*RECORDING, "--dictionary", "no.dict"), "no.dict: there is no such file."),
    ],
)
def test_what_cannot_be_done_is_said(files, arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "text.txt: it contains no text."),
        ("…\n", "text.txt: it contains nothing that can be spelled in the model's tokens."),
        ("bad cab " * 20, "text.txt: the text cannot be emitted: 159 tokens with 0 adjacent repeats need 159 frames"),
        ("bad cab " * 20, ", there are 26. Are they all of this recording?"),
    ],
)
def test_texts_that_cannot_be_aligned(files, text, message):
    (files / "text.txt").write_text(text, encoding="utf-8")
    result = invoke(*RECORDING)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_vocabulary_of_another_size(files):
    (files / "tokens.txt").write_text("\na\nb", encoding="utf-8")
    result = invoke(*POSTERIORS[:4], "--frame-ms", 100)
    assert (result.exit_code, result.stderr) == (
        2,
        "ctckit: one.npz has C = 9 classes, but tokens.txt has 3 tokens.\n",
    )


def test_the_command_knows_the_formats_that_hold_one_tier(tmp_path):
    """Otherwise ``ctckit align -o`` would offer them three tiers, which they refuse."""
    tiers = {name: [TimedText("a", 0.0, 1.0, None)] for name in ("words", "tokens")}
    for ending in FORMATS:
        try:
            write_alignment(tmp_path / f"a{ending}", tiers, duration_seconds=1.0, media="a.wav")
        except InvalidInputError:
            assert ending in ONE_TIER
        else:
            assert ending not in ONE_TIER or ending == ".rttm"  # there a tier is a speaker


def test_karaoke_has_the_words_of_the_text(files):
    outputs = [part for ending in KARAOKE for part in ("-o", f"out{ending}")]
    invoke(*RECORDING, "--karaoke", "--cue-padding", 0, 0, *outputs, "-o", "out.srt")
    written = {ending: (files / f"out{ending}").read_text(encoding="utf-8") for ending in KARAOKE}
    assert written[".lrc"].splitlines() == ["[00:00.50]<00:00.50>“Bad", "[00:01.70]<00:01.70>cab!”"]
    assert "00:00:00.500 --> 00:00:01.340\n“Bad\n" in written[".vtt"]
    assert r"{\k84}“Bad" in written[".ass"]
    assert '<span id="l2w1">cab!”</span>' in written[".xhtml"]
    assert '<text src="out.xhtml#l2w1" />' in written[".smil"]
    assert '<audio src="talk.wav" clipBegin="1.700s" clipEnd="2.500s" />' in written[".smil"]
    assert ">cab!”</span>" in written[".ttml"]


def test_rttm_has_one_speaker(files):
    invoke(*RECORDING, "-o", "out.rttm")
    assert (files / "out.rttm").read_text(encoding="utf-8").splitlines() == [
        "SPEAKER talk 1 0.500000 0.800000 <NA> <NA> speaker <NA> <NA>",
        "SPEAKER talk 1 1.700000 0.800000 <NA> <NA> speaker <NA> <NA>",
    ]
