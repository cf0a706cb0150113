"""What the commands check, bisect and pin share: the sets of versions that options name, and how answers are printed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.cli.given import settings_of
from harness.cli.progress import listener
from harness.decide import version_sets
from harness.decide.experiments import Experiments, asked_variants
from harness.decide.version_sets import Versions
from harness.execution.events import Listener
from harness.execution.opening import opened_for_questions
from harness.foreign_text import redacted
from harness.report.formats.markdown import escape

INCONCLUSIVE = 3


@contextmanager
def experiments(options: argparse.Namespace, err: Console) -> Iterator[tuple[Experiments, Listener]]:
    """Where sets of versions are asked about; what the matrix adds to a cell's requirements is left out."""
    with listener(err, quiet=options.quiet) as listen:
        session = opened_for_questions(settings_of(options), listen)
        matrix, variants = asked_variants(session.matrix, options.exporter, options.opset, options.layout)
        with session.with_matrix(matrix.model_copy(update={"constraint": []})) as asking:
            yield Experiments(asking, variants), listen


def given_set(path: Path | None, desk: Experiments, options: argparse.Namespace) -> Versions:
    """The set in `path`, or what the matrix leaves no choice about, with `--python` and `--with`."""
    axes = desk.session.matrix.axes
    only = {axis: values[0] for axis, values in axes.items() if len(values) == 1 and ";" not in values[0]}
    if path is not None:
        found = version_sets.read(path, options.python, only.get("python"))
    else:
        python = options.python or only.pop("python", None)
        exact = {axis: version for axis, version in only.items() if axis != "python" and version != "absent"}
        found = Versions(source="what is given", python=python, exact=exact)
    return found.with_(version_sets.distribution(text, "--with") for text in options.with_)


def page(title: str, lines: Iterable[str]) -> str:
    """An answer in Markdown."""
    return "\n".join([f"# {escape(title)}", "", *(f"- {escape(line)}" for line in lines), ""])


def say(lines: Iterable[str], out: Console) -> None:
    """What is to be said below a title."""
    for line in lines:
        out.print(Text(f"  {line}"), soft_wrap=True)


def write_json(value: object) -> None:
    """An answer for programs."""
    sys.stdout.write(redacted(json.dumps(value, indent=1)) + "\n")
