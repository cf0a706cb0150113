"""The package itself: quick to import, and its interface is where a program looks for it."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import api

ROOT = Path(__file__).resolve().parents[2]


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


SCRIPTS = sorted(path for folder in ("benchmarks", "catalogue", "limits") for path in (ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_scripts_import_names_that_are_there(script):
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "harness":
            module = importlib.import_module(node.module)
            for name in (alias.name for alias in node.names):
                assert hasattr(module, name) or importlib.util.find_spec(f"{node.module}.{name}"), f"{node.module}: {name}"
