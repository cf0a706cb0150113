"""Cells → locks, through a provider that answers from a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from values import PYTHON

from harness.environments.index_answers import IndexAnswers
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.lock_records import LOCK
from harness.environments.resolver import NOT_RESOLVED, Resolver
from harness.errors import DiskFullError, UnpublishedError
from harness.locked import Lock, LockedDistribution
from harness.matrix.plan import Planned
from harness.matrix.schema import Matrix
from harness.model import Cell, Interpreter, Setup, Status
from harness.store.store import Store
from harness.subprocesses import Supervisor

AXES = {"python": ["3.11"], "torch": ["2.6.0"], "transformers": ["4.46.3"], "onnx": ["1.16.2"], "onnxruntime": ["1.16.3"]}
MATRIX = Matrix.model_validate({"axes": AXES})
UNPUBLISHED_TORCH = ProviderFailure(FailureType.UNSATISFIABLE, "no", unpublished="torch==2.9.9")
NO_SOLUTION = ProviderFailure(FailureType.UNSATISFIABLE, "No solution found")


class Interpreters:
    def __init__(self, found: Interpreter | None) -> None:
        self._found = found

    def find(self, _version: str) -> Interpreter | None:
        return self._found

    def why_missing(self, version: str) -> str:
        return f"no CPython {version} on this machine"


class Provider:
    """Every requirement is a distribution; those without a version have `versions`, or 1.0."""

    def __init__(self) -> None:
        self.children = Supervisor()
        self.versions: dict[str, str] = {}
        self.failures: dict[str, ProviderFailure] = {}
        """Requirement → failure of each solve with it; the first of several."""
        self.solves: list[list[str]] = []

    def identity(self, _store: Path) -> list[object]:
        return ["a table"]

    def resolve(self, requirements, _python, _bounds=(), _preferred=None, _overrides=()) -> Lock:
        self.solves.append(list(requirements))
        for requirement, failure in self.failures.items():
            if requirement in requirements:
                raise failure
        names = (requirement.partition("==") for requirement in requirements)
        return Lock(
            distributions=tuple(
                LockedDistribution(name=name, version=version or self.versions.get(name, "1.0")) for name, _, version in names
            )
        )


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def resolver(store: Store, provider: Any, *, ask: bool = True, refresh: bool = False, here: Interpreter | None = PYTHON):
    answers = IndexAnswers(store, refresh=refresh)
    return Resolver(MATRIX, answers, provider, Interpreters(here), file="matrix.toml", ask=ask)


def cell(setup: Setup = Setup.TOGETHER, **pins: str) -> Planned:
    versions = {axis: values[0] for axis, values in AXES.items() if axis != "python"} | pins
    return Planned(cell=Cell(id=str(pins), python="3.11", pins=tuple(versions.items()), setup=setup), variants=())


def resolve(resolver: Resolver, *planned: Planned):
    return resolver.resolve(planned, lambda _done, _all: None)


def test_equal_requirements_are_solved_once_and_recorded(store, provider):
    first, second = resolve(resolver(store, provider), cell(), cell())
    assert first.result.status is Status.WORKS
    assert first.lock == second.lock
    assert len(provider.solves) == 1
    (again,) = resolve(resolver(store, provider), cell())
    assert again.lock == first.lock
    assert len(provider.solves) == 1


def test_the_sides_of_a_together_cell_are_parts_of_one_lock_and_those_of_a_handoff_have_their_own(store, provider):
    (together,) = resolve(resolver(store, provider), cell())
    assert "onnxruntime" not in together.export.versions
    assert set(together.run.versions) == {"onnxruntime", "numpy"}
    assert together.sides == {}
    (handoff,) = resolve(resolver(store, provider), cell(Setup.HANDOFF))
    assert len(provider.solves) == 1 + 2
    assert set(handoff.sides) == {"export", "run"}


def test_an_optional_requirement_without_a_solution_is_dropped(store, provider):
    provider.failures["onnxscript"] = NO_SOLUTION
    (resolved,) = resolve(resolver(store, provider), cell())
    assert resolved.result.status is Status.WORKS
    assert resolved.dropped == (("onnxscript", "No solution found"),)
    assert "onnxscript" not in resolved.lock.versions


@pytest.mark.parametrize(
    ("type_", "status", "solves"), [(FailureType.UNSATISFIABLE, Status.FAILS, 0), (FailureType.INFRASTRUCTURE, Status.ERROR, 1)]
)
def test_a_fact_is_recorded_and_an_error_is_asked_again(store, provider, type_, status, solves):
    provider.failures["torch==2.6.0"] = ProviderFailure(type_, "no")
    (resolved,) = resolve(resolver(store, provider), cell())
    assert (resolved.result.status, resolved.result.error.type, resolved.lock) == (status, type_.value, None)
    before = len(provider.solves)
    resolve(resolver(store, provider), cell())
    assert len(provider.solves) == before + solves


def test_a_version_that_was_published_after_the_day_of_a_search_has_no_solution(store, provider):
    """It is no mistake in the matrix, and must not end the run."""
    provider.failures["torch==2.6.0"] = ProviderFailure(FailureType.UNSATISFIABLE, "no", unpublished="torch==2.6.0")
    dated = Resolver(MATRIX, IndexAnswers(store), provider, Interpreters(PYTHON), file="matrix.toml", ask=True, dated=True)
    (found,) = resolve(dated, cell())
    assert (found.lock, found.result.status) == (None, Status.FAILS)


def test_a_distribution_that_nobody_publishes_names_the_axis(store, provider):
    provider.failures["torch==2.6.0"] = ProviderFailure(FailureType.UNSATISFIABLE, "no", unpublished="torch")
    provider.failures["onnxscript"] = NO_SOLUTION
    with pytest.raises(UnpublishedError, match=r"axes\.torch: no index that uv searched has a distribution named 'torch'"):
        resolve(resolver(store, provider), cell())


def test_a_version_that_is_not_published_costs_its_cells_and_is_asked_for_once(store, provider):
    provider.failures["torch==2.9.9"] = UNPUBLISHED_TORCH
    planned = [cell(torch="2.9.9"), cell(), cell(torch="2.9.9", onnx="1.17.0"), cell(Setup.HANDOFF, torch="2.9.9")]
    found = resolve(resolver(store, provider), *planned)
    assert [item.unpublished for item in found] == [("torch", "2.9.9"), None, ("torch", "2.9.9"), ("torch", "2.9.9")]
    assert [item.result.status for item in found] == [Status.NOT_RUN, Status.WORKS, Status.NOT_RUN, Status.NOT_RUN]
    assert found[0].result.data["reason"] == "torch 2.9.9 is not published where uv looked"
    # The first and the last cell are asked about side by side.
    assert 1 <= sum("torch==2.9.9" in needed and "onnxscript" in needed for needed in provider.solves) <= 2
    assert not any("onnx==1.17.0" in needed for needed in provider.solves)


def test_a_cell_with_an_unpublished_version_proves_nothing_also_where_the_provider_names_a_conflict(store, provider):
    provider.failures = {"onnx==1.17.0": NO_SOLUTION, "torch==2.9.9": UNPUBLISHED_TORCH}
    first, second = cell(torch="2.9.9"), cell(torch="2.9.9", onnx="1.17.0")
    (alone,) = resolve(resolver(store, provider), second)
    assert alone.result.status is Status.FAILS
    assert [item.unpublished for item in resolve(resolver(store, provider), first, second)] == [("torch", "2.9.9")] * 2


def test_a_command_that_asks_no_index_knows_what_is_not_published_and_another_asks_again(store, provider):
    provider.failures["torch==2.9.9"] = UNPUBLISHED_TORCH
    resolve(resolver(store, provider), cell(torch="2.9.9"))
    for ask in (False, True):
        answers = IndexAnswers(store, provisional=ask)
        without = Resolver(MATRIX, answers, provider, Interpreters(PYTHON), file="matrix.toml", ask=ask)
        (known,) = resolve(without, cell(torch="2.9.9"))
        assert known.unpublished == ("torch", "2.9.9")
    assert len(provider.solves) == 2
    provider.failures.clear()
    (now,) = resolve(resolver(store, provider), cell(torch="2.9.9"))
    assert now.result.status is Status.WORKS
    assert resolver(store, provider, ask=False).known([cell(torch="2.9.9")]) == [now]


def test_what_was_published_since_is_not_called_unpublished_in_cells_that_were_not_resolved_again(store, provider):
    provider.failures["torch==2.9.9"] = UNPUBLISHED_TORCH
    first, second = cell(torch="2.9.9"), cell(torch="2.9.9", onnx="1.17.0")
    resolve(resolver(store, provider), first, second)
    provider.failures.clear()
    resolve(resolver(store, provider), first)
    found = resolver(store, provider, ask=False).known([first, second])
    assert [item.unpublished for item in found] == [None, None]
    assert found[1].result.data["reason"] == NOT_RESOLVED


def test_a_full_disk_ends_it(store, provider):
    provider.failures["torch==2.6.0"] = ProviderFailure(FailureType.INFRASTRUCTURE, "No space left on device")
    with pytest.raises(DiskFullError):
        resolve(resolver(store, provider), cell())


def test_without_asking_only_what_is_recorded_is_known(store, provider):
    (unknown,) = resolve(resolver(store, provider, ask=False), cell())
    assert (unknown.result.status, unknown.result.data["reason"]) == (Status.NOT_RUN, NOT_RESOLVED)
    (known,) = resolve(resolver(store, provider), cell())
    assert resolver(store, provider, ask=False).known([cell()]) == [known]
    assert len(provider.solves) == 1


def test_a_refresh_solves_anew_and_says_what_moved(store, provider):
    resolve(resolver(store, provider), cell())
    provider.versions["numpy"] = "2.0"
    anew = resolver(store, provider, refresh=True)
    (resolved,) = resolve(anew, cell())
    assert resolved.lock.versions["numpy"] == "2.0"
    assert anew.changes == {"numpy 1.0 → 2.0": [cell().cell.id]}


def test_a_foreign_lock_is_solved_again_before_anything_is_installed_from_it(store, provider):
    (own,) = resolve(resolver(store, provider), cell())
    (path,) = (store.root / "results").glob("*/*.json")
    record = store.get(LOCK, path.stem)
    store.put(LOCK, path.stem, replace(record, foreign=True))
    (reported,) = resolver(store, provider, ask=False).known([cell()])
    assert reported.foreign
    (again,) = resolve(resolver(store, provider), cell())
    assert len(provider.solves) == 2
    assert (again.foreign, again.lock, again.result) == (False, own.lock, own.result)
    assert store.get(LOCK, path.stem) == record


def test_a_recorded_lock_that_is_no_answer_is_noted_and_solved_again(tmp_path, provider):
    notes: list[str] = []
    store = Store(tmp_path, note=notes.append)
    resolve(resolver(store, provider), cell())
    (path,) = (store.root / "results").glob("*/*.json")
    record = store.get(LOCK, path.stem)
    lock = Lock(distributions=tuple(replace(pinned, version="9.9") for pinned in record.lock.distributions))
    store.put(LOCK, path.stem, replace(record, lock=lock))
    (resolved,) = resolve(resolver(store, provider), cell())
    assert resolved.lock.versions["torch"] == "2.6.0"
    (note,) = notes
    assert "is required" in note


def test_a_cell_without_an_interpreter_is_not_run(store, provider):
    (resolved,) = resolve(resolver(store, provider, here=None), cell())
    assert resolved.result.status is Status.NOT_RUN
    assert resolved.result.data["reason"] == "no CPython 3.11 on this machine"
    assert provider.solves == []
