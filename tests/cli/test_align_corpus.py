"""``ctckit align CORPUS/``, with a tiny acoustic model."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from ctckit.cli import app, output
from ctckit.cli.align.corpus import JOURNAL
from tests.support import tiny_acoustic_model
from tests.support.tiny_acoustic_model import RATE, samples_of

runner = CliRunner()


def invoke(*arguments):
    return runner.invoke(app, ["align", *(str(argument) for argument in arguments)])


RUN = ("corpus", "--out", "aligned", "--model", "tiny")
FILES = ("anna/1", "anna/2", "ben/1")


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Three recordings of two speakers, with texts of three kinds."""
    soundfile = pytest.importorskip("soundfile")
    tiny_acoustic_model.install(
        tmp_path,
        tiny="tests.support.tiny_acoustic_model:load",
        counted="tests.support.tiny_acoustic_model:load_counted",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, said in zip(FILES, ("bad cab", "fed bag", "cab"), strict=True):
        (tmp_path / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(f"corpus/{name}.wav", samples_of(said, lead=5), RATE)
    folder = tmp_path / "corpus"
    (folder / "anna/1.txt").write_text("Bad\ncab!\n", encoding="utf-8")
    (folder / "anna/2.lab").write_text("fed bag", encoding="utf-8")
    (folder / "ben/1.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\ncab\n", encoding="utf-8")
    return folder


def report(folder="aligned"):
    with open(f"{folder}/alignment_report.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_every_recording_is_aligned_and_each_line_has_a_score(corpus, workers):
    result = invoke(*RUN, "--format", "TextGrid", "--format", "json", "--workers", workers)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("ctckit: 3 recordings, 4 lines, 5 words, mean confidence 1.00. Each line: aligned")
    for name in FILES:
        assert (corpus.parent / "aligned" / f"{name}.TextGrid").exists()
    content = json.loads((corpus.parent / "aligned/anna/2.json").read_text(encoding="utf-8"))
    assert [word["text"] for word in content["tiers"]["words"]] == ["fed", "bag"]
    rows = report()
    assert [(row["recording"], row["line"], row["text"]) for row in rows] == [
        ("anna/1", "1", "Bad"),
        ("anna/1", "2", "cab!"),
        ("anna/2", "1", "fed bag"),
        ("ben/1", "1", "cab"),
    ]
    assert all(float(row["confidence"]) > 0.9 and row["suspicious"] == row["problem"] == "" for row in rows)
    assert (rows[1]["start_seconds"], rows[1]["end_seconds"]) == ("1.650", "2.550")


def test_files_that_cannot_be_used_are_listed_at_the_end(corpus):
    (corpus / "anna/1.wav").write_bytes(b"no sound")
    (corpus / "ben/2.wav").write_bytes(b"")
    (corpus / "ben/3.txt").write_text("alone", encoding="utf-8")
    (corpus / "anna/2.txt").write_text("twice", encoding="utf-8")
    result = invoke(*RUN)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[-5] == "ctckit: 4 files of corpus cannot be aligned:"
    assert "corpus/anna/2.lab: there are 2 texts of this name: 2.lab, 2.txt; expected one." in result.stderr
    assert "corpus/ben/2.wav: has no text beside it; expected 2.txt" in result.stderr
    assert "corpus/ben/3.txt: has no recording beside it; expected 3.wav" in result.stderr
    assert "corpus/anna/1.wav: not a recording that libsndfile reads" in result.stderr
    assert [(row["recording"], row["problem"][:20]) for row in report()] == [
        ("anna/1", "corpus/anna/1.wav: n"),
        ("ben/1", ""),
    ]


def test_texts_that_do_not_fit_are_listed_and_can_be_a_failure(corpus):
    (corpus / "anna/2.lab").write_text("gag", encoding="utf-8")
    result = invoke(*RUN)
    assert result.exit_code == 0
    assert "ctckit: 1 suspicious, with a confidence below 0.1:\n  anna/2, line 1, " in result.stderr
    assert [row["recording"] for row in report() if row["suspicious"] == "yes"] == ["anna/2"]
    assert invoke(*RUN, "--fail-below", 0.1, "--report", "report.html").exit_code == 3
    page = (corpus.parent / "report.html").read_text(encoding="utf-8")
    assert page.count("<audio ") == page.count("anna/2, line 1 · ") == 1


def test_a_second_run_does_only_what_is_missing_or_changed(corpus):
    run = ("corpus", "--out", "aligned", "--model", "counted")
    calls = tiny_acoustic_model.calls
    calls.clear()
    assert invoke(*run).exit_code == 0
    assert calls == ["load", "listen", "listen", "listen"]
    first = report()
    calls.clear()
    assert invoke(*run).exit_code == 0
    assert calls == []
    assert report() == first
    (corpus / "anna/1.txt").write_text("Bad cab", encoding="utf-8")
    (corpus.parent / "aligned/ben/1.TextGrid").unlink()
    assert invoke(*run).exit_code == 0
    assert calls == ["load", "listen", "listen"]
    calls.clear()
    assert invoke(*run, "--boundaries", "spike").exit_code == 0
    assert calls.count("listen") == 3


def test_what_a_killed_run_has_done_is_not_done_again(corpus):
    """A process that is killed in its second recording; the line of the journal that it may have begun is left out."""
    command = [sys.executable, "-m", "ctckit", "align", "corpus", "--out", "aligned", "--model", "counted"]
    path = os.pathsep.join([str(corpus.parent), os.getcwd(), *filter(None, sys.path)])
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path, "STUCK": "1"}, stderr=subprocess.DEVNULL)
    journal = corpus.parent / "aligned" / JOURNAL
    while process.poll() is None and not (journal.exists() and journal.read_bytes().endswith(b"\n")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(journal.read_bytes().splitlines()) == 1
    with journal.open("ab") as file:
        file.write(b'{"name": "anna/2", "ke')
    calls = tiny_acoustic_model.calls
    calls.clear()
    result = invoke("corpus", "--out", "aligned", "--model", "counted")
    assert result.exit_code == 0, result.output
    assert calls == ["load", "listen", "listen"]
    assert len(report()) == 4


def test_progress_is_told_without_a_terminal(corpus, monkeypatch):
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", 0.0)
    lines = [line for line in invoke(*RUN).stderr.splitlines() if "%" in line]
    assert lines == ["ctckit: 3 recordings: 33%", "ctckit: 3 recordings: 67%", "ctckit: 3 recordings: 100%"]


@pytest.mark.slow
def test_the_processes_of_a_killed_command_end(corpus):
    arguments = ["corpus", "--out", "aligned", "--model", "counted", "--workers", "2"]
    path = os.pathsep.join([str(corpus.parent), os.getcwd(), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": path, "STUCK": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "ctckit", "align", *arguments], env=environment, stderr=subprocess.PIPE
    )
    journal = corpus.parent / "aligned" / JOURNAL
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") == 2):
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=30)  # ends when the last process that could write to it has ended


def test_emissions_are_kept_and_used_again(corpus):
    run = ("corpus", "--out", "corpus/aligned", "--model", "counted", "--save-emissions", "corpus/kept")
    assert invoke(*run).exit_code == 0
    assert sorted(path.name for path in (corpus / "kept").rglob("*.npz")) == ["1.npz", "1.npz", "2.npz"]
    calls = tiny_acoustic_model.calls
    calls.clear()
    assert invoke(*run, "--boundaries", "spike").exit_code == 0
    assert calls == ["load"]
    for name in FILES:
        [text] = [path for path in corpus.glob(f"{name}.*") if path.suffix != ".wav"]
        (corpus / "kept" / name).with_suffix(text.suffix).write_bytes(text.read_bytes())
    calls.clear()
    assert invoke("corpus/kept", "--out", "again", "--boundaries", "spike").exit_code == 0  # with no --model
    assert [row["end_seconds"] for row in report("again")] == [row["end_seconds"] for row in report("corpus/aligned")]
    assert "listen" not in calls


def test_damaged_emissions_are_told(corpus):
    kept = corpus.parent / "kept/anna/1.npz"
    assert invoke(*RUN, "--save-emissions", "kept").exit_code == 0
    kept.write_bytes(kept.read_bytes()[:200])
    result = invoke(*RUN, "--boundaries", "spike", "--save-emissions", "kept")
    assert "kept/anna/1.npz: these emissions cannot be used (" in result.stderr
    assert len([row for row in report() if row["problem"]]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("corpus", "--model", "tiny"), "corpus is a folder; expected --out with one folder to write into."),
        (("corpus", "--model", "tiny", "-o", "a", "-o", "b"), "expected --out with one folder to write into."),
        (("corpus", "--model", "tiny", "-o", "corpus"), "--out is corpus, the corpus itself; expected another folder."),
        ((*RUN, "--save-emissions", "corpus"), "--save-emissions is corpus, the corpus itself; expected another"),
        (("corpus", "text.txt", "-o", "a"), "TEXT is text.txt, but corpus is a folder, which has the texts in it."),
        (("corpus", "-o", "a"), "corpus/anna/1.wav is a recording, which needs --model, an acoustic model."),
        ((*RUN, "--format", "doc"), "the ending of name.doc is '.doc'; expected one of"),
        ((*RUN, "--figure", "a.png"), "--figure is given, but corpus is a folder."),
        ((*RUN[:-1], "nobody"), "model is 'nobody'; expected a folder of a Hugging Face model"),
        ((*RUN, "--replacements", "no.txt"), "no.txt: there is no such file."),
        (("corpus/anna", "-o", "a", "--dictionary", "x", "--model", "tiny"), "x: there is no such file."),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(corpus, arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_folder_without_pairs(corpus):
    for path in corpus.rglob("*.*"):
        path.rename(path.with_suffix(".bak"))
    result = invoke(*RUN)
    assert "ctckit: corpus: it has no recording with a text beside it, such as a.wav and a.txt." in result.stderr
