"""From a folder of lines to a model folder: what ``ctckit train`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from ctckit._files import make_folder
from ctckit.errors import DataError, InvalidInputError
from ctckit.ocr.data.batches import LineBatches
from ctckit.ocr.data.lines import Line, charset_of, check_lines, read_lines, split_lines
from ctckit.ocr.model_folder import RECORD_FILE, save_model
from ctckit.ocr.networks import build, type_of
from ctckit.ocr.training.loop import TrainingConfig, in_first_process, train
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary

CHECKPOINT_FILE = "checkpoint.safetensors"
_GOOD_CER = 0.05  # above it, a run whose last weights were its best was too short
_STEPS = 1500  # without --epochs: a CRNN needs some hundreds of steps before it reads anything at all
_EPOCHS = 10  # and at least this many looks at each line
_VALIDATIONS = 40  # about so many in a run


@dataclass(frozen=True)
class FitConfig:
    """How to train on lines of one's own; the rest is :class:`~ctckit.ocr.training.loop.TrainingConfig`'s.

    Attributes:
        epochs: Times to go through the lines; None is enough for 1,500 steps, at least 10.
        batch_size: Lines in a step.
        learning_rate: The highest learning rate.
        seed: Seeds the split, the order, the distortions, the first weights and the dropout.
        validation: Share of the lines kept aside to choose the best weights, 0..1.
        distort: Distort the lines a little, afresh in each epoch.
        charset: The characters that the model can read; None is those of the texts.
        network: The name of the network in ``ctckit.ocr.networks.NETWORKS``.
        accelerator: Fabric's.
        devices: How many of them.
        precision: Fabric's.
    """

    epochs: int | None = None
    batch_size: int = 16
    learning_rate: float = 2e-3
    seed: int = 0
    validation: float = 0.1
    distort: bool = True
    charset: str | None = None
    network: str = "crnn"
    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "32-true"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        for name in ("batch_size", "learning_rate", "devices"):
            if not getattr(self, name) > 0:
                raise InvalidInputError(f"{name} is {getattr(self, name)}; expected more than 0.")
        type_of(self.network)
        if self.epochs is not None and self.epochs < 1:
            raise InvalidInputError(f"epochs is {self.epochs}; expected at least 1.")


@dataclass(frozen=True)
class FitResult:
    """What training gave.

    Attributes:
        model: The model folder.
        record: The training record.
        training_lines: Lines trained on.
        validation_lines: Lines kept aside.
    """

    model: Path
    record: TrainingRecord
    training_lines: int
    validation_lines: int

    @property
    def summary(self) -> str:
        """The result in one sentence."""
        record = self.record
        told = f"Trained on {self.training_lines} lines in {record.seconds:.0f} s"
        if not record.validation_cer:
            return f"{told}; no lines were kept aside, so how well it reads is not known."
        best = record.validation_steps.index(record.best_step)
        still_falling = best == len(record.validation_steps) - 1 and record.validation_cer[best] > _GOOD_CER
        return (
            f"{told}. On {self.validation_lines} lines kept aside: CER {100 * record.validation_cer[best]:.2f} %, "
            f"{100 * record.validation_exact[best]:.1f} % of the lines exact."
            + (" The error was still falling: more epochs will help." if still_falling else "")
        )


def fit_lines(
    data: str | Path,
    out: str | Path,
    *,
    config: FitConfig | None = None,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> FitResult:
    """Train a reader on a folder or a table of lines, and save it.

    The checkpoint of the run stands in the model folder until the run is done.

    Args:
        data: See :func:`~ctckit.ocr.data.lines.read_lines`.
        out: The model folder.
        config: How to train; None is the defaults.
        resume: Continue the interrupted run whose checkpoint is in ``out``.
        overwrite: Replace a model, or an interrupted run, that is in ``out`` already.
        console: Where to show the progress; None is silent.

    Raises:
        DataError: If the lines cannot be used (the message says which and why), or ``out`` is taken.
        CharsetError: If texts hold characters outside ``config.charset``.
    """
    config, out = config or FitConfig(), Path(out)
    if not resume and not overwrite:
        _expect_free(out)
    shape = build(config.network, {"num_classes": 2})  # tells the height and the frames before the classes are known
    lines = read_lines(data, height=shape.height)
    make_folder(out)  # a folder that cannot be written is better found now than after the training
    vocabulary = Vocabulary.from_characters(charset_of(lines) if config.charset is None else config.charset)
    check_lines(lines, vocabulary, shape)
    training, validation = split_lines(lines, config.validation, seed=config.seed)
    torch.manual_seed(config.seed)
    model = build(config.network, {"num_classes": len(vocabulary)})
    source = LineBatches(
        training, vocabulary, model, batch_size=config.batch_size, seed=config.seed, distort=config.distort
    )
    progress = TrainingProgress(console, quiet=console is None)
    if console is not None:
        console.print(_describe(training, validation, vocabulary), highlight=False, markup=False, soft_wrap=True)
    checkpoint = out / CHECKPOINT_FILE
    record = train(
        model,
        source,
        vocabulary,
        config=_training_config(config, source),
        validation=validation,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )
    if in_first_process():
        save_model(out, model, vocabulary, record=record)
        checkpoint.unlink(missing_ok=True)
    return FitResult(out, record, len(training), len(validation))


def _expect_free(out: Path) -> None:
    if (out / CHECKPOINT_FILE).exists():
        raise DataError(
            f"{out}: an interrupted run is in this folder. Continue it with resume, or start over with overwrite."
        )
    if (out / RECORD_FILE).exists():
        raise DataError(
            f"{out}: a model is in this folder already. Choose another folder, or replace it with overwrite."
        )


def _training_config(config: FitConfig, source: LineBatches) -> TrainingConfig:
    an_epoch = source.batches_per_epoch
    epochs = config.epochs or max(_EPOCHS, -(-_STEPS // an_epoch))
    steps = epochs * an_epoch
    return TrainingConfig(
        steps=steps,
        learning_rate=config.learning_rate,
        seed=config.seed,
        accelerator=config.accelerator,
        devices=config.devices,
        precision=config.precision,
        validate_every=max(an_epoch, steps // _VALIDATIONS),
    )


def _describe(training: Sequence[Line], validation: Sequence[Line], vocabulary: Vocabulary) -> str:
    return (
        f"{len(training)} lines to train on, {len(validation)} kept aside; "
        f"{len(vocabulary) - 1} characters: {''.join(vocabulary.tokens)}"
    )
