"""The data that the host and a probe process exchange, as types: jobs, events, and the data of a stage.

Both sides import this module: standard library only, Python 3.8 syntax. A job is a JSON file. Events are lines of JSON, in the
file that the job names (journal.py), or over the socket of a fork server (forking/server.py). A field of a class with
`total=False` may be absent.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

FAILED_ITSELF = 113
"""Exit code of a probe process, or of a runner, whose own code failed: no fact about the packages."""

# --- jobs: host to probe -----------------------------------------------------------------------------------------------


class ProbeSource(TypedDict):
    """Which probe module a job uses."""

    path: str | None
    """A Python file; None for the built-in probe."""
    options: dict[str, Any]
    """The argument of the module's `load`."""


class Confinement(TypedDict):
    """What a process may use of its machine: see confinement.py."""

    landlock: int
    """The version of Landlock that restricts it; 0 for none."""
    namespaces: list[str]
    """The namespaces that it has for itself."""
    processes: int
    """How many processes and threads it may start in a user namespace; 0 for no limit."""
    read: list[str]
    """Files and folders that it may read, besides the system's."""
    write: list[str]
    """Folders that it may write to."""


class _Started(TypedDict, total=False):
    events: str
    """The file for events, which is named when the process is started."""
    file_size: int
    """Bytes of the largest file that it may write."""
    confined: Confinement | None
    """What confines it."""


class _Job(_Started):
    probe: ProbeSource


class ImportJob(_Job):
    """Import all packages in one process that has imported nothing yet."""

    kind: Literal["import"]
    modules: list[str]


class TogetherImport(TypedDict):
    """Import further packages in a fork of an export's process."""

    id: str
    """The subject of its events."""
    modules: list[str]
    """In this order."""
    sites: list[str]
    """Folders to add to the path."""


class ExportVariant(TypedDict):
    """One variant to export."""

    id: str
    exporter: str
    opset: int
    layout: str
    attention: str | None
    """None: the model's default."""
    ir_version: int | None
    """None: as the exporter stamps it."""


class ExportJob(_Job):
    """Imports in forks; then, with `reference`, PyTorch alone and the variants."""

    kind: Literal["export"]
    imports: list[TogetherImport]
    reference: bool
    variants: list[ExportVariant]
    out: str
    """The folder for the reference and for a folder of each variant."""


class RunRequest(TypedDict):
    """One variant to run."""

    id: str
    artifact: str
    """The folder with its manifest.json."""
    reference: str
    """The folder with its reference.json."""
    layout: str
    feedback: str
    binding: str
    strategy: str
    session: dict[str, str]
    """Options of the runtime that are not the default: `optimization`, `memory_pattern`."""


class _RunJob(_Job):
    kind: Literal["run"]
    runtime: str
    """A name of runtimes.RUNTIMES. The version is that of the environment."""
    runs: list[RunRequest]


class RunJob(_RunJob, total=False):
    """Run artifacts in one runtime."""

    runner: list[str]
    """The command that starts the runtime's program (docs/runtimes.md). Absent, or empty, for a Python package."""
    version: str
    """The version of the runtime that this program must have."""


class ForkServerJob(_Job, total=False):
    """Import packages, then serve forks."""

    kind: Literal["forkserver"]
    of: Literal["export", "run"]
    """Kind of the jobs that the forks do."""
    runtime: str | None
    """The runtime of these jobs, if they are runs."""
    imports: list[str]
    """Modules to import, as far as the jobs import them before anything else."""
    others: list[str]
    """Folders of layers that forks may replace."""


class ForkRequest(TypedDict):
    """A line to a fork server: one job for one fork. With it comes the descriptor of the log."""

    number: int
    job: str
    """Path of the job file."""
    folder: str
    environ: dict[str, str]
    python: str
    others: list[str]
    """Folders that replace the server's."""
    stdin: bool
    """Whether a second descriptor comes with the request, to be the fork's input."""
    moved: list[tuple[str, str]]
    """(old name, where it is) of folders of this fork, which the host has moved to where the server may write."""
    confinement: Confinement | None
    """What the fork gives up of what the server may use."""


# --- events: probe to host ---------------------------------------------------------------------------------------------


class Error(TypedDict):
    """An exception."""

    type: str
    message: str
    traceback: str
    where: Literal["package", "probe"]
    """Where it was raised."""
    refused: bool
    """Whether the confinement of the process may have led to it."""


class Finding(TypedDict):
    """Something noticed about a graph: see findings.py."""

    rule: str
    message: str


class PlacedFinding(Finding, total=False):
    """A finding with what some rules add."""

    where: str
    """A graph, and what in it."""
    limit: int | None
    """The largest stamp that was measured: of `ir-above-runtime` and `opset-above-runtime`."""


class StageData(TypedDict, total=False):
    """What the host reads of a stage's data. A stage may add more, which is only shown."""

    findings: list[PlacedFinding]
    peak_memory: int
    """Bytes."""
    reason: str
    """Why it was not run."""
    open: bool
    """Whether a run would say more than that."""
    outcomes: list[str]
    """Of a flaky result: how the processes ended."""
    missing: dict[str, Any]
    """The module that the failure lacks: see missing_module.py."""
    ir: int | None
    node: dict[str, Any] | None
    """The node that failed: name, op_type, input_shapes, graph."""
    max_abs_diff: float | None
    sandbox: str
    """What confined its process; `off` if nothing did."""


class Begin(TypedDict):
    """A stage begins."""

    event: Literal["begin"]
    stage: str
    subject: str | None
    """A variant, an import in a fork, or None for the process."""
    time: float
    """Unix seconds."""


class Doing(TypedDict):
    """What an open stage does next, where the process may die of that."""

    event: Literal["doing"]
    stage: str
    subject: str | None
    doing: str


class End(TypedDict):
    """A stage ends."""

    event: Literal["end"]
    stage: str
    subject: str | None
    status: Literal["works", "fails", "error", "not-run"]
    seconds: float
    error: Error | None
    data: dict[str, Any]
    """StageData, and whatever else the stage records."""


class Done(TypedDict):
    """The last event of the process (subject None), or of a fork of it."""

    event: Literal["done"]
    subject: str | None
    distributions: dict[str, str]
    """Normalised name → version of what was really used."""
    peak_rss: int
    """Bytes."""
    uncompiled: list[str]
    """Sources that it has found no bytecode for, if it may not write any."""


class Left(TypedDict):
    """The fork for this subject is gone, done or not."""

    event: Literal["left"]
    subject: str
    code: int
    """Exit code, negative for a signal."""


class ServerReady(TypedDict):
    """A fork server has imported its packages; what they looked up meanwhile: see forking/import_recorder.py."""

    event: Literal["ready"]
    uncompiled: list[str]
    """As in `Done`."""
    sought: list[str]
    tried: list[str]
    versions: list[tuple[str, str]]
    groups: list[str]


class ServerForked(TypedDict):
    """Sent by the fork itself, for the request of this number: the kernel tells the host which process has sent it."""

    event: Literal["forked"]
    number: int


class ServerLeft(TypedDict):
    """The fork for the request of this number has ended, or there is none."""

    event: Literal["left"]
    number: int
    code: int
    """Exit code, negative for a signal."""
