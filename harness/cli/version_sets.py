"""What check, bisect and pin share: the version sets that options name, and a session to run them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from harness.cli.progress import listener
from harness.cli.settings import settings_of
from harness.decide import given_sets
from harness.decide.experiments import Experiments
from harness.decide.given_sets import GivenSet
from harness.execution.events import Listener

INCONCLUSIVE = 3


@contextmanager
def opened_experiments(options: argparse.Namespace, err: Console) -> Iterator[tuple[Experiments, Listener]]:
    """A session for version sets, with progress on `err`."""
    with (
        listener(err, quiet=options.quiet) as listen,
        given_sets.opened_experiments(settings_of(options), given(options), listen) as experiments,
    ):
        yield experiments, listen


def given(options: argparse.Namespace) -> GivenSet:
    """What the options say of a set besides its file."""
    return GivenSet(
        with_=tuple(options.with_),
        python=options.python,
        exporter=tuple(options.exporter),
        opset=options.opset,
        layout=tuple(options.layout),
    )
