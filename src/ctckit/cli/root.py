"""The command line: ``ctckit demo``, ``train``, ``read``, ``decode``, ``align``, ``lm``, ``explain``, ``diagnose``.

Thin: each command calls one verb of the library. Heavy imports stand inside the commands, so that
``ctckit --help`` is quick.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import Enum
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from ctckit.cli import align as cli_align
from ctckit.cli import decode as cli_decode
from ctckit.cli import lm as cli_lm
from ctckit.errors import CTCKitError, DataError, MissingDependencyError

if TYPE_CHECKING:
    import numpy.typing as npt

BAD_INPUT = 2
INTERRUPTED = 130

_OCR_PACKAGES = {
    "torch": "torch",
    "lightning_fabric": "lightning-fabric",
    "safetensors": "safetensors",
    "PIL": "pillow",
    "jiwer": "jiwer",
    "sklearn": "scikit-learn",
}
_CODES = (
    "Exit codes: 0 done; 1 an unexpected error (please report it); 2 a wrong option, or a file, image or text that "
    "cannot be used (the message says which and what to do); 130 interrupted."
)


class _Group(TyperGroup):
    """Turns the library's errors into one message on standard error and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CTCKitError as error:
            typer.echo(f"ctckit: {error}", err=True)
            raise typer.Exit(BAD_INPUT) from error


class Device(str, Enum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(str, Enum):
    """How exactly to compute in training."""

    full = "32-true"
    bfloat = "bf16-mixed"
    half = "16-mixed"


app = typer.Typer(
    cls=_Group,
    name="ctckit",
    help="The CTC toolkit: train a text-line reader, read with it, see what CTC does.",
    epilog=_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_lm.app, name="lm", epilog=_CODES)
app.command(epilog=_CODES)(cli_decode.decode)
app.command(epilog=_CODES)(cli_align.align)


def main() -> None:
    """Run the command line."""
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ctckit {metadata.version('ctckit')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    pass


@app.command(epilog=_CODES)
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report, the model and sample lines.")] = Path("demo-report"),
    steps: Annotated[int, typer.Option(min=1, help="Training steps of 64 strings.")] = 1600,
    strings: Annotated[int, typer.Option(min=1, help="Held-out strings to read.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")] = 0,
) -> None:
    """Train on handwritten digit strings, read unseen ones, write a report. Takes a few minutes."""
    _need_ocr("ctckit demo")
    from ctckit.ocr.demo.run import run_demo

    result = run_demo(out, steps=steps, strings=strings, seed=seed, console=Console())
    typer.echo(f"\nReport:  {result.report}   (open it in a browser)\nModel:   {result.model}")
    typer.echo(f"Next:    ctckit read {result.samples / '*.png'} --model {result.model}")


@app.command(epilog=_CODES)
def train(
    data: Annotated[
        Path,
        typer.Argument(help="A folder of images with name.gt.txt beside name.png, or a .tsv/.csv of path and text."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write.")],
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Times to go through the lines; by default enough for 1,500 steps, at least 10."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Lines in a step.")] = 16,
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    seed: Annotated[int, typer.Option(min=0, help="On a CPU, the same seed gives the same model.")] = 0,
    validation: Annotated[float, typer.Option(help="Share of the lines kept aside to choose the best weights.")] = 0.1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run with the same options.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model or the interrupted run in the model folder.")
    ] = False,
    distort: Annotated[bool, typer.Option(help="Distort the lines a little, afresh in each epoch.")] = True,
    charset: Annotated[
        str | None, typer.Option(help="The characters to know; by default those of the texts.", show_default=False)
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.auto,
    devices: Annotated[int, typer.Option(min=1, help="How many of them.")] = 1,
    precision: Annotated[Precision, typer.Option(help="Number format.")] = Precision.full,
) -> None:
    """Train a reader on line images of your own."""
    _need_ocr("ctckit train")
    from ctckit.ocr.fit import FitConfig, fit_lines
    from ctckit.ocr.training.loop import in_first_process

    config = FitConfig(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=lr,
        seed=seed,
        validation=validation,
        distort=distort,
        charset=charset,
        accelerator=device.value,
        devices=devices,
        precision=precision.value,
    )
    console = Console(stderr=True, quiet=not in_first_process())
    try:
        result = fit_lines(data, out, config=config, resume=resume, overwrite=overwrite, console=console)
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. Continue: the same command with --resume.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if in_first_process():
        typer.echo(result.summary)
        typer.echo(f"Model:  {out}\nNext:   ctckit read IMAGE... --model {out}")


@app.command(epilog=_CODES)
def read(
    images: Annotated[list[Path], typer.Argument(help="Images of one text line each.", metavar="IMAGE...")],
    model: Annotated[Path, typer.Option("--model", "-m", help="A model folder, as ctckit train or demo writes it.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Text, log-probability, confidence and spans, as JSON.")
    ] = False,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.cpu,
    lm: cli_decode.Models = None,
    lm_weight: cli_decode.Weights = None,
    hotwords: cli_decode.Hotwords = None,
    hotword_weight: cli_decode.HotwordWeight = 10.0,
    beam_width: cli_decode.BeamWidth = 100,
    separator: cli_decode.Separator = None,
) -> None:
    """Read line images. Prints the text; with several images, path, a tab and the text."""
    _need_ocr("ctckit read")
    from ctckit.ocr.recognizer import Recognizer

    recognizer = Recognizer.load(model, device=device.value)
    decoder = cli_decode.beam_decoder(
        recognizer.vocabulary, lm, lm_weight, hotwords, hotword_weight, beam_width, separator
    )
    readings = recognizer.read(images, decoder=decoder)
    if as_json:
        found = [{"path": str(path), **asdict(reading)} for path, reading in zip(images, readings, strict=True)]
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif len(images) == 1:
        typer.echo(readings[0].text)
    else:
        for path, reading in zip(images, readings, strict=True):
            typer.echo(f"{path}\t{reading.text}")


@app.command(epilog=_CODES)
def explain(
    text: Annotated[str, typer.Option(help="The text whose lattice to draw.")] = "apple",
    frames: Annotated[
        int | None, typer.Option(min=0, max=10_000, help="Frames; by default a few for each character.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write the live lattice to this file instead: a page to type, drag and play in."),
    ] = None,
) -> None:
    """Draw the CTC lattice of a text: where each of its states is likely, frame by frame."""
    from ctckit.lattices import lattice
    from ctckit.viz.synthetic import synthetic_log_probs, synthetic_vocabulary

    if html is not None:
        from ctckit.viz.live_page import write_live_page

        typer.echo(f"{write_live_page(html, text=text, frames=frames)}   (open it in a browser)")
        return
    vocabulary = synthetic_vocabulary(text)
    target = vocabulary.encode(text)
    drawn = lattice(synthetic_log_probs(target, len(vocabulary), frames), target)
    typer.echo(drawn.draw(vocabulary))
    if not drawn.feasible:
        return
    typer.echo(
        "\nRows: the states, a blank (∅) before, between and behind the characters. Columns: the frames. The darker,\n"
        "the likelier that a path is in this state at this frame. The frame scores are made up: one bump per character."
    )


@app.command(epilog=_CODES)
def diagnose(
    batch: Annotated[
        Path,
        typer.Argument(
            help="A .npz file of logits (B, T, C), targets (B, N), input_lengths (B,) and target_lengths (B,).",
            metavar="FILE.npz",
        ),
    ],
    blank: Annotated[int, typer.Option(min=0, help="The class of the blank.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Everything that was measured, as JSON.")] = False,
) -> None:
    """Say why a network does not learn from a batch: what is wrong with it, and what to do."""
    from ctckit.diagnosis import diagnose as diagnose_batch

    found = diagnose_batch(**_load_batch(batch), blank=blank)
    typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=2) if as_json else str(found))


def _load_batch(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The four arrays of ``ctckit diagnose``, by name."""
    from zipfile import BadZipFile

    import numpy as np

    names = ("logits", "targets", "input_lengths", "target_lengths")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except KeyError as error:
        raise DataError(f"{path}: {error.args[0].split()[0]} is missing; expected {', '.join(names)}.") from None
    except (AttributeError, BadZipFile, EOFError, OSError, TypeError, ValueError):
        raise DataError(f"{path}: not a .npz file. Write one with numpy.savez(path, logits=…, …).") from None


def _need_ocr(what: str) -> None:
    for module, package in _OCR_PACKAGES.items():
        if find_spec(module) is None:
            raise MissingDependencyError(what, package, "ocr")


if __name__ == "__main__":
    main()
