"""Model folders while others write: locks, files that change together, what killed processes leave."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch

from ctckit import _files
from ctckit.errors import DataError
from ctckit.ocr import model_folder
from ctckit.ocr.fit import LOG_FILE, REPORT_FILE, FitConfig, fit_lines
from ctckit.ocr.model_folder import load_model, save_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.training import loop
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TINY, register_tiny, write_lines

VOCABULARIES = [Vocabulary.from_characters(characters) for characters in ("ab", "xyz")]


def network(vocabulary):
    torch.manual_seed(len(vocabulary))
    return CRNN(CRNNConfig(num_classes=len(vocabulary), **TINY))


def dead_process():
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(done.stdout)


def save_in_turns(folder, seconds):
    """Save two models in turns, as two processes that write into one folder."""
    import time

    models = [network(vocabulary) for vocabulary in VOCABULARIES]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for model, vocabulary in zip(models, VOCABULARIES, strict=True):
            save_model(folder, model, vocabulary)


def test_loading_while_two_processes_save_gives_one_of_the_models(tmp_path):
    save_model(tmp_path, network(VOCABULARIES[0]), VOCABULARIES[0])
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=save_in_turns, args=(tmp_path, 3.0)) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        saved = load_model(tmp_path)
        assert saved.vocabulary in VOCABULARIES
        assert saved.model.num_classes == len(saved.vocabulary)
        seen.add(len(saved.vocabulary))
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen == {3, 4}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]


@pytest.mark.parametrize("late", ["model.json", "weights.safetensors"])
def test_a_model_that_is_replaced_while_it_is_read(tmp_path, monkeypatch, late):
    """The first file is read before a save and the second after it."""
    save_model(tmp_path, network(VOCABULARIES[0]), VOCABULARIES[0])
    name = {"model.json": "_read_description", "weights.safetensors": "read_tensors"}[late]
    read, calls = getattr(model_folder, name), []

    def save_first(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            save_model(tmp_path, network(VOCABULARIES[1]), VOCABULARIES[1])
        return read(*arguments, **options)

    monkeypatch.setattr(model_folder, name, save_first)
    assert load_model(tmp_path).vocabulary == VOCABULARIES[1]
    assert len(calls) == {"model.json": 1, "weights.safetensors": 2}[late]


def test_loaded_weights_do_not_depend_on_their_file(tmp_path):
    save_model(tmp_path, network(VOCABULARIES[0]), VOCABULARIES[0])
    saved = load_model(tmp_path)
    before = {name: tensor.clone() for name, tensor in saved.model.state_dict().items()}
    (tmp_path / "weights.safetensors").write_bytes(b"")
    assert all(torch.equal(tensor, before[name]) for name, tensor in saved.model.state_dict().items())


# --- locks


def test_one_training_at_a_time_writes_into_a_folder(tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    data, errors = write_lines(tmp_path / "lines"), []
    save = loop.save_checkpoint

    def train_another(*arguments, **options):
        save(*arguments, **options)
        for options in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(DataError, match=r"is training a model in it\. Wait until it ends") as error:
                fit_lines(data, tmp_path / "m", config=FitConfig(epochs=1, network="tiny"), **options)
            errors.append(str(error.value))

    monkeypatch.setattr(loop, "save_checkpoint", train_another)
    fit_lines(data, tmp_path / "m", config=FitConfig(epochs=1, network="tiny"))
    assert f"{tmp_path / 'm'}: another process (process {os.getpid()} on " in errors[0]
    assert len(errors) == 3
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [
        "model.json",
        REPORT_FILE,
        LOG_FILE,
        "weights.safetensors",
    ]


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from ctckit import _files\n"
        "with _files.locked(Path(sys.argv[1]), 'x.lock', doing='works in it'):\n    os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 9
    assert (tmp_path / "x.lock").exists()
    with _files.locked(tmp_path, "x.lock", doing="works in it"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_threads_wait_for_a_lock_one_after_another(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(20):
            with _files.locked(tmp_path, "x.lock", doing="works in it", wait=60.0):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_found_before_the_training(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(_files.os, "open", refuse)
    with pytest.raises(DataError, match=r"m: cannot write into this folder \(Permission denied\)\. Choose another"):
        fit_lines(tmp_path / "nowhere", tmp_path / "m")


def test_a_folder_that_stays_empty_is_removed_and_another_is_not(tmp_path):
    (tmp_path / "old").mkdir()
    for name in ("old", "new"):
        with pytest.raises(DataError, match=r"nowhere: there is no such folder"):
            fit_lines(tmp_path / "nowhere", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


# --- what killed writers leave


def test_files_of_killed_writers_are_removed_by_the_next_save(tmp_path):
    host, killed = _files._host(), dead_process()
    left = [tmp_path / f"{name}.{host}.{killed}.abc.new" for name in ("model.json", "weights.safetensors")]
    for path in left:
        path.write_bytes(b"half")
    save_model(tmp_path, network(VOCABULARIES[0]), VOCABULARIES[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]


def test_a_writer_that_is_killed_after_the_rename_leaves_nothing_of_killed_writers(tmp_path):
    """A file that is there is perhaps never written again: nobody would remove them later."""
    left = tmp_path / f"a.{_files._host()}.{dead_process()}.abc.new"
    left.write_bytes(b"half")
    script = f"""
import os, pathlib, signal
from ctckit import _files
rename = os.replace
def rename_and_die(*paths):
    rename(*paths)
    os.kill(os.getpid(), signal.SIGKILL)
os.replace = rename_and_die
_files.write_atomically(pathlib.Path({str(tmp_path / "a")!r}), b"1")
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_files_of_living_writers_and_of_young_unknown_ones_stay(tmp_path):
    names = [f"a.{_files._host()}.{os.getpid()}.x.new", "a.elsewhere.1.x.new", "a.x.new", "b.x.new"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    _files.write_atomically(tmp_path / "a", b"1")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a", *names])
    for name in names:
        os.utime(tmp_path / name, (0, 0))
    _files.write_atomically(tmp_path / "a", b"2")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a", names[0], "b.x.new"])


def test_a_checkpoint_that_is_half_written_is_removed_by_the_next(tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    data, out = write_lines(tmp_path / "lines"), tmp_path / "m"
    out.mkdir()
    (out / f"checkpoint.safetensors.{_files._host()}.{dead_process()}.abc.new").write_bytes(b"half")
    fit_lines(data, out, config=FitConfig(epochs=1, network="tiny"))
    assert sorted(path.name for path in out.iterdir()) == ["model.json", REPORT_FILE, LOG_FILE, "weights.safetensors"]


def test_a_failed_save_keeps_the_new_description_of_weights_that_were_renamed(tmp_path, monkeypatch):
    """Its name says who left it; the next load finds it, also when that process is dead."""
    save_model(tmp_path, network(VOCABULARIES[0]), VOCABULARIES[0])
    content = json.loads((tmp_path / "model.json").read_text())
    save_model(tmp_path, network(VOCABULARIES[1]), VOCABULARIES[1])
    new = (tmp_path / "model.json").read_bytes()
    (tmp_path / "model.json").write_text(json.dumps(content))
    (tmp_path / f"model.json.{_files._host()}.{dead_process()}.abc.new").write_bytes(new)
    assert load_model(tmp_path).vocabulary == VOCABULARIES[1]
