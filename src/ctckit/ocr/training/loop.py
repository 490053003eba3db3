"""Training of a network with Lightning Fabric: AdamW, warm-up and cosine, averaged weights, checkpoints.

All random numbers of step ``s`` (its batch, its dropout) are drawn from ``(seed, s)``. Therefore, on a CPU, two runs
with the same seed give the same weights, and a run that was stopped and resumed gives the weights of one that was not.
A run whose time is limited is different: the number of its steps, and their learning rates, depend on the speed of the
machine.

Several processes (``team``) share each batch. The loss of a step is the mean over all its lines, wherever they are; so
the number of processes changes nothing but the order of sums.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any, cast

import torch

from ctckit.decoding.greedy import greedy_decode
from ctckit.diagnosis.watch import TrainingWatch
from ctckit.errors import InvalidInputError
from ctckit.ocr.data.batches import Batch, BatchSource, prefetch
from ctckit.ocr.data.lines import TextLine, describe_lines
from ctckit.ocr.networks.base import Network, TwoReadings
from ctckit.ocr.networks.sharing import sharing
from ctckit.ocr.tensor_file import Tensors
from ctckit.ocr.training.averaging import AveragedWeights
from ctckit.ocr.training.batch_loss import compute_loss
from ctckit.ocr.training.budget import Budget
from ctckit.ocr.training.checkpoint import Checkpoint, damaged, expect_matching, load_checkpoint, save_checkpoint
from ctckit.ocr.training.config import TrainingConfig as TrainingConfig
from ctckit.ocr.training.curves import Curves
from ctckit.ocr.training.devices import launched_fabric
from ctckit.ocr.training.evaluation import character_error_rate, compare, eval_mode, read_lines
from ctckit.ocr.training.flat_start import flat_loss, flat_weight
from ctckit.ocr.training.interruption import Interruption, TrainingInterrupted
from ctckit.ocr.training.observing import CurvePoint, Observers, TrainingObserver, Validation
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.ocr.training.record import Evaluation, TrainingRecord
from ctckit.ocr.training.team import Parts, Team, connected
from ctckit.vocabulary import Vocabulary


def train(
    model: Network,
    source: BatchSource,
    vocabulary: Vocabulary,
    *,
    config: TrainingConfig,
    validation: Sequence[TextLine] = (),
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: TrainingProgress | None = None,
    stop_after: int | None = None,
    settings: Mapping[str, Any] | None = None,
    carried: Set[str] = frozenset(),
    observers: Sequence[TrainingObserver] = (),
    clock: Callable[[], float] = time.monotonic,
) -> TrainingRecord:
    """Train a network in place, and return the record of the run.

    With validation lines, the weights with the lowest validation CER are kept; without them, the last weights. With
    ``config.average``, the averaged weights take part in this choice.

    With ``config.minutes``, the run ends in this time, the last validation and checkpoint included. If it is resumed,
    the time before counts, too. The time before ``train`` is called, to load the lines for example, does not count.

    With ``checkpoint``, in the main thread, SIGINT (Ctrl-C), SIGTERM and SIGHUP stop the run after the step it is in,
    with a checkpoint; a second signal stops it at once.

    In processes that torchrun has started, each call trains with a part of each batch, and all networks are the same
    afterwards. Only the first process writes the checkpoint and tells the observers.

    Args:
        model: The network; afterwards it is in eval mode and on the CPU.
        source: The batch of each step.
        vocabulary: The classes, as many as the network has.
        config: The settings.
        validation: Lines to read every ``config.validate_every`` steps.
        checkpoint: A file for the state of the run, written at each validation, every ``config.save_seconds`` seconds,
            and when the run is stopped.
        resume: Continue from this file.
        progress: Shows the progress, and a diagnosis when the loss is not finite or does not fall; None is silent.
        stop_after: Stop after this many steps, with a checkpoint, as if interrupted.
        settings: What else must be the same when the run resumes, JSON-ready, by name. The configuration, the network,
            the vocabulary, the validation lines and, if it has such an attribute, ``source.settings`` are included.
        carried: The names of the parameters that come from another model, for ``config.carried_rate`` and
            ``config.freeze_steps``. If there are any, the validation lines are also read before the first step.
        observers: They are told of points of the curves, validations, and the end, in the first process only.
        clock: The time in seconds, for ``config.minutes``; it must never go back.

    Returns:
        The curves and results of the run.

    Raises:
        InvalidInputError: If vocabulary and network do not agree, or the loss stops being finite; if processes that
            train together do not have the same lines and settings.
        ProcessLostError: If a process that trains together with this one has ended.
        DataError: If ``resume`` is given and there is no checkpoint with the same settings.
        TrainingInterrupted: If a signal stops the run; it is a ``KeyboardInterrupt``.
    """
    if len(vocabulary) != model.num_classes:
        raise InvalidInputError(
            f"the vocabulary has {len(vocabulary)} classes and the network {model.num_classes}; they must be equal."
        )
    shown = progress or TrainingProgress(quiet=True)
    with Interruption() if checkpoint else nullcontext() as stop, connected(checkpoint, tell=shown.tell):
        run = _Run(
            model, source, vocabulary, config, validation, checkpoint, shown, settings or {}, carried, observers, clock
        )
        return run.execute(resume=resume, stop_after=stop_after, stop=stop)


def _groups(module: torch.nn.Module, carried: Set[str]) -> list[dict[str, Any]]:
    """Return the parameters as the optimizer takes them: those of another model, and the others."""
    named = list(module.named_parameters())
    groups = [
        {"params": [each for name, each in named if (name in carried) is old], "carried": old} for old in (False, True)
    ]
    return [group for group in groups if group["params"]]


class _Run:
    """One call of :func:`train`."""

    def __init__(
        self,
        model: Network,
        source: BatchSource,
        vocabulary: Vocabulary,
        config: TrainingConfig,
        validation: Sequence[TextLine],
        checkpoint: Path | None,
        progress: TrainingProgress,
        settings: Mapping[str, Any],
        carried: Set[str],
        observers: Sequence[TrainingObserver],
        clock: Callable[[], float],
    ) -> None:
        self.raw, self.source, self.vocabulary, self.config = model, source, vocabulary, config
        self.validation, self.checkpoint, self.progress = validation, checkpoint, progress
        self.settings = self._all_settings(settings)
        self.starts_from_a_model = bool(carried)
        self.fabric = launched_fabric(config.accelerator, config.devices, config.precision)
        self.team = Team(self.fabric)
        self.team.expect_same(self.settings)
        # convolutions in channels-last format are a tenth to a fifth faster here, on CPUs and on GPUs
        module = cast(torch.nn.Module, model)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        groups = _groups(module, carried)
        optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
        )
        self.model, self.optimizer = self.fabric.setup(module, optimizer)
        if isinstance(model, TwoReadings):
            self.model.mark_forward_method("training_logits")
        self.averaged = AveragedWeights(model) if config.average and validation else None
        seconds = None if config.minutes is None else 60.0 * config.minutes
        self.budget = Budget(config.steps, seconds, clock=clock, agree=self.team.of_the_first)
        self.observers = Observers(observers if self.team.is_first else ())
        self.learning_rate = 0.0
        self.curves = Curves()
        self.best: Tensors = {}
        self.watch = TrainingWatch(blank=vocabulary.blank, patience=config.patience, write=progress.tell)

    def execute(self, *, resume: bool, stop_after: int | None, stop: Interruption | None) -> TrainingRecord:
        first = self.watch.step = self._restore() if resume else 0
        last = self.budget.last_step if stop_after is None else min(stop_after, self.budget.last_step)
        self.budget.resume(self.curves.counters.elapsed)
        self.saved = time.perf_counter()
        self.observers.start(first, self.curves.record)
        share = None if self.config.minutes is None else self.budget.share
        with self.progress.running(first, self.config.steps, share=share):
            if self.starts_from_a_model and self.validation and first == 0:
                self._validate(0)  # the result is never worse than the model that it started from
            over = self._is_over(first)
            if not over:
                over = self._take_steps(first, last, stop)
        return self._finish(complete=over)

    def _take_steps(self, first: int, last: int, stop: Interruption | None) -> bool:
        """Train from one step to another; return whether the run is over, or only these steps."""
        over = False
        self.model.train()
        clock = time.perf_counter()
        for step, batch in self._batches(first, last):
            with self.budget.measure("step"):
                logits, lengths = self._learn(step, batch)
            reported = (step + 1) % self.config.report_every == 0 or self.budget.is_over(step + 1)
            if reported:
                self._report(step + 1, batch, logits, lengths)
            self.curves.counters.seconds += time.perf_counter() - clock
            over = self._after(step + 1, last, stop)
            if reported:
                self.progress.show(step + 1, self.curves.record)  # with the validation of this step
            clock = time.perf_counter()
            if over:
                break
        return over

    def _is_over(self, done: int) -> bool:
        """Return whether the run ends after these steps."""
        patience = self.config.early_stopping
        return self.budget.is_over(done) or (patience is not None and self.curves.stale >= patience)

    def _batches(self, first: int, last: int) -> Iterator[tuple[int, Batch]]:
        steps = range(first, last)
        return zip(steps, prefetch(self.team.shared(self.source), steps, workers=self.config.workers), strict=True)

    def _after(self, done: int, last: int, stop: Interruption | None) -> bool:
        """Validate and save after a step, when it is time to; stop the run if a signal has come.

        Returns:
            Whether the run is over.
        """
        due = self.budget.is_over(done) or self.budget.is_validation_due(done, self.config.validate_every)
        if due:
            self._validate(done)
        used_up, over = self.budget.is_over(done), self._is_over(done)
        stopped = self._stopped(stop) if done < last and not over else None
        if due or done == last or stopped or self._is_long_unsaved():
            self._keep(done)
        if stopped:
            raise TrainingInterrupted(done, stopped)
        if over and not used_up:
            self.progress.tell(f"Stopped after step {done}: {self.curves.stale} validations without a lower CER.")
        return over

    def _is_long_unsaved(self) -> bool:
        return self.team.of_the_first(time.perf_counter() - self.saved) > self.config.save_seconds

    def _stopped(self, stop: Interruption | None) -> int:
        """Return the number of the signal that came, to this process or to one that trains with it; 0 if none did."""
        return self.team.largest(0 if stop is None else stop.number or 0)

    def _learn(self, step: int, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Take a step; return the logits and their lengths."""
        torch.manual_seed(self.config.seed * 1_000_003 + step)
        self.learning_rate = self.config.learning_rate_at(step, self.budget.time_share)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * (self.config.carried_rate_at(step) if group["carried"] else 1.0)
        batch, parts = self.team.aligned(batch, self.raw)
        logits, lengths, auxiliary = self._logits(batch)
        start = time.perf_counter()
        ctc = parts.lines * self._loss(logits, batch, lengths).to(self.fabric.device)
        value = self.team.sum(float(ctc.detach()))
        loss = ctc + self._flat_loss(step, logits, batch, lengths, parts)
        if auxiliary is not None and isinstance(self.raw, TwoReadings):
            second = parts.lines * self._loss(auxiliary, batch, lengths).to(self.fabric.device)
            second = second + self._flat_loss(step, auxiliary, batch, lengths, parts)
            loss = loss + self.raw.auxiliary_weight * second
        self.curves.counters.loss_seconds += time.perf_counter() - start
        self.watch(value, logits, batch.targets, lengths, batch.target_lengths)
        if not math.isfinite(value):
            raise self._diverged(f"the loss is {value}", step + 1)
        self.optimizer.zero_grad()
        self.fabric.backward(self.team.size * loss)  # the gradient is the mean over the processes
        # after a gradient that is not finite the next loss is not finite either, and that error names the remedy
        self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False)
        self.optimizer.step()
        if self.averaged:
            self.averaged.update(self.raw)
        counters = self.curves.counters
        counters.lines += parts.total
        counters.loss_sum += value
        counters.loss_count += 1
        return logits.detach(), lengths

    def _logits(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        images, widths = batch.images.to(self.fabric.device), batch.widths.to(self.fabric.device)
        with sharing(batch.share):
            if isinstance(self.raw, TwoReadings):
                logits, lengths, auxiliary = self.model.training_logits(images, widths)
                return logits, lengths, auxiliary
            logits, lengths = self.model(images, widths)
        return logits, lengths, None

    def _loss(self, logits: torch.Tensor, batch: Batch, lengths: torch.Tensor) -> torch.Tensor:
        try:
            return compute_loss(logits, batch, lengths, blank=self.vocabulary.blank)
        except InvalidInputError:
            self.watch.step += 1
            reason = "the loss cannot be computed"
            self.watch.explain(reason, logits, batch.targets, lengths, batch.target_lengths)
            raise

    def _flat_loss(
        self, step: int, logits: torch.Tensor, batch: Batch, lengths: torch.Tensor, parts: Parts
    ) -> torch.Tensor | float:
        weight = parts.frames * flat_weight(step, self.config.flat_start)
        return weight * flat_loss(logits, batch, lengths, blank=self.vocabulary.blank) if weight else 0.0

    def _report(self, done: int, batch: Batch, logits: torch.Tensor, lengths: torch.Tensor) -> None:
        """Add a point to the curves."""
        log_probs = logits.float().log_softmax(dim=2).cpu()
        reads = [
            self.vocabulary.decode(hypothesis.tokens)
            for hypothesis in greedy_decode(log_probs, lengths.cpu(), blank=self.vocabulary.blank)
        ]
        pairs = list(zip(batch.texts, reads, strict=True)) if batch.share is None or batch.share.counts else []
        texts, found = zip(*chain.from_iterable(self.team.lists(pairs)), strict=True)
        self.curves.add_point(done, character_error_rate(texts, found), self.learning_rate)
        self.observers.point(self._point())
        self.budget.read()

    def _point(self) -> CurvePoint:
        record = self.curves.record
        return CurvePoint(
            step=record.steps[-1],
            loss=record.loss[-1],
            cer=record.cer[-1],
            learning_rate=record.learning_rate[-1],
            seconds=record.seconds,
            lines_per_second=record.lines_per_second,
        )

    def _validate(self, step: int) -> None:
        if self.validation:
            with self.budget.measure("validation"):
                self._read_validation(step)
        else:
            self.curves.keep_last(step)
        self.progress.show(step, self.curves.record)

    def _read_validation(self, step: int) -> None:
        """Read the held-out lines with the weights of the step and with the averaged ones; take the better ones."""
        networks = [self.averaged.network, self.raw] if self.averaged and step else [self.raw]
        evaluations = [self._evaluate(network, step) for network in networks]
        evaluation = min(evaluations, key=lambda each: each.cer)
        network = networks[evaluations.index(evaluation)]
        best = self.curves.add_validation(step, evaluation)
        if best:
            self.best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        with eval_mode(network):
            self.observers.validation(
                Validation(
                    step=step,
                    best=best,
                    averaged=network is not self.raw,
                    record=self.curves.record,
                    evaluation=evaluation,
                    lines=self.validation,
                    model=network,
                    vocabulary=self.vocabulary,
                )
            )

    def _evaluate(self, network: Network, step: int) -> Evaluation:
        try:
            with self.fabric.autocast():
                start = time.perf_counter()
                reads = self.team.merged(read_lines(network, self.vocabulary, self.team.part_of(self.validation)))
                return compare(self.validation, reads, seconds=time.perf_counter() - start)
        except InvalidInputError as error:  # the lines were checked before: the network's output is wrong
            raise self._diverged("the network's output is not finite", step) from error

    def _diverged(self, what: str, step: int) -> InvalidInputError:
        return InvalidInputError(
            f"{what} at step {step}: training diverged. Lower learning_rate (it is {self.config.learning_rate})."
        )

    def _all_settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **self.config.of_the_run(),
            **{f"network.{name}": value for name, value in asdict(self.raw.config).items()},
            "network": type(self.raw).__name__,
            "charset": "".join(self.vocabulary.tokens),
            "batches_per_epoch": self.source.batches_per_epoch,
            **describe_lines(self.validation, "held-out"),
            **getattr(self.source, "settings", {}),
            **given,
        }

    def _keep(self, step: int) -> None:
        if self.checkpoint is None:
            return
        with self.budget.measure("saving"):
            self.curves.counters.elapsed = self.budget.spent
            if self.team.is_first:
                save_checkpoint(self.checkpoint, self._state(step), settings=self.settings)
        self.saved = time.perf_counter()

    def _state(self, step: int) -> Checkpoint:
        return Checkpoint(
            step=step,
            weights=dict(self.raw.state_dict()),
            best=self.best,
            optimizer=self.optimizer.state_dict(),
            progress=self.curves.to_dict(),
            average=dict(self.averaged.network.state_dict()) if self.averaged else {},
        )

    def _restore(self) -> int:
        path = self.checkpoint
        if path is None:
            raise InvalidInputError("resume=True needs checkpoint=, the file to resume from.")
        state = self.team.of_the_first(load_checkpoint(path, settings=self.settings) if self.team.is_first else None)
        assert state is not None
        groups = self.optimizer.state_dict()["param_groups"]
        parameters = [each for group in self.optimizer.param_groups for each in group["params"]]
        expect_matching(path, state, self.raw.state_dict(), parameters)
        if self.config.steps is not None and state.step > self.config.steps:
            raise damaged(path, f"it was made after step {state.step} of {self.config.steps}")
        try:
            self.curves = Curves.from_dict(state.progress)
        except TypeError as error:
            raise damaged(path, error) from error
        self.raw.load_state_dict(state.weights)
        self.optimizer.load_state_dict({**state.optimizer, "param_groups": groups})
        self.best = state.best
        if self.averaged:
            if not state.average:
                raise damaged(path, "it has no averaged weights")
            self.averaged.restore(state.average, state.step)
        return state.step

    def _finish(self, *, complete: bool) -> TrainingRecord:
        if self.best:
            self.raw.load_state_dict(self.best)
        self.raw.cpu().eval()
        if complete:
            self.observers.end(self.curves.record)
        return self.curves.record
