"""Commands that are imported when they are used, so that ``ctckit --help`` and completion are quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


class LazyCommand(TyperCommand):
    """Stands in for the command ``NAME`` of the module ``ctckit.cli.NAME``: has its name and its help.

    The module has a function of this name, or an ``app`` of several commands.
    """

    def loaded(self) -> Any:
        """Return the command itself, with its options."""
        from ctckit.cli.options import expand

        module = import_module(f"ctckit.cli.{self.name}")
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False)
            app.command(self.name)(expand(getattr(module, self.name or "")))
        command = typer.main.get_command(app)
        command.epilog = self.epilog
        return command

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Return the context of the command itself: with it, the command is imported and takes over."""
        return self.loaded().make_context(*arguments, **options)


def with_all_commands(app: typer.Typer) -> Any:
    """Return the group of an app with every command imported: for the reference, and for tests of their options."""
    group: Any = typer.main.get_command(app)
    group.commands = {name: each.loaded() for name, each in group.commands.items()}
    return group
