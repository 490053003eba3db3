import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from ctckit.cli import app, requirements
from ctckit.cli.lazy import with_all_commands
from ctckit.cli.root import COMMANDS
from ctckit.ocr.model_folder import load_model

runner = CliRunner()


def invoke(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def bars(path, text, *, width=8):
    image = np.full((32, width * (2 * len(text) + 1)), 255, np.uint8)
    for index, character in enumerate(text):
        rows = slice(2, 14) if character == "a" else slice(18, 30)
        image[rows, width * (2 * index + 1) : width * (2 * index + 2)] = 0
    Image.fromarray(image).save(path)
    path.with_suffix("").with_suffix(".gt.txt").write_text(text + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lines")
    for text in ("a", "b", "ab", "ba", "aab", "abb", "bab", "bb", "aba"):
        bars(folder / f"{text}.png", text)
    return folder


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "bars"
    result = invoke(
        "train", data, "--out", out, "--epochs", 25, "--batch-size", 4, "--lr", 5e-3, "--device", "cpu", "--no-find"
    )
    assert result.exit_code == 0, result.output
    return out, result


def test_train_says_what_it_did_and_what_comes_next(model):
    out, result = model
    assert "Trained on 8 lines" in result.stdout
    assert "On 1 held-out line: CER" in result.stdout
    assert f"Model:  {out}" in result.stdout
    assert f"Next:   ctckit read IMAGE... --model {out}" in result.stdout
    files = ["model.json", "report.html", "training.jsonl", "weights.safetensors"]
    assert sorted(path.name for path in out.iterdir()) == files


def test_read_prints_the_text_of_one_image(model, data):
    result = invoke("read", data / "ab.png", "--model", model[0])
    assert (result.exit_code, result.stdout) == (0, "ab\n")


def test_read_prints_path_and_text_of_several(model, data):
    result = invoke("read", data / "ab.png", data / "ba.png", "--model", model[0])
    assert result.stdout == f"{data / 'ab.png'}\tab\n{data / 'ba.png'}\tba\n"


def test_read_as_json(model, data):
    result = invoke("read", data / "ab.png", "--model", model[0], "--json")
    (reading,) = json.loads(result.stdout)
    assert set(reading) == {"path", "text", "log_prob", "confidence", "spans", "score"}
    assert reading["text"] == "ab"
    assert [span["character"] for span in reading["spans"]] == ["a", "b"]
    assert set(reading["spans"][0]) == {"character", "start", "end", "left", "right", "top", "bottom", "log_prob"}


def test_an_interrupted_training_says_how_to_go_on_and_does(data, tmp_path, monkeypatch):
    from ctckit.ocr.training import loop as training

    keep = training.save_checkpoint

    def keep_and_stop(*arguments, **options):
        keep(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "save_checkpoint", keep_and_stop)
    command = ("train", data, "--out", tmp_path / "m", "--epochs", 2, "--device", "cpu")
    result = invoke(*command)
    assert result.exit_code == 130
    assert "Interrupted. Continue: the same command with --resume." in result.stderr
    monkeypatch.undo()
    resumed = invoke(*command, "--resume")
    assert resumed.exit_code == 0, resumed.output
    whole = invoke("train", data, "--out", tmp_path / "whole", "--epochs", 2, "--device", "cpu")
    assert whole.exit_code == 0, whole.output
    models = [load_model(tmp_path / name).model.state_dict() for name in ("m", "whole")]
    assert all(torch.equal(tensor, models[1][name]) for name, tensor in models[0].items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "nowhere", "--out", "m"), "nowhere: there is no such folder or table"),
        (("train", ".", "--out", "m"), "no images in this folder"),
        (("train", ".", "--out", "m", "--lr", "0"), "learning_rate is 0.0; expected more than 0"),
        (("read", "a.png", "--model", "nowhere"), "nowhere: no such folder. A model folder holds"),
    ],
)
def test_bad_input_gives_one_message_and_code_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("ctckit: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_reading_a_missing_or_unreadable_image(model, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    for name, message in (("none.png", "there is no such image file"), ("bad.png", "cannot be read as an image")):
        result = invoke("read", tmp_path / name, "--model", model[0])
        assert result.exit_code == 2
        assert f"ctckit: {tmp_path / name}: {message}" in result.stderr


def test_training_on_an_image_too_narrow_for_its_text(tmp_path):
    bars(tmp_path / "a.png", "a", width=4)
    (tmp_path / "a.gt.txt").write_text("aabb")
    result = invoke("train", tmp_path, "--out", tmp_path / "m", "--frame-pixels", "4", "--no-find")
    assert result.exit_code == 2
    assert "12 pixels wide at height 32, which gives 3 frames; its 4 characters with 2 adjacent repeats need 6" in (
        result.stderr
    )


@pytest.mark.parametrize(
    "arguments", [(), ("fly",), ("read",), ("train", "x"), ("train", "x", "-o", "m", "--device", "z")]
)
def test_wrong_usage_is_code_2(arguments):
    assert invoke(*arguments).exit_code == 2


def test_training_on_texts_outside_the_charset(data, tmp_path):
    result = invoke("train", data, "--out", tmp_path / "m", "--charset", "b", "--strict")
    assert result.exit_code == 2
    assert "7 of 9 lines cannot be used (7 × characters outside the charset):" in result.stderr
    assert result.stderr.count("characters outside the charset: 'a'. Correct the text") == 7


def test_a_missing_package_prints_the_install_command(monkeypatch):
    find = requirements.find_spec
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name == "lightning_fabric" else find(name))
    result = invoke("demo")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: ctckit demo needs lightning-fabric, which is not installed. "
        'Install it: pip install "ctckit[ocr]"\n'
    )  # fmt: skip


def test_help_documents_the_exit_codes():
    names = [command.name for command in app.registered_commands]
    assert "decode" in names
    for command in ((), *((name,) for name in names)):
        result = invoke(*command, "--help")
        assert result.exit_code == 0
        assert "Exit codes" in result.stdout


def test_a_model_is_not_replaced_by_accident(model, data, tmp_path):
    out = tmp_path / "model"
    shutil.copytree(model[0], out)
    before = (out / "weights.safetensors").read_bytes()
    result = invoke("train", data, "--out", out, "--epochs", 1)
    assert result.exit_code == 2
    assert f"ctckit: {out}: a model is already in this folder." in result.stderr
    assert (out / "weights.safetensors").read_bytes() == before
    result = invoke("train", data, "--out", out, "--epochs", 1, "--overwrite", "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    assert (out / "weights.safetensors").read_bytes() != before
    (out / "checkpoint.safetensors").write_bytes(b"")
    refused = invoke("train", data, "--out", out).stderr
    assert "an interrupted run is in this folder. Continue it with resume=True (--resume), or" in refused


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there(data, tmp_path):
    result = invoke("train", data, "--out", tmp_path / "m", "--device", "cuda")
    assert result.exit_code == 2
    assert "cannot be used here (" in result.stderr
    assert 'Use accelerator="cpu".' in result.stderr


def test_a_training_that_diverges(data, tmp_path):
    result = invoke("train", data, "--out", tmp_path / "m", "--lr", 1e20, "--epochs", 30, "--device", "cpu")
    assert result.exit_code == 2
    assert "training diverged. Lower learning_rate" in result.stderr


def test_reading_a_folder(model, data):
    result = invoke("read", data, "--model", model[0])
    assert result.exit_code == 0, result.output
    names = [line.partition("\t")[0] for line in result.stdout.splitlines()]
    assert names == sorted(str(path) for path in data.rglob("*.png"))


def test_the_package_can_be_run():
    done = subprocess.run([sys.executable, "-m", "ctckit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ctckit ")


def test_explain_draws_the_lattice_of_the_text():
    result = invoke("explain", "--text", "apple")
    assert result.exit_code == 0
    rows = result.stdout.splitlines()
    assert rows[0].startswith("lattice of a p p l e: 23 frames × 11 states")
    assert [row.split()[0] for row in rows[2:13]] == list("∅a∅p∅p∅l∅e∅")
    assert invoke("explain").stdout == result.stdout


def test_explain_shows_a_text_that_needs_more_frames():
    result = invoke("explain", "--text", "apple", "--frames", 5)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "lattice of a p p l e: 5 frames × 11 states, log p = -inf (no path: 5 tokens need 6 frames, log_probs has 5)"
    ]


def test_explain_of_nothing():
    assert "the empty target" in invoke("explain", "--text", "").stdout


def test_diagnose_prints_the_page_or_json(tmp_path):
    path = tmp_path / "batch.npz"
    np.savez(path, logits=np.zeros((1, 2, 3)), targets=[[1, 1]], input_lengths=[2], target_lengths=[2])
    result = invoke("diagnose", path)
    assert result.exit_code == 0
    assert result.stdout.startswith("diagnosis: infeasible-data, 1 item, T = 2, C = 3, blank 0\n")
    found = json.loads(invoke("diagnose", path, "--json", "--blank", "2").stdout)
    assert found["infeasible"] == [{"item": 0, "frames": 2, "tokens": 2, "repeats": 1, "missing": 1}]
    assert found["blank"] == 2


def test_diagnose_of_what_is_no_batch(tmp_path):
    np.savez(tmp_path / "half.npz", logits=np.zeros((1, 2, 3)))
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("no batch")
    (tmp_path / "empty.npz").touch()
    expected = {
        "half.npz": "targets is missing; expected logits, targets, input_lengths, target_lengths.",
        "none.npz": "there is no such file.",
        "one.npy": "not a .npz file of arrays.",
        "text.npz": "not a .npz file of arrays.",
        "empty.npz": "not a .npz file of arrays.",
    }
    for name, message in expected.items():
        result = invoke("diagnose", tmp_path / name)
        assert result.exit_code == 2
        assert f"ctckit: {tmp_path / name}: {message}" in result.stderr


def test_version():
    assert invoke("--version").stdout.startswith("ctckit ")


def test_the_command_line_itself_imports_neither_numpy_nor_rich():
    code = "import sys, ctckit.cli; assert not {'numpy', 'rich.console'} & set(sys.modules), sorted(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


HEAVY = {
    "numpy",
    "rich.console",
    "torch",
    "matplotlib",
    "PIL",
    "sklearn",
    "lightning_fabric",
    "ctckit.cli.options",
    "ctckit.kernels",
}


@pytest.mark.parametrize("argument", ["--help", "--version", "--no-such-option"])
def test_the_help_and_the_version_import_no_command(argument):
    code = (
        f"import sys\nfrom ctckit.cli import app\ntry:\n    app(['{argument}'])\nexcept SystemExit:\n    pass\n"
        f"print({HEAVY} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {"rich.console"} if argument == "--no-such-option" else set()  # the message is drawn by Rich
    assert eval(done.stdout.splitlines()[-1]) == loaded


def test_the_help_of_all_commands_is_what_each_says():
    for name, command in with_all_commands(app).commands.items():
        assert COMMANDS[name] == " ".join(command.help.split("\n\n")[0].split())
        assert invoke("--help").stdout.count(f"\n  {name} ") == 1


def test_without_arguments_the_help_is_shown():
    shown = [
        subprocess.run([sys.executable, "-m", "ctckit", *arguments], capture_output=True, text=True, check=True).stdout
        for arguments in ((), ("--help",))
    ]
    assert shown[0] == shown[1] != ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ctckit de", ["demo", "decode"]),
        ("ctckit decode --token-", ["--token-bonus", "--token-threshold"]),
        ("ctckit lm tr", ["train"]),
    ],
)
def test_the_shell_completes_commands_and_their_options(words, expected):
    count = str(len(words.split()) - 1)
    environment = {**os.environ, "_CTCKIT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": count}
    code = "from ctckit.cli import app; app(prog_name='ctckit')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == expected


def test_help_and_explain_import_nothing_heavy():
    code = (
        "import sys\nfrom ctckit.cli import app\ntry:\n    app(['explain'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'matplotlib', 'sklearn', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}, check=False)
    assert done.returncode == 0, done.stderr
    assert "lattice of" in done.stdout
