"""Training of a network with Lightning Fabric: AdamW, warm-up and cosine, gradient clipping, checkpoints.

All random numbers of step ``s`` (its batch, its dropout) are drawn from ``(seed, s)``. Therefore, on a CPU, two runs
with the same seed give the same weights, and a run that was stopped and resumed gives the weights of one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.rank_zero import rank_zero_only

from ctckit.decoding.greedy import greedy_decode
from ctckit.diagnosis.watch import PATIENCE, TrainingWatch
from ctckit.errors import InvalidInputError
from ctckit.loss import ctc_loss
from ctckit.ocr.data.batches import Batch, BatchSource, prefetch
from ctckit.ocr.data.lines import Line
from ctckit.ocr.networks.base import Network
from ctckit.ocr.training.checkpoint import Checkpoint, Tensors, load_checkpoint, save_checkpoint
from ctckit.ocr.training.evaluation import character_error_rate, evaluate
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of training.

    Attributes:
        steps: The number of optimizer steps; fixed in advance, so that a run can be repeated.
        learning_rate: The highest learning rate, reached after the warm-up.
        warmup: The share of steps in which the learning rate rises; then it falls to zero along a cosine, 0..1.
        weight_decay: The weight decay of AdamW.
        clip_norm: Gradients with a larger norm are scaled down to this norm.
        seed: Seeds the dropout; the batch source has its own seed.
        accelerator: Lightning Fabric's name of the device: ``"cpu"``, ``"cuda"``, ``"mps"``, ``"auto"``.
        devices: The number of devices.
        precision: Lightning Fabric's name of the number format: ``"32-true"``, ``"bf16-mixed"``, ``"16-mixed"``.
        report_every: Steps between two points of the curves.
        validate_every: Steps between two validations, and between two checkpoints.
        patience: If the loss does not fall in so many steps, a diagnosis is shown.
    """

    steps: int = 1000
    learning_rate: float = 3e-3
    warmup: float = 0.07
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    seed: int = 0
    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "32-true"
    report_every: int = 10
    validate_every: int = 100
    patience: int = PATIENCE

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("steps", "learning_rate", "clip_norm", "devices", "report_every", "validate_every", "patience"):
            if not getattr(self, name) > 0:
                raise InvalidInputError(f"{name} is {getattr(self, name)}; expected more than 0.")
        if not 0.0 <= self.warmup < 1.0:
            raise InvalidInputError(f"warmup is {self.warmup}; expected a share of the steps, 0 <= warmup < 1.")

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rising = max(1, round(self.warmup * self.steps))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        share = (step - rising) / max(1, self.steps - rising)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))


def train(
    model: Network,
    source: BatchSource,
    vocabulary: Vocabulary,
    *,
    config: TrainingConfig,
    validation: Sequence[Line] = (),
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: TrainingProgress | None = None,
    stop_after: int | None = None,
) -> TrainingRecord:
    """Train a network in place, and return the record of the run.

    With validation lines, the weights with the lowest validation CER are kept; without them, the last weights.

    Args:
        model: The network; afterwards it is in eval mode and on the CPU.
        source: The batch of each step.
        vocabulary: The classes, as many as the network has.
        config: The settings.
        validation: Lines to read every ``config.validate_every`` steps.
        checkpoint: A file for the state of the run, written at each validation.
        resume: Continue from this file.
        progress: Shows the progress, and a diagnosis when the loss is not finite or does not fall; None is silent.
        stop_after: Stop after this many steps, with a checkpoint, as if interrupted.

    Returns:
        The curves and results of the run.

    Raises:
        InvalidInputError: If vocabulary and network do not agree, or the loss stops being finite.
        DataError: If ``resume`` is given and there is no checkpoint with the same settings.
    """
    if len(vocabulary) != model.num_classes:
        raise InvalidInputError(
            f"the vocabulary has {len(vocabulary)} classes and the network {model.num_classes}; they must be equal."
        )
    run = _Run(model, source, vocabulary, config, validation, checkpoint, progress or TrainingProgress(quiet=True))
    return run.execute(resume=resume, stop_after=stop_after)


@dataclass
class _Curves:
    """The record of a run, and the counters since its last point."""

    record: TrainingRecord = field(default_factory=TrainingRecord)
    seconds: float = 0.0
    loss_seconds: float = 0.0
    lines: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0

    def add_point(self, step: int, cer: float, learning_rate: float) -> None:
        record = self.record
        self.record = replace(
            record,
            steps=(*record.steps, step),
            loss=(*record.loss, self.loss_sum / max(1, self.loss_count)),
            cer=(*record.cer, cer),
            learning_rate=(*record.learning_rate, learning_rate),
        )
        self.loss_sum, self.loss_count = 0.0, 0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "record": self.record.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> _Curves:
        return cls(**{**values, "record": TrainingRecord.from_dict(values["record"])})


def in_first_process() -> bool:
    """Return whether this process is the one that prints and writes, of all that train together."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def _fabric(config: TrainingConfig) -> Fabric:
    try:
        return Fabric(accelerator=config.accelerator, devices=config.devices, precision=config.precision)  # type: ignore[arg-type]
    except (RuntimeError, ValueError) as error:
        raise InvalidInputError(
            f"accelerator={config.accelerator!r} with devices={config.devices} and precision={config.precision!r} "
            f'cannot be used here ({error}). Use accelerator="cpu".'
        ) from error


class _Run:
    """One call of :func:`train`."""

    def __init__(
        self,
        model: Network,
        source: BatchSource,
        vocabulary: Vocabulary,
        config: TrainingConfig,
        validation: Sequence[Line],
        checkpoint: Path | None,
        progress: TrainingProgress,
    ) -> None:
        self.raw, self.source, self.vocabulary, self.config = model, source, vocabulary, config
        self.validation, self.checkpoint, self.progress = validation, checkpoint, progress
        self.fabric = _fabric(config)
        self.fabric.launch()
        # convolutions in channels-last format are a tenth to a fifth faster here, on CPUs and on GPUs
        module = cast(torch.nn.Module, model)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
        )
        self.model, self.optimizer = self.fabric.setup(module, optimizer)
        self.curves = _Curves()
        self.best: Tensors = {}
        self.watch = TrainingWatch(blank=vocabulary.blank, patience=config.patience, write=progress.tell)

    def execute(self, *, resume: bool, stop_after: int | None) -> TrainingRecord:
        first = self.watch.step = self._restore() if resume else 0
        last = self.config.steps if stop_after is None else min(stop_after, self.config.steps)
        rank, ranks = self.fabric.global_rank, self.fabric.world_size
        batches = prefetch(self.source, [step * ranks + rank for step in range(first, last)])
        with self.progress.running(first, self.config.steps):
            self.model.train()
            clock = time.perf_counter()
            for step, batch in zip(range(first, last), batches, strict=True):
                self._learn(step, batch)
                self.curves.seconds += time.perf_counter() - clock
                clock = time.perf_counter()
                due = (step + 1) % self.config.validate_every == 0 or step + 1 == self.config.steps
                if due:
                    self._validate(step + 1)
                if due or step + 1 == last:
                    self._keep(step + 1)
        return self._finish()

    def _learn(self, step: int, batch: Batch) -> None:
        torch.manual_seed(self.config.seed * 1_000_003 + step * self.fabric.world_size + self.fabric.global_rank)
        learning_rate = self.config.learning_rate_at(step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        device = self.fabric.device
        logits, lengths = self.model(batch.images.to(device), batch.widths.to(device))
        start = time.perf_counter()
        loss = self._loss(logits, batch, lengths).to(device)
        self.curves.loss_seconds += time.perf_counter() - start
        value = float(loss.detach())
        self.watch(value, logits, batch.targets, lengths, batch.target_lengths)
        if not math.isfinite(value):
            raise self._diverged(f"the loss is {value}", step + 1)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        # after a gradient that is not finite the next loss is not finite either, and that error names the remedy
        self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False)
        self.optimizer.step()
        self._count(step, batch, logits.detach(), lengths, value, learning_rate)

    def _loss(self, logits: torch.Tensor, batch: Batch, lengths: torch.Tensor) -> torch.Tensor:
        try:
            return ctc_loss(  # always on the CPU, where ctckit's core computes
                logits.float().cpu(),
                batch.targets,
                lengths.cpu(),
                batch.target_lengths,
                blank=self.vocabulary.blank,
                infeasible="error",
            )
        except InvalidInputError:
            self.watch.step += 1
            reason = "the loss cannot be computed"
            self.watch.explain(reason, logits, batch.targets, lengths, batch.target_lengths)
            raise

    def _count(
        self,
        step: int,
        batch: Batch,
        logits: torch.Tensor,
        lengths: torch.Tensor,
        loss: float,
        learning_rate: float,
    ) -> None:
        curves = self.curves
        curves.lines += len(batch.texts) * self.fabric.world_size
        curves.loss_sum += loss
        curves.loss_count += 1
        if (step + 1) % self.config.report_every and step + 1 != self.config.steps:
            return
        log_probs = logits.float().log_softmax(dim=2).cpu()
        reads = [
            self.vocabulary.decode(hypothesis.tokens)
            for hypothesis in greedy_decode(log_probs, lengths.cpu(), blank=self.vocabulary.blank)
        ]
        curves.add_point(step + 1, character_error_rate(batch.texts, reads), learning_rate)
        self.progress.show(step + 1, self._record())

    def _validate(self, step: int) -> None:
        record = self.curves.record
        if self.validation:
            try:
                result = evaluate(self.raw, self.vocabulary, self.validation)
            except InvalidInputError as error:  # the lines were checked before: the network's output is wrong
                raise self._diverged("the network's output is not finite", step) from error
            better = not self.best or result.cer <= min(record.validation_cer)
            self.curves.record = record = replace(
                record,
                validation_steps=(*record.validation_steps, step),
                validation_cer=(*record.validation_cer, result.cer),
                validation_exact=(*record.validation_exact, result.exact),
            )
            if better:
                self.best = {name: tensor.detach().clone() for name, tensor in self.raw.state_dict().items()}
        else:
            better = True
        if better:
            self.curves.record = replace(record, best_step=step)
        self.progress.show(step, self._record())

    def _diverged(self, what: str, step: int) -> InvalidInputError:
        return InvalidInputError(
            f"{what} at step {step}: training diverged. Lower learning_rate (it is {self.config.learning_rate})."
        )

    def _record(self) -> TrainingRecord:
        curves = self.curves
        seconds = max(curves.seconds, 1e-9)
        return replace(
            curves.record,
            seconds=curves.seconds,
            lines_per_second=curves.lines / seconds if curves.seconds else 0.0,
            loss_share=min(1.0, curves.loss_seconds / seconds),
        )

    def _settings(self) -> dict[str, Any]:
        settings = {**asdict(self.config), **{f"network.{k}": v for k, v in asdict(self.raw.config).items()}}
        settings |= {"network": type(self.raw).__name__}
        settings |= {"charset": "".join(self.vocabulary.tokens), "batches_per_epoch": self.source.batches_per_epoch}
        return settings

    def _keep(self, step: int) -> None:
        if self.checkpoint is None or not self.fabric.is_global_zero:
            return
        state = Checkpoint(
            step, dict(self.raw.state_dict()), self.best, self.optimizer.state_dict(), self.curves.to_dict()
        )
        save_checkpoint(self.checkpoint, state, settings=self._settings())

    def _restore(self) -> int:
        if self.checkpoint is None:
            raise InvalidInputError("resume=True needs checkpoint=, the file to resume from.")
        state = load_checkpoint(self.checkpoint, settings=self._settings())
        self.raw.load_state_dict(state.weights)
        self.optimizer.load_state_dict(state.optimizer)
        self.best = state.best
        self.curves = _Curves.from_dict(state.progress)
        return state.step

    def _finish(self) -> TrainingRecord:
        if self.best:
            self.raw.load_state_dict(self.best)
        self.raw.cpu().eval()
        return self._record()
