"""Beam search decoders side by side: ``python -m benchmarks.decoding``.

::

    __main__.py    the command
    cases.py       what is measured
    files.py       posteriors, language models and word lists for the worker processes
    measure.py     one case: check, tune, take turns, measure memory
    judge.py       hypotheses are judged, with exact.py (float64 probabilities, errors)
    tuning.py      weights are tuned on the other half of the items
    loading.py     how long it takes to load a language model
    worker.py      what runs in a worker process
    peers/         the decoders, each with its own conventions
    held_out.py    errors with a language model of ctckit on held-out lines
    hotwords.py    errors with hotwords that nobody said, with the figure of the guide
    captions.py    how late captions are
    figures.py     figures computed from the results, with tables.py for the terminal
    page.py        docs/benchmarks/decoding.md, with figure.py
"""
