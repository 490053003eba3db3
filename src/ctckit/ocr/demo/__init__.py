"""``ctckit demo``: ``run`` trains on digit strings and reads unseen ones; ``report`` shows the result as a page."""
