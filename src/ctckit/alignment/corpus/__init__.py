"""A corpus to align: recordings with their texts, in folders by speaker.

::

    pairs.py      which recording belongs to which text
    checks.py     whether texts can fit their recordings, and which words are unknown
    record.py     what is known about an aligned recording
    journal.py    these records in a file, so that a run can be continued
    report.py     these records as a table
"""
