"""`import harness`: what programs use, on the same store as the commands, without a word on stdout or stderr."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from collections.abc import Iterator
from pathlib import Path

import packages
import pytest
from packages import raises
from project import PYTHON, Project

import harness
from harness.execution.events import Judged
from harness.store.store import Store

pytestmark = pytest.mark.usefixtures("installed_once")

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
SET = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Project:
    """What the page describes."""
    made = Project.working(tmp_path_factory.mktemp("api"))
    made.publish(packages.onnxruntime("1.17.0", on_run=raises("RuntimeError('no kernel for If')")))
    made.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    (made.root / "requirements.txt").write_text(SET)
    return made


@pytest.fixture
def project(prepared, tmp_path, monkeypatch) -> Iterator[Project]:
    """A copy; nothing is printed."""
    made = prepared.copy(tmp_path / "project")
    monkeypatch.chdir(made.root)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield made
    assert printed.getvalue() == ""


def run(project: Project, **given: object) -> harness.Report:
    return harness.run(project.config, store=project.store, remedies=False, sandbox="off", **given)  # type: ignore[arg-type]


def test_the_example_of_the_page(project):
    example = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    test = doctest.DocTestParser().get_doctest(example, {}, "docs/api.md", str(PAGE), 0)
    assert len(test.examples) > 10
    said: list[str] = []
    found = doctest.DocTestRunner().run(test, out=said.append)
    assert found.failed == 0, "".join(said)


def test_a_run_is_that_of_the_command(project):
    report = run(project)
    started = len(project.starts())
    assert project.run().keys() == {cell.id for cell in report.cells}
    assert harness.load_report(project.reports) == harness.load_report(str(project.reports / "matrix.json")) == report
    assert len(project.starts()) == started


def test_arguments_mean_what_the_options_mean(project):
    heard: list[object] = []
    report = run(project, select="onnxruntime==1.16.3", jobs=1, listen=heard.append)
    assert [cell.pins["onnxruntime"] for cell in report.cells] == ["1.16.3"]
    assert [event.verdict.status.value for event in heard if isinstance(event, Judged)] == ["works"]
    started = len(project.starts())
    run(project, select=["onnxruntime==1.16.3"])
    assert len(project.starts()) == started
    run(project, exclude="onnxruntime==1.17.0", force=True)
    assert len(project.starts()) > started


def test_a_plan_installs_nothing(project):
    planned = harness.plan(project.config, store=project.store)
    identity = f"py{PYTHON.replace('.', '')}-t210-tf4463-o1162-r1163"
    cell = planned.cells[0]
    assert (cell.id, cell.python, cell.setup.value, cell.variants) == (identity, PYTHON, "together", 1)
    assert cell.resolved["numpy"] == "2.1.0"
    assert planned.cost is not None
    assert project.starts() == []
    report = run(project)
    assert [cell.lock for cell in planned.cells] == [cell.lock for cell in report.cells]
    known = harness.plan(project.config, store=project.store)
    assert (known.pending, known.cost) == ({}, None)


def test_a_cell_without_a_solution_has_a_reason(project):
    project.publish(packages.onnxruntime("1.18.0", requires=("numpy>=9",)))
    project.configure({"onnxruntime": ["1.18.0"]})
    (cell,) = harness.plan(project.config, store=project.store).cells
    assert (cell.lock, cell.resolved) == (None, {})
    assert "numpy>=9" in cell.reason


def test_checks(project):
    def check(**given: object) -> harness.Checked:
        return harness.check("requirements.txt", config=project.config, store=project.store, **given)  # type: ignore[arg-type]

    assert check().answer is harness.CheckResult.SAFE
    assert check(changes="onnxruntime==1.17.0").answer is harness.CheckResult.BREAKS
    assert [upgrade.answer.value for upgrade in check(outdated=True).upgrades] == ["BREAKS"]
    assert check(to=["onnxruntime<1.17"]).answer is harness.CheckResult.SAFE
    with pytest.raises(harness.HarnessError, match="two questions"):
        check(to="onnxruntime", outdated=True)


def test_without_a_set_the_axes_with_one_version_are_it(project):
    project.configure()
    assert harness.check(config=project.config, store=project.store).answer is harness.CheckResult.SAFE


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: harness.run("missing.toml"), "missing.toml"),
        (lambda: harness.plan(select="torch==9"), "torch==9"),
        (lambda: harness.run(jobs=0), "jobs: expected a number of probes, 1 or more, not 0"),
        (lambda: harness.check("missing.txt"), "missing.txt"),
        (lambda: harness.load_report("nonesuch"), "no published report is named 'nonesuch'"),
        (lambda: harness.load_report(Path("matrix")), "matrix cannot be read"),
        (lambda: harness.load_report("index"), "index has no matrix.json"),
    ],
)
def test_what_cannot_be_used_is_an_error_of_the_harness(project, call, words):
    with pytest.raises(harness.HarnessError, match=re.escape(words)):
        call()


def test_ctrl_c_is_an_error_of_the_harness_and_loses_nothing(project, monkeypatch):
    run(project, select="onnxruntime==1.16.3")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "scratch", interrupted)
        with pytest.raises(harness.HarnessError, match="interrupted"):
            run(project)
    assert [cell.status.value for cell in run(project).cells] == ["works", "fails"]
