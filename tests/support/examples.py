"""Run the examples of a page or a module: as doctest does, but skip where a package of an extra is not installed."""

import doctest

from tests.support.optional import skipping_what_is_not_installed


class _Runner(doctest.DocTestRunner):
    def report_unexpected_exception(self, out, test, example, exc_info):
        try:
            with skipping_what_is_not_installed():
                raise exc_info[1]
        except Exception:
            super().report_unexpected_exception(out, test, example, exc_info)


def run_module(module):
    """Return how many examples in the docstrings of a module failed, and how many were tried."""
    return _run(doctest.DocTestFinder().find(module, module.__name__))


def run_page(path):
    """Return how many examples on a page failed, and how many were tried."""
    text = path.read_text(encoding="utf-8")
    return _run([doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, path.name, str(path), 0)])


def _run(tests):
    runner = _Runner()
    for test in tests:
        runner.run(test)
    return runner.failures, runner.tries
