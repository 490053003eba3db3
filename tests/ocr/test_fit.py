"""``fit_lines``: what it says about the lines, and about the result."""

import csv
import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from ctckit.errors import DataError, InvalidInputError
from ctckit.ocr.data.batches import WIDE, LineBatches, group_by_width
from ctckit.ocr.data.lines import Line
from ctckit.ocr.fit import FitConfig, FitResult, fit_lines
from ctckit.ocr.networks.crnn import CRNNConfig
from ctckit.ocr.training.config import TrainingConfig
from ctckit.ocr.training.evaluation import compute_log_probs
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TEXTS, bars, register_tiny, write_line, write_lines

HEBREW = "\u05e9\u05dc\u05d5\u05dd"
UNREAD = "The model reads nothing yet: check that texts and images match, or train for longer."
VOCABULARY = Vocabulary.from_characters("ab")
CRNN_CONFIG = CRNNConfig(num_classes=3)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    register_tiny(monkeypatch)


@pytest.fixture
def data(tmp_path):
    return write_lines(tmp_path / "lines")


def fit(data, out, *, console=None, **options):
    return fit_lines(data, out, config=FitConfig(**{"epochs": 1, "network": "tiny", **options}), console=console)


def printed(data, out, **options):
    stream = io.StringIO()
    result = fit(data, out, console=Console(file=stream, width=400), **options)
    return result, stream.getvalue()


# --- lines that cannot be used


def spoil(data):
    (data / "bad.png").write_text("no image")
    (data / "bad.gt.txt").write_text("a")
    write_line(data, "narrow", "ab" * 30, image=bars("ab").image)
    Image.new("L", (60, 32)).save(data / "alone.png")


def test_bad_lines_are_left_out_counted_and_listed(data, tmp_path):
    spoil(data)
    result, told = printed(data, tmp_path / "m")
    assert result.training_lines + result.validation_lines == len(TEXTS)
    assert "3 of 12 lines are left out: " in told
    for reason in ("no text file", "the image cannot be read", "the image is too narrow for its text"):
        assert f"1 × {reason}" in told
    with open(tmp_path / "m" / "skipped.tsv", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows[0] == ["path", "reason", "detail"]
    assert [row[0].rpartition("/")[2] for row in rows[1:]] == ["alone.png", "bad.png", "narrow.png"]
    assert "60 characters with 0 adjacent repeats need 60. Check the text, or remove the line." in rows[3][2]
    assert [(each.name, each.reason) for each in result.skipped] == [tuple(row[:2]) for row in rows[1:]]


def test_a_list_of_skipped_lines_is_that_of_the_last_run(data, tmp_path):
    spoil(data)
    fit(data, tmp_path / "m")
    for name in ("bad.png", "bad.gt.txt", "narrow.png", "narrow.gt.txt", "alone.png"):
        (data / name).unlink()
    fit_lines(data, tmp_path / "m", config=FitConfig(epochs=1, network="tiny"), overwrite=True)
    assert not (tmp_path / "m" / "skipped.tsv").exists()


def test_strict_lists_all_bad_lines_as_an_error(data, tmp_path):
    spoil(data)
    with pytest.raises(DataError, match=r"3 of 12 lines cannot be used") as error:
        fit(data, tmp_path / "m", strict=True)
    assert all(name in str(error.value) for name in ("alone.png", "bad.png", "narrow.png"))
    assert not (tmp_path / "m").exists()


def test_without_any_usable_line_all_are_listed(tmp_path):
    for name in ("a", "b"):
        write_line(tmp_path / "lines", name, "ab" * 30, image=bars("ab").image)
    with pytest.raises(DataError, match=r"2 of 2 lines cannot be used \(2 × the image is too narrow for its text\)"):
        fit(tmp_path / "lines", tmp_path / "m")


def test_many_bad_lines_are_named_in_part_and_listed_in_full(data, tmp_path):
    for n in range(9):
        (data / f"bad{n}.gt.txt").write_text("a")
    _, told = printed(data, tmp_path / "m")
    assert "9 of 18 lines are left out: 9 × no image. They are listed in " in told
    assert "bad4.gt.txt: no image" in told
    assert "bad5.gt.txt" not in told
    assert "… and 4 more" in told
    assert len((tmp_path / "m" / "skipped.tsv").read_text().splitlines()) == 10


def test_a_name_that_is_no_utf8_is_listed_as_it_is(data, tmp_path):
    try:
        (data / "caf\udce9.png").write_text("no image")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    fit(data, tmp_path / "m")
    assert b"caf\xe9.png\tno text file" in (tmp_path / "m" / "skipped.tsv").read_bytes()


def test_normalized_texts_are_counted(data, tmp_path):
    write_line(data, "x", "a  b")
    _, told = printed(data, tmp_path / "m")
    assert "1 texts were normalized: white space, invisible characters, Unicode NFC." in told
    assert "3 characters:  ab" in told


def test_characters_without_a_picture_are_shown_by_number(data, tmp_path):
    write_line(data, "x", "a\u200db")
    _, told = printed(data, tmp_path / "m")
    assert "3 characters: ab<U+200D>" in told


# --- right to left


@pytest.mark.parametrize("text", [HEBREW, "\u0633\u0644\u0627\u0645", f"12 {HEBREW}"])
def test_right_to_left_texts_are_told(data, tmp_path, text):
    write_line(data, "x", text, image=bars("ababab").image)
    _, told = printed(data, tmp_path / "m")
    assert "1 of 10 texts are of a right-to-left script. They are learned in display order" in told


def test_a_quoted_word_of_hebrew_needs_no_note(data, tmp_path):
    write_line(data, "x", f"he said {HEBREW}", image=np.tile(bars("ab").image, (1, 8)))
    _, told = printed(data, tmp_path / "m")
    assert "right-to-left" not in told


# --- the summary


@pytest.mark.parametrize(
    ("curve", "advice"),
    [
        ((1.0, 1.0, 1.0), UNREAD),
        ((0.99, 0.97, 0.96), UNREAD),
        ((0.9, 0.5, 0.3), "The error was still falling: a longer training will help."),
        ((0.5, 0.3, 0.3), "of the lines exact."),
        ((0.3, 0.3, 0.3), "of the lines exact."),
        ((0.5, 0.3, 0.4), "of the lines exact."),
        ((0.3,), "of the lines exact."),
        ((0.5, 0.01), "of the lines exact."),
    ],
)
def test_more_epochs_are_advised_only_if_the_error_was_falling(tmp_path, curve, advice):
    steps = tuple(range(1, len(curve) + 1))
    record = TrainingRecord(validation_steps=steps, validation_cer=curve, validation_exact=curve, best_step=steps[-1])
    summary = FitResult(tmp_path, record, 9, 1).summary
    assert summary.endswith(advice)
    assert f"CER {100 * min(curve):.2f} %" in summary


def test_a_best_step_that_was_no_validation_does_not_matter(tmp_path):
    record = TrainingRecord(validation_steps=(4,), validation_cer=(0.4,), validation_exact=(0.2,), best_step=9)
    assert "CER 40.00 %, 20.0 % of the lines exact." in FitResult(tmp_path, record, 9, 1).summary


# --- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 2.5}, r"batch_size is 2\.5; expected a whole number"),
        ({"batch_size": "8"}, r"batch_size is '8'; expected a whole number"),
        ({"learning_rate": float("nan")}, r"learning_rate is nan; expected more than 0"),
        ({"learning_rate": None}, r"learning_rate is None; expected a number"),
        ({"seed": -1}, r"seed is -1; expected a whole number, 0\.\.4294967295"),
        ({"seed": 2**40}, r"seed is 1099511627776"),
        ({"max_width": 0}, r"max_width is 0; expected more than 0"),
        ({"epochs": 1.5}, r"epochs is 1\.5; expected at least 1"),
    ],
)
def test_options_of_another_kind(options, message):
    with pytest.raises(InvalidInputError, match=message):
        FitConfig(**options)


def test_settings_of_another_kind():
    for options in ({"steps": 1.0}, {"save_seconds": 0.0}, {"patience": True}, {"seed": 1.5}):
        with pytest.raises(InvalidInputError, match=rf"{next(iter(options))} is "):
            TrainingConfig(**options)


# --- wide lines


def test_a_strip_among_lines_is_left_out(data, tmp_path):
    write_line(data, "strip", "ab", image=np.full((3, 6000), 255, np.uint8))
    result = fit(data, tmp_path / "m")
    assert [each.reason for each in result.skipped] == ["the image is too wide"]
    wide = write_lines(tmp_path / "wide")
    shutil.copy(data / "strip.png", wide / "strip.png")
    (wide / "strip.gt.txt").write_text("ab")
    result = fit(wide, tmp_path / "n", max_width=70_000, batch_size=2)
    assert result.skipped == ()
    assert result.training_lines + result.validation_lines == len(TEXTS) + 1


def lines_of(widths):
    return [Line(np.full((32, width), 255, np.uint8), "ab", str(width)) for width in widths]


def test_one_wide_line_does_not_widen_the_others():
    widths = [200] * 39 + [8000]
    source = LineBatches(lines_of(widths), VOCABULARY, CRNN_CONFIG, batch_size=16, distort=False)
    for epoch in range(3):
        steps = range(epoch * source.batches_per_epoch, (epoch + 1) * source.batches_per_epoch)
        batches = [source.batch(step) for step in steps]
        assert sorted(width for batch in batches for width in batch.widths.tolist()) == widths
        assert all(batch.images.shape[3] == 200 for batch in batches if len(batch.texts) > 1)
        assert sum(batch.images.shape[0] * batch.images.shape[3] for batch in batches) == sum(widths)


def test_batches_have_a_limit_of_columns():
    widths = [WIDE + 100 * n for n in range(40)]
    source = LineBatches(lines_of(widths), VOCABULARY, CRNN_CONFIG, batch_size=8, distort=False)
    orders = set()
    for epoch in range(2):
        steps = range(epoch * source.batches_per_epoch, (epoch + 1) * source.batches_per_epoch)
        batches = [source.batch(step) for step in steps]
        assert sorted(width for batch in batches for width in batch.widths.tolist()) == widths
        assert all(batch.images.shape[0] * batch.images.shape[3] <= 8 * WIDE for batch in batches)
        orders.add(tuple(tuple(batch.widths.tolist()) for batch in batches))
    assert len(orders) == 2


@pytest.mark.parametrize("seed", range(5))
def test_groups_hold_each_line_once_within_the_limits(seed):
    rng = np.random.default_rng(seed)
    widths = sorted(rng.integers(1, 9000, size=100).tolist())
    groups = group_by_width(widths, 6)
    assert [group.start for group in groups] == [0, *(group.stop for group in groups[:-1])]
    assert groups[-1].stop == 100
    for group in groups:
        count, widest = group.stop - group.start, widths[group.stop - 1]
        assert count <= 6
        assert count * widest <= 6 * WIDE or count == 1
    assert group_by_width([], 6) == []
    assert group_by_width([WIDE] * 12, 6) == [slice(0, 6), slice(6, 12)]


class Blanks(torch.nn.Module):
    """A network that notes the columns of each batch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.columns = []

    def forward(self, images, widths):
        self.columns.append(images.shape[0] * images.shape[3])
        return torch.zeros(len(images), images.shape[3], 2), widths


def test_reading_pads_to_the_limit_too():
    network, images = Blanks(), [line.image for line in lines_of([8000, 200, 200, 8000, 200])]
    found = compute_log_probs(network, images, batch_size=4)
    assert [len(each) for each in found] == [8000, 200, 200, 8000, 200]
    assert network.columns == [600, 8000, 8000]


@pytest.mark.parametrize("held_out", [True, False])
def test_a_training_that_ends_with_an_empty_reader_says_so(tmp_path, held_out):
    curve = {"validation_cer": (1.0,), "validation_exact": (0.0,)} if held_out else {"cer": (1.0, 0.95)}
    result = FitResult(tmp_path, TrainingRecord(**curve), 9, int(held_out))
    assert result.reads_nothing
    assert result.summary.endswith(UNREAD)


def test_a_silent_training_warns_of_an_empty_reader(data, tmp_path):
    with pytest.warns(UserWarning, match=UNREAD) as caught:
        assert fit(data, tmp_path / "m", validation=0.5, learning_rate=1e-9).reads_nothing
    assert caught[0].filename == __file__


def test_a_training_without_points_says_nothing_of_its_reader(tmp_path):
    assert not FitResult(tmp_path, TrainingRecord(), 9, 0).reads_nothing
