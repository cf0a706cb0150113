"""All that reads what strangers wrote: a function of bytes each, with examples of what it reads and the errors it may raise."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from unicodedata import category

from packaging.pylock import PylockValidationError
from rich.console import Console

from examples import (
    COMPILED,
    EVENTS,
    LOCK_VALUE,
    MATRIX_TOML,
    MESSAGES,
    PACKAGE,
    PACKAGE_LOCK,
    PYLOCK,
    PYPROJECT,
    REQUIREMENTS,
    STAGES_VALUE,
    UV_LOCK,
    onnx_files,
)
from harness import published_reports
from harness.cli.lookup import MEASUREMENTS
from harness.decide import known_messages, next_steps, version_files
from harness.decide.inspection import inspected
from harness.decide.lookup import other_builds, recognised
from harness.decide.nearest import nearest
from harness.decide.refusals import refusals
from harness.environments import lockfile
from harness.environments.checkpoints import require_no_pickle
from harness.environments.lock_records import LOCK
from harness.environments.npm import lockfile as npm_lockfile
from harness.errors import HarnessError
from harness.execution.process.probe_events import event_in
from harness.foreign_text import line, visible
from harness.matrix import load, plan, selection, shard
from harness.matrix.schema import ProbeSection
from harness.model import Status
from harness.onnx_files.external_data import data_files
from harness.onnx_files.reader import read_model
from harness.published_reports import Published
from harness.report import history
from harness.report.formats import FORMATS, format_named
from harness.report.page import Page
from harness.report.pages import difference, inspection, matrix
from harness.report.pages import lookup as lookup_pages
from harness.store.envelope import DamagedRecordError, RecordKind
from harness.tasks.records import STAGES
from harness.verdicts import control_model, report_file
from harness.verdicts.report_schema import Report

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
KEY = "0" * 32
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What changes the direction of a text."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Something that reads bytes; what it makes of them is shown, too."""

    name: str
    read: Callable[[bytes, Path], None]
    """Of the bytes, and an empty folder."""
    seeds: Sequence[bytes]
    """What it reads without an error."""
    refuses: tuple[type[Exception], ...] = (HarnessError,)
    """What it raises for all else."""


def _rendered(page: Page[object]) -> None:
    for name in FORMATS:
        format_named(name).render(page)
    format_named("text").show(page, Console(file=io.StringIO(), width=100))


def _matrix_toml(content: bytes, folder: Path) -> None:
    path = folder / "matrix.toml"
    path.write_bytes(content)
    read = load.load(path)
    axes = {name: [one for one in values if isinstance(one, str)] for name, values in read.axes.items()}
    plan.plan(read, axes, selection.Selection())


def _versions(name: str) -> Callable[[bytes, Path], None]:
    def read(content: bytes, folder: Path) -> None:
        (folder / name).write_bytes(content)
        version_files.read(folder / name, None, PYTHON, with_extras=True)

    return read


def _matrix_json(content: bytes, folder: Path) -> None:
    path = folder / "matrix.json"
    path.write_bytes(content)
    found = published_reports.read(path)
    _rendered(matrix.page(found.report))
    _rendered(difference.page(difference.compared(Published(name="old", path=path, report=_report()), found.report)))
    known_messages.known_messages([found])


def _history(content: bytes, folder: Path) -> None:
    (folder / "history.jsonl").write_bytes(content)
    found = history.read(folder)
    history.entries(found, _report().cells[0].id)
    history.trend(folder, _report())


def _onnx(content: bytes, folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(content)
    model = read_model(path)
    limits = _measured_limits()
    _rendered(inspection.page([inspected(str(path), model, data_files(model, path), limits, _kernels(), reports={})], limits))


def _message(content: bytes, _folder: Path) -> None:
    text = content.decode(errors="replace")
    reports = _reports()
    known, first = known_messages.known_messages(reports), known_messages.explained_in(reports)
    found, refused = recognised(text, known), refusals(text, MEASUREMENTS, reports)
    if found or refused:
        _rendered(lookup_pages.recognised(found, first, refused, other_builds(text)))
    else:
        _rendered(lookup_pages.unknown(nearest(text, known), next_steps.way(text)))


def _record(kind: RecordKind[object]) -> Callable[[bytes, Path], None]:
    return lambda content, _folder: kind.unseal(KEY, content) and None


def _value(kind: RecordKind[object]) -> Callable[[bytes, Path], None]:
    return lambda content, _folder: kind.parsed(content) and None


def _weights(content: bytes, folder: Path) -> None:
    (folder / "model.safetensors").touch()
    (folder / "model.safetensors.index.json").write_bytes(content)
    require_no_pickle(folder, "matrix.toml")


def _environment(name: str) -> Callable[[bytes, Path], None]:
    """A file of the one distribution of a virtual environment, or its pyvenv.cfg."""

    def read(content: bytes, folder: Path) -> None:
        files = {
            "pyvenv.cfg": f"version = {PYTHON}.1\n".encode(),
            "METADATA": b"Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0\n",
            "direct_url.json": b'{"url": "file:///x", "dir_info": {"editable": true}}',
        }
        description = folder / "lib" / f"python{PYTHON}" / "site-packages" / "torch-2.6.0.dist-info"
        description.mkdir(parents=True)
        for own, text in {**files, name: content}.items():
            ((folder if own == "pyvenv.cfg" else description) / own).write_bytes(text)
        version_files.read(folder, None, PYTHON)

    return read


def _configuration(content: bytes, folder: Path) -> None:
    (folder / "config.json").write_bytes(content)
    control_model.control_of(ProbeSection(model=str(folder)))


def _shown(content: bytes, _folder: Path) -> None:
    text = content.decode("utf-8", "surrogateescape")
    for shown in (visible(text), line(text)):
        assert not any(category(one) in {"Cc", "Cs"} and one not in "\t\n" for one in shown)
        assert not BIDI.intersection(shown)
        assert "://user:secret@" not in shown
        shown.encode()


@cache
def _report() -> Report:
    """Two cells of the published report, one of which fails."""
    base = report_file.read(ROOT / "reports" / "matrix.json")
    cells = [next(cell for cell in base.cells if cell.status is status) for status in (Status.WORKS, Status.FAILS)]
    kept = {cell.id for cell in cells}
    axes = {name: list(dict.fromkeys(cell.version(name) or "" for cell in cells)) for name in base.axes}
    newest = {runtime: name for runtime, name in base.recommended.items() if name in kept}
    return replace(base, cells=cells, axes=axes, rules=[], recommended=newest, recommended_elsewhere={})


@cache
def _reports() -> list[Published]:
    """The default matrix alone: to read all of them takes seconds."""
    return [published_reports.named("matrix")]


_measured_limits = cache(published_reports.runtime_limits)
_kernels = cache(published_reports.runtime_kernels)


def _history_lines() -> list[bytes]:
    made = json.dumps(history._line(_report())).encode()
    return [made + b"\n", made + b"\n" + made + b"\n"]


def readers() -> list[Reader]:
    """All readers."""
    stages = STAGES.adapter.validate_python(json.loads(STAGES_VALUE))
    report_json = str(format_named("json").render(matrix.page(_report()))).encode()
    read_files = {
        "uv.lock": UV_LOCK,
        "pylock.toml": PYLOCK,
        "pyproject.toml": PYPROJECT,
        "requirements.txt": REQUIREMENTS,
        "package.json": PACKAGE,
        "package-lock.json": PACKAGE_LOCK,
    }
    damage, unfit = (DamagedRecordError,), (ValueError, RecursionError)
    return [
        Reader(name="matrix.toml", read=_matrix_toml, seeds=[MATRIX_TOML, (ROOT / "matrix.toml").read_bytes()]),
        *(Reader(name=name, read=_versions(name), seeds=[content]) for name, content in read_files.items()),
        Reader(name="matrix.json", read=_matrix_json, seeds=[report_json]),
        Reader(name="history.jsonl", read=_history, seeds=_history_lines()),
        Reader(name="model.onnx", read=_onnx, seeds=onnx_files()),
        Reader(name="message", read=_message, seeds=MESSAGES),
        Reader(name="record", read=_record(STAGES), seeds=[STAGES.seal(KEY, stages)], refuses=damage),
        Reader(name="value of stages", read=_value(STAGES), seeds=[STAGES_VALUE], refuses=damage),
        Reader(name="value of a lock", read=_value(LOCK), seeds=[LOCK_VALUE], refuses=damage),
        Reader(
            name="answer of uv",
            read=lambda content, _: lockfile.parse_lock(content.decode()) and None,
            seeds=[COMPILED],
            refuses=unfit,
        ),
        Reader(
            name="answer of uv in TOML",
            read=lambda content, _: lockfile.parse_pylock(content.decode()) and None,
            seeds=[PYLOCK],
            refuses=(*unfit, PylockValidationError),
        ),
        Reader(
            name="answer of npm",
            read=lambda content, _: npm_lockfile.parse(content.decode()) and None,
            seeds=[PACKAGE_LOCK],
            refuses=unfit,
        ),
        Reader(name="event", read=lambda content, _: event_in(content.decode()) and None, seeds=EVENTS, refuses=unfit),
        Reader(
            name="pyvenv.cfg",
            read=_environment("pyvenv.cfg"),
            seeds=[f"home = /x\nversion_info = {PYTHON}.1.final.0\n".encode()],
        ),
        Reader(
            name="METADATA",
            read=_environment("METADATA"),
            seeds=[b"Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0\n\nA text.\n"],
        ),
        Reader(
            name="direct_url.json",
            read=_environment("direct_url.json"),
            seeds=[b'{"url": "file:///x", "dir_info": {"editable": true}}'],
        ),
        Reader(name="config.json", read=_configuration, seeds=[b'{"model_type": "marian", "vocab_size": 65}']),
        Reader(name="index of weights", read=_weights, seeds=[b'{"weight_map": {"a": "model-1.safetensors"}}']),
        Reader(
            name="--select",
            read=lambda content, _: selection.parse(content.decode(errors="replace")) and None,
            seeds=[b"torch>=2.6,onnxruntime<1.20", b"opset=17,layout=merged", b"exporter=dynamo"],
        ),
        Reader(name="--shard", read=lambda content, _: shard.parse(content.decode(errors="replace")) and None, seeds=[b"1/3"]),
        Reader(name="shown text", read=_shown, seeds=[b"error at https://user:secret@example.org/simple\n", *MESSAGES]),
    ]
