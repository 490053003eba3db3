"""What the benchmarks share.

::

    arrays.py      the type of arrays, padding
    machine.py     the machine, the date, the commit
    workers.py     worker processes, as the coordinator sees them
    protocol.py    the other side: what runs inside a worker process
    libraries.py   a library under measurement, its settings, how ctckit and torch are set up
    memory.py      peak memory of a process
    turns.py       all libraries take turns, round by round
    results.py     results that are saved after each case, and can be resumed
    commands.py    options of the command lines, progress bars
    tables.py      tables in Markdown and for the terminal
    pages.py       pages of docs/benchmarks, from results/ and notes/
    figures.py     colors and axes of the figures
    posteriors.py  the network outputs that decoding and alignment are measured on
"""
