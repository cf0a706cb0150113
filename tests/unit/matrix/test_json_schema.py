"""The JSON Schema of matrix.toml: it is the published one, accepts what is shipped, and refuses what the reader refuses."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from harness.matrix.schema import json_schema

ROOT = Path(__file__).resolve().parents[3]
MATRICES = [*ROOT.glob("matrix*.toml"), *ROOT.glob("catalogue/*/*.toml"), *ROOT.glob("examples/**/*.toml")]
SCHEMA = json.loads((ROOT / "docs" / "matrix.schema.json").read_text(encoding="utf-8"))


def test_it_is_the_published_one():
    """To make it anew: json.dumps(json_schema(), indent=1) and a line feed."""
    assert json_schema() == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "path", [path for path in MATRICES if path.name != "case.toml"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_it_accepts_what_is_shipped(path):
    jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"axes": {"torch": "2.1.2"}},
        {"axes": {"torch": []}},
        {"axes": {"torch": [">=2; newest"]}},
        {"variants": {"exporter": ["torchscript"]}},
        {"run": {"jobs": "many"}},
        {"run": {"time-limit": ["5m"]}},
        {"no-such-table": {}},
    ],
)
def test_it_refuses_what_the_reader_refuses(change):
    matrix = tomllib.loads((ROOT / "matrix.toml").read_text(encoding="utf-8"))
    for table, values in change.items():
        matrix[table] = {**matrix.get(table, {}), **values}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(matrix, SCHEMA)
