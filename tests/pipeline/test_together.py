"""What `together` covers: all packages in one process, where torch and onnxruntime are used beside each other."""

from __future__ import annotations

import packages
import pytest
from packages import SEGFAULT, raises
from project import Project

pytestmark = pytest.mark.usefixtures("installed_once")

BESIDE_TORCH = "import sys\nif 'torch' in sys.modules: "
CREATING = "creating an onnxruntime session beside torch"


def clash(project: Project, on_session: str) -> None:
    """Two cells of one onnxruntime, which works by itself, and whose sessions do `on_session` where torch is imported."""
    project.publish(packages.onnxruntime("1.17.0", on_session=BESIDE_TORCH + on_session))
    project.configure({"onnxruntime": ["1.17.0"]}, setup=["together", "handoff"])


def ends(project: Project) -> dict[str, tuple[str, str | None, str | None]]:
    return {
        cell["environment"]: (cell["status"], variant["stage"], variant["error"])
        for cell in project.run().values()
        for variant in cell["variants"]
    }


def test_a_session_that_fails_beside_torch_alone_breaks_together_at_import(project):
    clash(project, raises("RuntimeError('two copies of libgomp')"))
    found = ends(project)
    assert found["handoff"] == ("works", None, None)
    assert found["together"] == ("fails", "import", f"{CREATING}: RuntimeError: two copies of libgomp")


def test_a_session_that_crashes_beside_torch_is_named(project):
    clash(project, SEGFAULT.replace("; ", "\n    ").replace("import os", "\n    import os"))
    found = ends(project)
    assert found["handoff"] == ("works", None, None)
    assert found["together"] == ("fails", "import", f"killed by SIGSEGV in import, {CREATING}")


def test_torch_that_computes_something_else_beside_onnxruntime_is_found(project):
    wrong = "class ones:\n    def __init__(self, size): pass\n    def sum(self): return self\n    def item(self): return 7"
    project.publish(packages.torch("2.2.0", on_import=wrong))
    project.configure({"torch": ["2.2.0"]})
    assert ends(project)["together"][2] == "computing in torch beside onnxruntime: the sum is 7 instead of 131072.0"


def test_from_scratch_it_is_the_same(project):
    clash(project, raises("RuntimeError('two copies of libgomp')"))
    answer = project.main("run", "--audit", "100%")
    assert answer.code == 0, answer.err
    assert answer.err.count("the same from scratch") == 2
