"""Training in several processes: the same as in one."""

import json
import os
import subprocess
import sys

import pytest
import torch

from tests.support import training_in_processes
from tests.support.paths import ROOT
from tests.support.training_in_processes import MIDDLE, STEPS, run

CLOSE = 1e-5  # relative; sums are in another order


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What two processes have found, and the folder with their checkpoint."""
    folder = tmp_path_factory.mktemp("together")
    run(folder / "half-of-one.safetensors", stop_after=MIDDLE)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, training_in_processes.__file__, folder], env=environment, check=True, timeout=240)
    return json.loads((folder / "found.json").read_text()), folder


@pytest.mark.slow
def test_the_curves_are_those_of_one_process(together):
    found, folder = together
    record, network = run()
    assert len(record.loss) == STEPS
    for name in ("loss", "cer", "learning_rate", "validation_cer", "validation_exact"):
        assert found["whole"][name] == pytest.approx(getattr(record, name), rel=CLOSE), name
        assert found["resumed"][name] == pytest.approx(getattr(record, name), rel=CLOSE), name
    for name, value in network.state_dict().items():
        torch.testing.assert_close(torch.tensor(found["weights"][name]), value, rtol=1e-3, atol=1e-4, msg=name)
    resumed, _ = run(folder / "half.safetensors", resume=True)
    assert resumed.loss == pytest.approx(record.loss, rel=CLOSE)
