"""Extra cells, which the matrix does not list, are run and judged like its own, and remembered."""

from dataclasses import replace

import packages
import pytest
from project import Project

from harness.execution import extra_cells
from harness.execution.preparation import opened
from harness.execution.session import Session
from harness.execution.settings import Settings
from harness.model import Cell, Status

pytestmark = pytest.mark.usefixtures("installed_once")

PICKY = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""


@pytest.fixture
def picky(project: Project) -> Project:
    """An onnxruntime that does not import beside numpy 2, which is what a resolver picks; and another one, on no axis."""
    project.publish(packages.onnxruntime("1.17.0", on_import=PICKY), packages.onnxruntime("1.18.0"))
    project.configure({"onnxruntime": ["1.17.0"]})
    return project


def session_of(project: Project, *, acts: bool = True) -> Session:
    settings = Settings(config=project.config, store=project.store, sandbox="off")
    session = opened(settings, lambda _event: None)
    session.acts = acts
    return session


def the_cell(session: Session):
    ((resolved, _),) = session.cells
    return resolved.planned


def test_a_bound_changes_what_is_resolved(picky):
    with session_of(picky) as session:
        planned = the_cell(session)
        plain, bound = extra_cells.run(session, [planned, replace(planned, bounds=("numpy<2", "absent-from-all<1"))])
    assert (plain.status, plain.variants[0].stage) == (Status.FAILS, "import")
    assert bound.status is Status.WORKS
    assert bound.resolved.lock.versions["numpy"] == "1.26.4"
    assert "absent-from-all" not in bound.resolved.lock.versions


def test_another_version_needs_no_axis(picky):
    with session_of(picky) as session:
        planned = the_cell(session)
        pins = dict(planned.cell.pins) | {"onnxruntime": "1.18.0"}
        other = replace(planned, cell=Cell(id="other", python=planned.cell.python, pins=tuple(pins.items())))
        (verdict,) = extra_cells.run(session, [other])
    assert verdict.status is Status.WORKS
    assert verdict.cell.id == "other"


def test_what_was_run_is_known_and_leaves_no_environment(picky):
    with session_of(picky) as session:
        extra_cells.run(session, [the_cell(session)])
    started = len(picky.starts())
    with session_of(picky) as session:
        (verdict,) = extra_cells.run(session, [the_cell(session)])
        assert not session.extra_cells.trials
    assert verdict.status is Status.FAILS
    assert len(picky.starts()) == started
    assert not [path for path in (picky.store / "envs").iterdir() if path.is_dir()]


def test_without_acting_nothing_is_run(picky):
    with session_of(picky, acts=False) as session:
        planned = the_cell(session)
        (verdict,) = extra_cells.run(session, [replace(planned, bounds=("numpy<2",))])
    assert (verdict.status, verdict.resolved.lock) == (Status.NOT_RUN, None)
    assert not picky.starts()


def test_a_verdict_has_no_cross_checks_that_it_did_not_ask_for(project):
    only_marian = "if variant['family'] == 'marian': raise RuntimeError('no')"
    project.publish(packages.torch("2.2.0", on_export=only_marian), packages.onnxruntime("1.17.0", on_run="raise ValueError()"))
    project.configure({"torch": ["2.2.0"]})
    (cell,) = project.run().values()
    assert cell["variants"][0]["controls"] == {"model t5": "works"}
    with session_of(project, acts=False) as session:
        (verdict,) = extra_cells.run(session, [the_cell(session)])
        assert verdict.variants[0].controls == {}
    project.configure({"onnxruntime": ["1.17.0"]})
    project.run()
    with session_of(project, acts=False) as session:
        (checked,) = extra_cells.run(session, [the_cell(session)])
        (unchecked,) = extra_cells.run(session, [the_cell(session)], cross_checked=False)
        assert list(checked.variants[0].opinions) == ["onnx.reference"]
        assert unchecked.variants[0].opinions == {}
