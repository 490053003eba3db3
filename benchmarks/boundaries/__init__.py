"""How far the word borders of aligners are from labeled ones: ``python -m benchmarks.boundaries --out results.json``.

::

    recordings.py   recordings with labeled words, from packages
    aligners.py     ctckit with the acoustic model hama, by several rules; pocketsphinx
    fit.py          how hama's lag and the rule of contiguous sounds were fitted, on other recordings
    page.py         docs/benchmarks/boundaries.md, and tables for the terminal

The packages are in ``requirements-boundaries.txt``. ``CTCKIT_PRAATIO`` names the unpacked source distribution of
praatio.
"""
