"""Planned cells → locks, before anything is installed: an unsatisfiable cell costs a resolution and no downloads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from types import MappingProxyType

from harness import disk_space
from harness.environments.index_answers import IndexAnswers
from harness.environments.interface import FailureType, Provider, ProviderFailure
from harness.environments.interpreters import Interpreters
from harness.environments.layers import packages
from harness.environments.lock_check import contradiction_of
from harness.environments.lock_records import LOCK, UNPUBLISHED, Solved, differences, not_run, same_answer, without_build
from harness.environments.providers import Packages
from harness.environments.resolved import Resolved
from harness.environments.solve import lock_for
from harness.errors import DiskFullError, UnpublishedError, not_published
from harness.hashing import canonical, digest, digest_with
from harness.locked import Lock
from harness.matrix.plan import Planned, Requirements, exports_with_runtime, requirements
from harness.matrix.plan import packages as packages_of
from harness.matrix.schema import Matrix
from harness.model import Cell, Interpreter, Setup, Stage, StageResult, Status
from harness.packaging_values import required_name
from harness.stack import RUNTIME, tool_of

NOT_RESOLVED = "it has not been resolved yet; `run` or `plan` does that"

_PARALLEL = 8
"""Resolutions at once; they wait for the index more than they compute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Solve:
    """A solve that cells need; equal keys are equal solves."""

    key: str
    requirements: Requirements
    interpreter: Interpreter

    @property
    def unpublished_key(self) -> str:
        """The key of the version that it needs and no index has."""
        return digest(["unpublished", self.key])


class Resolver:
    """Resolves planned cells. Equal requirements are solved once, and locks that are recorded are not solved."""

    def __init__(
        self,
        matrix: Matrix,
        answers: IndexAnswers,
        provider: Provider,
        interpreters: Interpreters,
        *,
        file: str,
        ask: bool,
        dated: bool = False,
        packages: Packages = MappingProxyType({}),
    ) -> None:
        """`file` is the name of the matrix in errors; `packages` has the providers besides that of distributions of Python.

        With `dated` the provider sees the index as it was on a day that a search has chosen: a version that was published
        later has no solution there, and is no mistake in the matrix.
        Without `ask` the provider is not called, and cells without a recorded lock are not run.
        """
        self._matrix = matrix
        self._answers = answers
        self._provider = provider
        self._packages = packages
        asked: list[tuple[str | None, Provider]] = [(None, provider), *packages.items()]
        self._identities = {kind: canonical(each.identity(answers.store.root)) for kind, each in asked}
        self._interpreters = interpreters
        self._file = file
        self._ask = ask
        self._asks_anew = ask and not answers.provisional
        """Whether an index is asked about what it did not have: it may have that by now."""
        self._dated = dated
        self.changes: dict[str, list[str]] = {}
        """What differs from the recorded lock → the cells in which it was first seen."""
        self._solved: dict[str, Solved] = {}
        """Key → what needs no solving any more."""
        self._unpublished: set[str] = set()
        """Requirements `name==version` of versions that no index has."""

    def resolve(self, planned: Sequence[Planned], progress: Callable[[int, int], None]) -> list[Resolved]:
        """Resolve every cell, in parallel; `progress` receives the number of distinct solves that are done, and of all.

        Raises:
            UnpublishedError: an axis names a distribution that nobody publishes; not with `dated`.
        """
        needed = [self._solves(item) for item in planned]
        cells = {solve.key: (solve, item.cell) for item, solves in zip(planned, needed, strict=True) for solve in solves}
        solved = {key: known for key, (solve, _) in cells.items() if (known := self._known(solve, ask=self._ask))}
        progress(len(solved), len(cells))
        left = [keys for solves in needed if (keys := [solve.key for solve in solves if solve.key not in solved])]
        # The two cells that differ most ask the index for nearly everything; the others then find it in the cache.
        ends = dict.fromkeys(key for keys in (left[:1] + left[-1:]) for key in keys)
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="resolve") as pool:
            try:
                for keys in (list(ends), [key for key in cells if key not in solved and key not in ends]):
                    futures = {pool.submit(self._solve, *cells[key]): key for key in keys}
                    for future in as_completed(futures):
                        solved[futures[future]] = future.result()
                        progress(len(solved), len(cells))
            except UnpublishedError:
                # Only some cells are concerned: the caller may ask about others afterwards.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            except BaseException:
                # The other answers are of no use, and leaving the block would wait for them.
                self._provider.children.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return self._assembled(planned, needed, solved)

    def known(self, planned: Sequence[Planned]) -> list[Resolved]:
        """As `resolve`, from records alone."""
        needed = [self._solves(item) for item in planned]
        solved = {solve.key: self._known(solve, ask=False) or _UNKNOWN for solves in needed for solve in solves}
        return self._assembled(planned, needed, solved)

    def _assembled(
        self, planned: Sequence[Planned], needed: Sequence[Sequence[_Solve]], solved: Mapping[str, Solved]
    ) -> list[Resolved]:
        if self._unpublished and not self._asks_anew:
            # What a lock has is published, whatever the older record of another solve says.
            found = (solve.requirements.needed for solves in needed for solve in solves if solved[solve.key].lock)
            self._unpublished.difference_update(text.lower() for texts in found for text in texts)
        return [self._assemble(item, solves, solved) for item, solves in zip(planned, needed, strict=True)]

    def _solves(self, item: Planned) -> list[_Solve]:
        """The solves that a cell needs; none if its interpreter is missing, or what runs its packages."""
        # All exporters of the matrix: a cell has the same lock under every selection.
        exporters = frozenset(self._matrix.variants.exporters)
        solves = []
        for needed in requirements(item, self._matrix, exporters):
            program = self._program(needed, item.cell)
            if program is None:
                return []
            parts = ["lock", *needed.parts, program.version]
            key = digest_with(parts, self._identities[needed.ecosystem])
            solves.append(_Solve(key=key, requirements=needed, interpreter=program))
        return solves

    def _program(self, needed: Requirements, cell: Cell) -> Interpreter | None:
        """What runs what is `needed`: an interpreter, or the program of its packages."""
        return self._packages[needed.ecosystem].program() if needed.ecosystem else self._interpreters.find(cell.python)

    def _why_missing(self, cell: Cell) -> str:
        if self._interpreters.find(cell.python) is None:
            return self._interpreters.why_missing(cell.python)
        (needed,) = packages_of(cell)
        return self._packages[needed.ecosystem or ""].why_missing()

    def _solve(self, solve: _Solve, cell: Cell) -> Solved:
        """The provider's answer, recorded unless it is an error."""
        if not self._ask:
            return _UNKNOWN
        if missing := self._missing(solve):
            return self._without(missing, solve)
        started = time.time()
        lock, error, status = None, None, Status.WORKS
        try:
            kind = solve.requirements.ecosystem
            lock = lock_for(solve.requirements, self._packages[kind] if kind else self._provider, solve.interpreter)
        except ProviderFailure as failure:
            if failure.unpublished and not self._dated:
                name, _, version = failure.unpublished.partition("==")
                if not version:
                    raise UnpublishedError(self._file, name, version, cell.id, tool=tool_of(name)) from None
                self._unpublished.add(failure.unpublished.lower())
                return self._without((name, version), solve)
            if disk_space.says_full(str(failure)):
                raise DiskFullError(str(failure)) from None
            error = failure.failure
            status = Status.ERROR if failure.type is FailureType.INFRASTRUCTURE else Status.FAILS
        finished = time.time()
        seconds = round(finished - started, 3)
        result = StageResult(stage=Stage.RESOLVE, status=status, seconds=seconds, error=error, finished=finished)
        solved = Solved(lock=lock, result=result)
        return solved if status is Status.ERROR else self._recorded(solve.key, solved, cell)

    def _without(self, missing: tuple[str, str], solve: _Solve) -> Solved:
        """No answer, because a version is not published; recorded for commands that ask no index."""
        self._answers.put(UNPUBLISHED, solve.unpublished_key, missing)
        return _UNKNOWN

    def _missing(self, solve: _Solve) -> tuple[str, str] | None:
        """The distribution and its version that `solve` needs and no index has, or None."""
        found = next((text for text in solve.requirements.needed if text.lower() in self._unpublished), None)
        return (required_name(found), found.partition("==")[2]) if found else None

    def _recorded(self, key: str, solved: Solved, cell: Cell) -> Solved:
        """`solved`, after it is recorded, and compared with the record that it replaces."""
        before = self._answers.before(LOCK, key)
        if before is not None and before.foreign and same_answer(before, solved):
            # Confirmed: it keeps its times, so that a report stays the same.
            solved = replace(before, foreign=False)
        self._solved[key] = solved
        self._answers.put(LOCK, key, solved)
        if before is not None and (changes := differences(before, solved)):
            self.changes.setdefault(changes, []).append(cell.id)
        return solved

    def _known(self, solve: _Solve, *, ask: bool) -> Solved | None:
        """What this resolver has solved, or the record (see `IndexAnswers.get`) if that answers the question."""

        def usable(recorded: Solved, key: str) -> bool:
            if problem := contradiction_of(recorded, solve.requirements, solve.interpreter):
                self._answers.store.doubt(key, problem)
            # A command that may ask may also install, and does not install from a foreign lock.
            return not problem and not (recorded.foreign and self._ask)

        if solve.key in self._solved:
            return self._solved[solve.key]
        recorded = self._answers.get(LOCK, solve.key, ask=ask, usable=usable)
        if recorded is not None and ask == self._ask:
            self._solved[solve.key] = recorded
        if recorded is None and not self._asks_anew:
            missing = self._answers.get(UNPUBLISHED, solve.unpublished_key, ask=ask)
            self._unpublished |= {"==".join(missing).lower()} if missing else set()
        return recorded

    def _assemble(self, item: Planned, solves: Sequence[_Solve], solved: Mapping[str, Solved]) -> Resolved:
        if not solves:
            return Resolved(planned=item, interpreter=None, result=not_run(self._why_missing(item.cell)))
        interpreter = solves[0].interpreter
        sides = [solved[solve.key] for solve in solves]
        locks = [side.lock for side in sides if side.lock is not None]
        if len(locks) < len(sides):
            if missing := next(filter(None, map(self._missing, solves)), None):
                result = not_run(not_published(*missing, tool_of(missing[0])))
                return Resolved(planned=item, interpreter=interpreter, result=result, unpublished=missing)
            ends = [without_build(side.result) for side in sides if side.lock is None]
            failed = next((result for result in ends if result.status is not Status.NOT_RUN), ends[0])
            return Resolved(planned=item, interpreter=interpreter, result=failed)
        with_runtime = exports_with_runtime(item.cell, self._matrix)
        export, run, *others = locks if item.cell.setup is Setup.HANDOFF else _split(locks[0], item, with_runtime=with_runtime)
        runtime = item.cell.runtime
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
            packages=packages(runtime.name, solves[-1].interpreter, others[0]) if runtime and others else None,
            dropped=tuple(entry for lock in locks for entry in lock.dropped),
            foreign=any(side.foreign for side in sides),
        )


_UNKNOWN = Solved(lock=None, result=not_run(NOT_RESOLVED))


def _split(lock: Lock, planned: Planned, *, with_runtime: bool) -> tuple[Lock, Lock]:
    """(what the export process can import, what the run process can).

    The first has onnxruntime only `with_runtime`; the second has no torch.
    """
    to_run = {required_name(text) for side, text in planned.added if side == "run"}
    first = {pinned.name for pinned in lock.distributions if not pinned.via} - to_run
    roots = frozenset(first | set(dict(planned.cell.pins)) | {"numpy"})
    if not with_runtime:
        roots -= {RUNTIME}
    return lock.closure(roots), lock.closure(frozenset({RUNTIME, "numpy", *to_run}))
