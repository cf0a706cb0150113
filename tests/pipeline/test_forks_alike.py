"""What a package can find out in a fork is what it finds out in a process of its own; where it is not, nothing is forked.

All cases are cells of one matrix, which is run twice: once as always, once without forks.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import packages
import pytest
from elsewhere import fresh
from project import AXES, Project
from wheels import Wheel

from harness.execution.process.forks import Forks

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nothing is forked elsewhere"),
    pytest.mark.usefixtures("installed_once"),
]

REMEMBERED = "import torch; raise RuntimeError(f'the value is {torch.REMEMBERED}')"
PLUGIN = """
from importlib.metadata import entry_points
for one in entry_points(group='torch.backends'):
    one.load()()
"""


def entered(name: str, points: str, source: str = "") -> Wheel:
    """A distribution with entry points."""
    return Wheel(
        name=name, version="1.0", files={f"{name}/__init__.py": source, f"{name}-1.0.dist-info/entry_points.txt": points}
    )


VALUE = "the value is "


def told(expression: str, *imports: str) -> str:
    """Source of an `eager` that dies of the expression's value."""
    return f"import {', '.join(imports)}; raise RuntimeError('{VALUE}' + str(({expression})))"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What torch does at import, then transformers, and what is asked afterwards, beside an older onnx and a newer."""

    on_import: str
    then: str = ""
    eager: str = REMEMBERED
    wheels: list[Wheel] = field(default_factory=list)
    """Published for this case; their names are used in no other, since the index is everybody's."""
    torch: tuple[str, ...] = ()
    """What torch requires; so of the next two."""
    older: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    told: tuple[str, str]
    """By the cell of the older onnx, and of the newer."""
    forked: tuple[bool, bool] = (True, True)


CASES = {
    "variables that were set": Case(
        on_import="import os; os.environ['SET_AT_IMPORT'] = '1'",
        then="import os; os.environ['SET_LATER'] = os.environ['SET_AT_IMPORT'] + '2'",
        eager=told("os.environ['SET_AT_IMPORT'], os.environ['SET_LATER']", "os"),
        told=("('1', '12')", "('1', '12')"),
    ),
    "arguments, which a program of a user's would have": Case(
        on_import="import sys; REMEMBERED = sys.argv[1:]; sys.argv.append('--added')",
        eager=told("torch.REMEMBERED, sys.argv[1:]", "sys", "torch"),
        told=("([], ['--added'])", "([], ['--added'])"),
    ),
    "a variable that was changed": Case(
        on_import="import os; os.environ['HF_HUB_OFFLINE'] = '0'",
        eager=told("os.environ['HF_HUB_OFFLINE']", "os"),
        told=("0", "0"),
        forked=(False, False),
    ),
    "a variable with a folder of its own": Case(
        on_import="import os; os.environ['CACHE'] = os.path.expanduser('~/cache')",
        eager=told("os.environ['CACHE'] == os.path.expanduser('~/cache')", "os"),
        told=("True", "True"),
        forked=(False, False),
    ),
    "a variable with a folder that torch remembers": Case(
        on_import="import os; REMEMBERED = os.path.expanduser('~/cache')",
        then="import os, torch; os.environ['CACHE'] = torch.REMEMBERED",
        eager=told("os.environ['CACHE'] == os.path.expanduser('~/cache')", "os"),
        told=("True", "True"),
        forked=(False, False),
    ),
    "a variable that torch has set and transformers changes": Case(
        on_import="import os; os.environ['SET_AT_IMPORT'] = '1'",
        then="import os; os.environ['SET_AT_IMPORT'] = '2'",
        eager=told("os.environ['SET_AT_IMPORT']", "os"),
        told=("2", "2"),
    ),
    "what is in the home that it remembers": Case(
        on_import="import os; REMEMBERED = os.path.expanduser('~'); open(REMEMBERED + '/left', 'w').close()",
        then="import torch; open(torch.REMEMBERED + '/more', 'w').close()",
        eager="import os, torch; home = torch.REMEMBERED; was = sorted(os.listdir(home)); open(home + '/mine', 'w').close()\n"
        "raise RuntimeError(f\"{was} {os.path.samefile(home, os.environ['HOME'])}\")",
        told=("['left', 'more'] True", "['left', 'more'] True"),
    ),
    "the folder that both remember": Case(
        on_import="import os; REMEMBERED = os.getcwd()",
        then="import os, torch; REMEMBERED = os.getcwd(); assert os.path.samefile(REMEMBERED, torch.REMEMBERED)",
        eager=told(
            "[os.path.samefile(one.REMEMBERED, os.getcwd()) for one in (torch, transformers)]", "os", "torch", "transformers"
        ),
        told=("[True, True]", "[True, True]"),
    ),
    "another working folder": Case(
        on_import="",
        then="import os; os.chdir('/')",
        eager=told("os.getcwd()", "os"),
        told=("/", "/"),
        forked=(False, False),
    ),
    "what it reads": Case(
        on_import="",
        eager=told("sys.stdin.read(), sys.stdin.tell(), sys.stdin.name, os.readlink('/proc/self/fd/0')", "os", "sys"),
        told=("('', 0, '<stdin>', '/dev/null')",) * 2,
    ),
    "an import that failed and was swallowed": Case(
        on_import="try:\n    import odd; REMEMBERED = odd.__version__\nexcept ImportError:\n    REMEMBERED = None",
        wheels=[packages.package("odd", "1.0", on_import="raise ImportError('no')"), packages.package("odd", "2.0")],
        older=("odd==1.0",),
        newer=("odd==2.0",),
        told=("None", "2.0"),
        forked=(False, False),
    ),
    "all distributions": Case(
        on_import="import importlib.metadata as m; REMEMBERED = 'listed' in m.packages_distributions()",
        wheels=[packages.package("listed", "1.0")],
        newer=("listed",),
        told=("False", "True"),
        forked=(False, False),
    ),
    "entry points that nobody asked for": Case(
        on_import=PLUGIN + "REMEMBERED = 'no plugin'",
        wheels=[entered("tool", "[console_scripts]\ntool = tool:main\n")],
        newer=("tool",),
        told=("no plugin", "no plugin"),
    ),
    "whether a distribution is there, asked by somebody who makes nothing of its version": Case(
        on_import="import huggingface_hub; REMEMBERED = huggingface_hub.DEP",
        wheels=[
            packages.package("dep", "1.0"),
            packages.package(
                "huggingface_hub",
                "0.1",
                on_import="import importlib.metadata as m\ntry:\n    m.version('dep'); DEP = True\n"
                "except m.PackageNotFoundError:\n    DEP = False",
            ),
        ],
        torch=("huggingface_hub",),
        newer=("dep",),
        told=("False", "True"),
        forked=(True, False),
    ),
    "what a .pth file has done before": Case(
        on_import="import builtins; REMEMBERED = getattr(builtins, 'DONE', None)",
        wheels=[Wheel(name="done", version="1.0", files={"done.pth": "import builtins; builtins.DONE = 1\n"})],
        newer=("done",),
        told=("None", "1"),
        forked=(True, False),
    ),
    "a folder that a .pth file adds": Case(
        on_import="",
        eager="import hidden; raise RuntimeError(f'the value is {hidden.X}')",
        wheels=[Wheel(name="adds", version="1.0", files={"adds.pth": "elsewhere\n", "elsewhere/hidden.py": "X = 1\n"})],
        older=("adds",),
        told=("1", "No module named 'hidden'"),
        forked=(False, False),
    ),
    "which interpreter it is": Case(
        on_import="import multiprocessing.spawn, multiprocessing.resource_tracker, sysconfig",
        eager="import multiprocessing, os, site, sys, sysconfig; multiprocessing.get_context('spawn').Event()\n"
        "mine = [sysconfig.get_path('purelib'), *site.getsitepackages(), os.fsdecode(multiprocessing.spawn.get_executable())]\n"
        'raise RuntimeError(f"{all(map(os.path.exists, mine))} {all(one.startswith(sys.prefix) for one in mine)}")',
        told=("True True", "True True"),
    ),
    "a seed": Case(
        on_import="import random; random.seed(0)",
        then="import random; FIRST = random.randrange(10 ** 6)",
        eager=told("transformers.FIRST, random.randrange(10 ** 6)", "random", "transformers"),
        told=("(885440, 403958)", "(885440, 403958)"),
    ),
    "settings of the garbage collector": Case(
        on_import="import gc; gc.set_threshold(12345, 6, 7)",
        then="import gc; assert gc.get_threshold() in [(12345, 6, 7), (0, 6, 7)]",
        eager=told("gc.get_threshold()", "gc"),
        told=("(12345, 6, 7)", "(12345, 6, 7)"),
    ),
    "a signal handler": Case(
        on_import="import signal; HANDLER = lambda *_: None; signal.signal(signal.SIGCHLD, HANDLER)",
        then="import signal, torch; SAME = signal.getsignal(signal.SIGCHLD) is torch.HANDLER",
        eager=told("transformers.SAME, signal.getsignal(signal.SIGCHLD) is torch.HANDLER", "signal", "torch", "transformers"),
        told=("(True, True)", "(True, True)"),
    ),
    "an open file": Case(
        on_import="DATA = open(__file__)",
        eager=told("torch.DATA.readline()[:11]", "torch"),
        told=("__version__", "__version__"),
        forked=(False, False),
    ),
    "what transformers starts": Case(
        on_import="",
        then="import threading, time; threading.Thread(target=time.sleep, args=(60,), name='t', daemon=True).start()",
        eager=told("[one.name for one in threading.enumerate()][1:]", "threading"),
        told=("['t']", "['t']"),
        forked=(False, False),
    ),
    "a child process": Case(
        on_import="import subprocess; CHILD = subprocess.Popen(['sleep', '0.1'])",
        eager=told("torch.CHILD.wait(5)", "torch"),
        told=("0", "0"),
        forked=(False, False),
    ),
}


NUMBERS = dict(zip(CASES, range(len(CASES)), strict=True))
"""Each case → the last part of the versions of its torch, its transformers and its two onnx."""
MINORS = ("1.16", "1.17")
"""Of the older onnx of each case, and of the newer."""
BASE = 100
"""Added to that number, so that no case has a version of the cell that works."""


@pytest.fixture(scope="module")
def project_of_all(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two cells for each case; and one that works, so that nobody asks another model about the others."""
    made = Project.working(tmp_path_factory.mktemp("alike"))
    base = {axis: versions[0] for axis, versions in AXES.items()}
    cells = []
    for case, number in zip(CASES.values(), NUMBERS.values(), strict=True):
        torch, transformers, *onnx = (f"{minor}.{BASE + number}" for minor in ("2.2", "4.50", *MINORS))
        made.publish(packages.torch(torch, on_import=case.on_import, requires=("sympy", *case.torch)))
        made.publish(packages.transformers(transformers, on_import=case.then, eager=case.eager), *case.wheels)
        for version, requires in zip(onnx, (case.older, case.newer), strict=True):
            made.publish(packages.onnx(version, requires=requires))
            cells.append({**base, "torch": torch, "transformers": transformers, "onnx": version})
    made.configure(include=cells, setup=["handoff"])
    return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """By the version of onnx, of which each cell has its own."""

    errors: dict[str, str]
    forked: dict[str, bool]
    repeated: Counter[str]
    """How often it was repeated: once more if the process of its own, whose words stand, did something else than a fork."""


def found(project: Project) -> Found:
    """What the export of each cell died of, and whether it was a fork."""
    # One after the other, so that the older onnx of each case comes first.
    cells = project.run("--jobs", "1", "--keep-envs").values()
    errors = {cell["pins"]["onnx"]: cell["variants"][0]["error"] for cell in cells if cell["status"] != "works"}
    return Found(
        errors={version: error.removeprefix(VALUE) for version, error in errors.items()},
        # Of several the first: what fails is run once more at the end.
        forked={version: bool(start["server"]) for start in project.starts("export")[::-1] for version in onnx_of(start)},
        repeated=Counter(version for start in project.repetitions() for version in onnx_of(start)),
    )


def onnx_of(start: dict[str, Any]) -> list[str]:
    """The version of onnx on the search path of a process."""
    infos = [info for folder in start["path"] for info in Path(folder).glob("onnx-*.dist-info")]
    return [info.name.removesuffix(".dist-info").partition("-")[2] for info in infos]


@pytest.fixture(scope="module")
def as_always(project_of_all: Project) -> Found:
    return found(fresh(project_of_all, project_of_all.root / "as-always"))


@pytest.fixture(scope="module")
def without_forks(project_of_all: Project) -> Found:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Forks, "launcher", lambda *_: None)
        return found(fresh(project_of_all, project_of_all.root / "without"))


@pytest.mark.parametrize("name", CASES)
def test_a_fork_finds_out_what_a_process_of_its_own_does(as_always, without_forks, name):
    case, versions = CASES[name], [f"{minor}.{BASE + NUMBERS[name]}" for minor in MINORS]
    assert tuple(map(as_always.errors.get, versions)) == case.told
    assert tuple(map(as_always.forked.get, versions)) == case.forked
    assert tuple(map(as_always.repeated.get, versions)) == (1, 1)
    assert tuple(map(without_forks.errors.get, versions)) == case.told
    assert not any(map(without_forks.forked.get, versions))


def test_a_plugin_that_does_not_load_fails_where_it_is(project):
    project.publish(
        packages.torch("2.2.0", on_import=PLUGIN),
        packages.onnx("1.17.0", requires=("plug",)),
        entered(
            "plug", "[torch.backends]\nplug = plug:load\n", "def load():\n    raise ImportError('it needs another torch')\n"
        ),
    )
    project.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    without, beside = project.run("--jobs", "1").values()
    assert (without["status"], beside["status"]) == ("works", "fails")
    assert beside["variants"][0]["error"] == "import torch: ImportError: it needs another torch"


def test_an_interruption_from_within_is_no_fact(project):
    project.publish(packages.torch("2.2.0", on_export="raise KeyboardInterrupt"))
    project.configure({"torch": ["2.2.0"]}, setup=["handoff"])
    (cell,) = project.run().values()
    assert cell["variants"][0]["error"] == "killed by SIGINT in export"
    assert cell["status"] == "error"
    assert all(start["server"] for start in project.starts("export"))
