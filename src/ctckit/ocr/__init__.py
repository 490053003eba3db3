"""Recognition of text lines: networks, their training, model folders, and a recognizer.

    from ctckit.ocr import Recognizer
    print(Recognizer.load("model").read(["line.png"])[0].text)

Read in this order:

    networks/       the networks by name; base (the protocol of a network), sharing (layers of shared batches), crnn,
                    line; pretrained/ (from ONNX files)
    data/           sources (folders, pages, tables, Parquet), images, texts, rules, lines, batches, synthetic
                    (the demo's digit strings); pages/ reads ALTO and PAGE files and cuts their lines out
    training/       config, loop, team, budget, batch_loss, averaging, curves, checkpoint, interruption, devices,
                    launching, evaluation, record, progress; observing, log, tensorboard
    tensor_file     tensors in a file
    model_folder    saves and loads models
    starting        the model that a training starts from; bundled, those that packages of others have
    shaping         the height and the frames of a new network
    fit             trains on a folder of lines and writes a model folder: ``ctckit train``
    backend         what computes log-probabilities: torch_backend, a network in PyTorch; or an ONNX file
    onnx/           ONNX files as a backend, without torch
    recognizer      reads images of lines
    comparing       texts and readings: errors of characters and words, confusions
    judging/        how well a model reads: ``ctckit evaluate``
    report/         pages to look at
    export/         models become ONNX files: ``ctckit export``
    page_reader     reads pages, and writes them with their texts
    demo/           ``make demo``: run, report, report_page, drawings

This package needs ``pip install "ctckit[ocr]"``; reading with ONNX files needs only ``"ctckit[onnx]"``. A module is
imported when one of its names is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ctckit.errors import MissingDependencyError

if TYPE_CHECKING:
    from ctckit.ocr.data.rules import LineRules
    from ctckit.ocr.export.exporting import Exported, export_onnx
    from ctckit.ocr.fit import FitConfig, fit_lines
    from ctckit.ocr.judging.result import ModelEvaluation
    from ctckit.ocr.judging.run import evaluate_model
    from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
    from ctckit.ocr.page_reader import ReadPage, read_page
    from ctckit.ocr.recognizer import Reading, Recognizer
    from ctckit.ocr.starting import StartConfig

__all__ = [
    "CRNN",
    "CRNNConfig",
    "Exported",
    "FitConfig",
    "LineRules",
    "ModelEvaluation",
    "ReadPage",
    "Reading",
    "Recognizer",
    "StartConfig",
    "evaluate_model",
    "export_onnx",
    "fit_lines",
    "read_page",
]

_MODULES = {
    "CRNN": "networks.crnn",
    "CRNNConfig": "networks.crnn",
    "Exported": "export.exporting",
    "FitConfig": "fit",
    "LineRules": "data.rules",
    "ModelEvaluation": "judging.result",
    "ReadPage": "page_reader",
    "Reading": "recognizer",
    "Recognizer": "recognizer",
    "StartConfig": "starting",
    "evaluate_model": "judging.run",
    "export_onnx": "export.exporting",
    "fit_lines": "fit",
    "read_page": "page_reader",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'ctckit.ocr' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"ctckit.ocr.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("ctckit"):
            raise
        extra = "export" if _MODULES[name].startswith("export.") else "ocr"
        raise MissingDependencyError(f"ctckit.ocr.{name}", error.name, extra) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
