"""The frozen types everyone passes around. Nothing here acts, reads a file or prints.

The words are those of docs/design.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from harness.foreign_text import redacted
from harness.packaging_types import DistributionName, ExactVersion, FileHash

ABSENT = "absent"
"""The value of an axis for a cell that does without that distribution."""


DIGEST = "[0-9a-f]{32}"
"""What `digest` returns, as a regular expression: the only names that the store has for keys, artifacts and logs."""

Digest = Annotated[str, StringConstraints(pattern=f"^{DIGEST}$")]
"""A digest, where it is read from outside; anything else is a validation error."""

LogName = Annotated[str, StringConstraints(pattern=rf"^logs/{DIGEST}\.log$")]
"""The path of a log, relative to the store."""


class Stage(StrEnum):
    """The steps a cell goes through, in this order; a verdict names the first that did not work."""

    RESOLVE = "resolve"
    INSTALL = "install"
    IMPORT = "import"
    EAGER = "eager"
    EXPORT = "export"
    CHECK = "check"
    LOAD = "load"
    DECODE = "decode"
    PARITY = "parity"


class Status(StrEnum):
    """What is known. `FAILS` is a fact about versions; `ERROR` and `FLAKY` prove nothing.

    `ERROR` is a failure of the harness, the machine or the network. `FLAKY` is a failure that did not repeat in a fresh
    process.
    """

    WORKS = "works"
    WORKS_WITH_REMEDY = "works-with-remedy"
    FAILS = "fails"
    FLAKY = "flaky"
    ERROR = "error"
    NOT_RUN = "not-run"


class Setup(StrEnum):
    """Where export and run happen: in one environment, or exported in one and run in another (onnxruntime and numpy)."""

    TOGETHER = "together"
    HANDOFF = "handoff"


class Cause(StrEnum):
    """Whose fault a failure is; diagnose/causes/causes.py says what each rests on."""

    MODEL = "model"
    """PyTorch alone, with a cache, disagrees with itself without, or cannot run the model."""
    EXPORTER = "exporter"
    """The export or its check fails, or independent runtimes fail in the same way on what it wrote."""
    RUNTIME = "runtime"
    """This onnxruntime refuses or gets wrong what others, or itself with other options, run correctly."""
    FORMAT_GATE = "format gate"
    """The artifact's IR or opset is above what this onnxruntime runs."""
    VERSION_CONFLICT = "version conflict"
    """The versions have no solution, or cannot be imported or used beside each other."""
    CONSUMER_PROTOCOL = "consumer protocol"
    """The same artifact works in the same onnxruntime when it is fed or bound otherwise."""
    ARCHITECTURE = "architecture"
    """It fails on every stack, and a model of another family works there."""


class Certainty(StrEnum):
    """How sure a cause is."""

    PROVEN = "proven"
    """Runs that differ in one thing show it."""
    LIKELY = "likely"
    """Only the failing run's own words say so, or not all that was asked answered."""
    OPEN = "open"
    """Nobody knows yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One version on every axis."""

    id: str
    """Short, readable and unique within the matrix: `py311-t2131-tf4466-o1191-r1163`."""
    python: str
    """As written on the axis, for example `3.11`."""
    pins: tuple[tuple[str, str], ...]
    """(distribution, exact version) in the order of the axes; without python, and without what is absent."""
    setup: Setup = Setup.TOGETHER

    def version(self, axis: str) -> str | None:
        """The cell's version on `axis` (`python` included), or None where it is absent or there is no such axis."""
        return self.python if axis == "python" else dict(self.pins).get(axis)


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """How the probe exports (exporter, opset, layout, attention, ir_version) and runs (all the rest)."""

    exporter: str
    opset: int
    layout: str
    feedback: str = "keep-cross"
    binding: str = "numpy"
    strategy: str = "cached"
    attention: str = "default"
    """`default` leaves the choice to transformers."""
    ir_version: int | None = None
    """Set in the exported graphs; None leaves what the exporter stamped."""
    optimization: str = "default"
    """onnxruntime's graph optimisation level; `default` leaves the choice to it, as does the next one's."""
    memory_pattern: str = "default"

    @property
    def export_id(self) -> str:
        """What the export half is called: how it is run costs no second export."""
        attention = "" if self.attention == "default" else f"-{self.attention}"
        ir_version = "" if self.ir_version is None else f"-ir{self.ir_version}"
        return f"{self.exporter}-{self.opset}-{self.layout}{attention}{ir_version}"

    @property
    def id(self) -> str:
        """The whole variant's name, unique within a run."""
        strategy = "" if self.strategy == "cached" else f"-{self.strategy}"
        return f"{self.export_id}-{self.feedback}-{self.binding}{strategy}" + "".join(
            f"-{name.replace('_', '-')}-{value}" for name, value in self.session.items()
        )

    @property
    def session(self) -> dict[str, str]:
        """The options of onnxruntime's sessions that are not left to it."""
        named = {"optimization": self.optimization, "memory_pattern": self.memory_pattern}
        return {name: value for name, value in named.items() if value != "default"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedDistribution:
    """One distribution of a lock."""

    name: DistributionName
    version: ExactVersion
    hashes: tuple[FileHash, ...] = ()
    """`algorithm:hexdigest` of every file the index offers for this version; the installed one is among them."""
    via: tuple[DistributionName, ...] = ()
    """Names of the distributions that require this one; empty for what the cell asked for itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """A CPython on this machine."""

    version: str
    """Full version, for example `3.11.7`."""
    path: str
    """Absolute path of the executable, never a version manager's shim."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """What uv resolved for a cell: all distributions, transitive ones included."""

    distributions: tuple[LockedDistribution, ...]
    dropped: tuple[tuple[str, str], ...] = ()
    """(requirement, uv's reason) of optional requirements no solution has room for: an exporter's helper, say."""

    @property
    def versions(self) -> dict[str, str]:
        """Name → version."""
        return {pinned.name: pinned.version for pinned in self.distributions}

    @property
    def digest(self) -> str:
        """Identifies the set of files that may be installed, whatever the order they were listed in."""
        return digest([(p.name, p.version, sorted(p.hashes)) for p in sorted(self.distributions, key=lambda p: p.name)])

    def closure(self, roots: frozenset[str]) -> Lock:
        """The part of the lock that `roots` reach through their requirements, roots included."""
        requires: dict[str, list[str]] = {}
        for pinned in self.distributions:
            for parent in pinned.via:
                requires.setdefault(parent, []).append(pinned.name)
        reached: set[str] = set()
        pending = [pinned.name for pinned in self.distributions if pinned.name in roots]
        while pending:
            name = pending.pop()
            if name not in reached:
                reached.add(name)
                pending.extend(requires.get(name, ()))
        return self.only(reached)

    def only(self, names: Collection[str]) -> Lock:
        """The distributions of these names."""
        return Lock(distributions=tuple(pinned for pinned in self.distributions if pinned.name in names))


_MESSAGE_LIMIT = 20_000
"""Characters of the longest message; a probe's has 4000 at most, and uv's longest proofs some 10,000."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a stage did not work, as the package, uv or the operating system put it."""

    type: str
    """Exception class, `signal`, `exit`, `timeout`, `memory`, `unsatisfiable`, …"""
    message: str
    """The original text; of more than 20,000 characters the middle is left out."""
    traceback: str = ""

    def __post_init__(self) -> None:
        """Bound what is searched for patterns later, whoever wrote it: a probe, uv, or a record of somebody else."""
        if len(self.message) > _MESSAGE_LIMIT:
            text, half = redacted(self.message), _MESSAGE_LIMIT // 2
            object.__setattr__(self, "message", f"{text[: half - 5]} […] {text[-half + 5 :]}")


@dataclass(frozen=True, kw_only=True, slots=True)
class StageResult:
    """What one stage gave, once. Stored by content and shared by every cell it holds for."""

    stage: Stage
    status: Status
    seconds: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)] = 0.0
    """Less than none where the machine's clock was set meanwhile."""
    error: Failure | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    log: LogName | None = None
    """Path of the full log, relative to the store."""
    finished: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)] = 0.0
    """Unix time; 0 where nothing was executed."""

    @property
    def ok(self) -> bool:
        """Whether the next stage makes sense."""
        return self.status is Status.WORKS


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

_IS_DIGEST = re.compile(DIGEST).fullmatch


def is_digest(name: str) -> bool:
    """Whether `name` is one that `digest` returns."""
    return _IS_DIGEST(name) is not None


def digest(value: object) -> str:
    """A short stable name for any JSON-able value: 128 bits of SHA-256 over its canonical JSON, in hex."""
    return hashlib.sha256(_CANONICAL.encode(value).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one stage may use."""

    seconds: float
    memory: int
    """Resident bytes over the probe's process group."""
