"""Jobs over many inputs, whose rows are written once, however often the job is stopped.

::

    inputs.py     folders, globs and manifests as one list of paths
    keys.py       a compact set of the paths that are done
    rows.py       what a row is: a path, an error or None, and what the job found
    formats.py    rows in JSON lines and in Parquet
    shards.py     files of rows, each complete or absent; what they have is what is done
    settings.py   the settings of a job, which a later run must share
    pipeline.py   loads and computes in threads, in the order of the inputs
"""
