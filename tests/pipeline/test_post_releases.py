"""Post-releases are versions like any others: they break, mend, and lie between two releases."""

from __future__ import annotations

import json

import packages
import pytest
from project import PYTHON, Project

pytestmark = pytest.mark.usefixtures("installed_once")

FOUR = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"
BROKEN = packages.raises("ValueError('broken in post1')")
BREAKING = [packages.transformers(version, on_import=BROKEN) for version in ("4.46.3.post1", "4.47.0", "4.48.0")]


def answer(project: Project, command: str, *arguments: str, code: int = 0):
    path = project.root / "requirements.txt"
    path.write_text(FOUR)
    told = project.main(command, "--from", str(path), "--python", PYTHON, "--quiet", "--format", "json", *arguments)
    assert told.code == code, told.err + told.out
    return json.loads(told.out)


@pytest.mark.parametrize(
    ("good", "bad", "first", "mended"),
    [("4.46.3", "4.48.0", "4.46.3.post1", []), ("4.48.1", "4.46.3.post1", "4.48.0", ["4.48.1"])],
)
def test_a_post_release_may_be_the_first_that_breaks(project, good, bad, first, mended):
    project.publish(*BREAKING, packages.transformers("4.48.1"))
    told = answer(project, "bisect", "--axis", "transformers", "--good", good, "--bad", bad)
    assert [release["version"] for release in told["suspects"]] == [first]
    assert [release["version"] for release in told["mended_in"]] == mended


def test_a_boundary_is_closed_next_to_a_post_release(project):
    project.publish(*BREAKING)
    project.configure({"transformers": ["4.46.3", "4.47.0"]})
    project.run("--close-boundaries", "transformers")
    (rule,) = project.report()["rules"]
    (boundary,) = rule["boundaries"]
    assert rule["text"] == "transformers≥4.46.3.post1 → import"
    assert (boundary["fails"], boundary["passes"], boundary["closed"]) == ("4.46.3.post1", "4.46.3", True)


def test_a_post_release_of_another_axis_is_the_smallest_change(project):
    needs_mended_torch = """
        import importlib.metadata
        if importlib.metadata.version("torch") == "2.1.0":
            raise ImportError("needs a mended torch")
    """
    project.publish(
        packages.transformers("4.47.0", on_import=needs_mended_torch), packages.torch("2.1.0.post1"), packages.torch("2.2.0")
    )
    (upgrade,) = answer(project, "check", "--to", "transformers==4.47.0", code=1)["upgrades"]
    assert upgrade["mend"]["change"] == "torch 2.1.0.post1 as well"


def test_the_nearest_target_may_be_a_post_release(project):
    project.publish(packages.transformers("4.46.3.post1"), *BREAKING[1:])
    (upgrade,) = answer(project, "check", "--to", "transformers==4.48.0", code=1)["upgrades"]
    assert upgrade["nearest"]["pins"]["transformers"] == "4.46.3.post1"


def test_a_post_release_mends_the_wheel_of_its_release(project):
    project.remedies = True
    project.publish(packages.transformers("4.47.0", on_import=BROKEN), packages.transformers("4.47.0.post1"))
    project.configure({"transformers": ["4.47.0"]})
    (cell,) = project.run().values()
    assert cell["remedies"] == ["transformers 4.47.0.post1"]
