"""The frozen types that all packages share. Pure.

Their names are the words of the glossary in docs/design.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from harness.foreign_text import redacted
from harness.hashing import DIGEST
from harness.stack import RuntimeVersion, runtime_of

ABSENT = "absent"
"""The value of an axis in a cell without that distribution."""

LogName = Annotated[str, StringConstraints(pattern=rf"^logs/{DIGEST}\.log$")]
"""The path of a log, relative to the store."""


class Stage(StrEnum):
    """The stages of a variant, in their order; a verdict names the first that did not work."""

    RESOLVE = "resolve"
    INSTALL = "install"
    IMPORT = "import"
    EAGER = "eager"
    EXPORT = "export"
    CHECK = "check"
    LOAD = "load"
    DECODE = "decode"
    PARITY = "parity"

    @property
    def number(self) -> int:
        """Its place in the order of stages, from 0."""
        return _STAGE_NUMBERS[self]


_STAGE_NUMBERS = {stage: number for number, stage in enumerate(Stage)}


class Status(StrEnum):
    """What is known of a variant or a cell. `FAILS` is a fact about versions; `ERROR` and `FLAKY` prove nothing.

    `ERROR` is a failure of the harness, the machine or the network. `FLAKY` is a failure that did not repeat in a fresh
    process.
    """

    WORKS = "works"
    WORKS_WITH_REMEDY = "works-with-remedy"
    FAILS = "fails"
    FLAKY = "flaky"
    ERROR = "error"
    NOT_RUN = "not-run"

    @property
    def is_fact(self) -> bool:
        """Whether it says something about versions: works or fails, as they were run."""
        return self in {Status.WORKS, Status.FAILS}


class Setup(StrEnum):
    """Where export and run happen: in one environment, or each in its own, the run with onnxruntime and numpy alone."""

    TOGETHER = "together"
    HANDOFF = "handoff"


class Cause(StrEnum):
    """Why a variant fails; diagnose/causes/causes.py says what each cause rests on."""

    MODEL = "model"
    """PyTorch alone gives other results with a cache than without, or cannot run the model."""
    EXPORTER = "exporter"
    """The export or its check fails, or independent runtimes fail in the same way on the artifact."""
    RUNTIME = "runtime"
    """This onnxruntime refuses or gets wrong what others run correctly, or it itself with other options."""
    FORMAT_GATE = "format gate"
    """The artifact's IR or opset is above what this onnxruntime runs."""
    VERSION_CONFLICT = "version conflict"
    """The versions have no solution, or cannot be imported or used together."""
    CONSUMER_PROTOCOL = "consumer protocol"
    """The same artifact works in the same onnxruntime when it is fed or bound otherwise."""
    ARCHITECTURE = "architecture"
    """It fails on every stack, and a model of another family works there."""


class Certainty(StrEnum):
    """How sure a cause is."""

    PROVEN = "proven"
    """Runs that differ in one thing show it."""
    LIKELY = "likely"
    """Only the message of the failing run says so, or a run that would settle it has no result."""
    OPEN = "open"
    """No cause is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One version on every axis, and a setup."""

    id: str
    """Short, readable and unique within the matrix: `py311-t2131-tf4466-o1191-r1163`."""
    python: str
    """As on the axis, for example `3.11`."""
    pins: tuple[tuple[str, str], ...]
    """(distribution, exact version) in the order of the axes, without python and absent distributions."""
    setup: Setup = Setup.TOGETHER

    def version(self, axis: str) -> str | None:
        """The cell's version on `axis` (`python` included); None if it is absent or there is no such axis."""
        return self.python if axis == "python" else dict(self.pins).get(axis)

    @property
    def runtime(self) -> RuntimeVersion | None:
        """What runs its artifacts; None if that axis is absent."""
        return runtime_of(dict(self.pins))


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """How the probe exports (exporter, opset, layout, attention, ir_version) and runs (all other fields)."""

    exporter: str
    opset: int
    layout: str
    feedback: str = "keep-cross"
    binding: str = "numpy"
    strategy: str = "cached"
    attention: str = "default"
    """`default` leaves the choice to transformers."""
    ir_version: int | None = None
    """Set in the exported graphs; None keeps what the exporter stamped."""
    optimization: str = "default"
    """onnxruntime's graph optimisation level; `default` leaves the choice to onnxruntime."""
    memory_pattern: str = "default"
    """Whether onnxruntime plans memory; `default` leaves the choice to onnxruntime."""

    @property
    def export_id(self) -> str:
        """The id of the export; variants that differ only in how they run share it."""
        attention = "" if self.attention == "default" else f"-{self.attention}"
        ir_version = "" if self.ir_version is None else f"-ir{self.ir_version}"
        return f"{self.exporter}-{self.opset}-{self.layout}{attention}{ir_version}"

    @property
    def id(self) -> str:
        """The id of the variant, unique within a run."""
        strategy = "" if self.strategy == "cached" else f"-{self.strategy}"
        return f"{self.export_id}-{self.feedback}-{self.binding}{strategy}" + "".join(
            f"-{name.replace('_', '-')}-{value}" for name, value in self.session.items()
        )

    @property
    def session(self) -> dict[str, str]:
        """The options of onnxruntime's sessions that are not `default`."""
        options = {"optimization": self.optimization, "memory_pattern": self.memory_pattern}
        return {name: value for name, value in options.items() if value != "default"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """A CPython on this machine."""

    version: str
    """The full version, for example `3.11.7`."""
    path: str
    """Absolute path of the executable, never a shim of a version manager."""


_MESSAGE_LIMIT = 20_000
"""Characters of the longest message. A message of a probe has 4000 at most, and uv's longest proofs some 10,000."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a stage did not work, in the words of the package, uv or the operating system."""

    type: str
    """Class of the exception, `signal`, `exit`, `timeout`, `memory`, `unsatisfiable`, …"""
    message: str
    """The original text, without its middle if it has more than 20,000 characters."""
    traceback: str = ""
    shared: tuple[str, str] | None = None
    """If processes failed with different words: what class and message have in common, `…` in place of the rest."""
    raised_in: Literal["package", "probe"] | None = None
    """Whose code raised the exception; None if nothing was raised."""

    def __post_init__(self) -> None:
        """Bound the length of the message, in which patterns are searched later."""
        if len(self.message) > _MESSAGE_LIMIT:
            text, half = redacted(self.message), _MESSAGE_LIMIT // 2
            object.__setattr__(self, "message", f"{text[: half - 5]} […] {text[-half + 5 :]}")


@dataclass(frozen=True, kw_only=True, slots=True)
class StageResult:
    """The result of a stage. It is stored under a key and shared by all cells with that key."""

    stage: Stage
    status: Status
    seconds: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)] = 0.0
    """Negative if the clock of the machine was set back meanwhile."""
    error: Failure | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    log: LogName | None = None
    """Path of the full log, relative to the store."""
    finished: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)] = 0.0
    """Unix time in seconds; 0 if nothing was executed."""

    @property
    def problem(self) -> str:
        """Why it did not work or was not run, in the words of the package, uv or the harness; empty if it worked."""
        return str(self.data.get("reason") or (self.error.message if self.error else ""))

    @property
    def ok(self) -> bool:
        """Whether the stage worked, so that the next one can run."""
        return self.status is Status.WORKS


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a stage may use."""

    seconds: float
    memory: int
    """Resident bytes of the probe's process group."""
    disk: int = 2 * 10**9
    """Bytes of what one export leaves, and of the other files of a process."""
