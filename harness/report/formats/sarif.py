"""A page as SARIF 2.1.0, which code hosts show beside the lines of a change: a result for each problem.

The standard is OASIS's; its schema is in tests/data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from harness import __version__
from harness.foreign_text import escaped_json, visible
from harness.model import Stage, Status
from harness.report.formats.interface import Format
from harness.report.page import UNKNOWN, Annotation, Page, plain

_SCHEMA = "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"
_RULES: dict[str, str] = {
    Stage.RESOLVE: "These versions have no solution.",
    Stage.INSTALL: "The versions resolve, and cannot be installed.",
    Stage.IMPORT: "The packages do not load, or do not work together.",
    Stage.EAGER: "PyTorch alone does not run the model, or disagrees with itself.",
    Stage.EXPORT: "The exporter does not write the graphs.",
    Stage.CHECK: "onnx's checker refuses the exported graphs.",
    Stage.LOAD: "The runtime does not load the exported graphs.",
    Stage.DECODE: "The decoding loop does not run through.",
    Stage.PARITY: "The runtime gives other numbers than PyTorch.",
    UNKNOWN: "It is not known whether these versions work: nothing was proven.",
}
"""The id of a rule → what it means."""
_LEVELS = {"error": "error", "warning": "warning", "notice": "note"}
_HELP = "`explain` says why a combination fails, what mends it, and where it works; docs/report.md says what the stages are."


class SarifFormat(Format):
    """One run. What is no problem is no result; the answer of the page is a notification of the run."""

    def render(self, page: Page[Any]) -> str:
        """The log, with places relative to the current folder."""
        problems = [annotation for annotation in page.annotations if annotation.rule]
        rules = list(dict.fromkeys(problem.rule for problem in problems))
        answer = "\n".join(filter(None, [plain(page.title), plain(page.summary)]))
        run = {
            "tool": {"driver": {"name": "export-matrix", "version": __version__, "rules": list(map(_rule, rules))}},
            "invocations": [
                {"executionSuccessful": True, "toolExecutionNotifications": [{"level": "note", "message": _message(answer)}]}
            ],
            "results": [_result(problem, rules) for problem in problems],
        }
        return escaped_json(json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)) + "\n"


def _rule(name: str) -> dict[str, Any]:
    return {"id": name, "name": name, "shortDescription": _message(_RULES[name]), "help": _message(_HELP)}


def _result(problem: Annotation, rules: Sequence[str]) -> dict[str, Any]:
    unproven = problem.status in {Status.ERROR, Status.FLAKY}
    return {
        "ruleId": problem.rule,
        "ruleIndex": rules.index(problem.rule),
        "level": "note" if unproven else _LEVELS[problem.level],
        "message": _message(problem.text),
        "locations": _locations(problem),
        "partialFingerprints": {"exportMatrix/v1": problem.fingerprint},
    }


def _locations(problem: Annotation) -> list[dict[str, Any]]:
    """The place of a problem, if a file is known."""
    if problem.file is None:
        return []
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(problem.file)}}
    if problem.line is not None:
        place["region"] = {"startLine": problem.line}
    return [{"physicalLocation": place}]


def _message(text: str) -> dict[str, str]:
    """A message in which foreign text is no placeholder and no link (sections 3.11.5 and 3.11.6 of the standard)."""
    shown = visible(text).replace("{", "{{").replace("}", "}}")
    return {"text": shown.replace("](", "] (")}
