"""Validators by the schemas that others have published (tests/data/README.md)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import xmlschema

DATA = Path(__file__).with_name("data")


@functools.cache
def _junit() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(DATA / "junit-10.xsd")


@functools.cache
def _sarif() -> jsonschema.Draft7Validator:
    schema = json.loads((DATA / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())


def valid_junit(text: str) -> str:
    """`text`, which is JUnit XML; raises for what is not valid."""
    _junit().validate(text)
    return text


def valid_sarif(text: str) -> Any:
    """The data of `text`, which is SARIF; raises for what is not valid."""
    data = json.loads(text)
    _sarif().validate(data)
    return data
