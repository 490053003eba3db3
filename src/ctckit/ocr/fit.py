"""``fit_lines``: trains on a folder of lines and writes a model folder, as ``ctckit train`` does."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from ctckit import _checks
from ctckit._files import locked, make_folder, write_atomically
from ctckit.errors import DataError, InvalidInputError
from ctckit.ocr.data.batches import LineBatches
from ctckit.ocr.data.images import MAX_WIDTH
from ctckit.ocr.data.lines import (
    SPLITS,
    LineSet,
    charset_of,
    in_display_order,
    leave_out_narrow,
    leave_out_unknown,
    load_lines,
    split_lines,
)
from ctckit.ocr.data.pairs import Skipped
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.data.texts import is_right_to_left, show_characters
from ctckit.ocr.model_folder import RECORD_FILE, Stage, save_model
from ctckit.ocr.networks import Network, build, name_of, type_of
from ctckit.ocr.report.training import TrainingReport
from ctckit.ocr.shaping import fields_of, shaped, with_frames_for
from ctckit.ocr.starting import Start, StartConfig, class_parameters, load_start, with_classes
from ctckit.ocr.training.config import TrainingConfig, expect_positive
from ctckit.ocr.training.devices import computes_bfloat16, count_processes, in_first_process
from ctckit.ocr.training.log import TrainingLog
from ctckit.ocr.training.loop import train
from ctckit.ocr.training.observing import TrainingObserver
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.ocr.training.record import UNREAD_CER, TrainingRecord
from ctckit.vocabulary import Vocabulary

_NETWORK = "crnn"
CHECKPOINT_FILE = "checkpoint.safetensors"
SKIPPED_FILE = "skipped.tsv"
LOG_FILE = "training.jsonl"
REPORT_FILE = "report.html"
CACHE_FILE = "lines.sqlite"
_LOCK_FILE = "training.lock"
_WARNING = "Warning: "
_READS_NOTHING = "The model reads nothing yet: check that texts and images match, or train for longer."
_SHOWN = 5  # lines that are named; all are in SKIPPED_FILE
_GOOD_CER = 0.05  # a run that ends above it, with its last weights the best, was too short
_STEPS = 1500  # without epochs=: a CRNN needs some hundreds of steps before it reads anything
_STEPS_FROM_A_MODEL = 400  # a model that reads already needs only to learn what is new
_EPOCHS = 10  # and each line is seen at least this often
_VALIDATIONS = 40  # in a run, about
_FLAT_START = 400  # steps of a run from random weights, and at most a quarter of them
_GENTLE_STEPS = 50  # the learning rate of a model that starts from another rises at least so long: or it forgets


@dataclass(frozen=True)
class FitConfig:
    """How to train on your own lines; for all other settings see :class:`~ctckit.ocr.training.config.TrainingConfig`.

    Attributes:
        epochs: Passes over the lines; None is enough for 1,500 steps, from a model 400, and at least 10; or, with
            ``minutes``, without a limit.
        minutes: The time of training, on the clock; it includes validations and saving, but not the loading of the
            lines. None is without a limit. With ``epochs`` too, the run ends when the first of them is used up. A run
            whose time is limited cannot be repeated bit for bit.
        patience: Stop after this number of validations without a lower CER; None never stops early. The learning rate
            falls to zero at the end of a run, where the CER often falls once more: so do not make it small.
        average: Average the weights over the latest steps, and keep the averaged ones where they read the held-out
            lines better; without held-out lines it has no effect.
        batch_size: The most lines per step; of very wide lines fewer.
        learning_rate: The highest learning rate.
        seed: Seeds the split, the order, the distortions, the first weights and the dropout.
        validation: Share of held-out lines, which choose the best weights, 0..1.
        split: What is held out: single lines, "line", or all lines of some documents, "document". Documents are told
            by the names of the files, as :func:`ctckit.ocr.data.lines.documents_of` says.
        distort: Distort the lines slightly, differently in each epoch.
        charset: The characters that the model can read; None is those of the texts.
        network: The name of the network in ``ctckit.ocr.networks.NETWORKS``; None is "crnn", or with ``start`` that of
            the model. With ``start`` it must be None.
        height: The height of the lines in pixels, for networks that have a choice, such as "crnn"; None is the usual
            one.
        frame_pixels: The pixel columns of a line for each frame, for the same networks; None is the usual number, or
            fewer if texts have more characters than their lines have frames.
        start: The model to start from; None starts from random weights.
        accelerator: Lightning Fabric's name of the device, such as ``"cpu"`` or ``"cuda"``.
        devices: The number of devices of this machine; each needs a process of its own, which torchrun starts. The
            number changes how fast the training is, and nothing else.
        precision: Lightning Fabric's name of the number format, such as ``"32-true"``. "auto" is ``"bf16-mixed"`` for a
            network of kind "pretrained" or "line" on a CPU that computes in bfloat16, and ``"32-true"`` otherwise.
        max_width: The most columns of a line at the height of the network.
        rules: The form of the texts, and how the images are seen: all rules; or only some, by their names in
            :class:`LineRules`. The others are those of the model to start from, if it is a model folder, or the
            defaults.
        cache: Prepare the lines in a file in the model folder: they need little memory, and the next run only prepares
            lines that have changed.
        workers: The number of processes that make the batches; 0 is a background thread.
        strict: A line that cannot be used is an error; or it is left out.
    """

    epochs: int | None = None
    minutes: float | None = None
    patience: int | None = None
    average: bool = True
    batch_size: int = 16
    learning_rate: float = 2e-3
    seed: int = 0
    validation: float = 0.1
    split: str = "line"
    distort: bool = True
    charset: str | None = None
    network: str | None = None
    height: int | None = None
    frame_pixels: int | None = None
    start: StartConfig | None = None
    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "auto"
    max_width: int = MAX_WIDTH
    rules: LineRules | Mapping[str, str] = field(default_factory=dict)
    cache: bool = False
    workers: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        expect_positive(
            self,
            whole=("batch_size", "devices", "max_width", "patience"),
            real=("learning_rate", "minutes"),
            limits=("patience", "minutes"),
        )
        if self.epochs is not None and (not isinstance(self.epochs, int) or self.epochs < 1):
            raise InvalidInputError(f"epochs is {self.epochs}; expected at least 1.")
        _checks.choice(self.split, "split", SPLITS)
        if self.network is not None:
            type_of(self.network)
            if self.start is not None:
                raise InvalidInputError(
                    f"network={self.network!r} and start are both given (--network and --from); a training that starts "
                    "from a model has the network of that model."
                )
        if self.network == "pretrained":
            raise InvalidInputError('network="pretrained" needs start, the model that has the network (--from).')
        if not isinstance(self.rules, LineRules):
            LineRules.from_dict(self.rules)
        if self.start is not None and (self.height is not None or self.frame_pixels is not None):
            raise InvalidInputError("height and frame_pixels are those of the model to start from; give neither.")
        if self.charset is not None and self.start is not None and self.start.characters is not None:
            raise InvalidInputError(f"charset and characters={self.start.characters!r} are both given; expected one.")

    def all_rules(self, start: Start | None) -> LineRules:
        """Return the rules; those that are not given are those of the model to start from, or the defaults."""
        if isinstance(self.rules, LineRules):
            return self.rules
        return replace(LineRules() if start is None else start.rules, **self.rules)


@dataclass(frozen=True)
class FitResult:
    """The result of training.

    Attributes:
        model: The model folder.
        record: The training record.
        training_lines: Lines trained on.
        validation_lines: Held-out lines.
        skipped: Lines that cannot be used; they are also in ``skipped.tsv`` in the model folder.
    """

    model: Path
    record: TrainingRecord
    training_lines: int
    validation_lines: int
    skipped: tuple[Skipped, ...] = ()

    @property
    def reads_nothing(self) -> bool:
        """Whether the CER stayed above 90 %: on the held-out lines, or on the training lines if none are held out."""
        curve = self.record.validation_cer or self.record.cer
        return bool(curve) and min(curve) > UNREAD_CER

    @property
    def summary(self) -> str:
        """The result in one sentence."""
        record = self.record
        trained = f"Trained on {_lines(self.training_lines)} in {record.seconds:.0f} s"
        unread = f" {_READS_NOTHING}" if self.reads_nothing else ""
        if not record.validation_cer:
            return f"{trained}; no lines were held out, so its error rate is not known.{unread}"
        cer = min(record.validation_cer)
        exact = record.validation_exact[_last_index(record.validation_cer, cer)]
        return (
            f"{trained}. On {_lines(self.validation_lines, 'held-out')}: CER {100 * cer:.2f} %, "
            f"{100 * exact:.1f} % of the lines exact.{_before(record)}{unread or _advice(record.validation_cer)}"
        )


def _last_index(values: Sequence[float], value: float) -> int:
    return len(values) - 1 - list(reversed(values)).index(value)


def _before(record: TrainingRecord) -> str:
    """Return the error rate of the model that the training started from, if it was measured."""
    if record.validation_steps[:1] != (0,):
        return ""
    return f" Before training: CER {100 * record.validation_cer[0]:.2f} %."


def _advice(curve: Sequence[float]) -> str:
    still_falling = curve[-1] > _GOOD_CER and len(curve) > 1 and curve[-1] < min(curve[:-1])
    return " The error was still falling: a longer training will help." if still_falling else ""


def fit_lines(
    data: str | Path,
    out: str | Path,
    *,
    config: FitConfig | None = None,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
    observers: Sequence[TrainingObserver] = (),
    clock: Callable[[], float] = time.monotonic,
) -> FitResult:
    """Train a recognizer on a data set of lines, and save it.

    Until the run is done, its checkpoint is in the model folder. A signal (Ctrl-C) stops the run with a checkpoint, as
    :func:`~ctckit.ocr.training.loop.train` says. Lines that cannot be used are left out, and are listed in
    ``skipped.tsv`` in the model folder, with the reasons. ``training.jsonl`` in this folder is the log of the run, as
    :class:`~ctckit.ocr.training.log.TrainingLog` describes it. A warning says if the model reads nothing in the end.

    Args:
        data: See :mod:`ctckit.ocr.data.sources`.
        out: The model folder.
        config: How to train; None is the defaults.
        resume: Continue the interrupted run whose checkpoint is in ``out``, with the same lines and options.
        overwrite: Replace a model, or an interrupted run, that is already in ``out``. The checkpoint of an interrupted
            run is removed; a model stays until the new one is saved.
        console: Shows the progress; None is silent.
        observers: They are told of the progress, as :class:`~ctckit.ocr.training.observing.TrainingObserver` says.
        clock: The time in seconds, for ``config.minutes``; ``time.process_time`` counts CPU time.

    Raises:
        InvalidInputError: If options contradict each other, or ``config.devices`` needs processes that are not there.
        ProcessLostError: If a process that trains together with this one has ended.
        DataError: If no line can be used, or, with ``config.strict``, if one cannot (the message names all and says
            why); if ``out`` is not free, not writable, or another process trains into it; if the run in it had other
            lines or options.
        TrainingInterrupted: If a signal stops the training; it is a ``KeyboardInterrupt``.

    Example:
        >>> from pathlib import Path
        >>> from ctckit.ocr import FitConfig, fit_lines
        >>> from tempfile import mkdtemp
        >>> from PIL import Image
        >>> from ctckit.ocr.data.synthetic import held_out_strings
        >>> folder = Path(mkdtemp())
        >>> for n, line in enumerate(held_out_strings(4)):
        ...     Image.fromarray(line.image).save(folder / f"{n}.png")
        ...     _ = (folder / f"{n}.gt.txt").write_text(line.text)
        >>> config = FitConfig(epochs=1, validation=0, distort=False)  # for four lines; the defaults are for real data
        >>> result = fit_lines(folder, folder / "model", config=config)
        >>> result.training_lines, result.validation_lines, result.reads_nothing
        (4, 0, True)
    """
    config, out = config or FitConfig(), Path(out)
    if resume and overwrite:
        raise InvalidInputError(
            "resume and overwrite are both given (--resume, --overwrite); resume continues a run, overwrite removes it."
        )
    count_processes(config.devices)
    if not in_first_process():
        console = Console(quiet=True)
    with _reserved(out):  # fails before the lines are read and trained on, not after it
        if not resume and not overwrite:
            _expect_free(out)
        start = None if config.start is None else load_start(config.start)
        kind = config.network or _NETWORK
        # tells the height and the frames before the classes are known
        shape = shaped(kind, config.height, config.frame_pixels) if start is None else start.network
        rules = config.all_rules(start)
        with _preparing(out, config), _loading(console) as done:
            lines = load_lines(
                data,
                height=shape.height,
                max_width=config.max_width,
                rules=rules,
                cache=out / CACHE_FILE if config.cache else None,
                done=done,
            )
        if start is None and config.frame_pixels is None:
            shape, note = with_frames_for(lines, shape, kind, config.height)
            _tell(note, console)
        found = leave_out_narrow(lines, shape)
        found.expect_lines(data)
        rules = rules.for_texts([line.text for line in found.lines])
        found = in_display_order(found, rules)
        vocabulary = _vocabulary(found, config, start)
        found = leave_out_unknown(found, vocabulary)
        (found.expect_all if config.strict else found.expect_lines)(data)
        config = replace(config, rules=rules)
        return _fit(
            found,
            Path(data).name,
            out,
            vocabulary,
            config,
            shape,
            start,
            observers,
            resume=resume,
            console=console,
            clock=clock,
        )


def _vocabulary(found: LineSet, config: FitConfig, start: Start | None) -> Vocabulary:
    if start is not None and config.charset is None:
        return Vocabulary(("", *start.characters_for(charset_of(found.lines))))
    return Vocabulary.from_characters(charset_of(found.lines) if config.charset is None else config.charset)


def _fit(
    found: LineSet,
    data: str,
    out: Path,
    vocabulary: Vocabulary,
    config: FitConfig,
    shape: Network,
    start: Start | None,
    observers: Sequence[TrainingObserver],
    *,
    resume: bool,
    console: Console | None,
    clock: Callable[[], float],
) -> FitResult:
    training, validation = split_lines(found.lines, config.validation, seed=config.seed, by=config.split)
    rules = config.all_rules(start)
    torch.manual_seed(config.seed)
    if start is None:
        model = build(name_of(shape), {**fields_of(shape.config), "num_classes": len(vocabulary)})
        carried: frozenset[str] = frozenset()
    else:
        model = with_classes(start.network, start.vocabulary, vocabulary)
        carried = frozenset(model.state_dict()) - class_parameters(model)
    source = LineBatches(
        training, vocabulary, model, batch_size=config.batch_size, seed=config.seed, distort=config.distort
    )
    checkpoint = out / CHECKPOINT_FILE
    if in_first_process():
        if not resume:
            checkpoint.unlink(missing_ok=True)
        _write_skipped(found.skipped, out / SKIPPED_FILE)
    summary = f"{_lines(len(training), 'training')}, {_lines(len(validation), 'held-out')}; {_show_charset(vocabulary)}"
    follow = [f"Open {out / REPORT_FILE} in a browser to follow the training."] if validation else []
    _tell([*_notes(found, rules, out / SKIPPED_FILE), summary, *follow], console)
    report = TrainingReport(out / REPORT_FILE, title=out.resolve().name, rules=rules, skipped=found.skipped)
    record = train(
        model,
        source,
        vocabulary,
        config=_training_config(config, source, model),
        validation=validation,
        checkpoint=checkpoint,
        resume=resume,
        progress=TrainingProgress(console, quiet=console is None),
        settings={
            "validation": config.validation,
            "split": config.split,
            "from": None if config.start is None else config.start.source,
            **rules.to_dict(),
        },
        carried=carried,
        observers=(TrainingLog(out / LOG_FILE), report, *observers),
        clock=clock,
    )
    if in_first_process():
        history = (*(start.history if start else ()), Stage("data", data, lines=len(training)))
        save_model(out, model, vocabulary, record=record, rules=rules, history=history)
        checkpoint.unlink(missing_ok=True)
    result = FitResult(out, record, len(training), len(validation), found.skipped)
    if result.reads_nothing and console is None:
        _tell([_WARNING + _READS_NOTHING], console)
    return result


@contextmanager
def _reserved(out: Path) -> Iterator[None]:
    """Make the model folder, and lock it: one training at a time writes into it. If it stays empty, it is removed."""
    if not in_first_process():
        yield
        return
    is_new = not out.exists()
    make_folder(out)
    try:
        with locked(out, _LOCK_FILE, doing="is training a model in it"):
            yield
    finally:
        if is_new and not any(out.iterdir()):
            out.rmdir()


@contextmanager
def _preparing(out: Path, config: FitConfig) -> Iterator[None]:
    """Let one of the processes that train together prepare the lines in a file; the others find them prepared."""
    if not config.cache:
        yield
        return
    make_folder(out)
    with locked(out, f"{CACHE_FILE}.lock", doing="is preparing lines in it", wait=math.inf):
        yield


@contextmanager
def _loading(console: Console | None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar while the lines are loaded, in a terminal; yields what moves it."""
    with Progress(console=console, transient=True, disable=console is None or not console.is_terminal) as progress:
        task = progress.add_task("loading lines", total=None)
        yield lambda ready, total: progress.update(task, completed=ready, total=total)


def _write_skipped(skipped: Sequence[Skipped], path: Path) -> None:
    rows = [("path", "reason", "detail"), *((each.name, each.reason, each.detail) for each in skipped)]
    table = "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)
    try:
        path.unlink(missing_ok=True)
        if skipped:
            write_atomically(path, table.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}). Choose another model folder.") from error


def _tell(notes: Sequence[str], console: Console | None) -> None:
    """Print notes about the lines; without a console, warnings are still given."""
    for note in notes:
        if console is not None:
            console.print(note, highlight=False, markup=False, soft_wrap=True)
        elif note.startswith(_WARNING):
            warnings.warn(note.removeprefix(_WARNING), stacklevel=4)


def _notes(found: LineSet, rules: LineRules, listed: Path) -> Iterator[str]:
    """Yield what a user may not expect of the lines."""
    if found.skipped:
        total = len(found.skipped) + len(found.lines)
        yield f"{len(found.skipped)} of {total} lines are left out: {found.counts}. They are listed in {listed}:"
        yield from (f"  {each.detail}" for each in found.skipped[:_SHOWN])
    if len(found.skipped) > _SHOWN:
        yield f"  … and {len(found.skipped) - _SHOWN} more"
    if found.normalized:
        yield f"{found.normalized} texts were normalized: white space, invisible characters, Unicode {rules.unicode}."
    leftward = sum(is_right_to_left(line.text) for line in found.lines)
    if leftward and rules.direction != "none":
        runs = "right to left" if rules.direction == "rtl" else "left to right"
        yield (
            f"{leftward} of {len(found.lines)} texts are of a right-to-left script. They are learned in display order, "
            f"and read in logical order; the whole text runs from {runs}."
        )


def _lines(count: int, kind: str = "") -> str:
    return " ".join(filter(None, [str(count), kind, "line" if count == 1 else "lines"]))


def _show_charset(vocabulary: Vocabulary) -> str:
    return f"{len(vocabulary) - 1} characters: {show_characters(''.join(vocabulary.tokens))}"


def _expect_free(out: Path) -> None:
    if (out / CHECKPOINT_FILE).exists():
        raise DataError(
            f"{out}: an interrupted run is in this folder. Continue it with resume=True (--resume), or "
            "replace it with overwrite=True (--overwrite)."
        )
    if (out / RECORD_FILE).exists():
        raise DataError(
            f"{out}: a model is already in this folder. Choose another folder, or replace it with "
            "overwrite=True (--overwrite)."
        )


def _training_config(config: FitConfig, source: LineBatches, model: Network) -> TrainingConfig:
    per_epoch = source.batches_per_epoch
    enough = _STEPS if config.start is None else _STEPS_FROM_A_MODEL
    epochs = config.epochs or max(_EPOCHS, -(-enough // per_epoch))
    steps = epochs * per_epoch
    return TrainingConfig(
        steps=steps if config.epochs or config.minutes is None else None,
        minutes=config.minutes,
        average=config.average,
        early_stopping=config.patience,
        learning_rate=config.learning_rate,
        warmup_steps=0 if config.start is None else _gentle_steps(config, steps),
        flat_start=0 if config.start else _flat_steps(config, steps),
        seed=config.seed,
        accelerator=config.accelerator,
        devices=config.devices,
        precision=_precision(config, model),
        workers=config.workers,
        carried_rate=1.0 if config.start is None else config.start.carried_rate,
        freeze_steps=0 if config.start is None else config.start.freeze_steps,
        validate_every=max(per_epoch, steps // _VALIDATIONS),
    )


def _flat_steps(config: FitConfig, steps: int) -> int:
    return _FLAT_START if config.minutes is not None else min(_FLAT_START, steps // 4)


def _gentle_steps(config: FitConfig, steps: int) -> int:
    return _GENTLE_STEPS if config.minutes is not None else min(_GENTLE_STEPS, steps // 2)


def _precision(config: FitConfig, model: Network) -> str:
    if config.precision != "auto":
        return config.precision
    on_cpu = config.accelerator == "cpu" or (config.accelerator == "auto" and not torch.accelerator.is_available())
    gains = type_of(name_of(model)).bfloat16 and on_cpu and computes_bfloat16()
    return "bf16-mixed" if gains else "32-true"
