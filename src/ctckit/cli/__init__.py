"""The command line: ``root`` has the app and registers the commands; a command is a file."""

from ctckit.cli.root import app as app
from ctckit.cli.root import main as main
