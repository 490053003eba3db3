"""``--shards``: commands over many inputs, which go on where they were stopped.

::

    options.py       the options
    job.py           the run of a job
    progress.py      how far it is, how fast, and how many errors
    read.py, …       of each command: how an input is loaded and computed, and its columns (cli/align has its own)
"""
