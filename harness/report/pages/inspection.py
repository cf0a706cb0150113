"""What an ONNX file is, which onnxruntime reads it, and what mends it, as a page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

from harness.decide.inspection import DescribedValue, InspectedModel, Suggestion
from harness.decide.model_support import PLACES, Reading
from harness.decide.remedy_counts import Evidence
from harness.model import Status
from harness.onnx_files.external_data import DataPlace
from harness.onnx_files.graph_lint import SWITCH, some
from harness.report.page import Block, Item, Items, Page, Paragraph, Section, Span, Table, Text, code, items, joined
from harness.report.readings import STATUS, sentence, version_range
from harness.report.tables import counted
from harness.stack import RUNTIME
from harness.verdicts.runtime_limits import RuntimeLimits

_WORDS = {Reading.READS: "reads it", Reading.REFUSES: "no", Reading.UNKNOWN: "not known"}
_OPERATORS = 12
"""Operators of a domain that are named; data has all."""
_STAMP = (
    "import onnx, sys; m = onnx.load(sys.argv[1], load_external_data=False); m.ir_version = {ir}; onnx.save(m, sys.argv[2])"
)


def page(models: Sequence[InspectedModel], limits: Mapping[str, RuntimeLimits]) -> Page[Sequence[InspectedModel]]:
    """The page of one file or several; `limits` are those of the runtimes that it is about."""
    if len(models) == 1:
        title, blocks = _title(models[0], limits), _blocks(models[0], limits)
    else:
        title = joined(
            f"{len(models)} models: ", *sentence({version: _joint(models, version) for version in limits}, "them all")
        )
        blocks = [block for model in models for block in _section(model, limits)]
    return Page(
        title=title,
        blocks=[*blocks, Paragraph(text=_basis(limits))],
        data={"models": models, "limits": limits},
        source=models,
    )


def _joint(models: Iterable[InspectedModel], version: str) -> Reading:
    """What a runtime makes of all models together."""
    readings = {model.reading(version) for model in models}
    return next(reading for reading in (Reading.REFUSES, Reading.UNKNOWN, Reading.READS) if reading in readings)


def _section(model: InspectedModel, limits: Mapping[str, RuntimeLimits]) -> list[Block]:
    """The blocks of one of several models: no section is within another, so its headings follow."""
    return [Section(title=joined(f"{model.path}: ", *_title(model, limits)), blocks=[]), *_blocks(model, limits)]


def _title(model: InspectedModel, limits: Iterable[str]) -> Sequence[str | Span]:
    stamps = f"IR {model.ir}, " + ("no opset" if model.opset is None else f"opset {model.opset}")
    return joined(f"{stamps}: ", *sentence({version: model.reading(version) for version in limits}, "it"))


def _blocks(model: InspectedModel, limits: Mapping[str, RuntimeLimits]) -> list[Block]:
    made = [f"from {model.producer}"] if model.producer else []
    parts = [f"{model.bytes:,} bytes", *made, counted(model.nodes, "node"), counted(model.weights, "tensor")]
    parts += [counted(model.functions, "function")] if model.functions else []
    sections = [
        ("What mends it", [_suggestion(model, suggestion) for suggestion in model.suggestions]),
        ("Findings", list(_findings(model))),
        ("External data", list(_external(model))),
        ("Inputs and outputs", [*_values("in", model.inputs), *_values("out", model.outputs)]),
        ("Operators", list(_operators(model))),
    ]
    shown = [Section(title=title, blocks=[Items(items=lines)]) for title, lines in sections if lines]
    return [Paragraph(text=f"{model.path}: {', '.join(parts)}"), _table(model, limits), *shown]


def _table(model: InspectedModel, limits: Mapping[str, RuntimeLimits]) -> Table:
    """A row for each run of neighbours with the same answer."""
    rows: list[tuple[tuple[object, ...], list[str], list[Text]]] = []
    for answer in model.runtimes:
        limit = limits[answer.version]
        why = "; ".join(dict.fromkeys(_short(reason.message) for reason in answer.reasons))
        text = Span(_WORDS[answer.reading] + (f": {why}" if why else ""), status=STATUS[answer.reading])
        key = limit.ir, limit.opset, text.text
        if not rows or rows[-1][0] != key:
            rows.append((key, [], [str(limit.ir), str(limit.opset), text]))
        rows[-1][1].append(answer.version)
    shown = [[version_range(versions, first=False, last=False), *entries] for _, versions, entries in rows]
    return Table(header=[RUNTIME, "IR up to", "opset up to", "this model"], rows=shown)


def _short(message: str) -> str:
    """A reason without the version, which has its column."""
    return re.sub(rf"; {RUNTIME} \S+ runs (.*)", r" (it runs \1)", message)


def _suggestion(model: InspectedModel, suggestion: Suggestion) -> Item:
    versions = suggestion.runtimes
    where = f" for {RUNTIME} {version_range(versions, first=False, last=False)}" if versions else ""
    lines: list[Text] = [_known(suggestion.evidence), suggestion.note]
    others = [f"`{change}` ({counted(number, 'variant')})" for change, number in suggestion.evidence.others]
    lines += [f"what else mended this where it was run: {', '.join(others)}"] if others else []
    if suggestion.ir is not None:
        lines.append(joined("apply it: ", code(_command(model.path, suggestion.ir))))
    if suggestion.ir is None and suggestion.change.startswith("ir-version"):
        return Item(text=f"no `{suggestion.change}`{where}: {suggestion.note}")
    return Item(text=joined(code(suggestion.change), where), blocks=[items(*lines)])


def _command(path: str, ir: int) -> str:
    """A command that writes the model with another stamp beside it, where its external data are found."""
    named = PurePath(path)
    target = named.with_name(f"{named.stem}.ir{ir}.onnx")
    return shlex.join(["python", "-c", _STAMP.format(ir=ir), path, str(target)])


def _known(evidence: Evidence) -> str:
    """How a suggestion is known, as a sentence."""
    if evidence.measured:
        return evidence.measured
    if not evidence.run:
        return "no published report has a run of it on a model that fails so: it is not known whether it mends this"
    where = f", with {RUNTIME} {', '.join(evidence.runtimes)} ({', '.join(evidence.reports)})" if evidence.works else ""
    return f"in published reports it mended {evidence.works} of {counted(evidence.run, 'variant')} on which it was run{where}"


def _findings(model: InspectedModel) -> Iterator[Item]:
    yield from (Item(text=f"{finding.rule}: {finding.message}") for finding in model.findings)
    merged = model.merged
    if merged and merged.empty:
        yield Item(
            text=f"merged decoder: with `{SWITCH}` = true the graph returns {len(merged.empty)} empty tensors "
            f"({some(merged.empty)}); a loop that feeds every output back feeds them at the next step"
        )  # fmt: skip
    elif merged:
        through = f"; it returns {some(merged.passed_through)} as they came in" if merged.passed_through else ""
        yield Item(text=f"merged decoder: with `{SWITCH}` = true no output is an empty constant{through}")


def _external(model: InspectedModel) -> Iterator[Item]:
    groups: dict[tuple[str, str], list[str]] = {}
    for file in model.external:
        groups.setdefault((PLACES[file.place], file.problem or ""), []).append(file.location)
    for (place, problem), names in groups.items():
        text = f"{some(names)}: {problem or place}"
        yield Item(text=Span(text, status=Status.FAILS if problem else None))
    if any(file.place is DataPlace.HARD_LINK for file in model.external):
        yield Item(text="onnx 1.23 refuses data that have a further name (catalogue/onnx-5489-hard-links)")


def _values(direction: str, values: Iterable[DescribedValue]) -> Iterator[Item]:
    """Inputs or outputs; those that differ in the numbers of their names alone are one line."""
    groups: dict[str, list[str]] = {}
    for value in values:
        groups.setdefault(_value(value, _without_numbers), []).append(_value(value, str))
    for pattern, lines in groups.items():
        yield Item(text=f"{direction} {lines[0]}" if len(lines) == 1 else f"{direction} {len(lines)} × {pattern}")  # noqa: RUF001


def _value(value: DescribedValue, spelled: Callable[[str], str]) -> str:
    """`name: type[dimensions]`, with names as `spelled` writes them."""
    dims = [spelled(dim) if isinstance(dim, str) else "?" if dim is None else str(dim) for dim in value.dims or ()]
    return f"{spelled(value.name)}: {value.type}" + ("" if value.dims is None else f"[{', '.join(dims)}]")


def _without_numbers(name: str) -> str:
    return re.sub(r"(?<=[A-Za-z._])\d+", "N", name)


def _operators(model: InspectedModel) -> Iterator[Item]:
    for domain, counts in model.operators.items():
        named = [f"{name} {number}" for name, number in list(counts.items())[:_OPERATORS]]
        more = f", and {len(counts) - _OPERATORS} more" if len(counts) > _OPERATORS else ""
        version = f" {model.opsets[domain]}" if domain in model.opsets else ""
        yield Item(text=f"{domain}{version}: {', '.join(named)}{more}")


def _basis(limits: Mapping[str, RuntimeLimits]) -> str:
    """What the answer rests on."""
    platforms = dict.fromkeys(limit.platform for limit in limits.values())
    days = sorted({limit.measured for limit in limits.values()})
    return (
        f"Reading is a matter of IR version, opset and place of the data, measured with models of one node on the CPU "
        f"({', '.join(platforms)}, {days[-1]}), and of the kernels that each {RUNTIME} names for the operators and types "
        f"of a model. Whether shapes and attributes fit, and the numbers are right, only a run shows."
    )
