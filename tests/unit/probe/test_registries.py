"""The registries of the probe, against the names that matrix.toml accepts, and the files that they name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import harness.probe
from harness.matrix.schema import BUILT_IN
from harness.probe import dispatch, runtimes
from harness.probe.decoders.decode import program
from harness.probe.decoders.export.layouts import LAYOUTS
from harness.probe.decoders.export.models import families
from harness.probe.export import registry
from harness.stack import EVALUATOR, FORKED_IMPORTS, RUNTIME

PROBE = Path(harness.probe.__file__).parent


def test_the_layouts_are_those_of_matrix_toml():
    assert tuple(LAYOUTS) == BUILT_IN["layouts"]
    assert program._STARTS.keys() == LAYOUTS.keys()


def test_the_strategies_and_the_feedback_are_those_of_matrix_toml():
    assert tuple(program._FIRST_CACHED) == BUILT_IN["strategies"]
    assert [program.PastCache(name) for name in BUILT_IN["feedbacks"]]


def test_every_family_has_both_profiles():
    assert all(family.profiles.keys() == {"tiny", "base"} for family in families.FAMILIES.values())


def test_the_kinds_of_models_are_classes():
    subjects = {name for file in ("seq2seq", "decoder_only") for name in defined(PROBE / f"decoders/export/models/{file}.py")}
    assert {family.subject for family in families.FAMILIES.values()} <= subjects


def test_the_runtimes_are_those_of_the_host():
    assert runtimes.RUNTIMES.keys() == {RUNTIME, EVALUATOR, "onnxruntime-node"}


def test_the_kinds_of_jobs_that_are_forked_say_what_they_import():
    for kind in FORKED_IMPORTS:
        assert "packages" in defined(module(dispatch.KINDS[kind], PROBE))


@pytest.mark.parametrize(
    ("registry", "package", "name"),
    [
        (dispatch.KINDS, PROBE, "run"),
        (registry.GRAPH_EXPORTERS, PROBE / "export", "export"),
        (registry.MODEL_EXPORTERS, PROBE / "export", "EXPORTER"),
        ({key: found.module for key, found in runtimes.RUNTIMES.items()}, PROBE / "runtimes", "RUNTIME"),
    ],
)
def test_what_is_registered_is_there(registry, package, name):
    for relative in registry.values():
        assert name in defined(module(relative, package))


def module(relative: str, package: Path) -> Path:
    """The file of a module by its name within `package`, such as `.forking.server`: not every one can be imported here."""
    path = package.joinpath(*relative.strip(".").split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def defined(path: Path) -> set[str]:
    """Functions, classes and variables at the top of a file."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names
