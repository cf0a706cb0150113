"""A report whose every text is hostile."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from values import report, reported_cell, reported_variant

from harness.model import Cause, Certainty, Stage, Status
from harness.verdicts.report_schema import Report

HOSTILE = "2030\x1b]0;x\x07\u202e<img src=x> ![x](http://h/x.png)\n::error::x\n##[error]x https://u:s3kr3t@h"
HOSTILE += " *b* _c_ @alice #12 $x$ x.py:100: http://h/y"


def hostile_report(text: str = HOSTILE) -> Report:
    """A cell for each status, and `text` in place of every text."""
    variants = [
        reported_variant(
            status,
            None if status is Status.WORKS else Stage.LOAD,
            cause=Cause.RUNTIME if status is Status.FAILS else None,
            certainty=Certainty.LIKELY,
            outcomes=[],
            unanswered=[],
        )
        for status in (Status.WORKS, Status.FAILS, Status.FLAKY, Status.ERROR, Status.NOT_RUN)
    ]
    cells = [reported_cell(one, status=one.status, onnx=f"1.{n}") for n, one in enumerate(variants)]
    return _every_text_hostile(report(*cells, recommended={"1.16.3": text}), text)


def _every_text_hostile(one: Any, text: str) -> Any:
    """The dataclass `one` with `text` for each text; what stands for the name of something stays one."""
    types = typing.get_type_hints(type(one))
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(one):
        value = getattr(one, field.name)
        if field.name in {"cells", "variants"}:
            changes[field.name] = [_every_text_hostile(item, text) for item in value]
        elif field.name == "probe":
            changes[field.name] = _every_text_hostile(value, text)
        elif field.name in _KEYS:
            continue
        elif types[field.name] in (str, str | None):
            changes[field.name] = text
        elif types[field.name] == list[str]:
            changes[field.name] = [text]
        elif types[field.name] == dict[str, str]:
            changes[field.name] = {text: f"fails at load: {text}"}
        elif types[field.name] == dict[str, Any] | None:
            changes[field.name] = {"name": text, text: text}
    return dataclasses.replace(one, **changes)


_KEYS = {"pins", "resolved", "python", "axes"}
"""Versions, by which cells are put into tables."""
