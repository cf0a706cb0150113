"""Which sets a bisection runs, and what it says of them."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from values import PAIR, PINS, PYTHON, result

from harness.decide.bisect import Bisect
from harness.decide.bisected import Bisected
from harness.decide.experiments import Experiments
from harness.decide.version_sets import Versions
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.resolved import Resolved
from harness.locked import Lock, LockedDistribution
from harness.matrix.schema import Matrix
from harness.model import Stage, StageResult, Status
from harness.verdicts.judge import VariantVerdict, Verdict

NUMPY = ["1.26.4", "1.26.5", "1.26.6", "2.0.0", "2.0.1", "2.1.0"]


class Index:
    """numpy and a helper; a solve has what is asked for exactly, what is preferred where there is room, else the newest."""

    def __init__(self, helpers: dict[str, str], dates: dict[str, dt.datetime] | ProviderFailure | None = None) -> None:
        """`helpers`: version → the numpy that it needs."""
        self._helpers = helpers
        self._dates = dates or {}

    def resolve(self, _needed, _python, bounds, preferred=None, _overrides=()) -> Lock:
        asked = [Requirement(text) for text in bounds]
        liked = preferred.versions if preferred else {}
        able = [
            {"numpy": numpy, "helper": helper}
            for numpy in NUMPY
            for helper, needs in self._helpers.items()
            if numpy in Requirement(f"numpy{needs}").specifier
        ]
        able = [one for one in able if all(one[bound.name] in bound.specifier for bound in asked)]
        if not able:
            raise ProviderFailure(FailureType.UNSATISFIABLE, "no solution")
        # As a resolver does: one distribution after the other.
        best = max(able, key=lambda one: [(one[name] == liked.get(name), Version(one[name])) for name in ("helper", "numpy")])
        return locked(best)

    def released(self, _name, version, _python):
        if isinstance(self._dates, ProviderFailure):
            raise self._dates
        return self._dates.get(version)


def locked(versions: dict[str, str]) -> Lock:
    return Lock(distributions=tuple(LockedDistribution(name=name, version=version) for name, version in versions.items()))


class FakeRuns:
    """Judges a set by `end`, a function of its versions; keeps the versions that it ran."""

    def __init__(self, index: Index, end) -> None:
        self._index, self._end = index, end
        self.ran: list[dict[str, str]] = []

    def run(self, _session, planned):
        return [self._one(one) for one in planned]

    def _one(self, planned) -> Verdict:
        pins = dict(planned.cell.pins)
        try:
            lock = locked({**pins, **self._index.resolve([], PYTHON, planned.bounds).versions})
            last = self._end(lock.versions)
        except ProviderFailure as failure:
            lock, last = None, result(Stage.RESOLVE, Status.FAILS, str(failure))
        self.ran.append(lock.versions if lock else {})
        resolved = Resolved(planned=planned, interpreter=PYTHON, result=result(Stage.RESOLVE), export=lock, run=lock)
        return Verdict(
            resolved=resolved,
            status=last.status,
            variants=(VariantVerdict(variant=PAIR, status=last.status, results=(last,)),),
        )


def fails(stage: Stage = Stage.LOAD, status: Status = Status.FAILS) -> StageResult:
    return result(stage, status, "no")


@pytest.fixture
def search(monkeypatch):
    """Bisects between the four pins with these versions besides."""
    matrix = Matrix.model_validate({"axes": {"python": ["3.11"], **{name: [version] for name, version in PINS.items()}}})

    def between(name, bounds, _policy, _versions):
        specifier = Requirement(f"{name}{bounds}").specifier
        return [one for one in NUMPY if name == "numpy" and one in specifier]

    def searched(index: Index, end, good: dict[str, str], bad: dict[str, str], suspect=None) -> tuple[Bisected, FakeRuns]:
        fake = FakeRuns(index, end)
        session = SimpleNamespace(
            matrix=matrix,
            uv=index,
            provider=lambda _, python: (index, python),
            answers=None,
            settings=SimpleNamespace(jobs=1),
            interpreter=lambda _: PYTHON,
            acts=True,
        )
        monkeypatch.setattr("harness.execution.extra_cells.run", fake.run)
        found = Resolved(planned=None, interpreter=PYTHON, result=result(Stage.RESOLVE))
        monkeypatch.setattr("harness.execution.extra_cells.ExtraCells.resolved", lambda *_: [found])
        experiments = Experiments(session, (PAIR,))
        monkeypatch.setattr(experiments, "between", between)
        ends = [Versions(source=said, python="3.11", exact={**PINS, **exact}) for said, exact in (("good", good), ("bad", bad))]
        return Bisect(experiments, lambda _event: None).search(*ends, suspect), fake

    return searched


ANYTHING = Index({"1.0": ""})


def suspects(found: Bisected) -> list[str]:
    return [f"{one.name} {one.version}" for one in found.suspects]


def numpy_2_breaks(versions: dict[str, str]) -> StageResult:
    return fails() if Version(versions["numpy"]) >= Version("2") else result(Stage.PARITY)


def test_the_release_that_is_asked_about_is_the_one_that_is_run(search):
    """The helper of the good set has no room for numpy 2: it is the helper that moves, and never numpy."""
    good, bad = {"numpy": "1.26.4", "helper": "1.0"}, {"numpy": "2.1.0", "helper": "2.0"}
    found, fake = search(Index({"1.0": "<2", "2.0": ""}), numpy_2_breaks, good, bad, "numpy")
    assert suspects(found) == ["numpy 2.0.0"]
    assert found.last_good.versions.exact["numpy"] == "1.26.6"
    assert found.first_bad.versions.exact | {"numpy": "2.0.0", "helper": "2.0"} == found.first_bad.versions.exact
    assert [str(one) for one in found.along] == ["helper 1.0 → 2.0"]
    assert found.probes == len(fake.ran) - 2


def test_what_is_written_otherwise_does_not_differ(search):
    found, fake = search(ANYTHING, numpy_2_breaks, {"onnx": "1.16", "numpy": "1.26.4"}, {"onnx": "1.16.0", "numpy": "2.1.0"})
    assert suspects(found) == ["numpy 2.0.0"]
    assert found.how == ("yanked releases were not searched, nor were pre-releases",)
    assert {versions["numpy"] for versions in fake.ran} == {"1.26.4", "1.26.6", "2.0.0", "2.1.0"}


def test_what_no_solution_has_room_for_is_not_said_to_work(search):
    """Nothing has room for numpy 2, so neither does the bad end: the first such release is the answer."""
    index = Index({"1.0": "<2"})
    good, bad = {"numpy": "1.26.4", "helper": "1.0"}, {"numpy": "2.1.0", "helper": "1.0"}
    found, fake = search(index, lambda _versions: result(Stage.PARITY), good, bad, "numpy")
    assert suspects(found) == ["numpy 2.0.0"]
    assert [one["numpy"] for one in fake.ran if "numpy" in one] == ["1.26.4", "1.26.6"]
    assert found.lost[0].last.stage is Stage.RESOLVE


def test_a_suspect_whose_trial_was_an_error_is_not_acquitted(search):
    def end(versions):
        if versions["torch"] == "2.6.0":
            return fails(status=Status.ERROR) if versions["numpy"] == "1.26.4" else fails()
        return result(Stage.PARITY)

    found, _ = search(ANYTHING, end, {"numpy": "1.26.4"}, {"numpy": "2.1.0", "torch": "2.6.0"}, "torch")
    assert found.how[0] == "whether torch alone breaks it is unknown (error at load: no): all that differs was searched"
    assert suspects(found) == ["torch 2.6.0", "numpy 2.1.0"]
    assert found.unproven


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (None, "the index gives no dates"),
        (ProviderFailure(FailureType.UNSATISFIABLE, "no wheel"), "the index gives no dates"),
        (
            ProviderFailure(FailureType.INFRASTRUCTURE, "it is away"),
            "the dates could not be asked for (numpy 2.1.0 cannot be looked up: it is away)",
        ),
    ],
)
def test_no_answer_is_told_from_no_date(search, dates, said):
    """torch alone is innocent, so all that differs is one history."""
    found, _ = search(
        Index({"1.0": ""}, dates), numpy_2_breaks, {"numpy": "1.26.4"}, {"numpy": "2.1.0", "torch": "2.6.0"}, "torch"
    )
    assert found.how[0] == "torch alone does not break it, or not in this way: all that differs was searched"
    assert found.how[1].endswith(", so one distribution was moved after the other")
    # Of two releases that are asked about at once, either is the first.
    assert found.how[1].replace("torch 2.6.0", "numpy 2.1.0").startswith(said)
    assert suspects(found) == ["numpy 2.0.0"]
