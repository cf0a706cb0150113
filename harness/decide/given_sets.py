"""The version sets that somebody gives by a file and some changes, and a session for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from harness.decide import version_files, version_sets
from harness.decide.experiments import Experiments, requested_variants
from harness.decide.version_sets import Versions
from harness.execution.events import Listener
from harness.execution.preparation import opened_without_cells
from harness.execution.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenSet:
    """How a set, and how it is exported, differ from what the files say; the names are those of the command line."""

    with_: tuple[str, ...] = ()
    """Requirements that change or extend the set."""
    python: str | None = None
    """Instead of the Python of the set."""
    exporter: tuple[str, ...] = ()
    """Instead of `[variants] exporters`."""
    opset: int | None = None
    """Instead of `[variants] opsets`."""
    layout: tuple[str, ...] = ()
    """Instead of `[variants] layouts`."""

    def versions(self, path: Path | None, experiments: Experiments) -> Versions:
        """The set in `path`, or the axes of the matrix with a single version; changed by `python` and `with_`.

        Raises:
            VersionsError: the file cannot be read, or a requirement is none.
        """
        axes = experiments.session.matrix.axes
        only = {axis: values[0] for axis, values in axes.items() if len(values) == 1 and ";" not in values[0]}
        if path is not None:
            found = version_files.read(path, self.python, only.get("python"))
        else:
            python = self.python or only.pop("python", None)
            exact = {axis: version for axis, version in only.items() if axis != "python" and version != "absent"}
            found = Versions(source="what is given", python=python, exact=exact, is_environment=False)
        given = [version_sets.distribution(text, "--with") for text in self.with_]
        # What stands in place of an entry from a URL is installed.
        names = {canonicalize_name(required.name) for required in given}
        missing = tuple(reason for reason in found.missing if reason.partition(":")[0] not in names)
        return replace(found.with_(given), missing=missing)


@contextmanager
def opened_experiments(settings: Settings, given: GivenSet, listen: Listener) -> Iterator[Experiments]:
    """A session for version sets; it leaves out the constraints of the matrix, which would hide traps.

    Raises:
        HarnessError: see errors.py.
    """
    session = opened_without_cells(settings, listen)
    matrix, variants = requested_variants(session.matrix, given.exporter, given.opset, given.layout)
    session.matrix = matrix.model_copy(update={"constraint": []})
    with session:
        yield Experiments(session, variants)


def names_set(text: str, *, valid: bool) -> bool:
    """Whether an argument names a version set: a file, or the folder of a virtual environment.

    If it is `valid` as something else, a requirement or a version, a folder of that name is not meant: `transformers`
    may lie next to a clone of it.
    """
    if not os.path.exists(text):  # noqa: PTH110 -- False, too, for what no path can be
        return False
    path = Path(text)
    return not valid or not path.is_dir() or (path / "pyvenv.cfg").exists()
