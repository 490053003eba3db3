"""The skips of tests that need packages which are not installed: they hide no failure."""

import pytest

from ctckit.errors import MissingDependencyError
from tests.support import optional
from tests.support.optional import skipping_what_is_not_installed


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError(name="torch"), MissingDependencyError("the loss", "torch", "torch")]
)
def test_only_what_is_not_installed_is_skipped(error, monkeypatch):
    for installed, expected in (({}, pytest.skip.Exception), ({"torch": ["torch"]}, type(error))):
        monkeypatch.setattr(optional.metadata, "packages_distributions", lambda installed=installed: installed)
        with pytest.raises(expected), skipping_what_is_not_installed():
            raise error


@pytest.mark.parametrize("error", [ModuleNotFoundError(name="no_such_thing"), ImportError(name="torch"), ValueError()])
def test_other_errors_stay(error):
    with pytest.raises(type(error)), skipping_what_is_not_installed():
        raise error
