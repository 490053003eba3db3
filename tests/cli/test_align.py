"""``ctckit align``, on saved posteriors and on recordings with a tiny acoustic model."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit.alignment import TimedText, write_alignment
from ctckit.alignment.writers import FORMATS
from ctckit.cli import app
from ctckit.cli.align import ONE_TIER
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


def test_a_recording_of_another_rate_and_in_chunks(files):
    found = rows(invoke("twice.wav", *RECORDING[1:], "--chunk-seconds", 1))
    assert [row[:2] for row in found] == [["0.500", "1.300"], ["1.700", "2.500"]]


def test_every_kind_of_file(files):
    endings = ("TextGrid", "eaf", "srt", "vtt", "ctm", "txt", "json")
    outputs = [part for ending in endings for part in ("-o", f"out.{ending}")]
    result = invoke(*RECORDING, *outputs)
    assert (result.exit_code, result.output) == (0, "")
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
    assert tiers == ["lines", "words", "tokens"]
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
    assert list(json.loads((files / "out.json").read_text(encoding="utf-8"))["tiers"]) == ["words", "tokens"]


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
    assert result.stderr == ""
    assert [row[3] for row in rows(result)] == ["bad", "42"]
    assert rows(result)[1][:2] == ["1.700", "2.500"]


def test_a_text_of_a_part_of_the_recording(files):
    (files / "text.txt").write_text("cab", encoding="utf-8")
    found = rows(invoke(*RECORDING, "--edges"))
    assert found[0][:2] == ["1.700", "2.500"]


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
        (("talk.wav", "no.txt", "--model", "tiny"), "no.txt: there is no such file."),
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
        ("…\n", "text.txt: it contains nothing that can be spelled in the model's tokens."),
        ("bad cab " * 20, "text.txt: the text cannot be emitted: 159 tokens with 0 adjacent repeats need 159 frames"),
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
    tiers = {name: [TimedText("a", 0.0, 1.0, None)] for name in ("lines", "words")}
    for ending in FORMATS:
        try:
            write_alignment(tmp_path / f"a{ending}", tiers, duration_seconds=1.0)
        except InvalidInputError:
            assert ending in ONE_TIER
        else:
            assert ending not in ONE_TIER
