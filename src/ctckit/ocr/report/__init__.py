"""Reports: self-contained HTML pages, without scripts and without network, for light and dark screens.

``page`` and ``style`` make the page; ``texts``, ``lines``, ``tables``, ``curves``, ``reliability``, ``alignment`` and
``svg`` make its parts; ``evaluation`` is the report of ``ctckit evaluate``, and ``training`` that of a
training that runs. The demo's report has the same parts.
"""
