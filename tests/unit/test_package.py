"""The package itself: quick to import, and its interface is where a program looks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness
from harness import api


def test_importing_the_package_imports_nothing_else_of_it():
    script = (
        "import sys, harness; harness.__version__; dir(harness); from harness import errors; "
        "print(*sorted(name for name in sys.modules if name.startswith('harness')), "
        "{'pydantic', 'packaging', 'rich', 'json'} & sys.modules.keys() or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "harness harness.errors none\n"


def test_every_name_of_the_interface_is_there():
    assert harness.__all__ == api.__all__
    assert {name: getattr(harness, name) for name in harness.__all__} == {name: getattr(api, name) for name in api.__all__}
    assert set(harness.__all__) < set(dir(harness))


def test_every_function_has_a_docstring():
    for name in harness.__all__:
        assert getattr(harness, name).__doc__, name


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'nonesuch'"):
        _ = harness.nonesuch  # type: ignore[attr-defined]
