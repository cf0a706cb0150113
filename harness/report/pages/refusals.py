"""What a refusal of onnxruntime or of an exporter in a pasted text comes to, as sections of the page of `lookup`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from harness import invocation
from harness.decide.exporter_refusals import ExporterRefusal
from harness.decide.missing_releases import MissingReason, MissingRelease
from harness.decide.model_support import Reading
from harness.decide.name_refusals import NameRefusal
from harness.decide.numpy_refusals import NumpyRefusal
from harness.decide.refusals import Refusal
from harness.decide.runtime_refusals import FormatRefusal, OperatorRefusal, Takes
from harness.decide.version_conflicts import VersionConflict
from harness.decide.working_cells import PYTHON
from harness.model import Stage
from harness.report.page import Block, Section, Span, Text, code, items, joined
from harness.report.readings import STATUS, ranges, sentence
from harness.report.tables import counted
from harness.stack import RUNTIME

_RUNTIME_BASIS = "measured with models of one node on the CPU, and of the kernels that each release names (docs/inspect.md)"
_EXPORTER_BASIS = "asked of the exporters of each torch, without an export: a translation may still refuse certain arguments"

_NUMPY_BASIS = "read from the headers of each release, of which nothing was run"
_NAME_BASIS = "read from the sources of each release, of which nothing was run"

_CONFLICT_BASIS = "what is asked for is as the text has it; what works, in cells of the published reports"
_VERSIONS = 8
"""Versions that are named."""


def title(refusal: Refusal) -> str:
    """Where it fails, if that is known, and why: `fails at load: IR version 10, where 9 is the largest`."""
    match refusal:
        case NameRefusal():
            return f"fails: {_reason(refusal)}"
        case NumpyRefusal():
            stage = Stage.IMPORT
        case VersionConflict() | MissingRelease():
            stage = Stage.RESOLVE
        case ExporterRefusal():
            stage = Stage.EXPORT
        case _:
            stage = Stage.LOAD
    return f"fails at {stage}: {_reason(refusal)}"


def _reason(refusal: Refusal) -> str:
    match refusal:
        case FormatRefusal():
            return f"{_named(refusal, refusal.asked)}, where {refusal.limit} is the largest"
        case ExporterRefusal():
            return f"the {refusal.exporter} exporter found no translation of {_exported(refusal)}"
        case VersionConflict():
            return f"{refusal.package} {refusal.version} asks for {_needed(refusal)}, and the text has {refusal.found}"
        case MissingRelease(reason=MissingReason.ABSENT):
            return f"the index that was asked has no {refusal.package} {refusal.version}, or hides it"
        case MissingRelease(reason=MissingReason.NOT_FOUND):
            return f"pip finds no {_release(refusal)} for this Python and platform"
        case MissingRelease():
            return f"{_release(refusal)} has no wheel for this Python or platform"
        case NumpyRefusal():
            return (
                f"a module was compiled for numpy's C {refusal.part} {refusal.asked:#x}, and this numpy has {refusal.found:#x}"
            )
        case NameRefusal() if set(refusal.readings.values()) == {Reading.READS}:
            return f"{refusal.package} has {_missing(refusal)}"
        case NameRefusal():
            unimported = ", or nothing has imported it" if refusal.unimported else ""
            return f"this {refusal.package} has no {_missing(refusal)}{unimported}"
        case _ if refusal.type:
            return f"{refusal.operator} does not take {refusal.type}"
        case _:
            return f"no kernel for {_operator(refusal.operator, refusal.since)}"


def sections(refusals: Sequence[Refusal]) -> list[Block]:
    """A section for each refusal."""
    return [_section(refusal) for refusal in refusals]


def _section(refusal: Refusal) -> Section:
    lines: Iterator[Text]
    match refusal:
        case FormatRefusal():
            lines, basis = _of_format(refusal), _RUNTIME_BASIS
        case ExporterRefusal():
            lines, basis = _of_exporter(refusal), _EXPORTER_BASIS
        case VersionConflict():
            lines, basis = _of_versions(refusal), _CONFLICT_BASIS
        case MissingRelease():
            lines, basis = _of_missing(refusal), _CONFLICT_BASIS
        case NumpyRefusal():
            lines, basis = _of_numpy(refusal), _NUMPY_BASIS
        case NameRefusal():
            lines, basis = _of_name(refusal), _NAME_BASIS
        case _:
            lines, basis = _of_operator(refusal), _RUNTIME_BASIS
    return Section(title=Span(_reason(refusal), status=STATUS[Reading.REFUSES]), blocks=[items(*lines, basis)])


def _exported(refusal: ExporterRefusal) -> str:
    """`aten::diff with opset 11`."""
    return refusal.operator if refusal.opset is None else f"{refusal.operator} with opset {refusal.opset}"


def _of_exporter(refusal: ExporterRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    having = {version for version, reading in refusal.readings.items() if reading is Reading.READS}
    beside = f", with onnxscript {', '.join(refusal.onnxscripts)}" if refusal.onnxscripts else ""
    measured = f"({versions[0]} to {versions[-1]} measured{beside})" if versions else "(none measured)"
    if having:
        where = ", ".join(ranges(versions, having))
        yield Span(f"torch {where} has a translation of {_exported(refusal)} {measured}", status=STATUS[Reading.READS])
    else:
        yield Span(f"no torch has a translation of {_exported(refusal)} {measured}", status=STATUS[Reading.REFUSES])
    if having and having == {*versions}:
        other = "another onnxscript may lack it, " if refusal.onnxscripts else ""
        yield (
            f"each of them has one: a torch before {versions[0]}, which was not measured, may lack it, {other}or its types or "
            "its arguments are what fails"
        )
    for first in sorted({*refusal.first_opsets.values()}):
        if refusal.opset is not None and first > refusal.opset:
            later = {version for version, own in refusal.first_opsets.items() if own == first}
            yield Span(f"from opset {first} on: torch {', '.join(ranges(versions, later))}", status=STATUS[Reading.READS])
    for name, having_function in refusal.functions.items():
        yield f"the dynamo exporter has a function for {name}: torch {', '.join(ranges(versions, having_function))}"


def _named(refusal: FormatRefusal, version: int) -> str:
    """`IR version 10`, `opset 16 of ai.onnx`."""
    name, of, domain = refusal.format.partition(" of ")
    return f"{name} {version}{of}{domain}"


def _needed(refusal: VersionConflict) -> str:
    """`protobuf>=3.20.2`, `python 3.11, 3.12`."""
    return f"{refusal.needed} {refusal.bounds}" if refusal.needed == PYTHON else f"{refusal.needed}{refusal.bounds}"


def _of_versions(refusal: VersionConflict) -> Iterator[Text]:
    pairs = (
        (f"{refusal.package} {refusal.version}", refusal.needed, refusal.measured),
        (f"{refusal.needed} {refusal.found}", refusal.package, refusal.instead),
    )
    yield from (_working(*pair) for pair in pairs)


def _working(kept: str, changed: str, counts: Mapping[str, int]) -> Text:
    if not counts:
        return f"no published report has a cell with {kept} that works"
    shown = [f"{version} ({counted(count, 'cell')})" for version, count in list(counts.items())[:_VERSIONS]]
    more = f", and {len(counts) - _VERSIONS} more" if len(counts) > _VERSIONS else ""
    return Span(f"{kept} works with {changed} {', '.join(shown)}{more}", status=STATUS[Reading.READS])


def _of_missing(refusal: MissingRelease) -> Iterator[Text]:
    yield _working(_release(refusal), PYTHON, refusal.pythons)
    build = (refusal.version or "").partition("+")[2]
    if refusal.cutoff:
        yield "the text has `exclude-newer`: a release of a later day is there, and does not count"
    elif build and not any(offered.endswith(f"+{build}") for offered in refusal.offered):
        yield f"PyPI has no builds such as +{build}: who builds them has an index of his own"
    elif refusal.pythons and refusal.reason is MissingReason.ABSENT:
        yield "so there is such a release, in another index, or hidden in this one"
    elif refusal.pythons:
        yield "so there is such a release: what it lacks is a file for this Python, this system (glibc) or this architecture"
    if refusal.offered:
        yield f"what is found: {counted(len(refusal.offered), 'release')}, {' to '.join(_ends(refusal.offered))}"
    if refusal.working:
        yield _working(f"of these, {refusal.package}", "the versions", refusal.working)


def _ends(versions: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([versions[0], versions[-1]]))


def _release(refusal: MissingRelease) -> str:
    """`onnxruntime 1.16.3`, or all of its releases."""
    return f"{refusal.package} {refusal.version}" if refusal.version else refusal.package


def _missing(refusal: NameRefusal) -> str:
    """`torch.compiler`, or `module optimum.exporters`."""
    return f"module {refusal.module}" if refusal.name is None else f"{refusal.module}.{refusal.name}"


def _of_name(refusal: NameRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    for reading, (one, several) in ((Reading.READS, ("has", "have")), (Reading.REFUSES, ("lacks", "lack"))):
        own = [version for version, found in refusal.readings.items() if found is reading]
        if not own:
            continue
        yield Span(
            f"{refusal.package} {', '.join(ranges(versions, own))} {one if len(own) == 1 else several} it",
            status=STATUS[reading],
        )
    yield f"{len(versions)} releases were looked at, {versions[0]} to {versions[-1]}: of older ones nothing is known"
    if refusal.unimported:
        yield joined("with a release that has it, this comes first: ", code(f"import {refusal.module}"))
    if set(refusal.readings.values()) == {Reading.READS}:
        yield f"it is a distribution of its own, which is not installed: {refusal.package}"
        return
    yield f"two packages do not fit: take a release of {refusal.package} that has it, or one of what asks for it that does not"


def _of_numpy(refusal: NumpyRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    if large := [version for version, reading in refusal.readings.items() if reading is Reading.READS]:
        named = ", ".join(ranges(versions, large, later=False))
        more = " or more" if refusal.part == "API" else ""
        yield Span(f"take a numpy with {refusal.asked:#x}{more}: {named}", status=STATUS[Reading.READS])
    elif versions:
        yield f"no measured numpy has {refusal.asked:#x}: {versions[0]} to {versions[-1]} were measured"
    else:
        yield f"no numpy with {refusal.found:#x} was measured"
    if refusal.having:
        yield f"{refusal.found:#x} is that of numpy {', '.join(ranges(versions, refusal.having, later=False))}"
    yield "or another release of what was compiled: the traceback names it"
    yield f"{len(versions)} releases were read, one of each minor version" if versions else "none was read"


def _of_format(refusal: FormatRefusal) -> Iterator[Text]:
    if refusal.readings:
        yield joined(*sentence(refusal.readings, _named(refusal, refusal.asked)))
    else:
        yield f"this was not measured: {refusal.format}"
    if refusal.saying:
        yield f"the limit {refusal.limit} is that of {RUNTIME} {', '.join(ranges(list(refusal.readings), refusal.saying))}"
    elif refusal.readings:
        versions = list(refusal.readings)
        yield f"no {RUNTIME} with the limit {refusal.limit} was measured; {versions[0]} to {versions[-1]} were"
    if refusal.format == "IR version":
        yield joined(
            f"the stamp can be set to {refusal.limit} if the model uses nothing newer, which the file shows: ",
            code(invocation.command("inspect", "model.onnx")),
        )
    else:
        yield (
            f"for a runtime with this limit it takes an export with at most {refusal.limit}: another number in the file "
            "leaves the operators what they are"
        )


def _of_operator(refusal: OperatorRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    if refusal.type and versions and set(refusal.readings.values()) == {Reading.READS}:
        yield (
            f"each of the {len(versions)} measured {RUNTIME}s has a kernel of {refusal.operator} for {refusal.type}: "
            "the form of the model's opset does not take it, or not here; a later one may. Sizes and indices are tensor(int64)"
        )
        taking = sorted({taken.since for taken in refusal.takes if not taken.types or refusal.type in taken.types})
        if {*taking} != {taken.since for taken in refusal.takes}:
            yield f"the forms that have such a kernel: {', '.join(_operator(refusal.operator, since) for since in taking)}"
        return
    if refusal.type:
        yield joined(*_taking(refusal))
    for since, forms in groupby(refusal.takes, key=lambda taken: taken.since):
        yield from (_kernels(refusal.operator, since, taken, versions) for taken in forms)
    without = [version for version in versions if not any(version in taken.runtimes for taken in refusal.takes)]
    if without:
        named = "each of them" if without == versions else ", ".join(ranges(versions, without))
        yield Span(
            f"no kernel of {_operator(refusal.operator, refusal.since)} in {named} ({len(versions)} measured)",
            status=STATUS[Reading.REFUSES],
        )
    if without == versions and refusal.later:
        later = ", ".join(_operator(refusal.operator, since) for since in refusal.later)
        yield f"there are kernels of {later}: a model of opset {refusal.later[0]} or later has one of these forms"
    if versions:
        yield f"releases before {versions[0]} list no kernels: of them nothing is known"
    if not refusal.type and refusal.castable:
        yield "the text does not say for which type: a model with another one takes a Cast before and behind this node"


def _taking(refusal: OperatorRefusal) -> Iterator[Span | str]:
    """Which releases have a kernel for the type that the text names."""
    reading = [version for version, found in refusal.readings.items() if found is Reading.READS]
    count = len(refusal.readings)
    if not reading:
        yield Span(f"none of the {count} measured {RUNTIME}s has a kernel for {refusal.type}", status=STATUS[Reading.REFUSES])
    else:
        where = ", ".join(ranges(list(refusal.readings), reading))
        yield Span(f"{RUNTIME} {where} has a kernel for {refusal.type} ({count} measured)", status=STATUS[Reading.READS])


def _kernels(operator: str, since: int, taken: Takes, versions: Sequence[str]) -> str:
    types = ", ".join(taken.types) or "any type"
    return f"{_operator(operator, since)} takes {types}: {', '.join(ranges(versions, taken.runtimes))}"


def _operator(name: str, since: int | None) -> str:
    """`EyeLike-9`: an operator, and the opset that brought its form."""
    return name if since is None else f"{name}-{since}"
