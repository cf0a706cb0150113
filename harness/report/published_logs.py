"""The logs that a published report names: one for each failure, trimmed, without paths of the machine that ran it."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

from harness import regular_files
from harness.foreign_text import redacted, visible
from harness.model import Stage, Status
from harness.store.foreign import LOG_LIMIT
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

FOLDER = "logs"
_LENGTH = 8_000
"""Characters of a published log, of its end."""
_QUOTED = re.compile(r"""(?<=["'])/[^"'\n]*?(?=(?:site-packages|lib/python3\.\d+|harness/probe)/)""")
_BARE = re.compile(r"(?<![\w./:…>])/(?:[\w.+@-]+/)*?(?=(?:site-packages|lib/python3\.\d+|harness/probe)/)")
"""Paths that lead to installed files; the names of nodes in a graph look like paths too, and stay."""

_NAME = re.compile(rf"({'|'.join(Stage)})-[0-9a-f]{{12}}\.log")

_Failed = tuple[Stage | None, str]
"""Stage and signature."""


def published(report: Report, store: Path) -> tuple[Report, Mapping[str, str]]:
    """`report` with the logs that stand beside it, and these: name → text. Variants that failed alike share one."""
    logs: dict[str, str] = {}
    names: dict[_Failed, str] = {}

    def variant(held: ReportedVariant) -> ReportedVariant:
        name = None
        if held.status is not Status.WORKS and held.signature and held.log:
            failed = held.stage, held.signature
            if failed not in names and (text := _text(store / held.log, held)):
                names[failed] = f"{FOLDER}/{held.stage}-{held.signature}.log"
                logs[names[failed]] = text
            name = names.get(failed)
        return replace(held, log=name, logs={})

    def cell(held: ReportedCell) -> ReportedCell:
        return replace(held, variants=list(map(variant, held.variants)))

    return replace(report, cells=list(map(cell, report.cells))), logs


def clear(folder: Path) -> None:
    """Remove the logs of an earlier report from the folder of reports, and make place for new ones."""
    (folder / FOLDER).mkdir(exist_ok=True)
    for path in (folder / FOLDER).iterdir():
        if _NAME.fullmatch(path.name):
            path.unlink()


def is_published(log: str | None) -> TypeGuard[str]:
    """Whether a `log` of a report stands beside it, and not in a store."""
    return log is not None and log.startswith(f"{FOLDER}/") and bool(_NAME.fullmatch(log.removeprefix(f"{FOLDER}/")))


def _text(path: Path, variant: ReportedVariant) -> str:
    """What the log says of `variant`, or its end; empty where there is no log."""
    try:
        content = regular_files.read(path, limit=LOG_LIMIT).decode(errors="replace")
    except (OSError, regular_files.RefusedFileError):
        return ""
    name = variant.id
    own = content.rpartition(f"\n--- {name}: ")
    text = own[1] + own[2].partition("\n--- ")[0] if own[1] else content
    text = _BARE.sub("…/", _QUOTED.sub("…/", redacted(visible(text))))
    for folder in (str(path.parents[1]), str(Path.home()), tempfile.gettempdir(), sys.base_prefix):
        text = text.replace(f"{folder}/", "…/") if len(folder) > 1 else text
    return text if len(text) <= _LENGTH else f"[…]{text[-_LENGTH:]}"
