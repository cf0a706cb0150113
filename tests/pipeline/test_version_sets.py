"""What a set installs: files that limit without requiring, locks with markers and extras."""

from __future__ import annotations

import json

import packages
import pytest
from project import PYTHON, Project

pytestmark = pytest.mark.usefixtures("installed_once")

FOUR = {"torch": "2.1.0", "transformers": "4.46.3", "onnx": "1.16.2", "onnxruntime": "1.16.3"}


@pytest.fixture
def project(tmp_path) -> Project:
    """transformers 4.47 and `extrathing`, an axis, do not go together; `needy` needs `extrathing`."""
    made = Project.working(tmp_path)
    made.publish(
        packages.package("extrathing", "0.1.0", requires=("transformers<4.47",)),
        packages.package("extrathing", "0.2.0"),
        packages.transformers("4.47.0"),
        packages.transformers("4.48.0", requires=("tokenizers", "extrathing")),
    )
    made.configure({"extrathing": ["absent", "0.1.0"]})
    return made


def checked(project: Project, name: str, text: str, *arguments: str, code: int = 0):
    path = project.root / name
    path.write_text(text)
    answer = project.main("check", "--from", str(path), "--quiet", "--format", "json", *arguments)
    assert answer.code == code, answer.err + answer.out
    return json.loads(answer.out)


def pinned(versions: dict[str, str]) -> str:
    return "".join(f"{name}=={version}\n" for name, version in versions.items())


def test_an_axis_that_is_only_limited_is_absent(project):
    (project.root / "limits.txt").write_text("extrathing==0.1.0\n")
    told = checked(project, "r.txt", pinned(FOUR) + "-c limits.txt\n", "--python", PYTHON, "--to", "transformers==4.47.0")
    assert told["answer"] == "SAFE"
    assert told["current"]["pins"] == FOUR
    assert "extrathing" not in told["current"]["resolved"]


def test_a_limit_holds_for_what_something_else_brings_in(project):
    """4.48 requires extrathing; its 0.1.0 does not go with it, and to let go of the limit mends it."""
    (project.root / "limits.txt").write_text("extrathing==0.1.0\n")
    told = checked(
        project, "r.txt", pinned(FOUR) + "-c limits.txt\n", "--python", PYTHON, "--to", "transformers==4.48.0", code=1
    )
    (upgrade,) = told["upgrades"]
    assert upgrade["lost"][0]["stage"] == "resolve"
    assert upgrade["mend"]["change"] == "extrathing 0.2.0 as well (the set says extrathing==0.1.0)"


def test_a_limit_on_what_every_cell_has_is_its_version(project):
    """A project that requires one distribution, with a constraints file that freezes all."""
    project.publish(packages.transformers("4.46.4"))
    (project.root / "frozen.txt").write_text(pinned({**FOUR, "numpy": "1.26.4"}))
    told = checked(project, "r.txt", "transformers\n-c frozen.txt\n", "--python", PYTHON)
    assert told["current"]["pins"] == FOUR
    assert told["current"]["resolved"]["numpy"] == "1.26.4"
