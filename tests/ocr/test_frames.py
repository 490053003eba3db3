"""Frames that are fine enough for the texts; the height and the frames are options of the network."""

import json

import numpy as np
import pytest
from rich.console import Console

from ctckit.errors import InvalidInputError
from ctckit.ocr import FitConfig, Recognizer, fit_lines
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.starting import StartConfig
from tests.support.line_files import bars, register_tiny, write_line

WHOLE = LineRules(find="no")


def leader(folder, name, characters, *, width):
    """Write a line of so many dots, each with some columns."""
    image = np.full((32, characters * width), 255, np.uint8)
    image[24:28, :: 2 * width] = 0
    write_line(folder, name, ".-" * (characters // 2), image=image)


def network_of(model):
    return json.loads((model / "model.json").read_text())["network"]


@pytest.mark.parametrize(("pixels", "frames"), [(1, 101), (2, 51), (4, 26), (8, 13)])
def test_frames_of_the_crnn(pixels, frames):
    config = CRNNConfig(num_classes=5).shaped(frame_pixels=pixels)
    assert (config.frame_pixels, config.frames(101)) == (pixels, frames)
    assert config.shaped() == config


def test_height_of_the_crnn():
    assert CRNNConfig(num_classes=5).shaped(height=48).slice_features == 384
    with pytest.raises(InvalidInputError, match="height is 50; the vertical strides divide it by 8"):
        CRNNConfig(num_classes=5).shaped(height=50)
    with pytest.raises(InvalidInputError, match=r"frame_pixels is 3; expected one of 1, 2, 4, 8\."):
        CRNNConfig(num_classes=5).shaped(frame_pixels=3)


def test_narrow_letters_get_finer_frames(tmp_path):
    for n in range(6):
        leader(tmp_path / "lines", f"{n}", 40, width=3 if n < 2 else 5)
    console = Console(record=True, width=200)
    config = FitConfig(epochs=1, validation=0.0, rules=WHOLE)
    result = fit_lines(tmp_path / "lines", tmp_path / "m", config=config, console=console)
    assert result.training_lines == 6
    assert "A frame has 2 pixel columns: 2 of 6 texts do not fit into frames of 4." in console.export_text()
    assert Recognizer.load(tmp_path / "m").model.frame_pixels == 2


def test_frames_stay_as_they_are_where_they_suffice(tmp_path):
    for n in range(3):
        leader(tmp_path / "lines", f"{n}", 20, width=6)
    write_line(tmp_path / "lines", "wrong", "a text that is not in the image" * 20, image=bars("ab").image)
    console = Console(record=True, width=200)
    result = fit_lines(
        tmp_path / "lines", tmp_path / "m", config=FitConfig(epochs=1, validation=0.0, rules=WHOLE), console=console
    )
    assert result.training_lines == 3
    assert [each.reason for each in result.skipped] == ["the image is too narrow for its text"]
    assert "pixel columns:" not in console.export_text()
    assert Recognizer.load(tmp_path / "m").model.frame_pixels == 4


def test_height_and_frames_can_be_given(tmp_path):
    for n in range(3):
        leader(tmp_path / "lines", f"{n}", 20, width=6)
    config = FitConfig(epochs=1, validation=0.0, height=48, frame_pixels=2)
    fit_lines(tmp_path / "lines", tmp_path / "m", config=config)
    model = Recognizer.load(tmp_path / "m").model
    assert isinstance(model, CRNN)
    assert (model.height, model.frame_pixels) == (48, 2)


def test_height_and_frames_are_those_of_the_model_to_start_from():
    with pytest.raises(InvalidInputError, match="height and frame_pixels are those of the model to start from"):
        FitConfig(height=48, start=StartConfig("model"))


def test_a_network_without_a_choice_says_so(tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    monkeypatch.delattr(CRNNConfig, "shaped")
    write_line(tmp_path / "lines", "0", "ab")
    with pytest.raises(InvalidInputError, match="the network 'tiny' has no choice of height or frame_pixels"):
        fit_lines(tmp_path / "lines", tmp_path / "m", config=FitConfig(epochs=1, network="tiny", height=48))
