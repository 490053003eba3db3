"""The command line: the app, which registers one command per file.

Commands are thin: each calls one function of the library. Heavy imports stand inside the commands, so that
``ctckit --help`` is quick.
"""

from __future__ import annotations

import warnings
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ctckit.cli import lm
from ctckit.cli.align import align
from ctckit.cli.decode import decode
from ctckit.cli.demo import demo
from ctckit.cli.diagnose import diagnose
from ctckit.cli.doctor import doctor
from ctckit.cli.evaluate import evaluate
from ctckit.cli.explain import explain
from ctckit.cli.export import export
from ctckit.cli.options import expand
from ctckit.cli.output import accept_all_characters
from ctckit.cli.read import read
from ctckit.cli.train import train
from ctckit.cli.transcribe import transcribe
from ctckit.cli.tune import tune
from ctckit.cli.validate import validate
from ctckit.errors import CTCKitError, InputWarning

BAD_INPUT = 2
EXIT_CODES = (
    "Exit codes: 0 success; 1 an unexpected error (please report it); 2 a wrong option, or a file, image or text that "
    "cannot be used (the message says which one and what to do); "
    "3 a text does not fit (ctckit align --fail-below); 130 interrupted (129 and 143 by SIGHUP and SIGTERM)."
)


class _Group(TyperGroup):
    """Turns the library's errors into one message on standard error and exit code 2, and its warnings into messages."""

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
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    demo,
    train,
    evaluate,
    read,
    export,
    decode,
    tune,
    transcribe,
    validate,
    align,
    explain,
    diagnose,
    doctor,
):
    app.command(epilog=EXIT_CODES)(expand(_command))
app.add_typer(lm.app, name="lm", epilog=EXIT_CODES)


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
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


if __name__ == "__main__":
    main()
