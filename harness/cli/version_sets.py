"""What the commands check, bisect and pin share: the version sets that options name, and a session to run them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from harness.cli.given import settings_of
from harness.cli.progress import listener
from harness.decide import version_files, version_sets
from harness.decide.experiments import Experiments, requested_variants
from harness.decide.version_sets import Versions
from harness.execution.events import Listener
from harness.execution.opening import opened_without_cells

INCONCLUSIVE = 3


@contextmanager
def opened_experiments(options: argparse.Namespace, err: Console) -> Iterator[tuple[Experiments, Listener]]:
    """A session for version sets; it leaves out the constraints of the matrix, which would hide traps."""
    with listener(err, quiet=options.quiet) as listen:
        session = opened_without_cells(settings_of(options), listen)
        matrix, variants = requested_variants(session.matrix, options.exporter, options.opset, options.layout)
        session.matrix = matrix.model_copy(update={"constraint": []})
        with session:
            yield Experiments(session, variants), listen


def names_set(text: str, *, valid: bool) -> bool:
    """Whether an argument names a version set: a file, or the folder of a virtual environment.

    If it is `valid` as something else, a requirement or a version, a folder of that name is not meant: `transformers`
    may lie next to a clone of it.
    """
    if not os.path.exists(text):  # noqa: PTH110 -- False, too, for what no path can be
        return False
    path = Path(text)
    return not valid or not path.is_dir() or (path / "pyvenv.cfg").exists()


def given_set(path: Path | None, experiments: Experiments, options: argparse.Namespace) -> Versions:
    """The set in `path`, or the axes of the matrix with a single version; changed by `--python` and `--with`."""
    axes = experiments.session.matrix.axes
    only = {axis: values[0] for axis, values in axes.items() if len(values) == 1 and ";" not in values[0]}
    if path is not None:
        found = version_files.read(path, options.python, only.get("python"))
    else:
        python = options.python or only.pop("python", None)
        exact = {axis: version for axis, version in only.items() if axis != "python" and version != "absent"}
        found = Versions(source="what is given", python=python, exact=exact)
    return found.with_(version_sets.distribution(text, "--with") for text in options.with_)
