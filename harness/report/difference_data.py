"""The difference of two reports for programs: JSON values."""

from __future__ import annotations

from typing import Any

from harness.verdicts.differences import CellChange, ChangeKind, ReportDifference, SettingChange, VersionMove
from harness.verdicts.report_schema import Report, ReportedVariant


def data(name: str, old: Report, new: Report, found: ReportDifference) -> dict[str, Any]:
    """The difference of `new` from `old`, which is called `name`: every change, by kind."""
    by_kind = {kind.value: list(map(_change_data, found.of(kind))) for kind in ChangeKind}
    return {
        "before": {"name": name, **_origin(old)},
        "now": _origin(new),
        "settings": {change.name: _pair(change) for change in found.settings},
        "compared": found.compared,
        "proves": found.proves,
        **by_kind,
        "moved": [{"moves": list(map(_move_data, lock.moves)), "cells": lock.cells} for lock in found.moved],
        "new": {cell.id: cell.status for cell in found.new},
        "gone": {cell.id: cell.status for cell in found.gone},
    }


def _origin(report: Report) -> dict[str, Any]:
    return {"generated": report.generated, "platform": report.platform, "torch": report.torch, "probe": report.probe.id}


def _pair(change: SettingChange | VersionMove) -> dict[str, Any]:
    return {"before": change.before, "now": change.now}


def _move_data(move: VersionMove) -> dict[str, Any]:
    return {"name": move.name, "side": move.side, **_pair(move)}


def _change_data(change: CellChange) -> dict[str, Any]:
    return {
        "cell": change.now.id,
        "before": change.before.status,
        "now": change.now.status,
        "remedies": change.now.remedies,
        "variants": [
            {"variant": pair.now.id, "before": _variant_data(pair.before), "now": _variant_data(pair.now)}
            for pair in change.variants
        ],
        "locks": {"before": change.before.lock, "now": change.now.lock},
        "moves": list(map(_move_data, change.moves)),
    }


def _variant_data(variant: ReportedVariant) -> dict[str, Any]:
    names = ("status", "stage", "cause", "error", "reason", "log")
    return {name: getattr(variant, name) for name in names}
