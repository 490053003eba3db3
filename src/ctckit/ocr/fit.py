"""``fit_lines``: trains on a folder of lines and writes a model folder, as ``ctckit train`` does."""

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
_GOOD_CER = 0.05  # a run that ends above it, with its last weights the best, was too short
_STEPS = 1500  # without epochs=: a CRNN needs some hundreds of steps before it reads anything
_EPOCHS = 10  # and each line is seen at least this often
_VALIDATIONS = 40  # in a run, about


@dataclass(frozen=True)
class FitConfig:
    """How to train on your own lines; for all other settings see :class:`~ctckit.ocr.training.loop.TrainingConfig`.

    Attributes:
        epochs: Passes over the lines; None is enough for 1,500 steps, and at least 10.
        batch_size: Lines per step.
        learning_rate: The highest learning rate.
        seed: Seeds the split, the order, the distortions, the first weights and the dropout.
        validation: Share of held-out lines, which choose the best weights, 0..1.
        distort: Distort the lines slightly, differently in each epoch.
        charset: The characters that the model can read; None is those of the texts.
        network: The name of the network in ``ctckit.ocr.networks.NETWORKS``.
        accelerator: Lightning Fabric's name of the device, such as ``"cpu"`` or ``"cuda"``.
        devices: The number of devices.
        precision: Lightning Fabric's name of the number format, such as ``"32-true"``.
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
        """Check the values."""
        for name in ("batch_size", "learning_rate", "devices"):
            if not getattr(self, name) > 0:
                raise InvalidInputError(f"{name} is {getattr(self, name)}; expected more than 0.")
        type_of(self.network)
        if self.epochs is not None and self.epochs < 1:
            raise InvalidInputError(f"epochs is {self.epochs}; expected at least 1.")


@dataclass(frozen=True)
class FitResult:
    """The result of training.

    Attributes:
        model: The model folder.
        record: The training record.
        training_lines: Lines trained on.
        validation_lines: Held-out lines.
    """

    model: Path
    record: TrainingRecord
    training_lines: int
    validation_lines: int

    @property
    def summary(self) -> str:
        """The result in one sentence."""
        record = self.record
        trained = f"Trained on {self.training_lines} lines in {record.seconds:.0f} s"
        if not record.validation_cer:
            return f"{trained}; no lines were held out, so its error rate is not known."
        best = record.validation_steps.index(record.best_step)
        still_falling = best == len(record.validation_steps) - 1 and record.validation_cer[best] > _GOOD_CER
        return (
            f"{trained}. On {self.validation_lines} held-out lines: CER {100 * record.validation_cer[best]:.2f} %, "
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
    """Train a recognizer on a folder or a table of lines, and save it.

    Until the run is done, its checkpoint is in the model folder.

    Args:
        data: See :func:`~ctckit.ocr.data.lines.read_lines`.
        out: The model folder.
        config: How to train; None is the defaults.
        resume: Continue the interrupted run whose checkpoint is in ``out``.
        overwrite: Replace a model, or an interrupted run, that is already in ``out``.
        console: Shows the progress; None is silent.

    Raises:
        DataError: If the lines cannot be used (the message says which and why), or ``out`` is not free.
        CharsetError: If texts hold characters outside ``config.charset``.
    """
    config, out = config or FitConfig(), Path(out)
    if not resume and not overwrite:
        _expect_free(out)
    shape = build(config.network, {"num_classes": 2})  # tells the height and the frames before the classes are known
    lines = read_lines(data, height=shape.height)
    make_folder(out)  # fails before the training, not after it
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
            f"{out}: an interrupted run is in this folder. Continue it with resume, or replace it with overwrite."
        )
    if (out / RECORD_FILE).exists():
        raise DataError(
            f"{out}: a model is already in this folder. Choose another folder, or replace it with overwrite."
        )


def _training_config(config: FitConfig, source: LineBatches) -> TrainingConfig:
    per_epoch = source.batches_per_epoch
    epochs = config.epochs or max(_EPOCHS, -(-_STEPS // per_epoch))
    steps = epochs * per_epoch
    return TrainingConfig(
        steps=steps,
        learning_rate=config.learning_rate,
        seed=config.seed,
        accelerator=config.accelerator,
        devices=config.devices,
        precision=config.precision,
        validate_every=max(per_epoch, steps // _VALIDATIONS),
    )


def _describe(training: Sequence[Line], validation: Sequence[Line], vocabulary: Vocabulary) -> str:
    return (
        f"{len(training)} training lines, {len(validation)} held-out lines; "
        f"{len(vocabulary) - 1} characters: {''.join(vocabulary.tokens)}"
    )
