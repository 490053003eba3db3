"""``ctckit align``.

::

    command.py    the command: one recording, or a corpus
    options.py    its options
    sources.py    from a file to log-probabilities
    aligner.py    a recording and its text: read and aligned
    files.py      the files that it writes
    summary.py    what it says at its end
    report.py     --report: a page of suspicious lines
    corpus.py     a folder of recordings
    workers.py    processes that align
    shards.py     --shards: rows instead of files
"""

from ctckit.cli.align.command import align as align
