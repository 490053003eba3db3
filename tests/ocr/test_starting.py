"""Training from another model: classes carried over, rates, freezing, the history in the model folder."""

import io
import json
import sys

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from ctckit.cli import app
from ctckit.errors import DataError, InvalidInputError, MissingDependencyError, ModelFormatError
from ctckit.ocr import bundled
from ctckit.ocr import fit as fitting
from ctckit.ocr.bundled import BUNDLED
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.fit import FitConfig, fit_lines
from ctckit.ocr.model_folder import Stage, load_model, save_model
from ctckit.ocr.networks import build
from ctckit.ocr.recognizer import Recognizer
from ctckit.ocr.starting import StartConfig, class_parameters, load_start, with_classes
from ctckit.ocr.training import loop
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TEXTS, TINY, bars, register_tiny, stopping_at_a_checkpoint, write_line, write_lines

OLD = Vocabulary(("e", "", "a", "ﬁ", "f"), blank=1)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    register_tiny(monkeypatch)


@pytest.fixture
def data(tmp_path):
    return write_lines(tmp_path / "lines")


@pytest.fixture
def model(tmp_path):
    """A model folder that reads "b" and "c"."""
    torch.manual_seed(5)
    network = build("crnn", {"num_classes": 3, **TINY})
    return save_model(
        tmp_path / "old", network, Vocabulary.from_characters("bc"), history=[Stage("data", "older", lines=7)]
    )


@pytest.fixture
def onnx_file(tmp_path):
    pytest.importorskip("onnx")
    from tests.support.onnx_models import recognizer

    return str(recognizer(tmp_path / "m.onnx", characters="ab"))


def fit(data, out, source, *, epochs=1, start=None, rules=None, **options):
    rules = {"find": "no"} if rules is None else rules  # the places of the bars matter
    config = FitConfig(start=StartConfig(str(source), **(start or {})), epochs=epochs, rules=rules, **options)
    return fit_lines(data, out, config=config)


# --- classes


def test_rows_are_carried_over_by_their_tokens():
    old = build("crnn", {"num_classes": 5, **TINY})
    new = with_classes(old, OLD, Vocabulary(("", "a", "é", "e", "ﬀ", "x")))
    before, after = old.state_dict(), new.state_dict()
    for name in ("classes.weight", "classes.bias"):
        rows = before[name]
        expected = [rows[1], rows[2], rows[0], rows[0], rows[4], torch.zeros_like(rows[0])]
        assert torch.equal(after[name], torch.stack(expected))
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items() if not name.startswith("classes"))
    assert new.config.num_classes == 6
    assert old.config.num_classes == 5


def test_as_many_classes_in_another_order():
    old = build("crnn", {"num_classes": 3, **TINY})
    new = with_classes(old, Vocabulary.from_characters("ab"), Vocabulary.from_characters("ba"))
    assert torch.equal(new.classes.weight, old.classes.weight[[0, 2, 1]])


def test_what_has_a_row_for_each_class():
    assert class_parameters(build("crnn", {"num_classes": 5, **TINY})) == {"classes.weight", "classes.bias"}


@pytest.mark.parametrize(
    ("characters", "expected"), [("data", "éab"), ("keep", "eaﬁf"), ("union", "eaﬁfbé"), (None, "eaﬁfbé")]
)
def test_characters_of_the_new_model(tmp_path, characters, expected):
    save_model(tmp_path, build("crnn", {"num_classes": 5, **TINY}), OLD)
    found = load_start(StartConfig(str(tmp_path), characters))
    assert "".join(found.characters_for("éab")) == expected


def test_an_onnx_file_gets_the_characters_of_the_data(onnx_file):
    assert load_start(StartConfig(onnx_file)).characters == "data"


# --- training


def test_from_a_model_folder(data, model, tmp_path):
    result = fit(data, tmp_path / "new", model, validation=0.0)
    saved = load_model(tmp_path / "new")
    assert saved.vocabulary.tokens == ("", "b", "c", "a")
    assert saved.history == (Stage("data", "older", lines=7), Stage("data", "lines", lines=len(TEXTS)))
    assert result.training_lines == len(TEXTS)


def test_from_an_onnx_file(data, onnx_file, tmp_path):
    fit(data, tmp_path / "new", onnx_file, epochs=2, precision="32-true")
    saved = load_model(tmp_path / "new")
    assert saved.vocabulary.tokens == ("", "a", "b")
    first, second = saved.history
    assert (first.kind, first.name, first.license, len(first.sha256)) == ("model", "m.onnx", "", 64)
    assert (second.kind, second.name, second.lines) == ("data", "lines", 8)
    description = json.loads((tmp_path / "new" / "model.json").read_text(encoding="utf-8"))
    assert description["history"][0]["sha256"] == first.sha256
    assert description["network_name"] == "pretrained"
    kernels = [weight for weight in saved.model.parameters() if weight.ndim == 4]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    (reading,) = Recognizer.load(tmp_path / "new").read([bars("ab").image])
    assert set(reading.text) <= set("ab")


def test_it_learns(onnx_file, tmp_path):
    data = write_lines(tmp_path / "more", TEXTS * 4)
    fit(
        data,
        tmp_path / "new",
        onnx_file,
        epochs=60,
        validation=0.0,
        distort=False,
        learning_rate=2e-2,
        precision="32-true",
    )
    lines = [bars(text) for text in TEXTS]
    found = Recognizer.load(tmp_path / "new").read([line.image for line in lines])
    assert [each.text for each in found] == list(TEXTS)


def moved(old, new):
    before = load_model(old).model.state_dict()
    return {
        name for name, tensor in load_model(new).model.state_dict().items() if not torch.equal(tensor, before[name])
    }


def test_frozen_steps_train_the_last_layer_only(data, model, tmp_path):
    texts = write_lines(tmp_path / "bc", ("b", "c", "bc", "cb", "bb"))
    fit(texts, tmp_path / "new", model, validation=0.0, start={"freeze_steps": 1000})
    assert {name for name in moved(model, tmp_path / "new") if "norm" not in name} == {"classes.weight", "classes.bias"}
    fit(texts, tmp_path / "all", model, validation=0.0)
    assert "lstms.0.rightward.weight_hh_l0" in moved(model, tmp_path / "all")


def test_the_rate_of_what_is_carried_over(data, model, tmp_path, monkeypatch):
    rates = []

    class Recording(torch.optim.AdamW):
        def step(self, *arguments):
            rates.append({group["carried"]: group["lr"] for group in self.param_groups})
            return super().step(*arguments)

    monkeypatch.setattr(loop.torch.optim, "AdamW", Recording)
    fit(data, tmp_path / "new", model, epochs=3, start={"carried_rate": 0.1, "freeze_steps": 1})
    assert [rate[True] / rate[False] for rate in rates] == pytest.approx([0.0, 0.1, 0.1])


@pytest.mark.parametrize(("limits", "steps"), [({"epochs": 9}, 13), ({"epochs": 99}, 50), ({"minutes": 1.0}, 50)])
def test_the_learning_rate_rises_gently(data, model, tmp_path, monkeypatch, limits, steps):
    """But without a model to start from, as before."""
    found = []

    def note(*_, config, **__):
        found.append(config.warmup_steps)
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "train", note)
    for start in (StartConfig(str(model)), None):
        network = None if start else "tiny"
        with pytest.raises(KeyboardInterrupt):
            fit_lines(data, tmp_path / "m", config=FitConfig(start=start, network=network, batch_size=3, **limits))
    assert found == [steps, 0]


def test_a_run_that_makes_it_worse_keeps_the_first_weights(data, onnx_file, tmp_path):
    good = write_lines(tmp_path / "more", TEXTS * 4)
    options = {"distort": False, "precision": "32-true", "validation": 0.2}
    fit(good, tmp_path / "good", onnx_file, epochs=60, learning_rate=2e-2, **options)
    start = {"characters": "keep", "carried_rate": 1.0}
    result = fit(data, tmp_path / "bad", tmp_path / "good", learning_rate=1.0, start=start, **options)
    assert result.record.validation_steps[0] == result.record.best_step == 0
    assert result.record.validation_cer[0] == 0.0 < result.record.validation_cer[-1]
    assert moved(tmp_path / "good", tmp_path / "bad") == set()


def test_a_resumed_run_gives_the_same_weights(data, model, tmp_path, monkeypatch):
    options = {"epochs": 4, "batch_size": 4, "start": {"freeze_steps": 2}}
    fit(data, tmp_path / "whole", model, **options)
    with stopping_at_a_checkpoint(monkeypatch):
        fit(data, tmp_path / "new", model, **options)
    with pytest.raises(DataError, match=r"freeze_steps was 2, now 0"):
        fit_lines(
            data, tmp_path / "new", config=FitConfig(start=StartConfig(str(model)), epochs=4, batch_size=4), resume=True
        )
    config = FitConfig(start=StartConfig(str(model), freeze_steps=2), epochs=4, batch_size=4)
    fit_lines(data, tmp_path / "new", config=config, resume=True)
    assert moved(tmp_path / "whole", tmp_path / "new") == set()


def test_lines_with_other_characters_than_the_kept_ones_are_left_out(model, tmp_path):
    data = write_lines(tmp_path / "bc", ("b", "c", "bc", "cb", "bb", "ab", "abba"))
    result = fit(data, tmp_path / "new", model, start={"characters": "keep"})
    reason = "characters outside the charset"
    assert [(each.name.rpartition("/")[2], each.reason) for each in result.skipped] == [
        ("005.png", reason),
        ("006.png", reason),
    ]
    listed = (tmp_path / "new" / "skipped.tsv").read_text().splitlines()
    assert len(listed) == 3
    assert "005.png: characters outside the charset: 'a'. Correct the text, or train a model with a" in listed[1]
    assert load_model(tmp_path / "new").vocabulary.tokens == ("", "b", "c")
    with pytest.raises(DataError, match=r"2 of 7 lines cannot be used \(2 × characters outside") as error:
        fit(data, tmp_path / "strict", model, start={"characters": "keep"}, strict=True)
    assert "005.png" in str(error.value)
    assert "006.png" in str(error.value)


def test_lines_outside_a_charset_are_left_out(data, tmp_path):
    write_line(data, "wide", "ba" * 30, image=bars("ab").image)
    result = fit_lines(data, tmp_path / "new", config=FitConfig(epochs=1, network="tiny", charset="b", validation=0.0))
    assert result.training_lines == sum(set(text) == {"b"} for text in TEXTS)
    assert result.skipped[0].reason == "the image is too narrow for its text"
    with pytest.raises(DataError, match=r"10 of 10 lines cannot be used"):
        fit_lines(data, tmp_path / "none", config=FitConfig(epochs=1, network="tiny", charset="x"))


# --- rules


def test_the_rules_of_the_old_model_are_taken_over(data, tmp_path):
    old = LineRules("NFD", "keep", "rtl", "no", "no")
    torch.manual_seed(5)
    network = build("crnn", {"num_classes": 3, **TINY})
    save_model(tmp_path / "old", network, Vocabulary.from_characters("ab"), rules=old)
    fit(data, tmp_path / "same", tmp_path / "old")
    assert load_model(tmp_path / "same").rules == old
    fit(data, tmp_path / "changed", tmp_path / "old", rules={"unicode": "NFC", "direction": "auto"})
    assert load_model(tmp_path / "changed").rules == LineRules("NFC", "keep", "ltr", "no", "no")
    fit(data, tmp_path / "others", tmp_path / "old", rules=LineRules())
    assert load_model(tmp_path / "others").rules == LineRules(direction="ltr")


def test_an_onnx_file_has_no_rules(data, onnx_file, tmp_path):
    fit(data, tmp_path / "new", onnx_file, rules={"invert": "no"})
    assert load_model(tmp_path / "new").rules == LineRules(direction="ltr", invert="no")


def test_rules_are_checked_at_once():
    with pytest.raises(InvalidInputError, match=r"expected values of direction, find, invert, spaces, unicode"):
        FitConfig(rules={"space": "keep"})
    with pytest.raises(InvalidInputError, match="unicode"):
        FitConfig(rules={"unicode": "NFX"})


def test_a_network_and_a_model_to_start_from(model):
    with pytest.raises(InvalidInputError, match=r"network='crnn' and start are both given \(--network and --from\)"):
        FitConfig(network="crnn", start=StartConfig(str(model)))


def test_a_charset_goes_before_the_default_characters(data, model, tmp_path):
    fit(data, tmp_path / "new", model, charset="abd")
    assert load_model(tmp_path / "new").vocabulary.tokens == ("", "a", "b", "d")
    with pytest.raises(InvalidInputError, match=r"charset and characters='data' are both given"):
        FitConfig(charset="ab", start=StartConfig("x", "data"))


def test_a_training_from_a_model_has_fewer_steps(data, model, tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(fitting, "train", lambda *_, config, **__: found.append(config.steps) or TrainingRecord())
    for start in (None, StartConfig(str(model))):
        fit_lines(data, tmp_path / f"{len(found)}", config=FitConfig(start=start, rules={"find": "no"}, validation=0.0))
    assert found == [1500, 400]


@pytest.mark.parametrize("supported", [True, False])
def test_bfloat16_where_the_processor_has_it(data, onnx_file, tmp_path, monkeypatch, supported):
    monkeypatch.setattr("ctckit.ocr.fit.computes_bfloat16", lambda: supported)
    found = []
    make = loop.launched_fabric
    monkeypatch.setattr(loop, "launched_fabric", lambda *settings: found.append(settings[2]) or make(*settings))
    fit(data, tmp_path / "new", onnx_file)
    fit_lines(data, tmp_path / "tiny", config=FitConfig(epochs=1, network="tiny"))
    assert found == ["bf16-mixed" if supported else "32-true", "32-true"]


# --- messages


def test_a_model_that_does_not_exist(tmp_path):
    with pytest.raises(DataError, match=r"nothing: there is no such model\. Expected ppocr-v6-small, an ONNX file, or"):
        load_start(StartConfig("nothing"))


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(bundled, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'rapidocr .*pip install "ctckit\[pretrained\]"'):
        load_start(StartConfig("ppocr-v6-small"))


def test_a_bundled_model_is_found_without_importing_its_package(onnx_file, tmp_path, monkeypatch):
    package = tmp_path / "site" / "rapidocr"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    with open(onnx_file, "rb") as file:
        (package / "models" / "PP-OCRv6_rec_small.onnx").write_bytes(file.read())
    monkeypatch.syspath_prepend(tmp_path / "site")
    (stage,) = load_start(StartConfig("ppocr-v6-small")).history
    assert (stage.name, stage.license) == ("PP-OCRv6 small", "Apache-2.0")
    pytest.importorskip("onnxruntime")
    by_path, by_name = (Recognizer.load(name) for name in (onnx_file, "ppocr-v6-small"))
    image = bars("a").image
    assert by_name.read([image])[0] == by_path.read([image])[0]
    (tmp_path / "ppocr-v6-small").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFormatError):  # the folder of this name comes first
        Recognizer.load("ppocr-v6-small")
    assert "rapidocr" not in sys.modules
    assert set(BUNDLED) == {"ppocr-v6-small"}


def test_onnx_is_not_installed(onnx_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r'an ONNX file needs onnx.*pip install "ctckit\[pretrained\]"'):
        load_start(StartConfig(onnx_file))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"characters": "all"}, r"characters"),
        ({"carried_rate": 1.5}, r"carried_rate is 1\.5; expected a share, 0\.\.1"),
        ({"freeze_steps": -1}, r"freeze_steps is -1; expected a number of steps, 0 or more"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(InvalidInputError, match=message):
        StartConfig("x", **options)


@pytest.mark.parametrize("history", ["x", [{"kind": "model"}], [{"kind": "data", "name": "x", "lines": "7"}]])
def test_a_damaged_history_is_an_error(model, history):
    path = model / "model.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    description["history"] = history
    network = load_model(model).model
    from ctckit.ocr.tensor_file import tensor_bytes

    path.write_text(json.dumps(description))
    (model / "weights.safetensors").write_bytes(tensor_bytes(network.state_dict(), json.dumps(description)))
    with pytest.raises(ModelFormatError, match="the model is damaged"):
        load_model(model)


def test_a_network_from_a_file_needs_the_file():
    with pytest.raises(InvalidInputError, match=r'network="pretrained" needs start, the model that has the network'):
        FitConfig(network="pretrained")


# --- the command


def test_the_command(data, model, tmp_path):
    write_line(data, "more", "ab")
    arguments = [
        "train",
        data,
        "--out",
        tmp_path / "m",
        "--from",
        model,
        "--characters",
        "data",
        "--epochs",
        1,
        "--device",
        "cpu",
    ]
    result = CliRunner().invoke(app, [*map(str, arguments), "--freeze-steps", "1", "--carried-rate", "0.5"])
    assert result.exit_code == 0, result.output
    assert load_model(tmp_path / "m").vocabulary.tokens == ("", "a", "b")


def test_options_that_need_a_model_to_start_from(data, tmp_path):
    result = CliRunner().invoke(app, ["train", str(data), "--out", str(tmp_path / "m"), "--characters", "data"])
    assert result.exit_code != 0
    assert "need --from" in str(result.exception or "") + result.output


def test_options_of_the_rules_and_of_the_network(data, model, tmp_path):
    arguments = ["train", str(data), "--epochs", "1", "--device", "cpu", "--from", str(model)]
    options = ["--unicode", "NFD", "--keep-spaces", "--invert", "yes"]
    result = CliRunner().invoke(app, [*arguments, *options, "--out", str(tmp_path / "m")])
    assert result.exit_code == 0, result.output
    assert load_model(tmp_path / "m").rules == LineRules(
        "NFD", "keep", "none", "yes", "no"
    )  # the old model has no direction
    result = CliRunner().invoke(app, [*arguments, "--network", "crnn", "--out", str(tmp_path / "n")])
    assert result.exit_code == 2
    assert "network='crnn' and start are both given" in result.stderr
    assert not (tmp_path / "n").exists()


def test_the_characters_are_shown(data, model, tmp_path):
    stream = io.StringIO()
    config = FitConfig(start=StartConfig(str(model)), epochs=1)
    fit_lines(data, tmp_path / "m", config=config, console=Console(file=stream, width=400))
    assert "3 characters: bca" in stream.getvalue()
