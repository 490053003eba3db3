"""``--shards``: commands over many inputs, which go on where they were stopped.

::

    options.py       the options
    job.py           the run of a job
    progress.py      how far it is, how fast, and how many errors
    read.py          the inputs of ctckit read

How an input is loaded and computed, and its columns, are in ctckit.distributed; cli/align has its own.
"""
