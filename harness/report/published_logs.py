"""The logs that a published report names: one for each failure, trimmed, without paths of the machine that ran it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness import regular_files
from harness.foreign_text import redacted, visible
from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Stage, Status, Variant
from harness.store.foreign import LOG_LIMIT
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

FOLDER = "logs"
_LENGTH = 8_000
"""Characters of a published log, of its end."""
_KNOWN_PLACES = re.compile(r"/(?:[\w.+@…-]+/)*?(?=(?:site-packages|lib/python3\.\d+|harness/probe)/)")
_OTHER_PLACES = re.compile(r"(?<![\w.…>])/(?:[\w.+@-]+/){2,}")

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


def _text(path: Path, variant: ReportedVariant) -> str:
    """What the log says of `variant`, or its end; empty where there is no log."""
    try:
        content = regular_files.read(path, limit=LOG_LIMIT).decode(errors="replace")
    except (OSError, regular_files.RefusedFileError):
        return ""
    name = Variant(**{field: getattr(variant, field) for field in VARIANT_FIELDS}).id
    own = content.rpartition(f"\n--- {name}: ")
    text = own[1] + own[2].partition("\n--- ")[0] if own[1] else content
    text = _OTHER_PLACES.sub("…/", _KNOWN_PLACES.sub("…/", redacted(visible(text))))
    return text if len(text) <= _LENGTH else f"[…]{text[-_LENGTH:]}"
