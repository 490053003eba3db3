"""The options of Ray, where Ray is not installed, too."""

import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit.cli import app
from ctckit.distributed.on_ray import cluster
from ctckit.errors import MissingDependencyError

runner = CliRunner()


def test_a_missing_ray_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    message = r"--engine ray needs ray, which is not installed.*ctckit\[ray\]"
    with pytest.raises(MissingDependencyError, match=message), cluster(None):
        pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engine", "ray"), "--engine is given, but --shards, the folder for the rows, is not."),
        (("--shards", "out", "--address", "here:1"), "--address is given, but --engine ray is not."),
    ],
)
def test_options_that_would_do_nothing_are_refused(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokens.txt").write_text("\na\nb\n", encoding="utf-8")
    np.save(tmp_path / "a.npy", np.log(np.full((2, 3), 1 / 3)))
    result = runner.invoke(app, ["decode", "a.npy", "-v", "tokens.txt", *arguments])
    assert (result.exit_code, message in result.stderr) == (2, True)
