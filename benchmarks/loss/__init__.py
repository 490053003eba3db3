"""The loss and its gradient on the CPU, side by side with other libraries: ``python -m benchmarks.loss``.

::

    __main__.py    the command
    measure.py     one workload: check all libraries, let them take turns, measure memory
    worker.py      what runs in a worker process
    peers.py       the libraries, each with its own conventions
    workloads.py   the inputs W1–W5
    memory.py      peak memory of a step
    bandwidth.py   the memory bandwidth of the machine
    tables.py      figures computed from the results, tables for the terminal
    page.py        docs/benchmarks/loss.md, with figure.py
"""
