"""What a set installs: files that limit without requiring, locks with markers and extras."""

from __future__ import annotations

import json
import subprocess
import sys

import packages
import pytest
from packaging.requirements import Requirement
from project import PYTHON, Project

from harness.decide import version_files
from harness.environments.uv.command import find_uv

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


LOCKED = {
    "of another platform": """
        dependencies = ["torch==2.1.0", "extrathing==0.1.0; sys_platform == 'win32'"]""",
    "of another platform, by way of another": """
        dependencies = ["torch==2.1.0", "sometimes"]""",
    "a version for each platform": """
        dependencies = ["extrathing==0.1.0; sys_platform == 'win32'", "extrathing==0.2.0; sys_platform != 'win32'"]""",
    "an extra": """
        dependencies = ["torch==2.1.0"]
        optional-dependencies.more = ["extrathing==0.1.0"]""",
    "an extra of a dependency": """
        dependencies = ["sometimes[more]"]""",
    "extras that conflict": """
        dependencies = ["transformers"]
        optional-dependencies.old = ["extrathing==0.1.0"]
        optional-dependencies.new = ["extrathing==0.2.0"]
        [tool.uv]
        conflicts = [[{ extra = "old" }, { extra = "new" }]]""",
    "an extra of a conflict that a group asks for": """
        dependencies = ["transformers", "torch"]
        optional-dependencies.old = ["extrathing==0.1.0"]
        optional-dependencies.new = ["extrathing==0.2.0", "sometimes"]
        [dependency-groups]
        dev = ["ours[old]"]
        [tool.uv]
        conflicts = [[{ extra = "old" }, { extra = "new" }]]""",
    "groups": """
        dependencies = ["torch==2.1.0"]
        [dependency-groups]
        dev = ["extrathing==0.1.0"]
        docs = ["onnx"]""",
    "a group of a conflict": """
        dependencies = ["torch==2.1.0"]
        [dependency-groups]
        dev = ["extrathing==0.1.0"]
        new = ["extrathing==0.2.0"]
        [tool.uv]
        conflicts = [[{ group = "dev" }, { group = "new" }]]""",
    "other default groups": """
        dependencies = ["torch==2.1.0"]
        [dependency-groups]
        dev = ["extrathing==0.1.0"]
        docs = ["onnx"]
        [tool.uv]
        default-groups = ["docs"]""",
}


@pytest.mark.parametrize("tables", LOCKED.values(), ids=LOCKED)
def test_a_uv_lock_is_what_uv_installs_from_it(project, tables):
    project.publish(
        packages.package(
            "sometimes", "1.0", requires=("extrathing>0; sys_platform == 'win32'", "extrathing==0.2.0; extra == 'more'")
        )
    )
    folder = project.root / "locked"
    folder.mkdir()
    head = f'[project]\nname = "ours"\nversion = "1"\nrequires-python = ">={PYTHON}"\n'
    (folder / "pyproject.toml").write_text(head + "\n".join(line.strip() for line in tables.splitlines()))
    sources = ["--no-index", f"--find-links={project.index}", f"--python={sys.executable}", "--quiet"]
    options = ["--frozen", "--no-hashes", "--no-annotate", "--no-header", "--no-emit-project"]
    subprocess.run([find_uv(), "lock", *sources], cwd=folder, check=True)
    exported = subprocess.run([find_uv(), "export", *sources, *options], cwd=folder, check=True, capture_output=True, text=True)
    lines = [Requirement(line) for line in exported.stdout.splitlines() if line]
    installs = {line.name: str(line.specifier) for line in lines if line.marker is None or line.marker.evaluate()}
    found = version_files.read(folder / "uv.lock", None, None)
    assert {name: f"=={version}" for name, version in found.exact.items()} == installs


def test_a_lock_says_what_of_it_is_not_installed(project):
    """Where an axis lies in an extra, the error names it; a distribution of another platform breaks nothing."""
    source = 'source = { registry = "https://example.org/simple" }'
    listed = ", ".join(f'{{ name = "{name}" }}' for name in FOUR)
    text = f"""
        version = 1
        requires-python = ">={PYTHON}"

        [[package]]
        name = "ours"
        version = "1"
        source = {{ virtual = "." }}
        dependencies = [{listed}, {{ name = "extrathing", marker = "sys_platform == 'win32'" }}]
        """
    text += "".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n{source}\n'
        for name, version in {**FOUR, "extrathing": "0.1.0", "transformers": "4.47.0"}.items()
    )
    assert checked(project, "uv.lock", text)["current"]["pins"] == {**FOUR, "transformers": "4.47.0"}
    in_extra = text.replace('{ name = "torch" }, ', "").replace(
        '[[package]]\nname = "torch"', '[package.optional-dependencies]\nml = [{ name = "torch" }]\n[[package]]\nname = "torch"'
    )
    (project.root / "uv.lock").write_text(in_extra)
    answer = project.main("check", "--from", str(project.root / "uv.lock"), "--quiet")
    assert answer.code == 2
    assert (
        "torch missing: name them with --with torch==…; not used: the extra ml of ours: the set is what"
        in answer.err.replace("\n", " ")
    )
