"""The loss on a GPU against torch's own kernels and cuDNN's.

::

    __main__.py    python -m benchmarks.gpu: the command
    peers.py       who is compared, and how each wants its input
    measure.py     what is checked, timed, counted
    page.py        docs/benchmarks/gpu.md from a saved run
"""
