"""The schema of the JSON report, reports/matrix.json: its data as types (docs/design.md has the contract)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeVar

from packaging.utils import canonicalize_version
from packaging.version import Version
from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter

from harness.foreign_text import redacted
from harness.matrix.plan import by_version
from harness.matrix.selection import VARIANT_FIELDS
from harness.matrix.values import Name, VersionOrAbsent
from harness.model import ABSENT, Cause, Cell, Certainty, Setup, Stage, Status, Variant
from harness.packaging_values import CellId, DistributionName, ExactVersion, PythonVersion
from harness.stack import NEWEST_BY, RUNTIME, RUNTIMES, RuntimeVersion, runtime_of
from harness.verdicts.rule_model import Rule, Unexplained

MESSAGE_LIMIT = 1000
"""Characters of an error in the report; the log has the whole text."""


def shortened(message: str) -> str:
    """`message` without secrets, and without its middle if it is too long for the report."""
    message, half = redacted(message), MESSAGE_LIMIT // 2
    return message if len(message) <= MESSAGE_LIMIT else f"{message[: half - 3]} […] {message[-half + 3 :]}"


OBSERVED = frozenset({Status.WORKS, Status.WORKS_WITH_REMEDY, Status.FAILS, Status.FLAKY})
"""Statuses that rest on a process or the resolver; the others say that nothing is known."""


@dataclass(frozen=True, kw_only=True)
class StageTime:
    """A stage that ran."""

    stage: Stage
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ReportedVariant:
    """The result of one variant of a cell."""

    exporter: Name
    opset: int
    layout: Name
    feedback: Name
    binding: Name
    strategy: Name
    attention: Name
    ir_version: int | None
    """The IR version that was set after the export; null if the stamped one stayed."""
    optimization: Name = "default"
    """onnxruntime's graph optimisation level: default, disabled, basic or extended."""
    memory_pattern: Name = "default"
    """Whether onnxruntime's sessions plan their memory: default, or disabled."""
    status: Status
    stage: Stage | None
    """The first stage that did not work; null if all did."""
    cause: Cause | None
    """Why it fails; null if it works, or if the cause is open."""
    error: Annotated[str, AfterValidator(shortened)] | None
    """The message of the package, at most 1000 characters."""
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
    """The same artifact in other runtimes, if this one could not run it: name → `works` or `fails at STAGE: …`."""
    findings: list[str]
    """What the lint of the graph and of its run notices, one sentence each."""
    peak_memory: int | None
    """Largest resident memory of a process that took part, bytes."""
    seconds: float
    """Seconds of all its stages; a shared stage counts in every variant that rests on it."""
    log: str | None
    """The full log of the stage that decided, relative to the store."""
    error_type: str | None = None
    """Class of the exception, `signal`, `exit`, `unsatisfiable`, …"""
    controls: dict[str, str] = field(default_factory=dict)
    """One change (`feedback keep-cross`, `binding numpy`, `model t5`, …) → its result, as in `opinions`."""
    certainty: Certainty | None = None
    """How sure the cause is; null if it works."""
    evidence: list[str] = field(default_factory=list)
    """The runs that the cause rests on, or why it is open, one sentence each."""
    outcomes: list[str] = field(default_factory=list)
    """How a flaky variant ended, first and when it was repeated: `fails at decode: …`, `works`; empty for all others."""
    logs: dict[str, str] = field(default_factory=dict)
    """Name in `opinions` or `controls` → full log, relative to the store."""
    remedy: str | None = None
    """The change that was run on this variant in this cell and made it work; null if there is none."""
    tried: list[str] = field(default_factory=list)
    """Changes that were run on it in this cell and did not make it work: `ir-version 9: fails at load`."""
    remedies: list[str] = field(default_factory=list)
    """All changes that were run on it in this cell and make it work, each by itself: `opset 14 (also 15)`.

    The cheapest is first, and is `remedy`.
    """
    unproven: list[str] = field(default_factory=list)
    """Changes that were run on it in this cell and ended in an error or flaky, which proves nothing."""
    missing: str | None = None
    """The module that is missing, and that no distribution of the cell has."""
    unanswered: list[str] = field(default_factory=list)
    """Requirements for which the search for a remedy got no answer of an index."""
    search_open: bool = False
    """Whether the search for a remedy has found none in this cell, and has more to try."""
    stages: list[StageTime] = field(default_factory=list)
    """The stages that ran, in their order; empty in older reports."""

    @property
    def id(self) -> str:
        """The id of the variant."""
        return _id(*identity(self))


@dataclass(frozen=True, kw_only=True)
class ReportedCell:
    """One cell of the matrix."""

    id: CellId
    python: PythonVersion
    pins: dict[DistributionName, ExactVersion]
    environment: Setup
    status: Status
    lock: str | None
    """Digest of the locked distributions and their hashes."""
    resolved: dict[DistributionName, ExactVersion]
    """Every distribution of the lock, name → version; for a handoff cell the run side's version if the sides differ."""
    remedies: list[str]
    """Changes that make a cell work which fails by itself; with a changed version on an axis it is another cell that works."""
    variants: list[ReportedVariant]
    resolved_sides: dict[str, dict[DistributionName, ExactVersion]] = field(default_factory=dict)
    """The two environments of a handoff cell, `export` and `run`, each name → version; empty for a together cell."""
    inferred: Literal["works", "fails"] | None = None
    """What follows for a cell that was not run from those that were; null if nothing does. It proves nothing."""
    packages: dict[PackagePlace, PackageVersion] = field(default_factory=dict)
    """The packages of a runtime that is no distribution of Python, place → version; empty for onnxruntime."""
    program: PackageVersion | None = None
    """The version of the program that runs these packages, of node; null for onnxruntime."""

    @property
    def setup(self) -> Setup:
        """The setup, which matrix.json calls `environment`."""
        return self.environment

    def version(self, axis: str) -> str:
        """The version on `axis`, python included, or `absent`."""
        return self.python if axis == "python" else self.pins.get(axis, ABSENT)

    @property
    def runtime(self) -> RuntimeVersion | None:
        """What runs its artifacts; None if that axis is absent."""
        return runtime_of(self.pins)


@dataclass(frozen=True, kw_only=True)
class ReportedProbe:
    """The probe of all cells."""

    id: str
    """Digest of the probe's source."""
    model: str
    profile: str
    seed: int
    requires: list[str] = field(default_factory=list)
    """Distributions that an export needs besides the axes."""


PackagePlace = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9@~_-][A-Za-z0-9@~_./-]*$", max_length=2000)]
"""Where a package lies: `a`, `@scope/a`, or `b/node_modules/a` for what b alone has."""

PackageVersion = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]*$", max_length=200)]

UTC = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\+00:00|Z)$"
"""ISO 8601, to the second."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole run."""

    schema: Literal[1]
    generated: Annotated[str, Field(pattern=UTC)] | None
    """ISO 8601, UTC: time of the newest result; null if there is none."""
    platform: str
    torch: str
    """The source of torch: a uv torch backend such as `cpu`, or `default index`."""
    probe: ReportedProbe
    axes: dict[DistributionName, list[VersionOrAbsent]]
    """Axis → the versions of it that cells have, oldest first."""
    cells: list[ReportedCell]
    rules: list[Rule]
    """The rules that separate failures from what passed, the largest support first."""
    recommended: dict[ExactVersion, CellId]
    """onnxruntime version → id of the newest working cell that has it."""
    unexplained: list[Unexplained] = field(default_factory=list)
    """The failures that none of the rules explains."""
    recommended_elsewhere: dict[DistributionName, dict[ExactVersion, CellId]] = field(default_factory=dict)
    """Another runtime than onnxruntime → its version → id of the newest working cell that has it."""
    sandbox: list[str] = field(default_factory=list)
    """What confined the probes of these results, `off` for those that nothing confined; empty in older reports."""

    @property
    def newest_working(self) -> dict[RuntimeVersion, str]:
        """Runtime → id of the newest working cell that has it."""
        named = {RUNTIME: self.recommended, **self.recommended_elsewhere}
        return {RuntimeVersion(name, version): cell for name, found in named.items() for version, cell in found.items()}

    def count(self, status: Status) -> int:
        """The number of cells with this status."""
        return sum(cell.status is status for cell in self.cells)


ADAPTER = TypeAdapter(Report)


def schema() -> dict[str, Any]:
    """The JSON Schema of matrix.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ADAPTER.json_schema(mode="serialization")}


FILE_LIMIT = 2**30
"""Bytes of the largest matrix.json that is read. One with 10,000 cells has some 40 MB."""


_AnyCell = TypeVar("_AnyCell", Cell, ReportedCell)


def newest_by_runtime(cells: Iterable[_AnyCell]) -> dict[RuntimeVersion, _AnyCell]:
    """For each runtime the newest cell (see `age`)."""
    best: dict[RuntimeVersion, _AnyCell] = {}
    for cell in cells:
        runtime = cell.runtime
        if runtime and (runtime not in best or age(cell) > age(best[runtime])):
            best[runtime] = cell
    return best


def sorted_runtimes(cells: Iterable[ReportedCell]) -> list[RuntimeVersion]:
    """The runtimes of `cells`, each once, by name and version."""
    runtimes = {cell.runtime for cell in cells if cell.runtime}
    return sorted(runtimes, key=runtime_order)


def runtime_order(runtime: RuntimeVersion) -> tuple[int, Version]:
    """Sort key: by name, as `RUNTIMES` has them, and then by version."""
    return RUNTIMES.index(runtime.name), Version(runtime.version)


def recommendation(newest: Mapping[RuntimeVersion, Cell | ReportedCell]) -> dict[str, Any]:
    """The fields `recommended` and `recommended_elsewhere` of a report: for each runtime the cell that is recommended."""
    found: dict[str, dict[str, str]] = {RUNTIME: {}}
    for runtime in sorted(newest, key=runtime_order):
        found.setdefault(runtime.name, {})[runtime.version] = newest[runtime].id
    return {"recommended": found.pop(RUNTIME), "recommended_elsewhere": found}


def age(cell: Cell | ReportedCell) -> tuple[list[Version], bool]:
    """Sort key: the versions of torch, transformers, onnx and python, then together before handoff; newer is larger."""
    return [by_version(cell.version(axis) or ABSENT) for axis in NEWEST_BY], cell.setup is Setup.TOGETHER


identity: Callable[[ReportedVariant | Variant], tuple[Any, ...]] = attrgetter(*VARIANT_FIELDS)
"""The fields that distinguish a variant from others, in the order of `VARIANT_FIELDS`."""


@lru_cache(maxsize=4096)  # all cells of a report have the same few
def _id(*fields: Any) -> str:
    """The id of the variant with these fields."""
    return Variant(**dict(zip(VARIANT_FIELDS, fields, strict=True))).id


def distinct(variants: Iterable[ReportedVariant]) -> list[ReportedVariant]:
    """One of each: variants of different cells with the same identity count once."""
    return list({identity(variant): variant for variant in variants}.values())


def versions_of(cell: ReportedCell) -> tuple[str, tuple[tuple[str, str], ...], Setup]:
    """What distinguishes a cell from others, equal for versions that are spelled otherwise, as 2.2 and 2.2.0 are."""
    return cell.python, tuple(sorted((name, canonicalize_version(version)) for name, version in cell.pins.items())), cell.setup
