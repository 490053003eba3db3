"""The options that commands share: declared once, the same in each command."""

import dataclasses
import inspect
import json
import math
from typing import Annotated, ClassVar

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import ctckit
from ctckit.cli import app
from ctckit.cli.lazy import with_all_commands
from ctckit.cli.options import SearchOptions, VocabularyOptions, expand, given_options
from ctckit.decoding.settings_file import NAMES
from tests.support.search_problems import random_arpa

runner = CliRunner()
COMMANDS = with_all_commands(app).commands
SEARCH = [field.name for field in dataclasses.fields(SearchOptions)]
CLASSES = [field.name for field in dataclasses.fields(VocabularyOptions)]


def declared(command, name):
    """An option as a command has it: its spellings, its help, its default."""
    [option] = [each for each in COMMANDS[command].params if each.name == name]
    return option.opts, option.secondary_opts, option.help, option.default, option.multiple


@pytest.mark.parametrize("name", [*SEARCH, "n_best"])
def test_read_has_the_options_of_decode(name):
    assert declared("read", name) == declared("decode", name)


@pytest.mark.parametrize("name", CLASSES)
def test_align_reads_posteriors_as_decode_does(name):
    assert declared("align", name) == declared("decode", name)


@pytest.mark.parametrize("name", ["separator", "word_start", "continuation"])
def test_read_has_the_marks_of_words(name):
    assert declared("read", name) == declared("decode", name)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "tokens.txt").write_text("\na\nb\n|\n", encoding="utf-8")
    (tmp_path / "lm.arpa").write_text(random_arpa(["a", "b", "|"], 0), encoding="utf-8")
    (tmp_path / "words.txt").write_text("ab\nba\n", encoding="utf-8")
    np.savez(tmp_path / "one.npz", np.log(np.full((4, 4), 0.25)))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "setting", "value"),
    [
        ((), "beam_width", 100),
        ((), "lm_weight", 0.3),
        ((), "lm_boundary", True),
        ((), "word_bonus", None),
        ((), "token_bonus", 0.0),
        ((), "oov_charge", 0.25),
        ((), "token_threshold", -math.inf),
        ((), "beam_threshold", -math.inf),
        (("--beam-width", 7), "beam_width", 7),
        (("--lm", "lm.arpa", "--lm-weight", 0.5), "lm_weight", 0.5),
        (("--no-lm-boundary",), "lm_boundary", False),
        (("--word-bonus", 1.5), "word_bonus", 1.5),
        (("--token-bonus", 0.5), "token_bonus", 0.5),
        (("--lexicon", "words.txt"), "lexicon", ["ab", "ba"]),
        (("--oov-charge", 3), "oov_charge", 3.0),
        (("--closed", "--lexicon", "words.txt"), "oov_charge", None),
        (("--hotwords", "words.txt"), "hotwords", {"ab": None, "ba": None}),
        (("--hotwords", "words.txt", "--hotword-weight", 2), "hotwords", {"ab": 2.0, "ba": 2.0}),
        (("--token-threshold", -4), "token_threshold", -4.0),
        (("--beam-threshold", -20), "beam_threshold", -20.0),
    ],
)
def test_each_option_reaches_the_decoder(files, monkeypatch, arguments, setting, value):
    settings = {}

    def decoder(vocabulary, **given):
        settings.update(given)
        return real(vocabulary, **given)

    real = ctckit.BeamDecoder
    monkeypatch.setattr(ctckit, "BeamDecoder", decoder)
    monkeypatch.chdir(files)
    result = runner.invoke(app, ["decode", "one.npz", "-v", "tokens.txt", "--separator", "|", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    defaults = {name: each.default for name, each in inspect.signature(real).parameters.items()}
    assert (defaults | settings)[setting] == value


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lm_weight"])
def test_the_defaults_in_the_help_are_those_of_the_decoder(name):
    [option] = [each for each in COMMANDS["decode"].params if each.name == name]
    default = inspect.signature(ctckit.BeamDecoder).parameters[name].default
    shown = {True: "lm-boundary", None: True}.get(default, str(default))  # None: the help says it in words
    assert (option.default, option.show_default) == (None, shown)


def run_decode(files, monkeypatch, *arguments):
    """Run ``ctckit decode``; return its result and the settings of its decoder."""
    made = []

    class Decoder(ctckit.BeamDecoder):
        def __init__(self, *given, **settings):
            super().__init__(*given, **settings)
            made.append(self)

    monkeypatch.setattr(ctckit, "BeamDecoder", Decoder)
    monkeypatch.chdir(files)
    result = runner.invoke(app, ["decode", "one.npz", "-v", "tokens.txt", "--separator", "|", *map(str, arguments)])
    return result, made[-1].settings if made else None


def test_a_file_of_settings(files, monkeypatch):
    content = {"token_bonus": 0.5, "lm_weight": 0.9, "oov_charge": None, "beam_width": 8, "lm_boundary": False}
    (files / "s.json").write_text(json.dumps(content), encoding="utf-8")
    arguments = ("--settings", "s.json", "--lm", "lm.arpa", "--lm-unit", "token", "--lexicon", "words.txt")
    result, found = run_decode(files, monkeypatch, *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert {name: found[name] for name in content} == content


def test_options_take_the_place_of_settings_even_if_they_are_defaults(files, monkeypatch):
    content = {"token_bonus": 0.5, "lm_weight": 0.9, "oov_charge": None, "beam_width": 8, "lm_boundary": False}
    (files / "s.json").write_text(json.dumps(content), encoding="utf-8")
    arguments = ("--settings", "s.json", "--lm", "lm.arpa", "--lm-unit", "token", "--lexicon", "words.txt")
    options = ("--token-bonus", 0, "--oov-charge", 0.25, "--beam-width", 100, "--lm-boundary", "--lm-weight", 0.3)
    result, found = run_decode(files, monkeypatch, *arguments, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    defaults = {"token_bonus": 0.0, "oov_charge": 0.25, "beam_width": 100, "lm_boundary": True, "lm_weight": 0.3}
    assert {name: found[name] for name in defaults} == defaults


def test_settings_for_a_model_that_is_not_given(files, monkeypatch):
    (files / "s.json").write_text('{"lm_weight": 0.9}', encoding="utf-8")
    result, _ = run_decode(files, monkeypatch, "--settings", "s.json")
    assert result.exit_code == 0
    assert result.stderr == "ctckit: s.json has lm_weight, but no model is given. Give it with --lm.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--settings", "no.json"), "no.json: there is no such file."),
        (("--settings", "words.txt"), "words.txt: not a JSON file of settings ("),
        (("--closed", "--oov-charge", 1), "--oov-charge is given, but --closed forbids unknown words."),
    ],
)
def test_settings_that_cannot_be_used(files, monkeypatch, arguments, message):
    result, _ = run_decode(files, monkeypatch, "--lexicon", "words.txt", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_defaults_are_those_of_the_decoder(files, monkeypatch):
    """A decoder of the options alone has the same plan as one without any."""
    vocabulary = ctckit.Vocabulary(("", "a", "b", "|"), separator="|")
    ours, plain = SearchOptions().decoder(vocabulary), ctckit.BeamDecoder(vocabulary)
    for field in dataclasses.fields(plain.plan):
        assert repr(getattr(ours.plan, field.name)) == repr(getattr(plain.plan, field.name)), field.name


def test_the_unit_of_a_model(files, monkeypatch):
    monkeypatch.chdir(files)
    arguments = ["decode", "one.npz", "-v", "tokens.txt", "--lm", "lm.arpa", "--lm-unit"]
    assert runner.invoke(app, [*arguments, "char"]).exit_code == 0
    refused = runner.invoke(app, [*arguments, "word"])
    assert refused.exit_code == 2
    assert "language_model is a model of words, but vocabulary has no mark of words" in refused.stderr


@dataclasses.dataclass(frozen=True)
class Size:
    panel: ClassVar[str] = "Size"
    width: Annotated[int, typer.Option(help="In pixels.")] = 3
    line_height: Annotated[float | None, typer.Option("--line-height", "-l")] = None


def test_a_group_becomes_options_and_comes_back_as_one():
    found = []
    tiny = typer.Typer()

    def draw(name: Annotated[str, typer.Argument()], *, size: Size, dark: bool = False) -> None:
        """Draw it."""
        found.append((name, size, dark))

    tiny.command()(expand(draw))
    assert runner.invoke(tiny, ["a"]).exit_code == 0
    assert runner.invoke(tiny, ["b", "--width", "5", "-l", "2.5", "--dark"]).exit_code == 0
    assert found == [("a", Size(), False), ("b", Size(5, 2.5), True)]
    shown = runner.invoke(tiny, ["--help"]).stdout
    assert "Draw it." in shown
    assert "Size" in shown
    assert "In pixels." in shown


def test_options_that_differ_from_their_defaults_are_named():
    assert given_options(Size()) == []
    assert given_options(Size(width=4, line_height=0.0)) == ["--width", "--line-height"]


def test_times_in_seconds_are_only_in_json(files):
    arguments = ["decode", str(files / "one.npz"), "-v", str(files / "tokens.txt"), "--frame-seconds", "0.5", "--json"]
    (item,) = json.loads(runner.invoke(app, arguments).stdout)
    for token in item["hypotheses"][0]["tokens"]:
        assert token["start_seconds"] == 0.5 * token["start"]
