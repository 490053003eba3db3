"""Forced aligners side by side: ``python -m benchmarks.alignment``.

::

    __main__.py    the command, case by case
    problems.py    what is aligned, and the cases
    judge.py       paths are judged, with exact.py (the optimum in float64)
    worker.py      what runs in a worker process
    peers.py       the aligners, each with its own conventions
    no_cuda.py     loads torchaudio on a machine without CUDA
    page.py        docs/benchmarks/alignment.md, and tables for the terminal
    boundaries.py  which boundaries are nearest to the truth: ``python -m benchmarks.alignment.boundaries``
"""
