"""How the sources of releases come into reports/names.json."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.verdicts import package_names
from harness.verdicts.package_names import MeasuredNames

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def names(monkeypatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "limits"))
    import names

    yield names
    for module in ("names", "in_sources", "in_signatures"):
        del sys.modules[module]


def installed(folder: Path, sources: Mapping[str, str]) -> Path:
    """A folder with these files."""
    for name, source in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return folder


DEFINED = {
    "def f(): x = 1": {"f"},
    "async def f(): ...": {"f"},
    "class C:\n    inner = 1": {"C"},
    "a = b = 1": {"a", "b"},
    "a, (b, *c) = 1, (2, 3)": {"a", "b", "c"},
    "a: int = 1": {"a"},
    "a += 1": {"a"},
    "import x.y": {"x"},
    "import x.y as z": {"z"},
    "from x import y, z as w": {"y", "w"},
    "if TYPE_CHECKING:\n    from .x import y\nelse:\n    z = 1": {"y", "z"},
    "try:\n    import a\nexcept ImportError:\n    a = None\n    b = 1\nelse:\n    c = 1\nfinally:\n    d = 1": {
        "a",
        "b",
        "c",
        "d",
    },
    "for a in range(3):\n    b = a": {"a", "b"},
    "with f() as a:\n    b = 1": {"a", "b"},
    '_import_structure = {"x": ["y", "z"]}\n_import_structure["w"] = ["v"]': {"_import_structure", "y", "z", "v"},
    "x[0] = 1": {"x"},
    "x.y = 1": {"x"},
    "def f(:": set(),
}


@pytest.mark.parametrize("source", DEFINED)
def test_what_a_module_defines(names, tmp_path, source):
    installed(tmp_path, {"p/m.py": source})
    assert names.modules(tmp_path, "p")["p.m"] == DEFINED[source]


def test_a_star_takes_what_all_lists_or_what_has_no_underscore(names, tmp_path):
    installed(
        tmp_path,
        {
            "p/__init__.py": "from .a import *\nfrom p.b import *\nfrom elsewhere import *",
            "p/a.py": "from .c import *\n__all__ = ['one', '_two', 'three']\none = _two = four = 1",
            "p/b.py": "five = _six = 1",
            "p/c.py": "three = 1",
        },
    )
    found = names.modules(tmp_path, "p")
    assert found["p"] == {"a", "b", "c", "one", "_two", "three", "five"}
    assert found["p.a"] == {"one", "_two", "three", "four", "__all__"}


def test_stars_in_a_circle_come_to_an_end(names, tmp_path):
    installed(tmp_path, {"p/__init__.py": "from .a import *\nx = 1", "p/a.py": "from p import *\ny = 1"})
    found = names.modules(tmp_path, "p")
    assert found["p"] == {"a", "x", "y"}


def test_torch_has_the_names_of_its_compiled_module(names, tmp_path):
    stub = "class dtype: ...\nfloat8_e8m0fnu: dtype = ...\n_private: int"
    installed(tmp_path, {"torch/__init__.py": "x = 1", "torch/_C/__init__.pyi": stub})
    assert names.modules(tmp_path, "torch")["torch"] == {"x", "_C", "dtype", "float8_e8m0fnu"}


def test_only_what_differs_is_kept(names, tmp_path):
    found = {
        "2.0": {"p": {"a", "b"}, "p.old": {"x"}},
        "10.0": {"p": {"a", "c"}, "p.new": {"y"}},
        "3.0": {"p": {"a", "b", "c"}, "p.new": {"y", "z"}},
    }
    own = names.differing(found)
    assert own.releases == ["2.0", "3.0", "10.0"]
    assert own.modules == {"p.new": "1-2", "p.old": "0"}
    assert own.names == {"p": {"a": "0-2", "b": "0-1", "c": "1-2"}, "p.new": {"z": "1"}}, "of the package itself all are"
    assert own.having("p", "b") == ("2.0", "3.0")
    assert own.having("p.new", "y") == own.having("p", "nothing") == own.having("nothing", "a") == ()
    assert own.having_module("p.new") == ("3.0", "10.0")


def test_a_distribution_that_adds_to_a_package_has_all_its_modules(names):
    own = names.differing({"0.1": {"optimum.onnx": {"a"}}, "0.2": {"optimum.onnx": {"a"}}}, adds_modules=True)
    assert own.having_module("optimum.onnx") == ("0.1", "0.2")


def test_a_file_that_was_written_is_read(names, tmp_path):
    written = MeasuredNames(schema=1, packages={"p": names.differing({"1": {"p": {"a"}}, "2": {"p": {"b"}, "p.m": set()}})})
    names.write(tmp_path / "names.json", written)
    assert package_names.read(tmp_path / "names.json") == written
    assert json.loads((tmp_path / "names.json").read_text())["packages"]["p"]["names"] == {"p": {"a": "0", "b": "1"}}


SIGNATURES = {
    "def f(a, /, b, *c, d=1): ...": {"f()", "f(b)", "f(d)"},
    "def f(a, **options): ...": {"f()", "f(a)", "f(**)"},
    "class C:\n    def m(self, a): ...\n    @classmethod\n    async def n(cls, b): ...": {"C.m()", "C.m(a)", "C.n()", "C.n(b)"},
    "@dataclass(frozen=True)\nclass C:\n    a: int\n    b: str = ''": {"C.__init__()", "C.__init__(a)", "C.__init__(b)"},
    "@dataclasses.dataclass\nclass C(Base):\n    a: int": {"C.__init__()", "C.__init__(a)", "C.__init__(**)"},
    "try:\n    def f(a): ...\nexcept ImportError:\n    def f(b): ...": {"f()", "f(a)", "f(b)"},
    "def f():\n    def g(a): ...": {"f()"},
    "def f(:": None,
}


@pytest.mark.parametrize("source", SIGNATURES)
def test_the_parameters_of_a_module(names, tmp_path, source):
    installed(tmp_path, {"p/m.py": source})
    assert names.signatures(tmp_path, "p").get("p.m") == SIGNATURES[source]


def test_a_function_has_its_parameters_wherever_it_is_imported(names, tmp_path):
    sources = {
        "p/__init__.py": "from .a import g",
        "p/a.py": "from p.b import f as g",
        "p/b.py": "from q import h\ndef f(x): ...",
    }
    installed(tmp_path, sources)
    assert names.signatures(tmp_path, "p") == {"p": {"g()", "g(x)"}, "p.a": {"g()", "g(x)"}, "p.b": {"f()", "f(x)"}}


def test_only_parameters_that_differ_are_kept(names):
    found = {
        "1.0": {"p": {"f()", "f(a)", "f(b)", "g()", "g(a)"}},
        "2.0": {"p": {"f()", "f(a)", "h()", "h(a)", "g()", "g(**)"}},
        "3.0": {"p": {"f()", "f(a)", "g()"}},
    }
    own = names.differing_parameters(found)
    assert own.names == {"p": {"f()": "0-2", "f(b)": "0", "g()": "0-2", "g(a)": "0-1"}}
    assert own.having("p", "g(a)") == ("1.0", "2.0"), "any keyword is taken by the second"


@pytest.mark.parametrize("places", [{0}, {0, 1, 2}, {0, 2, 3, 7}, {1, 5}])
def test_places_as_text(places):
    assert set(package_names.unpacked(package_names.packed(places))) == places


@pytest.mark.parametrize("package", ["packaging", "rich", "nox", "jinja2"])
def test_what_an_import_gives_is_found_in_the_sources(names, package):
    folder = Path(importlib.import_module(package).__file__ or "").parents[1]
    found = names.modules(folder, package)
    names_of_all = {name: vars(importlib.import_module(name)) for name in (package, f"{package}.{MODULE_OF[package]}")}
    missing = {(name, own) for name, given in names_of_all.items() for own in given if own not in found[name]}
    assert {own for _, own in missing if not own.startswith("__")} == set()


MODULE_OF = {"packaging": "version", "rich": "console", "nox": "sessions", "jinja2": "environment"}
