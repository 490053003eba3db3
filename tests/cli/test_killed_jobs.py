"""A job that is killed at random moments, again and again: in the end each input has one row.

``CTCKIT_KILLS=50 pytest tests/cli/test_killed_jobs.py`` kills that many times.
"""

import json
import os
import random
import shutil
import signal
import time
from collections import Counter

import numpy as np
import pytest

from ctckit.bulk.shards import shards_of
from tests.support.line_files import start_command

KILLS = int(os.environ.get("CTCKIT_KILLS", "2"))
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")


def kill_often(command, out, paths, seconds):
    """Kill the command ``KILLS`` times, within ``seconds`` of its start; then let it finish, if it never did."""
    chance = random.Random(KILLS)
    kills = finished = rows_left = 0
    while kills < KILLS or not finished:
        process = start_command(*command)
        if kills < KILLS:
            time.sleep(chance.uniform(0.0, seconds))
            process.kill()
        stdout, stderr = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), (stdout, stderr)
        kills += process.returncode == -signal.SIGKILL
        found = Counter(path for shard in shards_of(out) for path in paths_in(shard)) if out.exists() else Counter()
        assert set(found.values()) <= {1}, "an input has two rows"
        assert len(found) >= rows_left, "a row was lost"
        rows_left = len(found)
        print(process.returncode, rows_left)  # pytest -s shows where it was killed
        if process.returncode == 0:
            assert set(found) == set(paths)
            assert not list(out.glob("*.new")), "a file of a killed process is left"
            finished, rows_left = finished + 1, 0
            shutil.rmtree(out)
    return finished


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_nothing_is_lost_or_doubled_when_decoding(tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / "in").mkdir()
    (tmp_path / "tokens.txt").write_text("\na\nb\n", encoding="utf-8")
    item = np.log(np.random.default_rng(0).dirichlet(np.ones(3), 50)).astype(np.float32)
    paths = [tmp_path / "in" / f"{n}.npy" for n in range(400)]
    for path in paths:
        np.save(path, item)
    out = tmp_path / "out"
    options = ("-v", tmp_path / "tokens.txt", "--shards", out, "--shard-rows", 7, "--shard-format", form)
    assert kill_often(("decode", tmp_path / "in", *options), out, [str(path) for path in paths], 0.8) >= 1


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_when_reading(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from tests.support.onnx_models import recognizer

    (tmp_path / "in").mkdir()
    model = recognizer(tmp_path / "model.onnx")
    line = np.random.default_rng(0).integers(0, 256, (32, 60)).astype(np.uint8)
    paths = [tmp_path / "in" / f"{n}.png" for n in range(200)]
    for path in paths:
        image.fromarray(line).save(path)
    out = tmp_path / "out"
    options = ("--model", model, "--shards", out, "--shard-rows", 7)
    assert kill_often(("read", tmp_path / "in", *options), out, [str(path) for path in paths], 1.5) >= 1


def paths_in(shard):
    if shard.suffix == ".jsonl":
        return [json.loads(line)["path"] for line in shard.read_text("utf-8").splitlines()]
    from pyarrow import parquet

    return parquet.read_table(shard).column("path").to_pylist()
