# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "argcomplete>=3,<4",
#     "covertable>=3.2,<4",
#     "jinja2>=3.1,<4",
#     "nox>=2025.2.9",
#     "packaging>=26.1",
#     "psutil>=6",
#     "pydantic>=2.11,<3",
#     "rich>=13.9",
#     "tabulate>=0.9",
#     "typing-extensions>=4.12",
#     "uv>=0.9,<0.14",
# ]
# ///
"""The sessions. Any installed nox will do: it reads the dependencies above and starts itself anew with them.

nox -s matrix -- --select "onnxruntime==1.16.3"     options of `python -m harness run`
nox -s "probe(py311-t2150-tf4576-o1232-r1163)"      one combination, its environment kept
nox -s probe -t onnxruntime==1.16.3                 a column

Cells with `setup = "handoff"` need two environments: `python -m harness cell ID` builds them.
"""

import os
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from harness import invocation

if sys.platform == "win32":
    raise SystemExit(invocation.WINDOWS)

from harness.errors import HarnessError
from harness.execution import cell_lists
from harness.execution.settings import Settings
from harness.model import Cell

QUICK = ("tests/unit", "tests/fuzz", "tests/pipeline/test_workflow.py", "tests/pipeline/test_stages.py")

nox.options.sessions = ["lint", "tests"]
nox.options.default_venv_backend = "uv"

SETTINGS = Settings(
    config=ROOT / os.environ.get("HARNESS_CONFIG", "matrix.toml"),
    store=Path(os.environ.get("HARNESS_STORE", ROOT / ".harness")),
)


def _cells() -> list[tuple[Cell, str]]:
    """The cells with their pythons; none, and a warning, where the matrix cannot be read: lint and tests go without."""
    try:
        return cell_lists.listed(SETTINGS)
    except HarnessError as error:
        sys.stderr.write(f"no probe sessions: {error}\n")
        return []


def _harness(session: nox.Session, command: str, *arguments: str) -> None:
    variables = {"HARNESS_CONFIG": str(SETTINGS.config), "HARNESS_STORE": str(SETTINGS.store), "HARNESS_STARTED_BY": "nox"}
    # Long enough for a partial report after Ctrl-C.
    given = (command, *arguments, *session.posargs)
    session.run(sys.executable, "-m", "harness", *given, external=True, env=variables, interrupt_timeout=60)


@nox.session(venv_backend="none")
def matrix(session: nox.Session) -> None:
    """Build every combination, export, run, and tabulate what works."""
    _harness(session, "run")


@nox.session(venv_backend="none")
def report(session: nox.Session) -> None:
    """Write the reports from what is already known; run nothing."""
    _harness(session, "report")


@nox.session(venv_backend="none")
def show(session: nox.Session) -> None:
    """What to pin and what works, from the published reports; run nothing."""
    _harness(session, "show")


@nox.session(venv_backend="none")
def history(session: nox.Session) -> None:
    """What a cell came to in each run: nox -s history -- ID."""
    _harness(session, "history")


@nox.session(venv_backend="none")
def lookup(session: nox.Session) -> None:
    """What the published reports know about an error message: nox -s lookup -- "MESSAGE", a log file, or -."""
    _harness(session, "lookup")


@nox.session(venv_backend="none")
def init(session: nox.Session) -> None:
    """Write a matrix for the versions you have: nox -s init -- --from requirements.txt --output mine.toml."""
    _harness(session, "init")


@nox.session(venv_backend="none")
def doctor(session: nox.Session) -> None:
    """Check this machine: uv, interpreters, indexes, disk, memory, store."""
    _harness(session, "doctor")


@nox.session(venv_backend="none")
def clean(session: nox.Session) -> None:
    """Free what the store holds besides what the matrix reaches: nox -s clean -- --dry-run."""
    _harness(session, "clean")


@nox.session(venv_backend="none")
def merge(session: nox.Session) -> None:
    """Make one report of the results of several shards: nox -s merge -- shard-1 shard-2."""
    _harness(session, "merge")


@nox.session(venv_backend="none")
def inspect(session: nox.Session) -> None:
    """Which onnxruntime reads an ONNX file: nox -s inspect -- model.onnx."""
    _harness(session, "inspect")


@nox.session(venv_backend="none")
def plan(session: nox.Session) -> None:
    """Count cells and tasks; install nothing."""
    _harness(session, "plan")


@nox.session(venv_backend="none")
def explain(session: nox.Session) -> None:
    """Why a cell fails and what makes it work: nox -s explain -- ID."""
    _harness(session, "explain")


@nox.session(venv_backend="none")
def cell(session: nox.Session) -> None:
    """Run one cell and keep its environments: nox -s cell -- ID."""
    _harness(session, "cell")


@nox.session(venv_backend="none")
def pin(session: nox.Session) -> None:
    """Write an observed working set as lock files: nox -s pin -- --require "onnxruntime==1.16.3"."""
    _harness(session, "pin")


@nox.session(venv_backend="none")
def check(session: nox.Session) -> None:
    """Will an upgrade break: nox -s check -- --from requirements.txt --to "transformers>=5"."""
    _harness(session, "check")


@nox.session(venv_backend="none")
def bisect(session: nox.Session) -> None:
    """Which release broke it: nox -s bisect -- --good good.txt --bad bad.txt."""
    _harness(session, "bisect")


@nox.session(venv_backend="none")
def catalogue(session: nox.Session) -> None:
    """Measure public reports (catalogue/README.md) and write reports/catalogue; arguments after -- name cases."""
    script = str(ROOT / "catalogue" / "run.py")
    session.run(sys.executable, script, "--store", str(SETTINGS.store), *session.posargs, external=True, interrupt_timeout=60)


@nox.session(venv_backend="none")
def limits(session: nox.Session) -> None:
    """Measure what each onnxruntime reads, and write reports/runtimes.json; arguments after -- are versions."""
    session.run(sys.executable, str(ROOT / "limits" / "run.py"), *session.posargs, external=True)


@nox.session(venv_backend="none")
def misuse(session: nox.Session) -> None:
    """Misuse each onnxruntime, and write reports/misuse.json: what it says; arguments after -- are versions."""
    session.run(sys.executable, str(ROOT / "limits" / "misuse.py"), *session.posargs, external=True)


@nox.session(venv_backend="none")
def exporters(session: nox.Session) -> None:
    """Ask exporters of torch what they translate, and write reports/exporters.json; arguments after -- are versions."""
    session.run(sys.executable, str(ROOT / "limits" / "exporters.py"), *session.posargs, external=True)


@nox.session(venv_backend="none")
def names(session: nox.Session) -> None:
    """Read which names releases of a package define, and write reports/names.json; after --: the package and versions."""
    session.run(sys.executable, str(ROOT / "limits" / "names.py"), *session.posargs, external=True)


@nox.session(venv_backend="none")
def numpy(session: nox.Session) -> None:
    """Read which C interface releases of numpy have, and write reports/numpy.json; arguments after -- are versions."""
    session.run(sys.executable, str(ROOT / "limits" / "numpy_interfaces.py"), *session.posargs, external=True)


@nox.session(venv_backend="uv", reuse_venv=True, download_python="never")
@nox.parametrize(
    ["python", "cell"],
    [
        nox.param(
            python, cell.id, id=cell.id, tags=[f"{axis}=={version}" for axis, version in (("python", cell.python), *cell.pins)]
        )
        for cell, python in _cells()
    ],
)
def probe(session: nox.Session, cell: str) -> None:
    """One combination in a Nox environment of its own, which is kept."""
    _harness(session, "cell", cell, "--environment", session.virtualenv.location)


@nox.session
def tests(session: nox.Session) -> None:
    """The fast tests on fake wheels, then the real ones; arguments after -- go to pytest instead."""
    session.install("-e", ".[dev]")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    # The real ones alone: each builds environments of gigabytes.
    session.run("pytest", "-n", "2", "-m", "not real", "--strict-skips")
    session.run("pytest", "-m", "real", "--strict-skips")


@nox.session
def quick(session: nox.Session) -> None:
    """What to run after each change: all unit tests, and the main path on fake wheels; some two minutes on two cores."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-n", "2", "-m", "not real", *QUICK, *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Try damaged inputs on all that reads what strangers wrote, 5,000 per reader or the number after --."""
    session.install("-e", ".[dev]")
    inputs = session.posargs[0] if session.posargs else "5000"
    session.run("pytest", "tests/fuzz", env={"FUZZ_INPUTS": inputs})


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, mypy and import-linter."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def site(session: nox.Session) -> None:
    """The documents and the published reports as a web site, in site/."""
    session.install(".[docs]")
    session.run("sphinx-build", "--quiet", "--fail-on-warning", "-c", "docs", ".", "site")
