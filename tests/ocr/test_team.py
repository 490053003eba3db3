"""What the processes of a training share, without starting any: batches, batch norms, messages of failures."""

import dataclasses
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed, nn
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from ctckit.errors import InvalidInputError
from ctckit.ocr.data.batches import LineBatches, SharedBatches
from ctckit.ocr.fit import FitConfig, fit_lines
from ctckit.ocr.networks.crnn import CRNNConfig
from ctckit.ocr.networks.sharing import Share, SharedBatchNorm2d, random_rows, sharing
from ctckit.ocr.training import launching
from ctckit.ocr.training.devices import in_first_process, launched_fabric
from ctckit.ocr.training.team import ProcessLostError, Team, connected
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TEXTS, bars, write_lines

TENSORS = ("images", "widths", "targets", "target_lengths")


@pytest.fixture
def group():
    """A group of one process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.fixture
def launched(monkeypatch):
    """Return a function that sets what torchrun tells a process."""

    def launch(*, rank=0, here=1, machines=1, all_=None):
        sizes = {"LOCAL_WORLD_SIZE": here, "GROUP_WORLD_SIZE": machines, "WORLD_SIZE": all_ or here * machines}
        values = {"TORCHELASTIC_RUN_ID": "1", "RANK": rank, "LOCAL_RANK": rank % here, **sizes}
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))

    return launch


class Whole:
    """A source that makes only whole batches."""

    def __init__(self, source):
        self.batches_per_epoch, self.batch = source.batches_per_epoch, source.batch


def source():
    lines = [bars(text) for text in TEXTS]
    return LineBatches(lines, Vocabulary.from_characters("ab"), CRNNConfig(3), batch_size=4, seed=5)


# --- shares of a batch


@given(ranks=st.integers(1, 6), step=st.integers(0, 5))
def test_the_shares_of_a_batch_are_its_lines(ranks, step):
    whole = source().batch(step)
    for each in (source(), Whole(source())):
        shares = [SharedBatches(each, rank, ranks).batch(step) for rank in range(ranks)]
        counted = [share for share in shares if share.share.counts]
        assert sum((share.texts for share in counted), ()) == whole.texts
        assert all(share.share.total == len(whole.texts) for share in shares)
        assert all(len(share.texts) == 1 for share in shares if not share.share.counts)
        for share in shares:
            rows = slice(share.share.first, share.share.first + len(share.texts))
            for name in TENSORS[1:]:
                found, expected = getattr(share, name), getattr(whole, name)[rows]
                assert torch.equal(found, expected[:, : found.shape[1]] if expected.ndim == 2 else expected)
            columns = share.images.shape[3]
            torch.testing.assert_close(share.images, whole.images[rows, :, :, :columns])
            assert not whole.images[rows, :, :, columns:].any()


def test_random_numbers_of_a_share_are_those_of_its_lines():
    torch.manual_seed(3)
    whole = random_rows(5, 2, device=torch.device("cpu"))
    following = torch.rand(1)
    torch.manual_seed(3)
    with sharing(Share(first=2, total=5)):
        assert torch.equal(random_rows(3, 2, device=torch.device("cpu")), whole[2:])
    assert torch.equal(torch.rand(1), following)


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_shared_batch_norm_is_that_of_torch(dtype):
    images = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)).to(dtype) + 7
    found = []
    for norm, share in ((SharedBatchNorm2d(4), Share(0, 3)), (nn.BatchNorm2d(4), None)):
        leaf = images.clone().requires_grad_()
        nn.init.uniform_(norm.weight, 1.0, 2.0, generator=torch.Generator().manual_seed(1))
        with sharing(share):
            result = norm(leaf)
        (result.float() ** 3).sum().backward()
        found.append([result, leaf.grad, norm.weight.grad, norm.bias.grad, *norm.state_dict().values()])
    tolerance = {"rtol": 2e-4, "atol": 2e-4} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.5}
    for shared, of_torch in zip(*found, strict=True):
        torch.testing.assert_close(shared, of_torch, **tolerance)


# --- one process among several


def test_a_process_that_torchrun_did_not_start_is_the_first(monkeypatch, launched):
    monkeypatch.setenv("RANK", "1")
    assert in_first_process()
    launched(rank=1, here=2)
    assert not in_first_process()


def test_several_devices_need_processes_and_slurm_has_no_say(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "4")
    data = write_lines(tmp_path / "lines")
    with pytest.raises(InvalidInputError, match=r"^devices is 2, .* torchrun --nproc-per-node 2, or use ctckit train"):
        fit_lines(data, tmp_path / "m", config=FitConfig(devices=2))
    assert not (tmp_path / "m").exists()


def test_numbers_of_processes_that_do_not_fit(launched):
    launched(here=2)
    with pytest.raises(InvalidInputError, match=r"devices is 3, but torchrun has started 2 processes on this machine"):
        launched_fabric("cpu", 3, "32-true")
    launched(here=2, machines=2, all_=3)
    with pytest.raises(InvalidInputError, match=r"2 processes on this machine, and 3 on 2 machines\. Start the same"):
        launched_fabric("cpu", 1, "32-true")


@dataclasses.dataclass
class SecondOfTwo:
    """What ``Team`` asks Lightning Fabric, in the second process of two."""

    of_the_first: object
    world_size = 2
    global_rank = 1
    is_global_zero = False

    def broadcast(self, value):
        return self.of_the_first


def test_other_lines_than_those_of_the_first_process_are_refused():
    Team(SecondOfTwo({"seed": 1})).expect_same({"seed": 1})
    with pytest.raises(
        InvalidInputError,
        match=r"process 2 of 2 .* network there CRNN, here not recorded; training lines there 5, here 4",
    ):
        Team(SecondOfTwo({"training lines": 5, "network": "CRNN"})).expect_same({"training lines": 4})


def test_only_a_lost_connection_is_told_as_one(tmp_path, monkeypatch, launched):
    told = []
    connection = connected(tmp_path / "none", tell=told.append)
    of_gloo, of_nccl = RuntimeError("[gloo/pair.cc:1] Connection closed"), distributed.DistBackendError("NCCL")
    with pytest.raises(RuntimeError, match="gloo"), connected(None, tell=told.append):
        raise of_gloo  # not in one of several processes
    launched(here=2)
    with pytest.raises(RuntimeError, match="out of memory"), connected(None, tell=told.append):
        raise RuntimeError("out of memory")
    assert told == []
    with pytest.raises(ProcessLostError, match=r"ended, or cannot be reached\.$"), connection:
        raise of_gloo
    assert told == ["Stopped: another process of this training has ended, or cannot be reached."]
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "ctckit-1")
    with pytest.raises(ProcessLostError), connected(None, tell=told.append):
        raise of_nccl
    assert len(told) == 1  # ``ctckit train`` tells which process it was


# --- how the launcher tells a failure


def failure(code, told="", when=0):
    found = ProcessFailure(local_rank=0, pid=77, exitcode=code, error_file="none")
    found.timestamp = when
    found.error_file_data = {"message": {"message": told}} if told else {"message": ""}
    return found


LOST = "ProcessLostError: another process of this training has ended"


@pytest.mark.parametrize(
    ("failures", "message", "code"),
    [
        ({0: failure(-15), 1: failure(-9, when=1)}, r"process 2 of 3 \(pid 77\) was killed by SIGKILL, and the", 137),
        ({0: failure(2, LOST), 2: failure(-11, when=1)}, r"process 3 of 3 .* killed by SIGSEGV", 139),
        ({0: failure(-15, "DataError: x: y"), 1: failure(2, "DataError: x: y")}, r"^x: y$", 2),
        ({0: failure(2, LOST), 1: failure(1, "DataError: y")}, r"process 2 of 3 .* failed\. y$", 1),
        ({0: failure(-15), 1: failure(2, "DataError: y")}, r"process 2 of 3 .* failed\. y$", 2),
        ({1: failure(1)}, r"process 2 of 3 .* failed\. Its exit code is 1\.$", 1),
        ({0: failure(2, LOST)}, r"^another process of this training has ended$", 2),
    ],
)
def test_the_launcher_tells_which_process_is_the_cause(failures, message, code):
    error = launching._as_error(failures, 3)
    with pytest.raises(launching.ProcessFailedError, match=message):
        raise error
    assert error.code == code
    assert error.is_killed == (code > 128)


def test_variables_of_the_environment_that_are_set_stay(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("CTCKIT_NUM_THREADS", raising=False)
    with launching._environment({"OMP_NUM_THREADS": "1", "CTCKIT_NUM_THREADS": "1"}):
        assert (os.environ["OMP_NUM_THREADS"], os.environ["CTCKIT_NUM_THREADS"]) == ("5", "1")
    assert "CTCKIT_NUM_THREADS" not in os.environ
