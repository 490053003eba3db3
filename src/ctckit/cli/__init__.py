"""The command line: one file per command; ``root`` registers them, ``options`` has the options that they share."""

from ctckit.cli.root import app, main

__all__ = ["app", "main"]
