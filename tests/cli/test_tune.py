"""``ctckit tune``, and what its file of settings does."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit import BeamDecoder, NGramModel, Vocabulary, tune
from ctckit.cli import app
from ctckit.cli.trials import Trials
from ctckit.decoding import read_settings, tuning
from ctckit.errors import DataError

pytest.importorskip("rapidfuzz")  # the command says that it is missing, by its exit code

runner = CliRunner()
LETTERS = Vocabulary.from_characters("ab|", separator="|")
TEXTS = ["ab", "a b", "ba ab", "b", "ab ab", "ba"]


def noisy(text, rng):
    classes = [c for token in LETTERS.encode(text) for c in (token, 0)]
    logits = rng.normal(size=(len(classes), 4)) * 2.5
    logits[range(len(classes)), classes] += 4.0
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.fixture
def files(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    items = [noisy(text, rng) for text in TEXTS]
    for name, part in (("all", items), ("first", items[:4]), ("last", items[4:])):
        np.savez(tmp_path / f"{name}.npz", **{f"item{n}": item for n, item in enumerate(part)})
    (tmp_path / "tokens.txt").write_text("\na\nb\n|\n", encoding="utf-8")
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    NGramModel.train(TEXTS, order=2, unit="word").save(tmp_path / "words.arpa")
    (tmp_path / "other.txt").write_text("ab\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMON = ("-v", "tokens.txt", "--separator", "|", "--lm", "words.arpa", "--lm-unit", "word", "--beam-width", 6)
OUT = ("--texts", "texts.txt", "-o", "s.json")
GRID = ("--grid", "lm_weight=0,0.5,1", "--grid", "word_bonus=0,2", "--refinements", 1)


def invoke(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def expected(**options):
    rng = np.random.default_rng(0)
    model = NGramModel.load("words.arpa", unit="word")
    decoder = BeamDecoder(LETTERS, language_model=model, beam_width=6)
    return tune(decoder, [noisy(text, rng) for text in TEXTS], TEXTS, **options)


def test_the_file_has_the_settings_that_tune_chooses(files):
    result = invoke("tune", "all.npz", *COMMON, *OUT, *GRID, "--folds", 2)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    grid = {"lm_weight": [0, 0.5, 1], "word_bonus": [0, 2]}
    found = expected(grid=grid, refinements=1, folds=2)
    assert read_settings("s.json") == {
        name: value for name, value in found.decoder.settings.items() if not name.endswith("_threshold")
    }
    assert result.stdout.startswith(f"{found}\nSettings: s.json\n")
    assert "held out, 2 folds" in result.stdout
    assert not (files / "s.json.trials").exists()


def test_decode_takes_the_file(files):
    invoke("tune", "all.npz", *COMMON, *OUT, *GRID)
    found = expected(grid={"lm_weight": [0, 0.5, 1], "word_bonus": [0, 2]}, refinements=1)
    rng = np.random.default_rng(0)
    texts = [found.decoder.decode(noisy(text, rng))[0][0].text for text in TEXTS]
    with_settings = invoke("decode", "all.npz", *COMMON[:-2], "--settings", "s.json")
    assert with_settings.stdout.splitlines() == texts
    assert with_settings.stdout != invoke("decode", "all.npz", *COMMON).stdout


def test_several_files_the_default_grid_and_words(files):
    one = invoke("tune", "all.npz", *COMMON, *OUT, "--refinements", 0, "--metric", "wer")
    two = invoke("tune", "first.npz", "last.npz", *COMMON, *OUT, "--refinements", 0, "--metric", "wer")
    assert two.exit_code == 0, two.output
    assert one.stdout == two.stdout
    assert one.stdout.startswith(f"{expected(refinements=0, metric='wer')}\n")
    assert one.stdout.startswith("wer in %: lm_weight downwards, word_bonus across")


def test_settings_that_are_not_tuned_stay(files):
    (files / "start.json").write_text('{"word_bonus": 1.5, "oov_charge": 2.0}', encoding="utf-8")
    options = ("--grid", "lm_weight=0.5", "--refinements", 0, "--settings", "start.json", "--no-lm-boundary")
    assert invoke("tune", "all.npz", *COMMON, *OUT, *options).exit_code == 0
    assert read_settings("s.json") == {
        "beam_width": 6,
        "lm_boundary": False,
        "lm_weight": 0.5,
        "oov_charge": 2.0,
        "token_bonus": 0.0,
        "word_bonus": 1.5,
    }


class Stop:
    """Counts what is decoded, and stops at one of the trials."""

    def __init__(self, monkeypatch, at=None):
        self.count = 0
        measure = tuning._Surface._measure

        def counted(surface, point):
            if self.count == at:
                raise KeyboardInterrupt
            self.count += 1
            return measure(surface, point)

        monkeypatch.setattr(tuning._Surface, "_measure", counted)


def test_an_interrupted_run_continues(files, monkeypatch):
    command = ("tune", "all.npz", *COMMON, *OUT, *GRID, "--folds", 2)
    with monkeypatch.context() as patch:
        whole = Stop(patch)
        uninterrupted = invoke(*command)
        settings = read_settings("s.json")
        (files / "s.json").unlink()
    with monkeypatch.context() as patch:
        Stop(patch, at=7)
        result = invoke(*command)
    assert result.exit_code == 130
    assert "Interrupted. 7 settings were tried; fewest errors so far: " in result.stderr
    assert result.stderr.rstrip().endswith("Continue: the same command.")
    assert not (files / "s.json").exists()
    trials = files / "s.json.trials"
    trials.write_bytes(trials.read_bytes()[:-5])  # the last line was not written completely
    with monkeypatch.context() as patch:
        rest = Stop(patch)
        result = invoke(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    assert rest.count == whole.count - 6
    assert result.stdout == uninterrupted.stdout
    assert read_settings("s.json") == settings
    assert not trials.exists()


def test_a_folder_of_npy_files(files, monkeypatch):
    """A folder is read as decode reads it, and a run that is interrupted continues if its files are the same."""
    (files / "dev").mkdir()
    with np.load("all.npz") as items:
        for name in items.files:
            np.save(files / "dev" / f"{name}.npy", items[name])
    command = ("tune", "dev", *COMMON, *OUT, *GRID)
    whole = invoke("tune", "all.npz", *COMMON, *OUT, *GRID)
    for change, message in ((False, ""), (True, "ctckit: s.json.trials is of another command")):
        with monkeypatch.context() as patch:
            Stop(patch, at=3)
            assert invoke(*command).exit_code == 130
        if change:
            np.save(files / "dev" / "item0.npy", np.load(files / "dev" / "item0.npy")[:-1])
        result = invoke(*command)
        assert result.exit_code == 0, result.output
        assert result.stderr.startswith(message)
        assert bool(result.stderr) is change
        assert change or result.stdout == whole.stdout


def test_silent_tokens(files):
    """The options of the vocabulary are those of decode: a token without a text costs no error."""
    (files / "tokens.txt").write_text("\na\nb\n|\n<unk>\n", encoding="utf-8")
    frames = np.log([[0.03, 0.9, 0.03, 0.03, 0.01], [0.03, 0.03, 0.02, 0.02, 0.9]])
    np.savez("all.npz", item=frames)
    (files / "texts.txt").write_text("a\n", encoding="utf-8")
    options = ("-v", "tokens.txt", "--separator", "|", *OUT, "--grid", "token_bonus=0", "--refinements", 0)
    errors = [invoke("tune", "all.npz", *options, *more).stdout for more in ((), ("--silent", "<unk>"))]
    assert "best: token_bonus = 0: 500.00 %" in errors[0]
    assert "best: token_bonus = 0: 0.00 %" in errors[1]


@pytest.mark.parametrize("change", ["option", "text", "posteriors", "model"])
def test_trials_of_another_command_or_of_other_files_are_not_used(files, monkeypatch, change):
    command = ("tune", "all.npz", *COMMON, *OUT, *GRID)
    with monkeypatch.context() as patch:
        Stop(patch, at=3)
        assert invoke(*command).exit_code == 130
    if change == "option":
        command = (*command, "--oov-charge", 3)
    elif change == "text":
        (files / "texts.txt").write_text("".join(f"{text}b\n" for text in TEXTS), encoding="utf-8")
    elif change == "posteriors":
        items = np.load("all.npz")
        np.savez("all.npz", **{name: items[name][:-1] for name in items.files})
    else:
        NGramModel.train(TEXTS[1:], order=2, unit="word").save("words.arpa")
    result = invoke(*command)
    assert result.exit_code == 0
    assert result.stderr == (
        "ctckit: s.json.trials is of another command, or of changed files: starting anew.\n"
    )  # fmt: skip


def test_an_interruption_before_the_first_setting(files, monkeypatch):
    Stop(monkeypatch, at=0)
    result = invoke("tune", "all.npz", *COMMON, *OUT)
    assert (result.exit_code, result.stderr) == (
        130,
        "\nInterrupted. No setting was tried yet. Continue: the same command.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("first.npz", *COMMON, *OUT), "texts.txt: it has 6 lines for 4 items; expected the text of each item on a li"),
        (("all.npz", *COMMON, *OUT, "--grid", "lm_weight"), "--grid is 'lm_weight'; expected a setting and its values"),
        (("all.npz", *COMMON, *OUT, "--grid", "lm_weight=0,x"), "--grid is 'lm_weight=0,x'; expected"),
        (("all.npz", *COMMON, *OUT, "--grid", "lm_wait=0,1"), "'lm_wait' is no setting of a decoder"),
        (("all.npz", *COMMON, *OUT, "--folds", 1), "folds is 1; expected 0, or 2..6"),
        (("all.npz", *COMMON, "-t", "texts.txt", "-o", "no/s.json"), "no/s.json: there is no folder no. Make it"),
        (("all.npz", *COMMON, "-t", "none.txt", "-o", "s.json"), "none.txt: there is no such file."),
        (("none.npz", *COMMON, *OUT), "none.npz: there is no such file."),
        (("all.npz", *COMMON, "-t", "texts.txt", "-o", "other"), "other.trials: not a file of trials that ctckit tune"),
    ],
)
def test_what_cannot_be_done_is_said(files, arguments, message):
    (files / "other.trials").write_text("mine\n", encoding="utf-8")
    result = invoke("tune", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert (files / "other.trials").read_text(encoding="utf-8") == "mine\n"


def test_trials_of_other_items_are_refused():
    with pytest.raises(
        ValueError, match=r"trials\[\(0\.0,\)\] has shape \(2,\); expected the errors of the B = 1 items"
    ):
        tune(
            BeamDecoder(LETTERS),
            [np.log(np.full((3, 4), 0.25))],
            ["a"],
            grid={"token_bonus": [0.0]},
            trials={(0.0,): np.zeros(2, int)},
        )


def test_trials_in_a_file(tmp_path):
    path = tmp_path / "t"
    trials = Trials(path, "key", ["lm_weight"], 2)
    with trials.kept():
        trials[0.1 + 0.2,] = np.array([3, 4])
        trials[0.5,] = np.array([1, 0])
        assert [json.loads(line) for line in path.read_text().splitlines()[1:]] == [
            {"values": [0.1 + 0.2], "errors": [3, 4]},
            {"values": [0.5], "errors": [1, 0]},
        ]
    again = Trials(path, "key", ["lm_weight"], 2)
    assert {point: errors.tolist() for point, errors in again.items()} == {(0.1 + 0.2,): [3, 4], (0.5,): [1, 0]}
    assert again.best() == ("lm_weight = 0.5", 1)
    assert Trials(path, "another", ["lm_weight"], 2).replaced
    with pytest.raises(DataError, match=r"t: cannot be written \("), Trials(tmp_path / "no" / "t", "", [], 0).kept():
        pass
