"""``ctckit train`` and ``ctckit demo`` in processes of their own: signals, locks, environments, folders in use."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ctckit.cli import app
from ctckit.cli.train import TrainingOptions
from ctckit.ocr.fit import CHECKPOINT_FILE, LOG_FILE, FitConfig
from ctckit.ocr.model_folder import load_model
from ctckit.ocr.training import launching, tensorboard
from ctckit.ocr.training.observing import TrainingObserver
from tests.support.line_files import TEXTS, interrupt, start_command, wait_until, write_line, write_lines

runner = CliRunner()

pytestmark = pytest.mark.usefixtures("signals_as_usual")


def invoke(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("train") / "lines")


def started(process, out):
    """Wait until the training holds its folder and runs."""
    wait_until(lambda: (out / "training.lock").exists(), process)
    wait_until(lambda: catches(process, signal.SIGTERM), process)


def catches(process, number):
    """Return whether a process has a handler for a signal. Not Linux: wait for it as long as the start takes."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        time.sleep(10)
        return True
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_before_the_first_validation_saves_and_the_advice_works(data, tmp_path, name, code):
    out = tmp_path / "m"
    command = ("train", data, "--out", out, "--epochs", 4000, "--device", "cpu")
    process = start_command(*command)
    started(process, out)
    found, errors = interrupt(process, getattr(signal, name))
    assert found == code
    assert re.search(r"Interrupted after step \d+\. Continue: the same command with --resume\.\n", errors)
    assert "Traceback" not in errors
    assert sorted(path.name for path in out.iterdir()) == [CHECKPOINT_FILE, LOG_FILE]
    process = start_command(*command, "--resume")
    started(process, out)
    assert interrupt(process)[0] == 130
    refused = invoke(*command, "--resume", "--batch-size", 3)
    assert refused.exit_code == 2
    assert "batch_size was 16, now 3" in refused.stderr


@pytest.mark.slow
def test_another_training_into_the_folder_is_refused(data, tmp_path):
    out = tmp_path / "m"
    process = start_command("train", data, "--out", out, "--epochs", 4000, "--device", "cpu")
    started(process, out)
    second = invoke("train", data, "--out", out, "--epochs", 1, "--device", "cpu", "--overwrite")
    assert second.exit_code == 2
    assert f"another process (process {process.pid} on " in second.stderr
    process.kill()
    process.communicate()
    third = invoke("train", data, "--out", out, "--epochs", 1, "--device", "cpu", "--overwrite")
    assert third.exit_code == 0, third.stderr
    files = ["model.json", "report.html", "training.jsonl", "weights.safetensors"]
    assert sorted(path.name for path in out.iterdir()) == files


@pytest.mark.parametrize(
    ("overwrite", "saved", "advice"),
    [
        (False, False, "Interrupted. Nothing was saved; start again with the same command."),
        (False, True, "Interrupted. Continue: the same command with --resume."),
        (True, True, "Interrupted. Continue: the same command with --resume instead of --overwrite."),
    ],
)
def test_what_an_interruption_at_once_advises(data, tmp_path, monkeypatch, overwrite, saved, advice):
    from ctckit.ocr import fit

    def interrupted(*_, checkpoint, **__):
        if saved:
            checkpoint.write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr(fit, "train", interrupted)
    result = invoke("train", data, "--out", tmp_path / "m", *(["--overwrite"] if overwrite else []))
    assert result.exit_code == 130
    assert advice in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"LOCAL_RANK": "1"},
        {"RANK": "1", "WORLD_SIZE": "2"},
        {"SLURM_PROCID": "3"},
        {
            "SLURM_NTASKS": "4",
            "SLURM_JOB_NAME": "train",
            "SLURM_NODEID": "0",
            "SLURM_LOCALID": "1",
            "SLURM_PROCID": "1",
        },
    ],
)
def test_one_device_trains_whatever_the_environment_says(data, tmp_path, environment):
    out = tmp_path / "m"
    process = start_command("train", data, "--out", out, "--epochs", 1, "--device", "cpu", **environment)
    printed, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert f"Model:  {out}" in printed
    assert load_model(out).record.steps


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (launching.LaunchInterrupted(15), 143, ""),
        (
            launching.ProcessFailedError("it failed.", 1, is_killed=False),
            1,
            "ctckit: it failed.",
        ),
        (
            launching.ProcessFailedError("it died.", 137, is_killed=True),
            137,
            "ctckit: it died. Nothing was saved; start again with the same command.",
        ),
    ],
)
def test_how_processes_end_that_train_together(data, tmp_path, monkeypatch, error, code, told):
    calls = []

    def launch(arguments, devices):
        calls.append((arguments, devices))
        raise error

    monkeypatch.setattr(launching, "launch", launch)
    monkeypatch.setattr("sys.argv", ["ctckit", "train", "and", "so", "on"])
    result = invoke("train", data, "--out", tmp_path / "m", "--devices", 2)
    assert calls == [(("-m", "ctckit", "train", "and", "so", "on"), 2)]
    assert (result.exit_code, result.stderr.rstrip()) == (code, told)


def test_a_training_is_limited_and_followed(tmp_path, monkeypatch):
    told = []

    class Curves(TrainingObserver):
        def __init__(self, folder):
            told.append(folder)

        def on_end(self, record):
            told.append(record.steps[-1])

    monkeypatch.setattr(tensorboard, "TensorBoardCurves", Curves)
    data, out = write_lines(tmp_path / "lines"), tmp_path / "m"
    limits = ("--minutes", 60, "--epochs", 4, "--patience", 3, "--no-average")
    result = invoke("train", data, "--out", out, "--device", "cpu", *limits, "--tensorboard", tmp_path / "runs")
    assert result.exit_code == 0, result.stderr
    assert told == [tmp_path / "runs", 4]
    log = [json.loads(line) for line in (out / "training.jsonl").read_text().splitlines()]
    assert log[-1]["event"] == "end"
    assert not any(each.get("averaged") for each in log)


@pytest.mark.parametrize("option", [("--minutes", -1), ("--minutes", "nan"), ("--patience", 0)])
def test_limits_that_are_none(tmp_path, option):
    result = invoke("train", write_lines(tmp_path / "lines"), "--out", tmp_path / "m", *option)
    assert result.exit_code == 2
    assert option[0].strip("-") in result.stderr
    assert not (tmp_path / "m").exists()


def test_bad_lines_do_not_stop_a_training_unless_it_is_strict(tmp_path):
    data, out = write_lines(tmp_path / "lines"), tmp_path / "m"
    (data / "x.png").write_text("no image")
    write_line(data, "y", "a\nb")
    strict = invoke("train", data, "--out", out, "--epochs", 1, "--device", "cpu", "--strict")
    assert strict.exit_code == 2
    assert f"{data / 'x.png'}: no text file." in strict.stderr
    assert f"{data / 'y.gt.txt'}: 2 lines of text; expected one." in strict.stderr
    result = invoke("train", data, "--out", out, "--epochs", 1, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    assert "2 of 11 lines are left out" in result.stderr
    assert len((out / "skipped.tsv").read_text().splitlines()) == 3
    assert f"Trained on {len(TEXTS) - 1} lines" in result.stdout


def test_a_wide_line_needs_the_option(tmp_path):
    data = write_lines(tmp_path / "lines", ["ab"])
    refused = invoke("train", data, "--out", tmp_path / "m", "--max-width", 30, "--validation", 0)
    assert refused.exit_code == 2
    assert "at most 30 columns are read. Cut it into lines, or set a larger max_width" in refused.stderr


def test_the_defaults_of_the_command_are_those_of_the_library():
    config = TrainingOptions().config()
    assert config == FitConfig(accelerator="auto")


def test_resume_and_overwrite_together(data, tmp_path):
    result = invoke("train", data, "--out", tmp_path / "m", "--resume", "--overwrite")
    assert result.exit_code == 2
    assert "resume and overwrite are both given" in result.stderr


# --- the demo


@pytest.mark.parametrize("name", ["index.html", "model", "lines"])
def test_the_demo_does_not_overwrite_what_is_in_its_folder(tmp_path, name):
    (tmp_path / name).mkdir()
    result = invoke("demo", "--out", tmp_path, "--steps", 1, "--strings", 1)
    assert result.exit_code == 2
    assert f"ctckit: {tmp_path}: {name} is already in this folder. Choose another folder, or replace" in result.stderr
    assert os.listdir(tmp_path) == [name]


def test_the_demo_overwrites_when_it_is_told_to_and_keeps_the_rest(tmp_path):
    (tmp_path / "index.html").write_text("old")
    (tmp_path / "mine.txt").write_text("mine")
    result = invoke("demo", "--out", tmp_path, "--steps", 1, "--strings", 10, "--overwrite")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "index.html").read_text() != "old"
    assert sorted(os.listdir(tmp_path)) == ["index.html", "lines", "mine.txt", "model"]
