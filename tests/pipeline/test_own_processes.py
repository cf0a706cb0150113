"""What works in a process of its own works, whatever it does in a fork or after something else."""

from __future__ import annotations

import packages
import pytest
from project import Project

pytestmark = pytest.mark.usefixtures("installed_once")

OF_ITS_PROCESS = "import os; _pid = os.getpid()"
"""On import: remembers the process, as a library with threads or a device does."""


def not_forked(module: str, otherwise: str = "") -> str:
    """Source that fails where `module` was imported in another process; else it is `otherwise`."""
    return f"""
import os, sys
if sys.modules[{module!r}]._pid != os.getpid():
    raise RuntimeError('cannot be used in a forked process')
{otherwise or "pass"}
"""


def once(module: str, error: str = "RuntimeError('it is in use already')") -> str:
    """Source that fails the second time in a process."""
    return f"""
import sys
if sys.modules[{module!r}].__dict__.get('_used'):
    raise {error}
sys.modules[{module!r}]._used = True
"""


def ends(project: Project, *arguments: str) -> list[tuple[str, str | None]]:
    return [(one["status"], one["stage"]) for cell in project.run(*arguments).values() for one in cell["variants"]]


def findings(project: Project) -> list[list[str]]:
    return [one["findings"] for cell in project.cells().values() for one in cell["variants"]]


FORKED = {
    "export": lambda source: packages.torch("2.2.0", on_import=OF_ITS_PROCESS, on_export=source),
    "run": lambda source: packages.onnxruntime("1.17.0", on_import=OF_ITS_PROCESS, on_run=source),
}
"""Kind of process → a package in which `source` runs there, and which remembers its process."""
AXES = {"export": {"torch": ["2.2.0"]}, "run": {"onnxruntime": ["1.17.0"]}}
MODULES = {"export": "torch", "run": "onnxruntime"}
STAGES = {"export": "export", "run": "decode"}


@pytest.mark.usefixtures("confined")
@pytest.mark.parametrize("kind", FORKED)
def test_what_refuses_a_fork_works_in_a_process_of_its_own(project, kind):
    project.publish(FORKED[kind](not_forked(MODULES[kind])))
    project.configure(AXES[kind])
    assert ends(project) == [("works", None)]
    ((finding,),) = findings(project)
    assert finding == (
        "needs-own-process: so it was run in a process of its own; in one that was forked it fails at "
        f"{STAGES[kind]}: cannot be used in a forked process"
    )
    starts = len(project.starts())
    assert ends(project) == [("works", None)]
    assert len(project.starts()) == starts
    # The closure is forked no more: what is new in it does not fail first.
    assert "works" in project.main("explain", "*").out


def test_what_refuses_a_fork_before_any_variant(project):
    eager = not_forked("transformers")
    project.publish(packages.transformers("4.47.0", on_import=OF_ITS_PROCESS, eager=eager))
    project.configure({"transformers": ["4.47.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    assert ends(project) == [("works", None)] * 2
    assert all("fails at eager: cannot be used in a forked process" in finding for (finding,) in findings(project))


@pytest.mark.parametrize("stage", ["export", "check"])
def test_what_a_fork_hides_is_what_a_process_of_its_own_does(project, stage):
    no = "raise ValueError('no kernel')"
    project.publish(packages.onnx("1.17.0", on_check=no if stage == "check" else ""))
    project.publish(FORKED["export"](not_forked("torch", no if stage == "export" else "")))
    project.configure({**AXES["export"], "onnx": ["1.17.0"]})
    assert ends(project) == [("fails", stage)]
    (variant,) = next(iter(project.cells().values()))["variants"]
    assert (variant["error"], variant["findings"]) == ("no kernel", [])


LAYOUTS = {"exporters": ["torchscript"], "layouts": ["pair", "merged", "no-cache"]}


@pytest.mark.parametrize("flags", [[], ["--no-forks"]])
@pytest.mark.parametrize(
    "wheel", [packages.torch("2.2.0", on_export=once("torch")), packages.onnxruntime("1.17.0", on_run=once("onnxruntime"))]
)
def test_what_can_be_done_once_in_a_process_works(project, wheel, flags):
    project.publish(wheel)
    project.configure({wheel.name: [wheel.version]}, variants=LAYOUTS)
    assert ends(project, *flags) == [("works", None)] * 3
    first, *others = findings(project)
    assert first == []
    assert all("had run another variant before it fails at" in finding for (finding,) in others)


def test_what_follows_a_failure_fails_only_if_it_does_by_itself(project):
    """The first variant fails, and all that follow in its process, each in its own words."""
    after = once("torch", "RuntimeError(f'no export of {variant[\"id\"]} after a failure')")
    project.publish(packages.torch("2.2.0", on_export=after + "if variant['layout'] == 'pair': raise ValueError('no kernel')"))
    project.configure({"torch": ["2.2.0"]}, variants=LAYOUTS)
    assert ends(project) == [("fails", "export"), ("works", None), ("works", None)]


def test_a_closure_that_needs_processes_of_its_own_gets_them_from_then_on(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=once("onnxruntime")))
    project.publish(packages.torch("2.2.0", ir=9))
    project.configure({"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.17.0"]}, variants=LAYOUTS)
    assert ends(project, "--jobs", "1") == [("works", None)] * 6
    runs = [len(start["subjects"]) for start in project.starts("run")]
    # A batch, the same once more, and three by themselves; the second torch's are by themselves at once.
    assert runs == [3, 3, 1, 1, 1, 1, 1, 1]


def test_what_fails_by_chance_in_a_fork_is_flaky(project):
    counter = project.notes / "turns"
    by_chance = f"""
import pathlib
counter = pathlib.Path({str(counter)!r})
turn = int(counter.read_text()) if counter.exists() else 0
counter.write_text(str(turn + 1))
if turn == 0:
    raise RuntimeError('by chance')
"""
    project.publish(packages.torch("2.2.0", on_export=by_chance))
    project.configure({"torch": ["2.2.0"]})
    assert ends(project) == [("flaky", "export")]
    assert all(start["server"] for start in project.starts("export"))


def test_a_process_that_ends_earlier_than_the_fork_comes_to_an_end(project):
    """In a fork the export fails; in every process of its own PyTorch alone does, and the export is never reached."""
    forked = "import os, sys\nif sys.modules['transformers']._pid == os.getpid(): raise RuntimeError('only in forks')"
    project.publish(packages.transformers("4.47.0", on_import="import os; _pid = os.getpid()", eager=forked))
    project.publish(packages.torch("2.2.0", on_export="raise ValueError('no')"))
    project.configure({"transformers": ["4.47.0"], "torch": ["2.2.0"]})
    (cell,) = project.run().values()
    assert [(variant["status"], variant["stage"]) for variant in cell["variants"]] == [("fails", "eager")]


def first_fails(module: str) -> str:
    """Source that fails the first time in a process."""
    return f"""
import sys
if not sys.modules[{module!r}].__dict__.get('_warm'):
    sys.modules[{module!r}]._warm = True
    raise RuntimeError('this process is cold')
"""


@pytest.mark.parametrize(
    ("kind", "variants"),
    [("export", {"layouts": ["pair", "merged"]}), ("run", {"layouts": ["pair"], "bindings": ["numpy", "ortvalue"]})],
)
def test_what_works_only_after_a_failure_fails_and_proves_nothing(project, kind, variants):
    project.publish(FORKED[kind](first_fails(MODULES[kind])))
    project.configure(AXES[kind], variants={"exporters": ["torchscript"], **variants})
    assert ends(project) == [("fails", STAGES[kind])] * 2
    (cell,) = project.cells().values()
    assert "consumer protocol" not in {variant["cause"] for variant in cell["variants"]}
    (nothing, (finding,)) = findings(project)
    assert nothing == []
    assert finding.startswith("needs-another-variant: so it was run in a process of its own; ")


def test_a_change_that_works_only_after_a_failure_is_no_remedy(project):
    project.remedies = True
    project.publish(packages.torch("2.2.0", on_export=first_fails("torch")))
    project.configure({"torch": ["2.2.0"]})
    (cell,) = project.run().values()
    assert (cell["status"], cell["remedies"]) == ("fails", [])


def test_what_works_beside_a_failure_is_run_in_a_process_of_its_own_once_for_each_kind(project):
    no = "if variant['layout'] == 'pair': raise ValueError('no kernel')"
    project.publish(packages.torch("2.2.0", on_export=no))
    project.configure({"torch": ["2.2.0"]}, variants=LAYOUTS)
    assert ends(project) == [("fails", "export"), ("works", None), ("works", None)]
    # Besides, what fails comes once more at the end.
    subjects = [start["subjects"] for start in project.starts("export")]
    assert [len(one) for one in subjects] == [3, 1, 1]
    assert subjects[1] == ["torchscript-17-merged"]


AFTER_ANOTHER = """
import sys
if variant['layout'] == 'merged' and not sys.modules['torch'].__dict__.get('_warm'):
    raise RuntimeError('the tracer was never warmed up')
sys.modules['torch']._warm = True
"""


def test_a_pin_and_an_audit_run_each_variant_in_a_process_of_its_own(project):
    project.publish(packages.torch("2.2.0", on_export=AFTER_ANOTHER))
    variants = {"exporters": ["torchscript"], "layouts": ["pair", "merged"], "require": "layout=merged"}
    project.configure({"torch": ["2.2.0"]}, variants=variants)
    audited = project.main("run", "--audit", "100%")
    assert audited.code == 2
    assert "torchscript-17-merged-keep-cross-numpy was works, and is fails export from scratch" in audited.err
    refused = project.main("pin")
    assert (refused.code, "was not confirmed in a fresh environment" in refused.err) == (3, True)
    assert not (project.reports / "pins").exists()
