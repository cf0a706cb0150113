"""Every cell is resolved before anything is installed: an unsatisfiable cell costs a resolution and no bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from harness import disk_space
from harness.environments.index_answers import IndexAnswers
from harness.environments.lock_check import contradiction
from harness.environments.uv.client import Uv
from harness.environments.uv.errors import Trouble, UvFailure, unpublished
from harness.errors import DiskFullError, UnpublishedError
from harness.matrix.plan import Planned, Requirements, exports_with_runtime, requirements
from harness.matrix.schema import Matrix
from harness.model import Cell, Interpreter, Lock, Setup, Stage, StageResult, Status, digest
from harness.stack import RUNTIME
from harness.stage_data import CheckedResult
from harness.store.envelope import RecordKind

NOT_RESOLVED = "it has not been resolved yet; `run` or `plan` does that"

_PARALLEL = 8
"""Resolutions at once: they wait for the index more than they compute."""

_Solve = tuple[str, Requirements, Interpreter]
"""Key, requirements, interpreter."""


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
    foreign: bool = False
    """Whether a lock of it is another store's, and was not solved here: nothing is installed from it."""

    @property
    def cell(self) -> Cell:
        """The cell itself."""
        return self.planned.cell

    @property
    def sides(self) -> dict[str, Lock]:
        """The locks of a handoff cell's two environments; a together cell has one environment and no sides."""
        if self.cell.setup is Setup.TOGETHER or self.export is None or self.run is None:
            return {}
        return {"export": self.export, "run": self.run}

    @property
    def lock(self) -> Lock | None:
        """The whole lock: of the one environment, or of both sides (the run side's version where they differ)."""
        if self.export is None or self.run is None:
            return None
        merged = {pinned.name: pinned for side in (self.export, self.run) for pinned in side.distributions}
        return Lock(distributions=tuple(merged[name] for name in sorted(merged)))


class Resolver:
    """Resolves planned cells; equal requirements are solved once, and what the store knows costs nothing."""

    def __init__(
        self,
        matrix: Matrix,
        answers: IndexAnswers,
        uv: Uv,
        interpreters: Callable[[str], Interpreter | None],
        *,
        file: str,
        ask: bool,
    ) -> None:
        """`file` is what errors call the matrix.

        Without `ask` uv is not called, and what the store does not know is not run.
        """
        self._matrix = matrix
        self._answers = answers
        self._uv = uv
        self._identity = uv.identity(answers.store.root)
        self._interpreters = interpreters
        self._file = file
        self._ask = ask
        self.changes: dict[str, list[str]] = {}
        """What was found to be otherwise than before → the cells it was first met in."""
        self._held: dict[str, Solved] = {}
        """What needs no solving any more."""

    def resolve(self, planned: Sequence[Planned], progress: Callable[[int, int], None]) -> list[Resolved]:
        """Resolve every cell, in parallel; `progress` hears how many distinct solves of how many are done.

        Raises:
            UnpublishedError: an axis names a distribution or a version that nobody publishes.
        """
        needed = [self._wanted(item) for item in planned]
        wanted = {
            key: (item.cell, what, python) for item, solves in zip(planned, needed, strict=True) for key, what, python in solves
        }
        every = {solve[0]: solve for solves in needed for solve in solves}
        solved = {key: known for key, solve in every.items() if (known := self._known(solve, ask=self._ask))}
        progress(len(solved), len(wanted))
        left = [[key for key, *_ in solves if key not in solved] for solves in needed]
        left = [keys for keys in left if keys]
        # The two cells that differ most ask the index for nearly all that is asked of it, and the others wait for that.
        ends = dict.fromkeys(key for keys in (left[:1] + left[-1:]) for key in keys)
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="resolve") as pool:
            try:
                for keys in (ends, [key for key in wanted if key not in solved and key not in ends]):
                    futures = {pool.submit(self._solve, key, *wanted[key]): key for key in keys}
                    for future in as_completed(futures):
                        solved[futures[future]] = future.result()
                        progress(len(solved), len(wanted))
            except UnpublishedError:
                # A fact about one cell: others may be asked about afterwards.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            except BaseException:
                # Nobody will ask for the others' answers, and leaving the block waits for them.
                self._uv.children.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [self._assemble(item, solves, solved) for item, solves in zip(planned, needed, strict=True)]

    def known(self, planned: Sequence[Planned]) -> list[Resolved]:
        """The same as far as it is known; nobody is asked."""
        needed = [self._wanted(item) for item in planned]
        solved = {solve[0]: self._known(solve, ask=False) or _UNKNOWN for solves in needed for solve in solves}
        return [self._assemble(item, solves, solved) for item, solves in zip(planned, needed, strict=True)]

    def _wanted(self, item: Planned) -> list[_Solve]:
        """Each solve that a cell needs; none where its interpreter is missing."""
        interpreter = self._interpreters(item.cell.python)
        if interpreter is None:
            return []
        # The matrix's exporters, whichever are selected: a cell's lock is the same under every selection.
        exporters = frozenset(self._matrix.variants.exporters)
        return [
            (digest(["lock", *wanted.parts, interpreter.version, self._identity]), wanted, interpreter)
            for wanted in requirements(item, self._matrix, exporters)
        ]

    def _solve(self, key: str, cell: Cell, wanted: Requirements, interpreter: Interpreter) -> Solved:
        """By uv. Trouble of the network is not stored."""
        if not self._ask:
            return _UNKNOWN
        started = time.time()
        lock, failure, status = None, None, Status.WORKS
        try:
            lock = solve(wanted, self._uv, interpreter)
        except UvFailure as trouble:
            if missing := unpublished(str(trouble), wanted.needed):
                name, _, version = missing.partition("==")
                raise UnpublishedError(self._file, name, version, cell.id) from None
            if disk_space.says_full(str(trouble)):
                raise DiskFullError(str(trouble)) from None
            failure = trouble.failure
            status = Status.ERROR if trouble.trouble is Trouble.INFRASTRUCTURE else Status.FAILS
        finished = time.time()
        seconds = round(finished - started, 3)
        result = StageResult(stage=Stage.RESOLVE, status=status, seconds=seconds, error=failure, finished=finished)
        solved = Solved(lock=lock, result=result)
        if status is not Status.ERROR:
            before = self._answers.before(LOCK, key)
            if before is not None and before.foreign and _timeless(before) == _timeless(solved):
                # Confirmed: with the times of who found it first, so that a report stays what it was.
                solved = replace(before, foreign=False)
            self._held[key] = solved
            self._answers.put(LOCK, key, solved)
            if before is not None and (moved := _moved(before, solved)):
                self.changes.setdefault(moved, []).append(cell.id)
        return solved

    def _known(self, solve: _Solve, *, ask: bool) -> Solved | None:
        """What this resolver holds, or what is recorded (see `IndexAnswers.get`) and answers the question."""
        key, wanted, interpreter = solve

        def usable(found: Solved, place: str) -> bool:
            if problem := _contradiction(found, wanted, interpreter):
                self._answers.store.doubt(place, problem)
            # Who may ask may install too, and takes no one else's word for what.
            return not problem and not (found.foreign and self._ask)

        if key in self._held:
            return self._held[key]
        found = self._answers.get(LOCK, key, ask=ask, usable=usable)
        if found is not None and ask == self._ask:
            self._held[key] = found
        return found

    def _assemble(self, item: Planned, wanted: Sequence[_Solve], solved: Mapping[str, Solved]) -> Resolved:
        if not wanted:
            python = item.cell.python
            reason = f"no CPython {python} on this machine (uv and pyenv were asked); 'uv python install {python}' gets one"
            return Resolved(planned=item, interpreter=None, result=_not_run(reason))
        interpreter = wanted[0][2]
        sides = [solved[key] for key, *_ in wanted]
        locks = [side.lock for side in sides if side.lock is not None]
        if len(locks) < len(sides):
            failed = next(side.result for side in sides if side.lock is None)
            return Resolved(planned=item, interpreter=interpreter, result=failed)
        with_runtime = exports_with_runtime(item.cell, self._matrix)
        export, run = locks if item.cell.setup is Setup.HANDOFF else _split(locks[0], item, with_runtime=with_runtime)
        return Resolved(
            planned=item,
            interpreter=interpreter,
            result=StageResult(
                stage=Stage.RESOLVE,
                status=Status.WORKS,
                seconds=round(sum(side.result.seconds for side in sides), 3),
                finished=max(side.result.finished for side in sides),
            ),
            export=export,
            run=run,
            dropped=tuple(entry for lock in locks for entry in lock.dropped),
            foreign=any(side.foreign for side in sides),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Solved:
    """What one solve gave."""

    lock: Lock | None
    result: CheckedResult
    foreign: bool = False
    """Whether it was merged from another store, and has not been solved here since."""


def _contradiction(solved: Solved, wanted: Requirements, interpreter: Interpreter) -> str | None:
    """Why `solved` cannot be what came of solving `wanted`."""
    end = Status.FAILS if solved.lock is None else Status.WORKS
    if solved.result.stage is not Stage.RESOLVE or solved.result.status is not end:
        return f"is no resolution: {solved.result.stage} {solved.result.status} {'with' if solved.lock else 'without'} a lock"
    return contradiction(solved.lock, wanted, interpreter) if solved.lock else None


def _timeless(solved: Solved) -> tuple[Lock | None, StageResult]:
    return solved.lock, replace(solved.result, seconds=0.0, finished=0.0)


def _moved(before: Solved, now: Solved) -> str:
    """What differs between two solutions of the same requirements: `numpy 2.1.0 → 2.2.0, certifi gone`."""
    old, new = ({} if one.lock is None else one.lock.versions for one in (before, now))
    if not old or not new:
        return "" if old == new else "it has a solution now" if new else "it has no solution any more"
    return ", ".join(
        f"{name} {old[name]} → {new[name]}" if name in old and name in new else f"{name} {'gone' if name in old else new[name]}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _not_run(reason: str) -> StageResult:
    return StageResult(stage=Stage.RESOLVE, status=Status.NOT_RUN, data={"reason": reason})


LOCK = RecordKind(name="lock", adapter=TypeAdapter(Solved))

_UNKNOWN = Solved(lock=None, result=_not_run(NOT_RESOLVED))


def _split(lock: Lock, planned: Planned, *, with_runtime: bool) -> tuple[Lock, Lock]:
    """(what the export process can import, what the run process can).

    The first has onnxruntime only `with_runtime`; the second has no torch.
    """
    to_run = {name for side, name in planned.added if side == "run"}
    first = {pinned.name for pinned in lock.distributions if not pinned.via} - to_run
    roots = frozenset(first | set(dict(planned.cell.pins)) | {"numpy"})
    if not with_runtime:
        roots -= {RUNTIME}
    return lock.closure(roots), lock.closure(frozenset({RUNTIME, "numpy", *to_run}))


def solve(wanted: Requirements, uv: Uv, interpreter: Interpreter, preferred: Lock | None = None) -> Lock:
    """One solve with the optional requirements, and one without where they leave no solution; see `Uv.resolve`."""
    try:
        return uv.resolve([*wanted.needed, *wanted.optional], interpreter, wanted.bounds, preferred)
    except UvFailure as failure:
        if not wanted.optional or failure.trouble is not Trouble.UNSATISFIABLE:
            raise
        lock = uv.resolve(wanted.needed, interpreter, wanted.bounds, preferred)
        return Lock(distributions=lock.distributions, dropped=tuple((name, str(failure)) for name in wanted.optional))
