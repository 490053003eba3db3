"""Training: ``loop`` runs it.

Its parts are ``config``, ``budget``, ``batch_loss``, ``averaging``, ``curves``, ``checkpoint``, ``interruption``,
``devices``, ``evaluation``, ``progress`` and ``record``; ``observing`` tells others of the progress: ``log`` and
``tensorboard``. Several processes are a ``team``; ``launching`` starts them.
"""
