"""Every cell is resolved before anything is installed: an unsatisfiable cell costs a resolution and no bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import TypeAdapter

from harness.errors import ConfigError
from harness.matrix import Matrix
from harness.model import Cell, Interpreter, Lock, Setup, Stage, StageResult, Status, digest
from harness.plan import Planned, Requirements, requirements
from harness.store import Store
from harness.uv import Trouble, Uv, UvFailure, unpublished

_PARALLEL = 8
"""Resolutions at once: they wait for the index far more than they compute."""

_LOCK: TypeAdapter[Lock | None] = TypeAdapter(Lock | None)
_RESULT = TypeAdapter(StageResult)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A planned cell with its lock, or with why it has none."""

    planned: Planned
    interpreter: Interpreter | None
    result: StageResult
    export: Lock | None = None
    """What the export process can import."""
    run: Lock | None = None
    """What the run process can import: onnxruntime, numpy and their requirements."""
    dropped: tuple[tuple[str, str], ...] = ()

    @property
    def cell(self) -> Cell:
        """The cell itself."""
        return self.planned.cell

    @property
    def lock(self) -> Lock | None:
        """The whole lock: of the one environment, or of both sides (the run side's version where they differ)."""
        if self.export is None or self.run is None:
            return None
        merged = {pinned.name: pinned for side in (self.export, self.run) for pinned in side.distributions}
        return Lock(distributions=tuple(merged[name] for name in sorted(merged)))


def resolve_all(
    planned: Sequence[Planned],
    matrix: Matrix,
    uv: Uv,
    interpreters: Callable[[str], Interpreter | None],
    *,
    file: str,
    refresh: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Resolved]:
    """Resolve every cell, in parallel; results already in the store cost nothing.

    Raises:
        ConfigError: an axis names a distribution or a version that nobody publishes.
    """
    done = 0

    def one(item: Planned) -> Resolved:
        nonlocal done
        resolved = _resolve(item, matrix, uv, interpreters(item.cell.python), file, refresh=refresh)
        progress(done := done + 1, len(planned))
        return resolved

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="resolve") as pool:
        futures = [pool.submit(one, item) for item in planned]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _resolve(item: Planned, matrix: Matrix, uv: Uv, interpreter: Interpreter | None, file: str, *, refresh: bool) -> Resolved:
    cell = item.cell
    if interpreter is None:
        reason = (
            f"no CPython {cell.python} on this machine (uv and pyenv were asked); 'uv python install {cell.python}' gets one"
        )
        return Resolved(
            planned=item,
            interpreter=None,
            result=StageResult(stage=Stage.RESOLVE, status=Status.NOT_RUN, data={"reason": reason}),
        )
    exporters = frozenset(variant.exporter for variant in item.variants)
    sides = []
    seconds = 0.0
    for wanted in requirements(cell, matrix, exporters):
        outcome, result = _locked(wanted, uv, interpreter, file, cell, refresh=refresh)
        seconds += result.seconds
        if outcome is None:
            return Resolved(planned=item, interpreter=interpreter, result=result)
        sides.append(outcome)
    result = StageResult(stage=Stage.RESOLVE, status=Status.WORKS, seconds=seconds, finished=result.finished)
    dropped = tuple(entry for side in sides for entry in side.dropped)
    if cell.setup is Setup.HANDOFF:
        export, run = sides
    else:
        (whole,) = sides
        # Split by who can import what: the export process never sees onnxruntime, the run process never sees torch.
        roots = frozenset(pinned.name for pinned in whole.distributions if not pinned.via) | frozenset(dict(cell.pins))
        export = whole.closure((roots | {"numpy"}) - {"onnxruntime"})
        run = whole.closure(frozenset({"onnxruntime", "numpy"}))
    return Resolved(planned=item, interpreter=interpreter, result=result, export=export, run=run, dropped=dropped)


def _locked(
    wanted: Requirements, uv: Uv, interpreter: Interpreter, file: str, cell: Cell, *, refresh: bool
) -> tuple[Lock | None, StageResult]:
    """The lock, from the store or from uv, and the `resolve` result. Trouble of the network is not stored."""
    store: Store = uv.store
    key = _key(wanted, uv, interpreter)
    known = None if refresh else store.get(key)
    if known is not None:
        return _LOCK.validate_python(known["lock"], strict=False), _RESULT.validate_python(known["result"], strict=False)
    started = time.time()
    lock, failure = None, None
    try:
        lock = _solve(wanted, uv, interpreter)
    except UvFailure as trouble:
        failure = trouble
        if missing := unpublished(str(trouble), wanted.needed):
            raise _bad_axis(missing, cell, file) from None
    finished = time.time()
    result = StageResult(
        stage=Stage.RESOLVE,
        status=Status.WORKS if failure is None else Status.ERROR if failure.trouble is Trouble.INFRASTRUCTURE else Status.FAILS,
        seconds=round(finished - started, 3),
        error=None if failure is None else failure.failure,
        finished=finished,
    )
    if result.status is not Status.ERROR:
        store.put(key, {"lock": _LOCK.dump_python(lock, mode="json"), "result": _RESULT.dump_python(result, mode="json")})
    return lock, result


def all_known(planned: Sequence[Planned], matrix: Matrix, uv: Uv, interpreters: Callable[[str], Interpreter | None]) -> bool:
    """Whether every cell's resolution is in the store already."""
    for item in planned:
        interpreter = interpreters(item.cell.python)
        exporters = frozenset(variant.exporter for variant in item.variants)
        for wanted in requirements(item.cell, matrix, exporters) if interpreter else ():
            if interpreter and uv.store.get(_key(wanted, uv, interpreter)) is None:
                return False
    return True


def _key(wanted: Requirements, uv: Uv, interpreter: Interpreter) -> str:
    return digest(["lock", wanted.needed, wanted.optional, interpreter.version, uv.identity])


def _solve(wanted: Requirements, uv: Uv, interpreter: Interpreter) -> Lock:
    """One solve with the optional requirements, and one without where they leave no solution."""
    try:
        return uv.resolve([*wanted.needed, *wanted.optional], interpreter)
    except UvFailure as failure:
        if not wanted.optional or failure.trouble is not Trouble.UNSATISFIABLE:
            raise
        lock = uv.resolve(wanted.needed, interpreter)
        reason = str(failure)
        return Lock(distributions=lock.distributions, dropped=tuple((name, reason) for name in wanted.optional))


def _bad_axis(missing: str, cell: Cell, file: str) -> ConfigError:
    name, _, version = missing.partition("==")
    if not version:
        return ConfigError(file, f"axes.{name}", f"nobody publishes a distribution named {name!r} where uv looked")
    return ConfigError(file, f"axes.{name}", f"{name} {version} is not published where uv looked (first met in cell {cell.id})")
