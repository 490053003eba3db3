"""Reports: self-contained HTML pages, without scripts and without network, for light and dark screens.

``ctckit._page`` makes the page; ``texts``, ``lines``, ``tables``, ``curves``, ``reliability``, ``alignment`` and
``images`` make its parts; ``evaluation`` is the report of ``ctckit evaluate``, and ``training`` that of a
training that runs. The demo's report has the same parts.
"""
