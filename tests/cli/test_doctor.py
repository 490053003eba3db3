import json
import re
import sys
from importlib import metadata

import pytest
from typer.testing import CliRunner

from ctckit.cli import app, doctor
from ctckit.kernels import runtime


@pytest.fixture(autouse=True)
def without_torch(monkeypatch):
    """Importing torch takes seconds."""
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)


def test_the_doctor_shows_what_is_here(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    shown = CliRunner().invoke(app, ["doctor"])
    assert shown.exit_code == 0, shown.output
    assert f"{runtime.instruction_set()} (of {', '.join(runtime.instruction_sets())})" in shown.stdout
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert found["ctckit"]["numpy"] == metadata.version("numpy")
    assert re.fullmatch(r"3\.\d+\.\S+ \(\w+, \S*(linux-(gnu|musl)|macos|win)\S*\)", found["ctckit"]["Python"])
    assert found["core"]["threads"].startswith(f"{runtime.num_threads()} (of ")
    assert found["environment"]["OMP_NUM_THREADS"] == "3"
    assert found["GPU"] == {"unknown": "torch is not installed"}
    assert {"torch", "ocr", "pretrained"} <= set(found["extras"])
    assert "ppocr-v6-small" in found["recognizers"]
    assert found["acoustic models"]["hama"] == "ctckit.acoustic_models.hama:load (ctckit)"


def test_missing_packages_of_an_extra_are_named(monkeypatch):
    requires = ["torch>=2; extra == 'torch'", 'ctckit[torch]>=0; extra == "ocr"', 'no-such-thing; extra == "ocr"']
    monkeypatch.setattr(metadata, "requires", lambda name: requires)
    assert set(doctor._packages("ocr")) == {"torch", "no-such-thing"}
    assert doctor._state({"numpy"}) == "complete"
    assert doctor._state({"numpy", "no-such-thing"}) == "missing: no-such-thing"


def test_a_core_that_does_not_load_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctckit.kernels", None)
    assert "ctckit.kernels" in doctor.core()["does not load"]
