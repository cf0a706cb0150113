"""How what the exporters of a torch answer comes into reports/exporters.json."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from harness.verdicts import exporter_operators

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def exporters(monkeypatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "limits"))
    import exporters

    yield exporters
    del sys.modules["exporters"]


def answer(operators: dict[str, list[int]], dynamo: list[str] | None) -> dict[str, Any]:
    return {
        "python": "3.11.7",
        "onnxscript": "0.7.2" if dynamo else None,
        "torchscript": {"opsets": [9, 10, 11], "operators": operators},
        "dynamo": dynamo,
    }


def test_each_torch_stands_with_the_first_opset_that_it_translates_for(exporters, tmp_path):
    known = exporters.with_torch(None, "2.10.0", answer({"aten::add": [9, 10, 11], "aten::late": [11]}, ["aten.add.Tensor"]))
    known = exporters.with_torch(known, "2.4.1", answer({"aten::add": [10, 11], "aten::old": [9]}, None))
    path = tmp_path / "exporters.json"
    exporters.write(path, known)
    read = exporter_operators.read(path)
    assert read == known
    assert list(read.torch) == ["2.4.1", "2.10.0"]
    assert (read.torch["2.4.1"].dynamo, read.torch["2.10.0"].dynamo, read.torch["2.4.1"].opsets) == (False, True, (9, 11))
    assert read.torchscript == {
        "aten::add": {9: frozenset({"2.10.0"}), 10: frozenset({"2.4.1"})},
        "aten::late": {11: frozenset({"2.10.0"})},
        "aten::old": {9: frozenset({"2.4.1"})},
    }
    assert read.dynamo == {"aten.add.Tensor": frozenset({"2.10.0"})}


def test_a_torch_that_is_measured_again_keeps_nothing_of_what_it_had(exporters):
    known = exporters.with_torch(None, "2.4.1", answer({"aten::add": [9], "aten::gone": [9]}, ["aten.gone.default"]))
    known = exporters.with_torch(known, "2.4.1", answer({"aten::add": [10]}, None))
    assert known.torchscript == {"aten::add": {10: frozenset({"2.4.1"})}}
    assert known.dynamo == {}
