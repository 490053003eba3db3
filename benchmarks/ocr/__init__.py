"""Recognizers of handwriting side by side, on one thread: ``python -m benchmarks.ocr``.

::

    __main__.py    the command
    cases.py       what is measured: the trainings, their time, their goals
    lines.py       the lines of French handwriting, which are not part of the repository
    training.py    one training by ctckit, in a process of its own, judged on lines of other hands
    kraken.py      kraken, in the environment of the peers
    language.py    a character language model on top of a trained model
    reading.py     lines a second from ONNX files
    robustness.py  situations of scanners; captchas.py, printed.py make the lines
    page.py        docs/benchmarks/ocr.md
"""
