"""``ctckit train``: from line images and their texts to a model folder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ctckit.cli.options import LINES, Device, DeviceOption
from ctckit.cli.requirements import need_ocr
from ctckit.cli.signals import SIGNALED
from ctckit.cli.train_processes import Advice, record_error, train_in_processes

if TYPE_CHECKING:
    from ctckit.ocr.fit import FitConfig
    from ctckit.ocr.starting import StartConfig
    from ctckit.ocr.training.observing import TrainingObserver

INTERRUPTED = 130
_RULE = "By default {}, or with --from MODEL as in a model folder."


class Precision(str, Enum):
    """The number format of training."""

    auto = "auto"
    full = "32-true"
    bfloat = "bf16-mixed"
    half = "16-mixed"


class Form(str, Enum):
    """The normalization form of texts."""

    nfc = "NFC"
    nfd = "NFD"
    nfkc = "NFKC"
    nfkd = "NFKD"
    none = "none"


class Direction(str, Enum):
    """Where texts run."""

    auto = "auto"
    rightward = "ltr"
    leftward = "rtl"
    none = "none"


class Split(str, Enum):
    """What is held out together."""

    line = "line"
    document = "document"


class Inversion(str, Enum):
    """Whether ink is lighter than its ground."""

    auto = "auto"
    yes = "yes"
    no = "no"


class Characters(str, Enum):
    """The characters of a model that starts from another one."""

    union = "union"
    data = "data"
    keep = "keep"


@dataclass(frozen=True)
class TrainingOptions:
    """How to train."""

    panel: ClassVar[str] = "Training"
    network: Annotated[
        str | None,
        typer.Option(
            help='The network: "crnn", the default, or "line", for handwriting. With --from, it is that of the model.',
            show_default=False,
        ),
    ] = None
    height: Annotated[
        int | None,
        typer.Option(min=1, help="The height of the lines in pixels; by default the usual one.", show_default=False),
    ] = None
    frame_pixels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The pixel columns of a line for each frame. By default the usual number, or fewer if texts have more "
            "characters than their lines have frames.",
            show_default=False,
        ),
    ] = None
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help='Start from another model: a model folder, an ONNX file, or "ppocr-v6-small" '
            '(pip install "ctckit\\[pretrained]").',
            show_default=False,
        ),
    ] = None
    characters: Annotated[
        Characters | None,
        typer.Option(
            help="With --from, the characters of the new model: those of the texts, of the model, or both. By default "
            '"data" for an ONNX file, and "union" for a model folder.',
            show_default=False,
        ),
    ] = None
    carried_rate: Annotated[
        float, typer.Option(help="With --from, the share of the learning rate for all but the last layer.")
    ] = 0.25
    freeze_steps: Annotated[
        int, typer.Option(min=0, help="With --from, the steps at the beginning that only train the last layer.")
    ] = 0
    charset: Annotated[
        str | None,
        typer.Option(help="The characters that the model can read. By default those of the texts.", show_default=False),
    ] = None
    validation: Annotated[float, typer.Option(help="The share of held-out lines, which choose the best weights.")] = 0.1
    split: Annotated[
        Split, typer.Option(help="Hold out single lines, or whole documents, which are told by the names of the files.")
    ] = Split.line
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the lines. By default enough for 1,500 steps, with --from for 400, and at least 10; with "
            "--minutes, no limit.",
        ),
    ] = None
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Train for this time on the clock, with validations and saving, but without the loading of the lines. "
            "With --epochs too, the run ends when the first of them is used up. With --resume, the time before counts.",
            show_default=False,
        ),
    ] = None
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop after this number of validations without a lower CER. By default the run does not stop early.",
            show_default=False,
        ),
    ] = None
    average: Annotated[
        bool,
        typer.Option(
            help="Average the weights over the latest steps, and keep the averaged ones if they read the held-out "
            "lines better."
        ),
    ] = True
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help='Also write the curves for TensorBoard into this folder (pip install "ctckit\\[tensorboard]").',
            show_default=False,
        ),
    ] = None
    batch_size: Annotated[int, typer.Option(min=1, help="The most lines per step; of very wide lines fewer.")] = 16
    lr: Annotated[float, typer.Option(help="The highest learning rate.")] = 2e-3
    max_width: Annotated[
        int, typer.Option(min=1, help="The most columns of a line, scaled to the height of the network.")
    ] = 8192
    cache: Annotated[
        bool,
        typer.Option(
            "--cache",
            help="Prepare the lines in a file in the model folder: they need little memory, and the next run only "
            "prepares lines that have changed.",
        ),
    ] = False
    workers: Annotated[
        int, typer.Option(min=0, help="The number of processes that make the batches; 0 is a background thread.")
    ] = 0
    strict: Annotated[
        bool, typer.Option("--strict", help="A line that cannot be used is an error; by default it is left out.")
    ] = False
    unicode: Annotated[
        Form | None,
        typer.Option(help=f"The normalization form of the texts. {_RULE.format('NFC')}", show_default=False),
    ] = None
    keep_spaces: Annotated[
        bool | None,
        typer.Option(
            "--keep-spaces/--single-spaces",
            help=f"Keep white space as it is, or make it single spaces. {_RULE.format('single spaces')}",
            show_default=False,
        ),
    ] = None
    direction: Annotated[
        Direction | None,
        typer.Option(
            help=f"Where the texts run; auto is where most of them do. {_RULE.format('auto')}", show_default=False
        ),
    ] = None
    invert: Annotated[
        Inversion | None,
        typer.Option(help=f"Whether the ink is light and the ground dark. {_RULE.format('auto')}", show_default=False),
    ] = None
    find: Annotated[
        bool | None,
        typer.Option(
            "--find/--no-find",
            help="Find the line in its image: margins, slope and contrast of the image do not matter. "
            + _RULE.format("on"),
            show_default=False,
        ),
    ] = None
    distort: Annotated[bool, typer.Option(help="Distort the lines slightly, differently in each epoch.")] = True
    seed: Annotated[int, typer.Option(min=0, help="On a CPU, the same seed gives the same model.")] = 0
    device: DeviceOption = Device.auto
    devices: Annotated[
        int,
        typer.Option(
            min=1,
            help="The number of devices of this machine. Each gets a process of its own and a part of each batch; the "
            "result is that of one device. For several machines, use torchrun.",
        ),
    ] = 1
    precision: Annotated[
        Precision,
        typer.Option(
            help="The number format; by default 32-true, or bf16-mixed for a network from ONNX where the CPU has it."
        ),
    ] = Precision.auto

    def config(self) -> FitConfig:
        """Return these options as ``fit_lines`` takes them."""
        from ctckit.ocr.fit import FitConfig

        return FitConfig(
            epochs=self.epochs,
            minutes=self.minutes,
            patience=self.patience,
            average=self.average,
            batch_size=self.batch_size,
            learning_rate=self.lr,
            seed=self.seed,
            validation=self.validation,
            split=self.split.value,
            distort=self.distort,
            strict=self.strict,
            cache=self.cache,
            workers=self.workers,
            max_width=self.max_width,
            charset=self.charset,
            rules=self._rules(),
            network=self.network,
            height=self.height,
            frame_pixels=self.frame_pixels,
            start=self._start(),
            accelerator=self.device.value,
            devices=self.devices,
            precision=self.precision.value,
        )

    def _rules(self) -> dict[str, str]:
        """Return the rules that are given."""
        given = {"unicode": self.unicode, "direction": self.direction, "invert": self.invert}
        rules = {name: value.value for name, value in given.items() if value is not None}
        if self.keep_spaces is not None:
            rules["spaces"] = "keep" if self.keep_spaces else "single"
        if self.find is not None:
            rules["find"] = "yes" if self.find else "no"
        return rules

    def observers(self) -> list[TrainingObserver]:
        """Return what else is told of the progress."""
        if self.tensorboard is None:
            return []
        from ctckit.ocr.training.tensorboard import TensorBoardCurves

        return [TensorBoardCurves(self.tensorboard)]

    def _start(self) -> StartConfig | None:
        from ctckit.errors import InvalidInputError
        from ctckit.ocr.starting import StartConfig

        if self.start is not None:
            characters = None if self.characters is None else self.characters.value
            return StartConfig(self.start, characters, self.carried_rate, self.freeze_steps)
        if self.characters is not None or self.freeze_steps:
            raise InvalidInputError("--characters and --freeze-steps need --from, the model to start from.")
        return None


def train(
    data: Annotated[Path, LINES],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run with the same lines and options.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model or the interrupted run in the model folder.")
    ] = False,
    training: TrainingOptions,
) -> None:
    """Train a recognizer on your own line images."""
    need_ocr("ctckit train")
    from rich.console import Console

    from ctckit.errors import CTCKitError
    from ctckit.ocr.fit import REPORT_FILE, fit_lines
    from ctckit.ocr.training.devices import in_first_process, is_launched
    from ctckit.ocr.training.interruption import TrainingInterrupted

    config = training.config()
    advice = Advice(out, overwrite=overwrite)
    if config.devices > 1 and not is_launched():
        train_in_processes(config.devices, advice)
        return
    first = in_first_process()
    console = Console(stderr=True, quiet=not first)
    try:
        result = fit_lines(
            data,
            out,
            config=config,
            resume=resume,
            overwrite=overwrite,
            console=console,
            observers=training.observers(),
        )
    except TrainingInterrupted as stop:
        if first:
            typer.echo(f"\nInterrupted after step {stop.step}. {advice.saved}", err=True)
        raise typer.Exit(SIGNALED + stop.signal) from None
    except KeyboardInterrupt:
        if first:
            typer.echo(f"\nInterrupted. {advice.saved if advice.is_saved else advice.unsaved}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except CTCKitError as error:
        record_error(error, first=first)
        raise
    if first:
        typer.echo(result.summary)
        typer.echo(f"Model:  {out}\nReport: {out / REPORT_FILE}\nNext:   ctckit read IMAGE... --model {out}")
