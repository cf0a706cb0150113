"""The command check."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness.cli.console import show
from harness.cli.version_sets import INCONCLUSIVE, given, opened_experiments
from harness.decide.check import CheckResult
from harness.decide.check_request import CheckRequest
from harness.report.pages import check as pages
from harness.source_lines import Places


def check(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Whether an upgrade breaks."""
    request = CheckRequest(current=options.from_, to=options.to, outdated=options.outdated, given=given(options))
    with opened_experiments(options, err) as (experiments, _):
        checked = request.answer(experiments)
    show(pages.page(checked, experiments.session.store.root, Places(request.files)), options.format, out)
    return _EXIT_CODES[checked.answer]


_EXIT_CODES = {CheckResult.SAFE: 0, CheckResult.BREAKS: 1, CheckResult.FAILS_ALREADY: 1, CheckResult.UNKNOWN: INCONCLUSIVE}
