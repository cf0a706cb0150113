"""The command bisect."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from rich.console import Console

from harness.cli.console import show
from harness.cli.version_sets import INCONCLUSIVE, given, opened_experiments
from harness.decide import set_differences, version_sets
from harness.decide.bisect import Bisect
from harness.decide.complete_sets import Unanswered
from harness.decide.experiments import Experiments
from harness.decide.given_sets import names_set
from harness.decide.version_sets import Versions
from harness.errors import VersionsError
from harness.packaging_values import is_version, same_build
from harness.report.pages import bisect as pages


def bisect(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Which release broke it."""
    with opened_experiments(options, err) as (experiments, listen):
        try:
            found = Bisect(experiments, listen).search(*_ends(experiments, options), options.axis)
        except Unanswered as reason:
            show(pages.unknown(str(reason)), options.format, out)
            return INCONCLUSIVE
    show(pages.page(found, experiments.session.store.root), options.format, out)
    return 0 if found.proven else INCONCLUSIVE


def _ends(experiments: Experiments, options: argparse.Namespace) -> tuple[Versions, Versions]:
    """The good set and the bad one: two files, or two versions of `--axis` in one set."""
    ends = []
    for option, text in (("--good", options.good), ("--bad", options.bad)):
        if names_set(text, valid=options.axis is not None and is_version(text)):
            ends.append(experiments.complete(given(options).versions(Path(text), experiments)))
        elif options.axis is None:
            raise VersionsError(f"{option} {text}: no such file; for a version name the distribution with --axis")
        elif not is_version(text):
            raise VersionsError(f"{option} {text}: neither a file nor a version of {options.axis}")
        else:
            named_end = version_sets.distribution(f"{options.axis}=={text}", option)
            ends.append(_with_version(experiments, given(options).versions(options.from_, experiments), named_end, text))
    return ends[0], ends[1]


def _with_version(experiments: Experiments, base: Versions, named: Requirement, version: str) -> Versions:
    """`base` with another version, and with the distributions on no axis adapted to it, as `check` does."""
    name = canonicalize_name(named.name)
    complete = experiments.complete(base if name in base.requirements else base.with_([named], adds=False))
    own = complete.exact.get(name)
    if own is None or not (same_build(own, version) or same_build(Version(own).public, version)):
        adapted = experiments.moved(complete, {name: version})
        moved = [str(change) for change in set_differences.moved(complete, adapted, {name})]
        return replace(adapted, source=", with ".join([f"{name} {version}", *moved]))
    return replace(complete, source=f"{name} {version}")
