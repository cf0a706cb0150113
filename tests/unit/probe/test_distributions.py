"""Which distributions a process has imported."""

from __future__ import annotations

import sys
import types

import packaging
import pytest

from harness.probe.distributions import distributions_of, imported_distributions, loaded_files


class Lazy(types.ModuleType):
    """Imports what it is asked for, as transformers' modules do, and fails at it."""

    def __getattr__(self, name):
        raise ModuleNotFoundError(f"No module named 'torchvision', which {name} needs")


@pytest.fixture
def lazy(monkeypatch):
    monkeypatch.setitem(sys.modules, "lazy_alias", Lazy("lazy_alias"))
    return sys.modules["lazy_alias"]


def test_a_lazy_module_is_not_asked_for_what_it_does_not_hold(lazy):
    assert packaging.__file__ in set(loaded_files())
    assert imported_distributions()["packaging"]
    assert distributions_of(lazy) == {}


def test_the_distributions_of_a_module_are_those_that_own_its_files():
    assert distributions_of(packaging).keys() == {"packaging"}
