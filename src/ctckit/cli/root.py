"""The command line: the app, which registers one command per file.

Commands are thin: each calls one function of the library. The module of a command is imported when the command is used,
and heavy imports stand inside the commands, so that ``ctckit --help`` is quick.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ctckit.cli.lazy import LazyCommand
from ctckit.cli.output import accept_all_characters
from ctckit.errors import CTCKitError, InputWarning

BAD_INPUT = 2
EXIT_CODES = (
    "Exit codes: 0 success; 1 an unexpected error (please report it); 2 a wrong option, or a file, image or text that "
    "cannot be used (the message says which one and what to do); "
    "3 a text does not fit (ctckit align --fail-below); 130 interrupted (129 and 143 by SIGHUP and SIGTERM)."
)
COMMANDS = {  # in this order in the help, with the first paragraph of each command's own help
    "demo": "Train on handwritten digit strings, read held-out ones, and write a report. Takes a few minutes.",
    "train": "Train a recognizer on your own line images.",
    "evaluate": "Compare what a model reads with the known texts: error rates, confusions, calibration.",
    "read": "Read line images and pages.",
    "export": "Write a model as an ONNX file, which reads without torch.",
    "decode": "Decode saved posteriors by beam search.",
    "tune": "Choose lm_weight, word_bonus and other settings on posteriors whose texts are known.",
    "transcribe": "Transcribe recordings: an acoustic model, then the beam search with lexicon and language model.",
    "validate": "Check a corpus before it is aligned: files, lengths, sampling rates, words.",
    "align": "Find the time of each word of a text.",
    "explain": "Draw the CTC lattice of a text: how likely each state is at each frame.",
    "diagnose": "Explain why a network does not learn from a batch, and what to do about it.",
    "serve": "Serve a model over HTTP: read line images, decode log-probabilities, align recordings, and live streams.",
    "doctor": "Show versions, instruction set, threads, extras, GPU and models. Paste its output into a bug report.",
    "lm": "Train, inspect, convert and test n-gram language models.",
}


class _Group(TyperGroup):
    """Turns the library's errors into one message on standard error and exit code 2, and its warnings into messages."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help as plain text: typer's drawing of it imports Rich, which takes longer than all the rest."""
        super(TyperGroup, self).format_help(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the help of each command; click would cut it at the end of the line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: Any) -> Any:
        accept_all_characters()
        with warnings.catch_warnings():
            warnings.simplefilter("always", InputWarning)
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except CTCKitError as error:
                typer.echo(f"ctckit: {error}", err=True)
                raise typer.Exit(BAD_INPUT) from error


_show_other_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
    """Show a warning of the library as one line, others as Python does."""
    if issubclass(category, InputWarning):
        typer.echo(f"ctckit: {message}", err=True)
    else:
        _show_other_warning(message, category, *place, **options)


app = typer.Typer(
    cls=_Group,
    name="ctckit",
    help="The CTC toolkit: train a text-line recognizer, read with it, decode, align, and see what CTC does.",
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _help in COMMANDS.items():
    app.command(_name, cls=LazyCommand, help=_help, epilog=EXIT_CODES)(lambda: None)


def main() -> None:
    """Run the command line; without arguments it shows the help."""
    app(None if sys.argv[1:] else ["--help"])


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"ctckit {metadata.version('ctckit')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


if __name__ == "__main__":
    main()
