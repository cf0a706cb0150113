"""The answers of a provider as the store keeps them: a lock, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import (
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
)

from harness.environments.npm import lockfile
from harness.environments.uv.errors import needs_build
from harness.locked import Lock, PackageLock
from harness.model import Stage, StageResult, Status
from harness.packaging_values import DistributionName, ExactVersion
from harness.stage_data import CheckedResult
from harness.store.envelope import RecordKind

READERS: Mapping[str, Callable[[str], PackageLock]] = {"npm": lockfile.parse}
"""Kind of packages → the reader of its lock file."""


FILES: Mapping[str, Callable[[PackageLock], dict[str, str]]] = {"npm": lockfile.files}
"""Kind of packages → the files from which its tool installs a lock."""


def package_files(lock: Lock) -> dict[str, str]:
    """Name → text of the files from which the packages of `lock` are installed; none of a lock of distributions of Python."""
    return FILES[lock.kind](lock) if isinstance(lock, PackageLock) else {}


def _read(value: object, read: ValidatorFunctionWrapHandler) -> Lock:
    """A lock of distributions of Python as it is; of other packages `{kind: lock file}`."""
    if isinstance(value, dict) and len(value) == 1 and (kind := next(iter(value))) in READERS:
        if not isinstance(text := value[kind], str):
            raise ValueError(f"expected the lock file of {kind}")
        return READERS[kind](text)
    lock: Lock = read(value)
    return lock


def _written(lock: Lock, write: SerializerFunctionWrapHandler) -> object:
    return {lock.kind: lock.text} if isinstance(lock, PackageLock) else write(lock)


RecordedLock = Annotated[Lock, WrapValidator(_read), WrapSerializer(_written)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Solved:
    """The answer of a solve."""

    lock: RecordedLock | None
    result: CheckedResult
    foreign: bool = False
    """Whether it was merged from another store and not solved here since."""


LOCK = RecordKind(name="lock", adapter=TypeAdapter(Solved))

UNPUBLISHED = RecordKind(name="unpublished", adapter=TypeAdapter(tuple[DistributionName, ExactVersion]))
"""Why a solve has no answer: a distribution and the version of it that no index had. A run that asks an index solves again."""


def not_run(reason: str) -> StageResult:
    """The stage `resolve`, of which nothing is known."""
    return StageResult(stage=Stage.RESOLVE, status=Status.NOT_RUN, data={"reason": reason})


def without_build(result: StageResult) -> StageResult:
    """`result`, or that nothing is known, where a set was refused only because nothing is built from source."""
    why = needs_build(result.problem) if result.status is Status.FAILS else None
    return not_run(why) if why else result


def same_answer(solved: Solved, other: Solved) -> bool:
    """Whether they differ in nothing but times."""
    timeless = replace(other.result, seconds=solved.result.seconds, finished=solved.result.finished)
    return solved.lock == other.lock and solved.result == timeless


def differences(before: Solved, now: Solved) -> str:
    """The differences between two solutions of the same requirements: `numpy 2.1.0 → 2.2.0, certifi gone`."""
    old, new = ({} if solved.lock is None else solved.lock.versions for solved in (before, now))
    if not old or not new:
        return "" if old == new else "it has a solution now" if new else "it has no solution any more"
    return ", ".join(
        f"{name} {old[name]} → {new[name]}" if name in old and name in new else f"{name} {'gone' if name in old else new[name]}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
