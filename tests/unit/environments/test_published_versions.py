"""Which versions are published, as indexes answered and as the store remembers it."""

from __future__ import annotations

from types import SimpleNamespace

from packaging.specifiers import SpecifierSet

from harness.environments import published_versions
from harness.environments.index_answers import IndexAnswers
from harness.model import Interpreter
from harness.store.store import Store

VERSIONS = ["1.0", "1.1", "1.1.1", "1.2"]
PYTHON = Interpreter(version="3.11.7", path="/python")


def provider(asked: list[str]):
    """An index with `VERSIONS`; `asked` receives each question."""

    def newest(name: str, bounds: str, _python: Interpreter) -> str | None:
        asked.append(f"{name}{bounds}")
        return next((version for version in reversed(VERSIONS) if version in SpecifierSet(bounds)), None)

    return SimpleNamespace(newest=newest, identity=lambda _store: ["index"], offline=False, asks_index=True)


def test_a_selector_and_what_lies_between_two_versions_have_records_of_their_own(tmp_path):
    """Also where their words are the same."""
    notes: list[str] = []
    answers = IndexAnswers(Store(tmp_path, note=notes.append))
    asked: list[str] = []
    index = provider(asked)
    for _ in range(2):
        found = published_versions.published("onnx", ">=1.0,!=1.0,<1.2; all", answers, index, PYTHON)
        assert found == ["1.1", "1.1.1"]
        between = published_versions.between(
            "onnx", ("1.0", "1.2"), "all", answers=answers, provider=index, python=PYTHON, ask=True
        )
        assert between == ["1.1", "1.1.1"]
    assert notes == []
    # Three questions for each of the two, once.
    assert len(asked) == 6
