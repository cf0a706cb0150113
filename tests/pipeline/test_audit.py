"""An audit does cells again from scratch, and says where sharing has changed a verdict."""

import packages
import pytest
from project import Project

pytestmark = pytest.mark.usefixtures("installed_once")

LOOKS_ASIDE = """
    try:
        import onnxruntime
    except ImportError:
        pass
    else:
        raise RuntimeError("an export that looks for a runtime")
"""


@pytest.fixture
def two(project: Project) -> Project:
    """One export for two onnxruntimes."""
    project.publish(packages.onnxruntime("1.17.0"))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    return project


def test_what_is_shared_soundly_comes_out_the_same(two):
    answer = two.main("run", "--audit", "100%")
    assert answer.code == 0
    assert answer.err.count("the same from scratch") == 2
    assert len(two.starts("export")) == 1 + 2
    assert {cell["status"] for cell in two.cells().values()} == {"works"}


def test_a_share_is_of_the_cells_and_at_least_one(two):
    assert two.main("run", "--audit", "5%").err.count("the same from scratch") == 1


def test_a_handoff_is_done_again_in_two_environments(two):
    two.configure({"onnxruntime": ["1.16.3"]}, setup=["handoff"])
    answer = two.main("run", "--audit", "100%")
    assert answer.code == 0
    assert answer.err.count("the same from scratch") == 1


def test_what_is_shared_and_must_not_be_is_told(project):
    project.publish(packages.torch("2.2.0", on_export=LOOKS_ASIDE))
    project.configure({"torch": ["2.2.0"]})
    answer = project.main("run", "--audit", "100%")
    assert answer.code == 2
    assert "torchscript-17-pair-keep-cross-numpy was works, and is fails export from scratch" in answer.err
    (cell,) = project.cells().values()
    assert cell["status"] == "works"  # the report is what the run found


def test_an_audit_remembers_nothing(two):
    two.main("run", "--audit", "100%")
    started = len(two.starts())
    two.run()
    assert len(two.starts()) == started


@pytest.mark.parametrize("share", ["0%", "101%", "5", "some"])
def test_a_share_is_a_percentage(project, share):
    answer = project.main("run", "--audit", share)
    assert answer.code == 2
    assert "expected a share of the cells such as 5%" in answer.err
