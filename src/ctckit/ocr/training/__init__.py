"""Training: ``loop`` runs it.

Its parts are ``config``, ``curves``, ``checkpoint``, ``interruption``, ``devices``, ``evaluation``, ``progress`` and
``record``.
"""
