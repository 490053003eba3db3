import dataclasses
import io
import json
import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from rich.console import Console

from ctckit.errors import DataError, InvalidInputError, ModelFormatError
from ctckit.loss import ctc_loss
from ctckit.ocr.data.batches import make_batch
from ctckit.ocr.networks.crnn import CRNN
from ctckit.ocr.training import batch_loss
from ctckit.ocr.training.evaluation import character_error_rate, evaluate
from ctckit.ocr.training.loop import TrainingConfig, train
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary
from tests.support.tiny_training import CONFIG, LINES, TINY, VOCABULARY, assert_same_weights, run, source
from tests.support.triton_interpreter import interpreter


def test_a_tiny_model_learns_to_read():
    torch.manual_seed(0)
    model = CRNN(TINY)
    config = TrainingConfig(steps=150, learning_rate=1e-2, validate_every=150)
    record = train(model, source(distort=False), VOCABULARY, config=config, validation=LINES)
    assert record.loss[-1] < 0.1 * record.loss[0]
    assert record.cer[-1] < 0.1
    assert record.validation_cer[-1] < 0.1
    assert evaluate(model, VOCABULARY, LINES).cer == record.validation_cer[-1]


def test_the_same_seed_gives_the_same_weights():
    first, record = run()
    second, again = run()
    assert_same_weights(first, second)
    assert record.loss == again.loss
    other, _ = run(dataclasses.replace(CONFIG, seed=6))
    assert not torch.equal(other.classes.weight, first.classes.weight)


@pytest.mark.parametrize("validation", [(), tuple(LINES[:5])])
@pytest.mark.parametrize("stop", [3, 8])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, validation, stop):
    whole, record = run(validation=validation)
    path = tmp_path / "checkpoint.safetensors"
    run(validation=validation, checkpoint=path, stop_after=stop)
    resumed, again = run(validation=validation, checkpoint=path, resume=True)
    assert_same_weights(whole, resumed)
    timeless = {"seconds": 0.0, "lines_per_second": 0.0, "loss_share": 0.0}
    assert dataclasses.replace(again, **timeless) == dataclasses.replace(record, **timeless)


def test_training_leaves_eval_mode_and_a_complete_record():
    model, record = run(validation=LINES[:5])
    assert not model.training
    assert record.steps == (2, 4, 6, 8, 10, 12)
    assert record.validation_steps == (4, 8, 12)
    assert record.best_step == record.validation_steps[
        max(i for i, cer in enumerate(record.validation_cer) if cer == min(record.validation_cer))
    ]  # fmt: skip
    assert record.seconds > 0
    assert record.lines_per_second > 0
    assert 0 < record.loss_share < 1


def test_the_last_line_of_progress_has_the_last_validation():
    shown = io.StringIO()
    config = dataclasses.replace(CONFIG, validate_every=100)  # at the end alone
    run(config, validation=LINES[:5], progress=TrainingProgress(Console(file=shown, width=200)))
    last = shown.getvalue().splitlines()[-1]
    assert last.startswith("step 12/12 ")
    assert "validation CER" in last


def test_the_record_survives_json():
    _, record = run(validation=LINES[:5])
    assert TrainingRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


def test_the_learning_rate_warms_up_and_falls_to_zero():
    config = TrainingConfig(steps=100, learning_rate=1.0, warmup=0.1)
    rates = [config.learning_rate_at(step) for step in range(100)]
    assert rates[0] == 0.1
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[-1] < 0.001


def test_resuming_without_a_checkpoint(tmp_path):
    with pytest.raises(DataError, match=r"there is no checkpoint to resume from"):
        run(checkpoint=tmp_path / "checkpoint.safetensors", resume=True)
    with pytest.raises(InvalidInputError, match=r"resume=True needs checkpoint="):
        run(resume=True)


def test_resuming_with_other_settings_names_them(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    run(checkpoint=path, stop_after=4)
    with pytest.raises(
        DataError, match=r"with other settings: learning_rate was 0\.01, now 0\.02; steps was 12, now 13"
    ):
        run(dataclasses.replace(CONFIG, learning_rate=0.02, steps=13), checkpoint=path, resume=True)


def test_a_damaged_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelFormatError, match=r"the checkpoint is damaged"):
        run(checkpoint=path, resume=True)


def test_a_vocabulary_of_another_size():
    with pytest.raises(InvalidInputError, match=r"the vocabulary has 4 classes and the network 3"):
        train(CRNN(TINY), source(), Vocabulary.from_characters("abc"), config=CONFIG)


def test_training_that_diverges_says_so():
    torch.manual_seed(0)
    model = CRNN(TINY)
    with torch.no_grad():
        model.classes.bias.fill_(float("nan"))
    shown = io.StringIO()
    progress = TrainingProgress(Console(file=shown, width=60))
    with pytest.raises(InvalidInputError, match=r"the loss is nan at step 1: training diverged\. Lower learning_rate"):
        train(model, source(), VOCABULARY, config=CONFIG, progress=progress)
    assert shown.getvalue().startswith("step 1: the loss is nan.\ndiagnosis: not-finite, 4 items, ")


def test_a_plateau_after_resuming_is_told_with_its_step(tmp_path):
    config = dataclasses.replace(CONFIG, learning_rate=1e-12, patience=4, clip_norm=1e-12)
    path = tmp_path / "checkpoint.safetensors"
    run(config, distort=False, checkpoint=path, stop_after=4)
    shown = io.StringIO()
    run(config, distort=False, checkpoint=path, resume=True, progress=TrainingProgress(Console(file=shown)))
    assert "step 8: the loss fell by less than 5 % in 4 steps" in shown.getvalue()
    assert shown.getvalue().count("diagnosis: ") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, r"steps is 0; expected more than 0"),
        ({"learning_rate": -1.0}, r"learning_rate is -1\.0"),
        ({"warmup": 1.0}, r"warmup is 1\.0"),
        ({"patience": 0}, r"patience is 0; expected more than 0"),
    ],
)
def test_settings_that_cannot_be_trained_with(options, message):
    with pytest.raises(InvalidInputError, match=message):
        TrainingConfig(**options)


def test_an_evaluation_lists_its_errors():
    model, _ = run()
    result = evaluate(model, VOCABULARY, LINES, batch_size=5)
    assert result.truths == tuple(line.text for line in LINES)
    assert set(result.errors) == {i for i, line in enumerate(LINES) if result.reads[i] != line.text}
    assert result.exact == 1 - len(result.errors) / len(LINES)
    assert result.cer == character_error_rate(result.truths, result.reads)
    assert result.lines_per_second > 0


# --- where the loss is computed


def test_the_loss_is_computed_where_the_logits_are(monkeypatch):
    """Tensors without data cannot be copied to the CPU: a copy would be an error."""
    seen = []

    def note(logits, targets, input_lengths, target_lengths, **options):
        seen.extend((logits, targets, input_lengths, target_lengths))
        return logits.sum()

    monkeypatch.setattr(batch_loss, "ctc_loss", note)
    monkeypatch.setattr(batch_loss, "_DEVICES", ("cpu", "meta"))
    batch = source().batch(0)
    logits = torch.zeros(4, 9, 3, device="meta", dtype=torch.bfloat16)
    batch_loss.compute_loss(logits, batch, torch.full((4,), 9, device="meta"), blank=0)
    assert [each.device.type for each in seen] == ["meta"] * 4
    assert seen[0].dtype == torch.float32


def test_the_loss_of_a_device_without_kernels_is_computed_on_the_cpu(monkeypatch):
    monkeypatch.setattr(batch_loss, "_DEVICES", ())
    batch = source().batch(0)
    loss = batch_loss.compute_loss(torch.zeros(4, 20, 3), batch, torch.full((4,), 20), blank=0)
    assert loss.device.type == "cpu"
    assert math.isfinite(loss)


def test_the_kernels_for_gpus_give_the_loss_of_the_cpu(monkeypatch):
    pytest.importorskip("triton", minversion="3.3")
    batch, lengths = make_batch(LINES[:2], VOCABULARY), torch.tensor([5, 6])
    logits = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    found = []
    for backend in ("auto", "triton"):
        leaf = logits.clone().requires_grad_()
        with interpreter(monkeypatch, frames=4), monkeypatch.context() as patched:
            patched.setattr(batch_loss, "ctc_loss", partial(ctc_loss, backend=backend))
            loss = batch_loss.compute_loss(leaf, batch, lengths, blank=0)
            loss.backward()
        found.append((loss.detach(), leaf.grad))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_loss_needs_no_copy_of_the_logits(monkeypatch):
    batch = source().batch(0)
    logits = torch.randn(4, 20, 3, generator=torch.Generator().manual_seed(0))
    lengths = torch.full((4,), 20)
    expected = batch_loss.compute_loss(logits, batch, lengths, blank=0)
    on_device = logits.cuda().requires_grad_()
    copy = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: pytest.fail("copied") if tensor.ndim == 3 else copy(tensor))
    loss = batch_loss.compute_loss(on_device, batch, lengths.cuda(), blank=0)
    loss.backward()
    assert loss.device.type == on_device.grad.device.type == "cuda"
    torch.testing.assert_close(copy(loss.detach()), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_training_on_a_gpu():
    _, record = run(dataclasses.replace(CONFIG, accelerator="cuda"), validation=LINES[:5])
    _, on_cpu = run(dataclasses.replace(CONFIG, steps=12), validation=LINES[:5])
    assert record.loss[0] == pytest.approx(on_cpu.loss[0], rel=0.05)
