"""The command line: ``root`` has the app and registers the commands; a command is a file."""

from ctckit.cli.root import app, main

__all__ = ["app", "main"]
