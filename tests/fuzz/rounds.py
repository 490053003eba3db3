"""Rounds of random checks. A round depends only on the seed and its number, so that a failure can be run again."""

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import typer
from rich.progress import track


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


@contextmanager
def shown(*problem):
    """Add the problem to the message of a failure."""
    try:
        yield
    except Exception as error:
        raise AssertionError("\n".join([repr(error), *map(str, problem)])) from error


@dataclass(frozen=True)
class Rounds:
    """Rounds of one check.

    Attributes:
        module: Its module, for the command that repeats a failure.
        check: Checks one random problem; it takes a random generator.
        passed: What is true after so many rounds, for the last line of the command.
        usual: How many rounds the command runs, if no number is given.
    """

    module: str
    check: Callable[[np.random.Generator], object]
    passed: str
    usual: int

    def run(self, seed: int, numbers: Iterable[int]) -> None:
        """Run the rounds with these numbers."""
        for number in numbers:
            try:
                self.check(np.random.default_rng([seed, number]))
            except Exception as error:
                again = f"python -m {self.module} --seed {seed} --first {number} --rounds 1"
                raise AssertionError(f"round {number} of seed {seed}: {error}\nagain: {again}") from error

    def command(self) -> None:
        """Read the options of the command line and run the rounds."""

        def main(rounds: int = self.usual, seed: int = 2, first: int = 0) -> None:
            self.run(seed, track(range(first, first + rounds), self.module))
            print(self.passed.format(rounds))

        app = typer.Typer(pretty_exceptions_enable=False)  # a plain traceback ends with the command to run
        app.command(help=f"Run ROUNDS rounds of {self.module}, beginning with number FIRST.")(main)
        app()
