"""The command inspect."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from harness import published_reports
from harness.cli.console import show
from harness.decide.inspection import InspectedModel, inspected
from harness.decide.model_support import Reading
from harness.errors import VersionsError
from harness.onnx_files.external_data import data_files
from harness.onnx_files.reader import read_model
from harness.report.pages import inspection as pages
from harness.stack import RUNTIME
from harness.verdicts.runtime_limits import RuntimeLimits


def inspect(options: argparse.Namespace, out: Console, _err: Console) -> int:
    """Inspect files; 1 if a runtime that was named refuses one of them, 3 if that is not known of one."""
    limits = _chosen(options.runtime)
    reports = {held.name: held.report for held in published_reports.every()}
    models, kernels = [], published_reports.runtime_kernels()
    for path in options.models:
        model = read_model(path)
        models.append(inspected(str(path), model, data_files(model, path), limits, kernels, reports=reports))
    show(pages.page(models, limits), options.format, out)
    return _exit_code(models) if options.runtime else 0


def _exit_code(models: Sequence[InspectedModel]) -> int:
    readings = {answer.reading for model in models for answer in model.runtimes}
    return 1 if Reading.REFUSES in readings else 3 if Reading.UNKNOWN in readings else 0


def _chosen(versions: Sequence[str]) -> dict[str, RuntimeLimits]:
    """The limits of the named runtimes, or of all that were measured.

    Raises:
        VersionsError: one was not measured.
    """
    known = published_reports.runtime_limits()
    if unknown := [version for version in versions if version not in known]:
        raise VersionsError(
            f"the limits of {RUNTIME} {', '.join(unknown)} were not measured; those of {', '.join(known)} were "
            f"(in a clone of the project, `nox -s limits -- {' '.join(unknown)}` measures them)"
        )
    return {version: limit for version, limit in known.items() if not versions or version in versions}
