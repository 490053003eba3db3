"""The command line: one file per command; ``root`` registers them, ``options`` has the options that they share."""

from ctckit.cli.root import app as app
from ctckit.cli.root import main as main
