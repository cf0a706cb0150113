"""What fails in a composed environment is a fact only if it fails in one that holds what a user would have."""

from __future__ import annotations

from typing import Any

import packages
import pytest
from packages import raises
from project import Project
from wheels import Wheel

from harness.tasks.keys import key_of
from harness.tasks.undivided_environment import Undivided

pytestmark = pytest.mark.usefixtures("installed_once")

MISSING = "import flatbuffers"
"""onnxruntime requires it, and no package of the export side does."""

BESIDE = "import importlib.util\nif importlib.util.find_spec('onnxruntime'): raise RuntimeError('not beside onnxruntime')"

BESIDE_ME = """
import pathlib, onnxruntime
if not (pathlib.Path(onnxruntime.__file__).parents[1] / 'torch').is_dir(): raise RuntimeError('no')
"""
AMONG_DISTRIBUTIONS = """
import importlib.metadata
if 'torch' not in {found.metadata['Name'] for found in importlib.metadata.distributions()}: raise RuntimeError('no')
"""


def ends(project: Project, *arguments: str) -> list[tuple[str, str | None, str | None]]:
    """(status, stage, error) of every variant of every cell."""
    cells = project.run(*arguments).values()
    return [(one["status"], one["stage"], one["error"]) for cell in cells for one in cell["variants"]]


def processes(project: Project) -> int:
    """Those that are undivided count as repetitions: they have bytecode of their own."""
    return len([*project.starts(), *project.repetitions()])


def undivided_runs(project: Project) -> list[dict[str, Any]]:
    """The processes that ran graphs in an environment in which no first process did."""
    composed = {start["python"] for start in project.starts("run")}
    return [start for start in project.repetitions() if start["kind"] == "run" and start["python"] not in composed]


def spread(project: Project) -> dict[str, list[str]]:
    """torch requires the package `spread`, transformers a plug-in whose file lies in the same folder."""
    project.publish(Wheel(name="spread", version="1.0", files={"spread/__init__.py": "BASE = 1\n"}))
    project.publish(Wheel(name="spreadplug", version="1.0", files={"spread/plug.py": "PLUG = 1\n"}))
    project.publish(packages.torch("2.2.0", requires=("sympy", "spread")))
    project.publish(packages.transformers("4.48.0", requires=("tokenizers", "spreadplug"), on_import="import spread.plug"))
    return {"torch": ["2.2.0"], "transformers": ["4.48.0"]}


def beside(project: Project) -> dict[str, list[str]]:
    """transformers looks for torch beside its own folder."""
    looks = "import pathlib\nassert (pathlib.Path(__file__).parents[1] / 'torch').is_dir(), 'torch is not beside me'"
    project.publish(packages.transformers("4.47.0", on_import=looks))
    return {"transformers": ["4.47.0"]}


def data_files(project: Project) -> dict[str, list[str]]:
    """A wheel with files for the prefix."""
    files = {"withdata/__init__.py": "", "withdata-1.0.data/data/share/withdata/table.txt": "here"}
    project.publish(Wheel(name="withdata", version="1.0", files=files))
    reads = "import sys; open(sys.prefix + '/share/withdata/table.txt').close()"
    project.publish(packages.torch("2.2.0", requires=("sympy", "withdata"), on_import=reads))
    return {"torch": ["2.2.0"]}


def script(project: Project) -> dict[str, list[str]]:
    """A wheel with a script, which is started where the interpreter lies."""
    files = {"withscript/__init__.py": "", "withscript-1.0.data/scripts/tool": "#!python\nprint('done')\n"}
    project.publish(Wheel(name="withscript", version="1.0", files=files))
    runs = "import os, subprocess, sys; subprocess.run([os.path.join(os.path.dirname(sys.executable), 'tool')], check=True)"
    project.publish(packages.torch("2.2.0", requires=("sympy", "withscript"), on_export=runs))
    return {"torch": ["2.2.0"]}


@pytest.mark.parametrize("setup", ["together", "handoff"])
@pytest.mark.parametrize("composition", [spread, beside, data_files, script])
def test_what_only_layers_break_works(project, composition, setup):
    project.configure(composition(project), setup=[setup])
    assert ends(project) == [("works", None, None)]
    started = processes(project)
    assert ends(project) == [("works", None, None)]
    assert processes(project) == started


def test_from_scratch_it_is_the_same(project):
    project.configure(spread(project))
    answer = project.main("run", "--audit", "100%")
    assert (answer.code, answer.err.count("the same from scratch")) == (0, 1)


@pytest.mark.parametrize(
    "wheel",
    [
        packages.transformers("4.47.0", on_import=MISSING),
        packages.transformers("4.47.0", eager=MISSING),
        packages.transformers("4.47.0", eager="import importlib.metadata\nimportlib.metadata.version('flatbuffers')"),
    ],
    ids=["import", "eager", "metadata"],
)
def test_together_an_export_may_import_what_the_run_side_has(project, wheel):
    project.publish(wheel)
    project.configure({"transformers": ["4.47.0"]}, setup=["together", "handoff"])
    together, handoff = project.run().values()
    assert [(one["environment"], one["status"]) for one in (together, handoff)] == [("together", "works"), ("handoff", "fails")]
    assert "flatbuffers" in handoff["variants"][0]["error"]


@pytest.mark.parametrize("stage", ["export", "check"])
def test_together_a_later_stage_may_too(project, stage):
    project.publish(
        packages.torch("2.2.0", on_export=MISSING) if stage == "export" else packages.onnx("1.17.0", on_check=MISSING)
    )
    project.configure({"torch": ["2.2.0"]} if stage == "export" else {"onnx": ["1.17.0"]})
    assert ends(project) == [("works", None, None)]


def test_what_counts_undivided_counts_for_all_variants(project):
    """One variant fails for want of a module that the whole lock has; the other works alone, and not beside onnxruntime."""
    source = f"if variant['layout'] == 'pair':\n    {MISSING}\nelse:\n" + "\n".join(
        f"    {line}" for line in BESIDE.splitlines()
    )
    project.publish(packages.torch("2.2.0", on_export=source))
    project.configure({"torch": ["2.2.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    assert ends(project) == [("works", None, None), ("fails", "export", "not beside onnxruntime")]
    # Another model does not begin with what is composed.
    project.configure(
        {"torch": ["2.2.0"]}, probe={"seed": 1}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]}
    )
    composed = len(project.starts("export"))
    assert [status for status, *_ in ends(project)] == ["works", "fails"]
    assert len(project.starts("export")) == composed


def test_a_failure_that_becomes_another_one_is_that_one(project):
    project.publish(packages.transformers("4.47.0", eager=MISSING + "\nraise RuntimeError('and it is broken')"))
    project.configure({"transformers": ["4.47.0"]})
    assert ends(project) == [("fails", "eager", "and it is broken")]


def test_a_failure_costs_one_process_more_for_each_onnxruntime(project):
    project.publish(packages.onnxruntime("1.17.0"), packages.transformers("4.47.0", eager="raise RuntimeError('it is broken')"))
    project.configure({"transformers": ["4.46.3", "4.47.0"], "onnxruntime": ["1.16.3", "1.17.0"]})
    works, broken = ("works", None, None), ("fails", "eager", "it is broken")
    assert sorted(ends(project, "--jobs", "1")) == sorted([works, works, broken, broken])
    # The one that works; then composed, and once more at the end. Between these it is repeated, and done undivided.
    assert len(project.starts("export")) == 1 + 2
    assert [start["server"] for start in project.repetitions()] == [None, None, None]
    started = processes(project)
    assert sorted(ends(project)) == sorted([works, works, broken, broken])
    assert processes(project) == started


def test_each_onnxruntime_is_asked_where_the_export_imports_of_it(project):
    """It fails beside the older one only: the process has imported what the cells differ in."""
    source = "import flatbuffers\nif flatbuffers.__version__ < '25': raise RuntimeError('too old')"
    project.publish(packages.package("flatbuffers", "25.0.0"), packages.transformers("4.47.0", eager=source))
    project.publish(packages.onnxruntime("1.17.0", requires=("flatbuffers>=25", "numpy")))
    project.publish(packages.onnxruntime("1.16.0", requires=("flatbuffers<25", "numpy")))
    project.configure({"transformers": ["4.47.0"], "onnxruntime": ["1.16.0", "1.17.0"]})
    assert ends(project, "--jobs", "1") == [("fails", "eager", "too old"), ("works", None, None)]


@pytest.mark.parametrize("onnxruntimes", [["1.16.0", "1.17.0"], ["1.17.0", "1.16.0"]])
@pytest.mark.parametrize(
    "read",
    [
        "int(importlib.metadata.version('flatbuffers').partition('.')[0])",
        "int((pathlib.Path(transformers.__file__).parents[1] / 'flatbuffers' / 'release.txt').read_text())",
    ],
    ids=["metadata", "file"],
)
def test_each_onnxruntime_is_asked_where_the_export_reads_of_it(project, read, onnxruntimes):
    """It says the same where flatbuffers is absent as where it is too old, and imports nothing of it."""
    source = "import importlib.metadata, pathlib, transformers\n"
    source += f"try: found = {read}\nexcept (ImportError, OSError): found = 0\n"
    source += "if found < 25: raise RuntimeError('too old')"
    for release in ("24", "25"):
        files = {"flatbuffers/__init__.py": "", "flatbuffers/release.txt": release}
        project.publish(Wheel(name="flatbuffers", version=f"{release}.0.0", files=files))
    project.publish(packages.transformers("4.47.0", eager=source))
    project.publish(packages.onnxruntime("1.17.0", requires=("flatbuffers>=25", "numpy")))
    project.publish(packages.onnxruntime("1.16.0", requires=("flatbuffers<25", "numpy")))
    project.configure({"transformers": ["4.47.0"], "onnxruntime": onnxruntimes})
    found = {cell["pins"]["onnxruntime"]: cell["variants"][0]["status"] for cell in project.run("--jobs", "1").values()}
    assert found == {"1.16.0": "fails", "1.17.0": "works"}


def test_what_works_costs_nothing(project):
    assert ends(project) == [("works", None, None)]
    assert [start["kind"] for start in project.starts()] == ["export", "import", "run"]
    assert project.repetitions() == []


def test_together_a_runtime_may_import_what_the_export_side_has(project):
    project.publish(
        packages.onnxruntime("1.17.0", on_import="import sympy"), packages.onnxruntime("1.18.0", on_run="import sympy")
    )
    project.configure({"onnxruntime": ["1.17.0", "1.18.0"]}, setup=["together", "handoff"])
    found = {(cell["environment"], one["stage"]) for cell in project.run().values() for one in cell["variants"]}
    assert found == {("together", None), ("handoff", "import"), ("handoff", "decode")}


@pytest.mark.parametrize("moment", ["on_load", "on_run"])
@pytest.mark.parametrize("looks", [BESIDE_ME, AMONG_DISTRIBUTIONS], ids=["file", "metadata"])
def test_together_a_runtime_may_look_for_what_the_export_side_has(project, looks, moment):
    project.publish(packages.onnxruntime("1.17.0", **{moment: looks}))
    project.configure({"onnxruntime": ["1.17.0"]}, setup=["together", "handoff"])
    found = {(cell["environment"], one["stage"]) for cell in project.run().values() for one in cell["variants"]}
    assert found == {("together", None), ("handoff", moment.replace("on_run", "on_decode").removeprefix("on_"))}


def test_the_variants_of_a_run_that_fails_share_one_process_more(project):
    project.publish(packages.onnxruntime("1.17.0", on_run="raise RuntimeError('no kernel')"))
    project.configure({"onnxruntime": ["1.17.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    assert ends(project, "--jobs", "1") == [("fails", "decode", "no kernel")] * 2
    # And the other consumers, which fail too.
    assert [len(start["subjects"]) for start in undivided_runs(project)] == [2, 6]


def test_a_stamp_above_the_limits_of_a_runtime_is_refused_wherever_it_lies(project):
    project.publish(packages.onnxruntime("1.17.0", max_ir=7))
    project.configure({"onnxruntime": ["1.17.0"]})
    ((status, stage, _),) = ends(project)
    assert (status, stage) == ("fails", "load")
    assert undivided_runs(project) == []


def test_a_joint_import_that_only_layers_break_works(project):
    """The run side has a part of a package whose first part is on the export side."""
    axes = spread(project)
    project.publish(
        packages.onnxruntime("1.17.0", on_import="import spread.plug", requires=("flatbuffers", "numpy", "spreadplug"))
    )
    project.configure({"torch": axes["torch"], "onnxruntime": ["1.17.0"]})
    assert ends(project) == [("works", None, None)]


def test_trouble_in_the_undivided_environment_is_an_error(project):
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    source = f"try:\n    {MISSING}\nexcept ImportError:\n    raise RuntimeError('missing')\n{killed}"
    project.publish(packages.transformers("4.47.0", eager=source))
    project.configure({"transformers": ["4.47.0"]})
    ((status, stage, error),) = ends(project)
    assert (status, stage) == ("error", "eager")
    assert "killed by SIGKILL" in error
    started = processes(project)
    assert ends(project) == [(status, stage, error)]
    assert processes(project) == started


@pytest.mark.parametrize("setup", ["together", "handoff"])
def test_an_error_for_want_of_a_file_is_none_undivided(project, setup):
    """Without its file the package asks the network; with another model that is known."""
    files = {"tokenizers/__init__.py": "", "tokenizers-0.21.0.data/data/share/tokenizers/words.txt": "hello"}
    project.publish(Wheel(name="tokenizers", version="0.21.0", files=files))
    looks = (
        "import os, sys\nif not os.path.exists(sys.prefix + '/share/tokenizers/words.txt'): raise ConnectionError('no network')"
    )
    project.publish(packages.transformers("4.47.0", requires=("tokenizers==0.21.0",), eager=looks))
    project.configure({"transformers": ["4.47.0"]}, setup=[setup])
    assert ends(project) == [("works", None, None)]
    started = processes(project)
    assert ends(project) == [("works", None, None)]
    assert processes(project) == started


def test_an_error_undivided_too_is_one_and_costs_one_process_more(project):
    project.publish(packages.transformers("4.47.0", eager=raises("ConnectionError('no network')")))
    project.configure({"transformers": ["4.47.0"]})
    assert ends(project) == [("error", "eager", "no network")]
    assert (len(project.starts("export")), len(project.repetitions())) == (1, 1)
    assert ends(project) == [("error", "eager", "no network")]
    assert (len(project.starts("export")), len(project.repetitions())) == (1, 1)


def test_what_kills_a_process_is_not_done_again(project):
    project.publish(packages.transformers("4.47.0", eager=packages.KILLED))
    project.configure({"transformers": ["4.47.0"]})
    assert [end[:2] for end in ends(project)] == [("error", "eager")]
    assert project.repetitions() == []


def test_what_an_interrupted_run_has_not_compared_is_not_run_again(project, monkeypatch):
    project.publish(packages.transformers("4.47.0", eager="raise RuntimeError('it is broken')"))
    project.configure({"transformers": ["4.47.0"]})
    with monkeypatch.context() as earlier:
        # What that run compares is found under no key of this one.
        earlier.setattr(Undivided, "confirmation", lambda self, key: key_of("lost", key, self.whole.key))
        broken = ends(project)
    started = processes(project)
    assert ends(project) == broken == [("fails", "eager", "it is broken")]
    assert processes(project) == started


def test_no_undivided_environment_is_left(project):
    project.publish(packages.transformers("4.47.0", eager=MISSING))
    project.configure({"transformers": ["4.47.0"]})
    assert ends(project) == [("works", None, None)]
    assert [path.name for path in (project.store / "envs").iterdir() if path.is_dir()] == []


def test_clean_keeps_what_counts(project):
    project.publish(
        packages.transformers("4.47.0", eager=MISSING), packages.transformers("4.48.0", eager=raises("OSError('no')"))
    )
    project.configure({"transformers": ["4.47.0", "4.48.0"]})
    assert [status for status, *_ in ends(project)] == ["works", "fails"]
    started = processes(project)
    assert project.main("clean").code == 0
    assert [status for status, *_ in ends(project)] == ["works", "fails"]
    assert processes(project) == started


def test_force_asks_what_is_composed_anew(project):
    project.publish(packages.transformers("4.47.0", eager=MISSING))
    project.configure({"transformers": ["4.47.0"]})
    ends(project)
    count = processes(project)
    assert ends(project, "--force") == [("works", None, None)]
    assert processes(project) == 2 * count


def test_what_a_crash_keeps_from_running_once_more_is_not_chance(project):
    """The first variant crashes composed, so that the process which runs both once more never reaches the second."""
    lines = packages.CRASH_IN_C.splitlines()
    source = "\n".join(["try:", "    import flatbuffers", "except ImportError:", *(f"    {line}" for line in lines)])
    project.publish(packages.onnxruntime("1.17.0", requires=("numpy",)), packages.torch("2.2.0", on_export=source))
    variants = {"exporters": ["torchscript"], "layouts": ["pair", "merged"]}
    project.configure({"torch": ["2.2.0"], "onnxruntime": ["1.16.3", "1.17.0"]}, variants=variants)
    assert [status for status, *_ in ends(project, "--jobs", "1")] == ["works", "works", "fails", "fails"]


def test_a_joint_import_that_is_known_is_not_chance(project):
    """Undivided it was killed by chance: the second run repeats that alone, against the joint import of the first."""
    axes = spread(project)
    turns = project.notes / "turns"
    source = "import spread.plug\n" + packages.in_turn(turns, packages.KILLED)
    project.publish(packages.onnxruntime("1.17.0", on_import=source, requires=("flatbuffers", "numpy", "spreadplug")))
    project.configure({"torch": axes["torch"], "onnxruntime": ["1.17.0"]})
    ends(project)
    assert ends(project, "--retry", "error") == [("works", None, None)]


@pytest.mark.parametrize(
    "source",
    [
        "import random; raise RuntimeError('no kernel: ' + 'more ' * random.randint(1, 99) + 'of it')",
        "import os; raise (KeyError, ValueError, TypeError)[os.getpid() % 3]('no kernel for it')",
    ],
    ids=["count", "class"],
)
def test_words_that_vary_refute_nothing(project, source):
    project.publish(packages.torch("2.2.0", on_export=source))
    project.configure({"torch": ["2.2.0"]})
    assert [end[:2] for end in ends(project)] == [("fails", "export")]
    starts = len(project.starts("export"))
    assert [end[:2] for end in ends(project)] == [("fails", "export")]
    assert len(project.starts("export")) == starts
