"""The command inspect."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from harness import published
from harness.cli.console import show
from harness.decide.inspection import InspectedModel, Reading, inspected
from harness.errors import VersionsError
from harness.onnx_files.external_data import data_files
from harness.onnx_files.reader import read_model
from harness.report.pages import inspection as pages
from harness.stack import RUNTIME
from harness.verdicts.runtime_limits import RuntimeLimits


def inspect(options: argparse.Namespace, out: Console, _err: Console) -> int:
    """Inspect files; 1 if a runtime that was named does not read one of them."""
    limits = _chosen(options.runtime)
    reports = {held.name: held.report for held in published.every()}
    models = []
    for path in options.models:
        model = read_model(path)
        models.append(inspected(str(path), model, data_files(model, path), limits, reports))
    show(pages.page(models, limits), options.format, out)
    return int(bool(options.runtime) and not _all_read(models))


def _all_read(models: Sequence[InspectedModel]) -> bool:
    return all(answer.reading is Reading.READS for model in models for answer in model.runtimes)


def _chosen(versions: Sequence[str]) -> dict[str, RuntimeLimits]:
    """The limits of the named runtimes, or of all that were measured.

    Raises:
        VersionsError: one was not measured.
    """
    known = published.runtime_limits()
    if unknown := [version for version in versions if version not in known]:
        raise VersionsError(
            f"the limits of {RUNTIME} {', '.join(unknown)} were not measured; those of {', '.join(known)} were "
            f"(in a clone of the project, `nox -s limits -- {' '.join(unknown)}` measures them)"
        )
    return {version: limit for version, limit in known.items() if not versions or version in versions}
