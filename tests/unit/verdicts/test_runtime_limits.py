"""What each onnxruntime was measured to read."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.version import Version

from harness import published_reports
from harness.errors import ReportError
from harness.model import Interpreter
from harness.onnx_files.external_data import DataPlace
from harness.verdicts import runtime_limits

ROOT = Path(__file__).resolve().parents[3]


def test_the_published_file_is_valid_and_complete():
    limits = published_reports.runtime_limits()
    versions = [Version(version) for version in limits]
    assert versions == sorted(versions)
    assert {Version("1.16.0"), Version("1.16.3")} <= set(versions)
    minors = sorted({version.minor for version in versions})
    assert minors == list(range(minors[0], minors[-1] + 1))
    for limit in limits.values():
        assert limit.oldest_ir <= limit.ir
        assert limit.oldest_opset <= limit.opset <= limit.opset_some
        assert set(limit.external) == set(DataPlace)
        assert limit.external[DataPlace.PLAIN] is None
        assert str(limit.ir + 1) in limit.refusal_ir
        assert "/tmp" not in str(limit)


def test_the_documentation_has_these_numbers():
    text = (ROOT / "docs" / "inspect.md").read_text(encoding="utf-8")
    rows = [[entry.strip() for entry in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| 1.")]
    limits = published_reports.runtime_limits()
    covered = []
    for versions, ir, opset, ml, outside in rows:
        first, _, last = versions.partition(" to ")
        covered += (named := [one for one in limits if Version(first) <= Version(one) <= Version(last or first)])
        for limit in (limits[one] for one in named):
            some = f" (some operators: {limit.opset_some})" if limit.opset_some != limit.opset else ""
            assert limit.domains
            assert (ir, opset, ml) == (str(limit.ir), f"{limit.opset}{some}", str(limit.domains["ai.onnx.ml"]))
            places = (DataPlace.OUTSIDE, DataPlace.SYMBOLIC_LINK_OUTSIDE)
            assert {limit.external[place] is None for place in places} == {outside == "read"}
    assert covered == list(limits)


def test_newer_runtimes_read_what_older_ones_read():
    limits = list(published_reports.runtime_limits().values())
    for older, newer in itertools.pairwise(limits):
        assert older.ir <= newer.ir
        assert older.opset <= newer.opset


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{}", "is no runtimes.json of this version: schema"),
        ("[", "is no runtimes.json of this version"),
        ('{"schema": 1, "runtimes": {"one": {}}}', "runtimes.one"),
        ('{"schema": 1, "runtimes": {"1.16.3": {"ir": 0}}}', "runtimes.1.16.3.ir"),
    ],
)
def test_another_file_is_refused(tmp_path, content, problem):
    path = tmp_path / "runtimes.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ReportError, match=r"runtimes\.json") as refused:
        runtime_limits.read(path)
    assert problem in str(refused.value)
    with pytest.raises(ReportError):
        runtime_limits.read(tmp_path / "missing")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("limits_run", ROOT / "limits" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    sys.path.insert(0, str(ROOT / "limits"))  # as for a script
    spec.loader.exec_module(made)
    sys.path.remove(str(ROOT / "limits"))
    return made


class Index:
    """Answers as uv does: versions by the oldest and the newest CPython that can install them."""

    def __init__(self, **versions: tuple[str, str]) -> None:
        self._versions = {name.replace("_", ".")[1:]: Version(first) for name, (first, _) in versions.items()}
        self._last = {name.replace("_", ".")[1:]: Version(last) for name, (_, last) in versions.items()}

    def newest(self, _name: str, bounds: str, python: Interpreter) -> str | None:
        from packaging.specifiers import SpecifierSet

        installs = [name for name, first in self._versions.items() if first <= Version(python.version) <= self._last[name]]
        return max(SpecifierSet(bounds).filter(installs), key=Version, default=None)


PYTHONS = [Interpreter(version=version, path=version) for version in ("3.8.18", "3.11.7")]


def test_the_newest_patch_of_each_minor_with_the_oldest_interpreter(script):
    index = Index(
        v1_13_1=("3.7", "3.11.99"),
        v1_16_0=("3.8", "3.11.99"),
        v1_16_2=("3.8", "3.11.99"),
        v1_16_3=("3.9", "3.11.99"),
        v1_19_2=("3.8", "3.12.99"),
        v1_32_0=("3.11", "3.14.99"),
    )
    planned = script.planned(index, PYTHONS, [])
    assert {version: python.version for version, python in planned.items()} == {
        "1.16.0": "3.8.18",
        "1.16.3": "3.11.7",
        "1.19.2": "3.8.18",
        "1.32.0": "3.11.7",
    }
    assert script.planned(index, PYTHONS, ["1.19.2", "1.40.0"]) == {"1.19.2": PYTHONS[0], "1.40.0": None}
