"""docs/matrix-keys.md is what the schema of matrix.toml says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabulate import tabulate

from harness.matrix.schema import json_schema

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "matrix-keys.md"


def reference() -> str:
    """docs/matrix-keys.md."""
    schema = json_schema()
    text = "# All keys of matrix.toml\n\nMade from the schema. [Write a matrix](matrix.md) says how to begin.\n"
    for name, table in schema["properties"].items():
        inner, heading = section(schema, table, name)
        if inner is None:
            text += f"\n## `{name}`\n\n{described(table)}\n"
            continue
        text += f"\n## `{heading}`\n\n{described(inner)}\n\n{rows(inner)}\n"
    return text


def section(schema: dict[str, Any], table: dict[str, Any], name: str) -> tuple[dict[str, Any] | None, str]:
    """(schema of the table, its heading in TOML); None for a key that is no table of known keys."""
    reference_ = table.get("$ref") or table.get("items", {}).get("$ref", "")
    inner = schema["$defs"].get(reference_.rpartition("/")[2])
    if inner is None or "properties" not in inner:
        return None, name
    return inner, f"[[{name}]]" if table.get("type") == "array" else f"[{name}]"


def rows(table: dict[str, Any]) -> str:
    """The keys of a table as Markdown."""
    keys = [
        [
            f"`{key}`",
            allowed(field),
            f"`{json.dumps(field['default'])}`" if "default" in field else "required",
            described(field),
        ]
        for key, field in table["properties"].items()
    ]
    if "additionalProperties" in table and table["additionalProperties"] is not False:
        keys.insert(0, ["an axis", "a bound or a version", "", "As many axes as are needed."])
    return tabulate(keys, headers=["key", "values", "default", "what it means"], tablefmt="github")


def described(part: dict[str, Any]) -> str:
    return " ".join(part.get("description", "").split())


def allowed(field: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(words(field)))


def words(field: dict[str, Any]) -> Iterator[str]:
    """What a field may be, in words."""
    kind = field.get("type")
    if "anyOf" in field:
        for one in field["anyOf"]:
            yield from words(one)
    elif "enum" in field:
        yield ", ".join(f"`{value}`" for value in field["enum"])
    elif "const" in field:
        yield f"`{field['const']}`"
    elif kind == "array":
        yield f"list of {allowed(field['items'])}"
    elif kind != "null":
        yield {"object": "table", "string": "text", "boolean": "true, false", "integer": "integer", "number": "number"}[kind]


def test_the_reference_is_what_the_schema_says():
    """To make it anew: write this module's `reference()` to docs/matrix-keys.md."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_key_is_explained():
    schema = json_schema()
    tables = [schema, *(table for table in schema["$defs"].values() if "properties" in table)]
    assert [key for table in tables for key, field in table["properties"].items() if not described(field)] == []
