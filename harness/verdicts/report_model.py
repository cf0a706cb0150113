"""The report as data: the contract of reports/matrix.json (docs/design.md), and how one verdict becomes a cell of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from packaging.version import Version
from pydantic import AfterValidator, Field, TypeAdapter

from harness.foreign_text import redacted
from harness.matrix.plan import by_version
from harness.matrix.selection import VARIANT_FIELDS
from harness.matrix.values import Name, VersionOrAbsent
from harness.model import ABSENT, Cause, Cell, Certainty, Setup, Stage, StageResult, Status, Variant
from harness.packaging_types import CellId, DistributionName, ExactVersion, PythonVersion
from harness.stack import NEWEST_BY, RUNTIME
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.missing_module import missing_module
from harness.verdicts.rule_model import Rule, Unexplained
from harness.verdicts.signature import signature

MESSAGE_LIMIT = 1000
"""Characters of an error the report carries; the log has all of it."""


def _cut(message: str) -> str:
    message, half = redacted(message), MESSAGE_LIMIT // 2
    return message if len(message) <= MESSAGE_LIMIT else f"{message[: half - 3]} […] {message[-half + 3 :]}"


OBSERVED = frozenset({Status.WORKS, Status.WORKS_WITH_REMEDY, Status.FAILS, Status.FLAKY})
"""Statuses of what a process, or the resolver, has shown; the others say that nothing is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantRemedies:
    """What is known of remedies for one variant of one cell, in words; the fields of `ReportedVariant` that tell it."""

    remedy: str | None = None
    remedies: Sequence[str] = ()
    tried: Sequence[str] = ()
    unproven: Sequence[str] = ()
    unanswered: Sequence[str] = ()
    search_open: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedies:
    """What mends what fails, in words; all of it was run."""

    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mended: frozenset[str] = frozenset()
    """Cells that work with theirs: with the others, it is another cell that works."""
    variants: Mapping[tuple[str, Variant], VariantRemedies] = field(default_factory=dict)
    """(cell, variant) → what was run on that variant in that cell; nothing of what was run elsewhere."""


@dataclass(frozen=True, kw_only=True)
class ReportedVariant:
    """How one variant of a cell went."""

    exporter: Name
    opset: int
    layout: Name
    feedback: Name
    binding: Name
    strategy: Name
    attention: Name
    ir_version: int | None
    """The IR version that was set after the export; null where the stamped one stayed."""
    optimization: Name = "default"
    """onnxruntime's graph optimisation level: default, disabled, basic or extended."""
    memory_pattern: Name = "default"
    """Whether its sessions plan their memory: default, or disabled."""
    status: Status
    stage: Stage | None
    """The first stage that did not work; null where all did."""
    cause: Cause | None
    """Whose fault it is; null where it works, and where that is open."""
    error: Annotated[str, AfterValidator(_cut)] | None
    """The message as the package put it, cut to 1000 characters."""
    reason: str | None
    """Why it was not run."""
    signature: str | None
    """Equal for equal faults."""
    ir: int | None
    """IR version stamped into the exported model."""
    max_abs_diff: float | None
    """Largest difference of any logit from PyTorch's."""
    node: dict[str, Any] | None
    """The first node that failed while decoding: name, op type, graph, input shapes."""
    opinions: dict[str, str]
    """What other runtimes made of the same artifact, where this one could not run it: name → `works` or `fails at STAGE: …`."""
    findings: list[str]
    """What the lint of the graph and of its run says, one sentence each."""
    peak_memory: int | None
    """Largest resident size of a process that took part, bytes."""
    seconds: float
    """Time of all its stages; shared stages count in every variant that rests on them."""
    log: str | None
    """The full log of the stage that decided, relative to the store."""
    error_type: str | None = None
    """Class of the exception, `signal`, `exit`, `unsatisfiable`, …"""
    controls: dict[str, str] = field(default_factory=dict)
    """What the same gave with one thing changed: `feedback keep-cross`, `binding numpy`, `model t5`, … → as `opinions`."""
    certainty: Certainty | None = None
    """How sure the cause is; null where it works."""
    evidence: list[str] = field(default_factory=list)
    """What the cause rests on, or why it is open, one sentence each."""
    outcomes: list[str] = field(default_factory=list)
    """Of a flaky variant how it ended, first and when it was repeated: `fails at decode: …`, `works`."""
    logs: dict[str, str] = field(default_factory=dict)
    """The full logs of what `opinions` and `controls` rest on."""
    remedy: str | None = None
    """What was changed about this variant, here, and made it work; null where nothing did, or nobody tried."""
    tried: list[str] = field(default_factory=list)
    """What was changed about it, here, and did not make it work: `ir-version 9: fails at load`."""
    remedies: list[str] = field(default_factory=list)
    """All changes that were run on it, here, and make it work, each by itself, the cheapest first: `opset 14 (also 15)`. The
    first one is `remedy`."""
    unproven: list[str] = field(default_factory=list)
    """What was changed about it, here, and ended in an error or flaky, which proves nothing."""
    missing: str | None = None
    """The module that the failure lacks, and no distribution of the cell has."""
    unanswered: list[str] = field(default_factory=list)
    """For which requirements the search for a remedy asked an index for a version, and got no answer."""
    search_open: bool = False
    """Whether a search for a remedy was begun here, has found none so far, and has more to try."""


@dataclass(frozen=True, kw_only=True)
class ReportedCell:
    """One combination."""

    id: CellId
    python: PythonVersion
    pins: dict[DistributionName, ExactVersion]
    environment: Setup
    status: Status
    lock: str | None
    """Digest of the exact distributions and their hashes."""
    resolved: dict[DistributionName, ExactVersion]
    """Every distribution of the lock, name → version; of a handoff cell, the run side's where the sides differ."""
    remedies: list[str]
    """Of a cell that fails by itself, what was changed and works; where that is a version on an axis, another cell does."""
    variants: list[ReportedVariant]
    resolved_sides: dict[str, dict[DistributionName, ExactVersion]] = field(default_factory=dict)
    """Of a handoff cell the two environments, `export` and `run`, each name → version; empty for one environment."""
    inferred: Literal["works", "fails"] | None = None
    """Of a cell that was not run, what follows from those that were; null where nothing does. It proves nothing."""

    @property
    def setup(self) -> Setup:
        """The environment, as a cell has it."""
        return self.environment

    def version(self, axis: str) -> str:
        """The version on `axis`, python included, or `absent`."""
        return self.python if axis == "python" else self.pins.get(axis, ABSENT)


@dataclass(frozen=True, kw_only=True)
class ReportedProbe:
    """What was asked of every cell."""

    id: str
    """Digest of the probe's source."""
    model: str
    profile: str
    seed: int
    requires: list[str] = field(default_factory=list)
    """Distributions that an export needs besides the axes."""


_UTC = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\+00:00|Z)$"
"""ISO 8601, to the second."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole run."""

    schema: Literal[1]
    generated: Annotated[str, Field(pattern=_UTC)] | None
    """ISO 8601, UTC: when the newest result in it was obtained; null where there is none."""
    platform: str
    torch: str
    """Where torch came from: a uv torch backend such as `cpu`, or `default index`."""
    probe: ReportedProbe
    axes: dict[DistributionName, list[VersionOrAbsent]]
    """Axis → the versions of it that cells have, oldest first."""
    cells: list[ReportedCell]
    rules: list[Rule]
    """What separates fails from works, the largest support first."""
    recommended: dict[ExactVersion, CellId]
    """onnxruntime version → id of the newest working cell that has it."""
    unexplained: list[Unexplained] = field(default_factory=list)
    """The failures that none of the rules explains."""

    def count(self, status: Status) -> int:
        """How many cells have this status."""
        return sum(cell.status is status for cell in self.cells)


ADAPTER = TypeAdapter(Report)

FILE_LIMIT = 2**30
"""Bytes of the largest matrix.json that is read: one of 10,000 cells has some 40 MB."""


_AnyCell = TypeVar("_AnyCell", Cell, ReportedCell)


def newest_by_runtime(cells: Iterable[_AnyCell]) -> dict[str, _AnyCell]:
    """For each onnxruntime the cell with the newest torch, then transformers, then onnx; one environment over two."""
    best: dict[str, _AnyCell] = {}
    for cell in cells:
        runtime = cell.version(RUNTIME)
        if runtime not in {None, ABSENT} and (runtime not in best or age(cell) > age(best[runtime])):
            best[str(runtime)] = cell
    return best


def age(cell: Cell | ReportedCell) -> tuple[list[Version], bool]:
    """What orders cells by how new they are."""
    return [by_version(cell.version(axis) or ABSENT) for axis in NEWEST_BY], cell.setup is Setup.TOGETHER


def reported(verdict: Verdict, guess: Literal["works", "fails"] | None = None, mended: Remedies | None = None) -> ReportedCell:
    """A cell as it stands in the report."""
    mended = mended or Remedies()
    cell, lock = verdict.cell, verdict.resolved.lock
    return ReportedCell(
        id=cell.id,
        python=cell.python,
        pins=dict(cell.pins),
        environment=cell.setup,
        status=Status.WORKS_WITH_REMEDY if cell.id in mended.mended else verdict.status,
        lock=lock.digest if lock else None,
        resolved=dict(sorted(lock.versions.items())) if lock else {},
        remedies=list(mended.cells.get(cell.id, ())),
        variants=[_variant(one, mended.variants.get((cell.id, one.variant), VariantRemedies())) for one in verdict.variants],
        resolved_sides={side: dict(sorted(one.versions.items())) for side, one in verdict.resolved.sides.items()},
        inferred=guess,
    )


def _variant(verdict: VariantVerdict, known: VariantRemedies) -> ReportedVariant:
    variant, error = verdict.variant, verdict.error
    data = {key: value for result in verdict.results for key, value in result.data.items()}
    elsewhere = {**verdict.opinions, **verdict.controls}
    by_stage = {result.stage: result for result in verdict.results}
    parity = by_stage.get(Stage.PARITY)
    return ReportedVariant(
        exporter=variant.exporter,
        opset=variant.opset,
        layout=variant.layout,
        feedback=variant.feedback,
        binding=variant.binding,
        strategy=variant.strategy,
        attention=variant.attention,
        ir_version=variant.ir_version,
        optimization=variant.optimization,
        memory_pattern=variant.memory_pattern,
        status=verdict.status,
        stage=verdict.stage,
        cause=None,
        error=_cut(error.message) if error else None,
        reason=verdict.reason,
        signature=signature(verdict.last.stage, error) if error else None,
        ir=data.get("ir"),
        max_abs_diff=parity.data.get("max_abs_diff") if parity else None,
        node=data.get("node"),
        opinions={name: opinion_text(result) for name, result in verdict.opinions.items()},
        findings=findings(verdict),
        peak_memory=max((result.data.get("peak_memory", 0) for result in verdict.results), default=0) or None,
        seconds=round(sum(result.seconds for result in verdict.results), 3),
        log=verdict.last.log,
        error_type=error.type if error else None,
        controls={name: opinion_text(result) for name, result in verdict.controls.items()},
        logs={name: result.log for name, result in elsewhere.items() if result.log},
        outcomes=list(verdict.outcomes),
        remedy=known.remedy,
        tried=list(known.tried),
        remedies=list(known.remedies),
        unproven=list(known.unproven),
        unanswered=list(known.unanswered),
        search_open=known.search_open,
        missing=missing_module(verdict),
    )


def opinion_text(result: StageResult) -> str:
    """What another runtime made of an artifact: `works`, or `fails at STAGE: …`."""
    if result.ok:
        return "works"
    why = result.error.message if result.error else result.data.get("reason", "")
    return f"{result.status.value} at {result.stage.value}: {_cut(why)}"


def findings(verdict: VariantVerdict) -> list[str]:
    """What the lint of the graph and of its run says, one sentence each."""
    found = [finding for result in verdict.results for finding in result.data.get("findings", ())]
    return list(dict.fromkeys(f"{finding['rule']}: {finding['message']}" for finding in found))


def identity(variant: ReportedVariant | Variant) -> tuple[object, ...]:
    """What tells it from other variants."""
    return tuple(getattr(variant, name) for name in VARIANT_FIELDS)
