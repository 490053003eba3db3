"""The exceptions, as other code catches them."""

import pickle
import re
from pathlib import Path

import pytest

from ctckit import NGramModel, Vocabulary, _posterior_files, errors
from ctckit.acoustic_models import audio
from ctckit.alignment import PronouncingDictionary
from ctckit.cli import inputs
from ctckit.compat import kenlm, pyctcdecode
from ctckit.ocr import Recognizer
from ctckit.ocr.data.lines import load_image, read_lines

NOWHERE = Path("nowhere") / "at all"
LOADERS = {
    "NGramModel.load": NGramModel.load,
    "kenlm.Model": lambda path: kenlm.Model(str(path)),
    "pyctcdecode load_from_dir": lambda path: pyctcdecode.BeamSearchDecoderCTC.load_from_dir(str(path)),
    "Recognizer.load": Recognizer.load,
    "load_image": load_image,
    "read_lines": read_lines,
    "audio.blocks": lambda path: next(iter(audio.blocks(path, 100))),
    "PronouncingDictionary": lambda path: PronouncingDictionary(path, Vocabulary(("", "a"))),
    "inputs.read_text": inputs.read_text,
    "_posterior_files.read_posteriors": _posterior_files.read_posteriors,
}


@pytest.mark.parametrize("name", LOADERS)
def test_a_missing_file_is_an_error_of_the_system_too(name):
    with pytest.raises(errors.DataError, match="nowhere") as caught:
        LOADERS[name](NOWHERE)
    assert isinstance(caught.value, FileNotFoundError)


def test_the_tree_in_the_docstring_names_every_exception():
    for name, each in vars(errors).items():
        if isinstance(each, type) and issubclass(each, errors.CTCKitError):
            assert re.search(rf"\b{name}\b", errors.__doc__)


def test_errors_can_be_pickled():
    for error in (
        errors.DataError("x: is damaged."),
        errors.InfeasibleTargetError("no room", (3,)),
        errors.MissingDependencyError("reading", "av", "media"),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
