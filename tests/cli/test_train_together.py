"""``ctckit train`` in several processes: started by itself and by torchrun; killed, interrupted, resumed."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ctckit.ocr.fit import CHECKPOINT_FILE
from ctckit.ocr.model_folder import load_model
from ctckit.ocr.training.checkpoint import saved_step
from tests.support.line_files import interrupt, start_command, wait_until, write_lines

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("signals_as_usual")]

TINY = ("--height", 16, "--no-average", "--device", "cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("together") / "lines")


def losses(out):
    return load_model(out).record.loss


def free_port():
    """Return a port that nothing uses at the moment."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def torchrun(*arguments):
    """Start torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", *map(str, arguments)]
    environment, pipe = {**os.environ, "OMP_NUM_THREADS": "1"}, subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def children(process):
    """Return the processes that a process has started."""
    return [int(n) for n in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def saved(process, out):
    """Wait until a run has a checkpoint."""
    wait_until((out / CHECKPOINT_FILE).exists, process)


def test_two_processes_give_the_model_of_one_and_torchrun_on_two_machines_gives_it_too(data, tmp_path):
    command = ("train", data, "--epochs", 20, "--batch-size", 4, *TINY)
    outs = [tmp_path / name for name in ("one", "two", "machines")]
    runs = [start_command(*command, "--out", outs[0]), start_command(*command, "--out", outs[1], "--devices", 2)]
    printed = [process.communicate(timeout=240) for process in runs]
    assert [process.returncode for process in runs] == [0, 0], printed
    address = ("--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{free_port()}", "--local-addr", "localhost")
    machines = [torchrun("--nnodes", 2, *address, "-m", "ctckit", *command, "--out", outs[2]) for _ in range(2)]
    said = [process.communicate(timeout=240)[0] for process in machines]
    assert [process.returncode for process in machines] == [0, 0]
    assert sorted(text.count("Model:") for text in said) == [0, 1]
    one, two, of_machines = map(losses, outs)
    assert len(one) > 2
    assert two == pytest.approx(one, rel=1e-3)  # forty steps: rounding has grown
    assert of_machines == pytest.approx(two, rel=1e-3)
    assert printed[1][0].count("Model:") == 1
    assert sorted(path.name for path in outs[1].iterdir()) == sorted(path.name for path in outs[0].iterdir())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="finds the processes in /proc")
def test_a_killed_process_ends_the_run_which_one_process_then_continues(data, tmp_path):
    out = tmp_path / "m"
    command = ("train", data, "--out", out, "--epochs", 1000, "--batch-size", 4, *TINY)
    process = start_command(*command, "--devices", 2)
    saved(process, out)
    victim = children(process)[-1]
    os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGKILL, errors
    told = rf"ctckit: process \d of 2 \(pid {victim}\) was killed by SIGKILL, and the training has ended\. "
    told += rf"The state after step \d+ is in {re.escape(str(out / CHECKPOINT_FILE))}\. Continue: "
    assert re.search(told + r"the same command with --resume\.\n$", errors), errors
    assert "Traceback" not in errors
    step = saved_step(out / CHECKPOINT_FILE)
    process = start_command(*command, "--resume")
    wait_until(lambda: saved_step(out / CHECKPOINT_FILE) > step, process)
    assert interrupt(process)[0] == 130


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="finds the processes in /proc")
def test_under_torchrun_the_first_process_tells_that_another_one_was_killed(data, tmp_path):
    out = tmp_path / "m"
    command = ("train", data, "--out", out, "--epochs", 1000, "--batch-size", 4, *TINY)
    process = torchrun("--standalone", "--nproc-per-node", 2, "-m", "ctckit", *command)
    saved(process, out)
    os.kill(children(process)[-1], signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode
    told = (
        r"Stopped: another process of this training has ended, or cannot be reached\. The state after step \d+ is in "
    )
    assert re.search(told + re.escape(str(out / CHECKPOINT_FILE)), errors), errors


def test_ctrl_c_stops_all_processes_with_one_message(data, tmp_path):
    out = tmp_path / "m"
    command = ("train", data, "--out", out, "--epochs", 1000, "--device", "cpu", "--devices", 2)
    process = start_command(*command)
    saved(process, out)
    started = children(process)
    found, errors = interrupt(process)
    assert found == 130, errors
    assert re.search(r"\nInterrupted after step \d+\. Continue: the same command with --resume\.\n$", errors), errors
    assert errors.count("Interrupted") == 1
    assert not any(Path(f"/proc/{number}").exists() for number in started)


def test_an_error_is_told_once(tmp_path):
    process = start_command("train", tmp_path / "none", "--out", tmp_path / "m", "--device", "cpu", "--devices", 2)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert errors.count("there is no such") == 1, errors
    assert "Traceback" not in errors
