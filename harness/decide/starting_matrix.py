"""A first matrix.toml for the versions that somebody has: their set, the newest releases beside it, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.version import Version

from harness.decide.version_sets import Versions
from harness.foreign_text import line
from harness.matrix.schema import Variants
from harness.packaging_values import required_name
from harness.probe.export.registry import GRAPH_EXPORTERS
from harness.stack import EXPORTER_AXES, EXPORTS_WITH_RUNTIME, REQUIRED_AXES, RUNTIME, RUNTIMES

_NEIGHBOURS = {
    "torch": "the exporter changes with it: dynamo is the default from 2.9 on",
    "transformers": "the cache of its models changes with it",
    "onnx": "stamps its IR version into what it merges, which an older onnxruntime refuses",
    **dict.fromkeys(RUNTIMES, "what runs the model"),
}
"""Axis → why it is asked about."""
_HELD = ("numpy", "protobuf", "ml-dtypes", "onnxscript")
"""Distributions that break imports and exports, and that no axis need name."""

_TEXT = """\
# Written by `init` from {source}. docs/matrix.md explains every key; `plan` counts the work and installs nothing.

[axes]
python = {python}
{axes}

# Known transitive traps: without these bounds a cell shows the trap instead of what lies behind it.
{trap}[[constraint]]
when = "torch<2.3"
add = ["numpy<2"]
reason = "built against numpy 1"

[variants]
exporters = {exporters}
# A decoder and a decoder with past; also "merged" (one graph, as optimum writes it) and "no-cache".
layouts = ["pair", "merged"]

[probe]
# A seeded random model of this family, also t5, bart, whisper, gpt2, llama, …; or the folder of a checkpoint. For any other
# model: docs/probe.md.
model = "marian"
"""


_TRAP = """\
[[constraint]]
when = "onnxruntime<1.19"
add = ["numpy<2"]
reason = "built against numpy 1"

"""
"""Of the runtime of Python."""


def text(versions: Versions, runtimes: Sequence[str], python: str) -> str:
    """The content of a matrix.toml; `runtimes` are the versions of onnxruntime that must stay, `python` that of the cells."""
    versions = versions.with_bounds_as_entries(EXPORTS_WITH_RUNTIME)
    # Which build there is depends on the machine; an axis has versions.
    versions = replace(versions, exact={name: Version(version).public for name, version in versions.exact.items()})
    given = {*versions.exact, *map(required_name, versions.open)}
    own = [name for name in RUNTIMES if name in given and not (name == RUNTIME and runtimes)]
    chosen = list(dict.fromkeys([*([RUNTIME] if runtimes or not own else []), *own]))
    names = [*(axis for axis in REQUIRED_AXES if axis != "python"), *chosen]
    names += [name for name in sorted(EXPORTS_WITH_RUNTIME) if name in versions.exact]
    axes = [text for name in names for text in _axis(name, versions, runtimes if name == RUNTIME else ())]
    known = Variants().opsets  # an exporter without opsets by default is for a matrix that says them
    exporters = [name for name in GRAPH_EXPORTERS if name in known]
    exporters += [name for name, axes in EXPORTER_AXES.items() if axes & versions.exact.keys()]
    return _TEXT.format(
        source=line(versions.source),
        python=json.dumps([python]),
        axes="\n".join([*axes, *_held(versions)]),
        trap=_TRAP if RUNTIME in chosen else "",
        exporters=json.dumps(exporters),
    )


def _axis(name: str, versions: Versions, fixed: Sequence[str]) -> Iterator[str]:
    """The lines of an axis: what must stay, else what there is and the newest release."""
    if reason := _NEIGHBOURS.get(name):
        yield f"# {reason}"
    if fixed:
        yield f"{name} = {json.dumps(list(fixed))}  # this must stay"
    elif name == RUNTIME and name not in versions.exact and (build := _build(versions)):
        yield f"{name} = {json.dumps([versions.exact[build], '; latest'])}  # that of your {build}; here its CPU build"
    elif version := versions.exact.get(name):
        yield f"{name} = {json.dumps([version, '; latest'])}  # what you have, and the newest"
    else:
        mine = [found.specifier for found in map(Requirement, versions.open) if found.name == name]
        bounds = ",".join(map(str, mine)).strip(",")
        found = f"{bounds}; latest" if bounds else "; latest"
        loose = "you leave it open: the newest" if mine else "not in your set: the newest"
        comment = "the newest that your bounds admit" if bounds else loose
        values = list(dict.fromkeys([found, "; latest"]))
        yield f"{name} = {json.dumps(values)}  # {comment}{', and the newest' if len(values) > 1 else ''}"


def _build(versions: Versions) -> str | None:
    """A build of onnxruntime for other hardware in the set, such as onnxruntime-gpu."""
    return next((name for name in versions.exact if name.startswith(f"{RUNTIME}-") and name not in RUNTIMES), None)


def _held(versions: Versions) -> Iterator[str]:
    for name in _HELD:
        if version := versions.exact.get(name):
            yield f'# {name} = ["{version}"]  # you pin it: without this line the resolver chooses'
