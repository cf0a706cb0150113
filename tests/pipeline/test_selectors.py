"""Selectors are resolved against the index, recorded, and mean the same cells tomorrow."""

from __future__ import annotations

import json
from dataclasses import replace

import packages
import pytest
from project import PYTHON, Project

from harness.environments import interpreters
from harness.environments.uv.client import Uv

pytestmark = pytest.mark.usefixtures("installed_once")

VERSIONS = ["1.0.0", "1.0.1", "1.9.0", "1.10.0", "1.10.2", "2.0.0", "2.1.0", "2.1.1rc1", "3.0.0"]


@pytest.fixture
def many(project: Project) -> Project:
    """A project with a third-party axis of many versions."""
    project.publish(*(packages.package("optimum", version) for version in VERSIONS))
    return project


def planned(project: Project, selector: str) -> list[str]:
    project.configure({"optimum": [selector]})
    # What is printed: where nothing was observed, the report of an earlier run stays.
    axes: list[str] = json.loads(project.main("report", "--format", "json").out)["axes"]["optimum"]
    return axes


@pytest.mark.parametrize(
    ("selector", "versions"),
    [
        ("; latest", ["3.0.0"]),
        (">=1,<3; latest", ["2.1.0"]),
        (">=1,<3; latest-per-major", ["1.10.2", "2.1.0"]),
        (">=1,<3; latest-per-minor", ["1.0.1", "1.9.0", "1.10.2", "2.0.0", "2.1.0"]),
        (">=1.9,<2; all", ["1.9.0", "1.10.0", "1.10.2"]),
        ("==1.10.*; all", ["1.10.0", "1.10.2"]),
        ("~=1.9; latest-per-minor", ["1.9.0", "1.10.2"]),
        ("!=1.10.2,<2; latest", ["1.10.0"]),
        ("; oldest", ["1.0.0"]),
        (">1.0.0,<3; oldest", ["1.0.1"]),
        ("!=1.9.0,>1.0.1; oldest", ["1.10.0"]),
    ],
)
def test_a_selector_names_published_versions_oldest_first(many, selector, versions):
    many.configure({"optimum": [selector]})
    assert many.main("plan").code == 0
    assert planned(many, selector) == versions


@pytest.mark.parametrize(
    ("selector", "versions"),
    [
        (">=1!0; latest-per-minor", ["1!1.0.0", "1!1.1.1", "1!2.0.0"]),
        (">=2; latest-per-major", ["2.1.0", "3.0.0", "1!1.1.1", "1!2.0.0"]),
        (">=3; all", ["3.0.0", "1!1.0.0", "1!1.1.0", "1!1.1.1", "1!2.0.0"]),
    ],
)
def test_versions_of_a_later_epoch(many, selector, versions):
    many.publish(*(packages.package("optimum", version) for version in ("1!1.0.0", "1!1.1.0", "1!1.1.1", "1!2.0.0")))
    many.configure({"optimum": [selector]})
    assert many.main("plan").code == 0
    assert planned(many, selector) == versions


def test_the_oldest_is_the_oldest_that_can_be_installed_here(many):
    many.publish(packages.package("optimum", "0.9.0", tag="cp27-none-any"))
    many.configure({"optimum": [">=0.5,<1.9; oldest", "2.0.0"]})
    assert [cell["pins"]["optimum"] for cell in many.run().values()] == ["1.0.0", "2.0.0"]
    many.configure({"optimum": [">3; oldest"]})
    assert "no published version of optimum satisfies '>3'" in many.main("plan").err


def test_exact_versions_and_selectors_mix_without_repeating(many):
    many.configure({"optimum": ["2.1.0", ">=1,<3; latest-per-major"]})
    cells = many.run()
    assert [cell["pins"]["optimum"] for cell in cells.values()] == ["2.1.0", "1.10.2"]


def test_a_version_that_is_written_otherwise_is_the_same(many):
    many.configure({"optimum": ["2.1", ">=1,<3; latest-per-major"]})
    cells = many.run()
    assert [cell["pins"]["optimum"] for cell in cells.values()] == ["2.1", "1.10.2"]


def test_a_selector_is_recorded_until_it_is_refreshed(many):
    many.configure({"optimum": ["; latest"]})
    many.run()
    many.publish(packages.package("optimum", "4.0.0"))
    assert [cell["pins"]["optimum"] for cell in many.run().values()] == ["3.0.0"]
    assert [cell["pins"]["optimum"] for cell in many.run("--refresh").values()] == ["4.0.0"]


def test_another_index_is_asked_anew(many):
    many.configure({"optimum": ["; latest"]})
    many.run()
    more = many.root / "more"
    more.mkdir()
    packages.package("optimum", "4.0.0").write(more)
    sources = {"no-index": True, "find-links": [str(many.index), str(more)], "torch-backend": "default"}
    many.configure({"optimum": ["; latest"]}, uv=sources)
    assert [cell["pins"]["optimum"] for cell in many.run().values()] == ["4.0.0"]


def test_versions_without_a_wheel_for_the_python_are_not_offered(many):
    many.publish(packages.package("optimum", "5.0.0", tag="cp27-cp27m-win32"))
    many.configure({"optimum": ["; latest"]})
    assert [cell["pins"]["optimum"] for cell in many.run().values()] == ["3.0.0"]


def test_another_python_is_asked_about_anew(many, monkeypatch):
    many.configure({"optimum": ["; latest"]})
    many.run()
    many.publish(packages.package("optimum", "4.0.0"))
    choose = interpreters.choose
    # Only its version is another: the tests cannot count on a second interpreter.
    monkeypatch.setattr(interpreters, "choose", lambda *given: replace(choose(*given), version=f"{PYTHON}.99"))
    assert many.main("plan").code == 0
    assert planned(many, "; latest") == ["4.0.0"]
    monkeypatch.undo()
    monkeypatch.setattr(Uv, "newest", None)
    assert planned(many, "; latest") == ["3.0.0"]


@pytest.mark.parametrize("text", ["{", "{}", "[]", "[1]"])
def test_a_damaged_record_is_made_again(many, text):
    many.configure({"optimum": ["; latest"]}, uv={"no-index": True, "find-links": [many.index.name]})
    many.run()
    for path in (many.store / "results").rglob("*.json"):
        path.write_text(text)
    assert [cell["pins"]["optimum"] for cell in many.run().values()] == ["3.0.0"]
