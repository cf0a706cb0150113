"""Where one runtime fails to decode, others are asked."""

from collections import Counter

import packages
import pytest

from harness.environments.uv.client import Uv
from harness.execution.preparation import opened
from harness.execution.settings import Settings
from harness.store.store import Store

pytestmark = pytest.mark.usefixtures("installed_once")

DIES = "raise RuntimeError('If')"


def only(project):
    (cell,) = project.run().values()
    (variant,) = cell["variants"]
    return variant


def test_the_evaluator_and_the_newest_runtime_tell_whose_fault_it_is(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES), packages.onnxruntime("1.19.0"))
    project.configure({"onnxruntime": ["1.17.0", "1.19.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair"]})
    failed, works = (cell["variants"][0] for cell in project.run().values())
    assert (failed["status"], failed["stage"]) == ("fails", "decode")
    assert failed["opinions"] == {"onnx.reference": "works", "onnxruntime 1.19.0": "works"}
    assert (works["status"], works["opinions"]) == ("works", {})


def test_the_newest_runtime_is_not_asked_about_itself(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES))
    project.configure({"onnxruntime": ["1.17.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair"]})
    assert only(project)["opinions"] == {"onnx.reference": "works"}


def test_the_newest_runtime_of_the_matrix_is_asked_whatever_is_selected(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES), packages.onnxruntime("1.18.0"), packages.onnxruntime("1.19.0"))
    project.configure({"onnxruntime": ["1.17.0", "1.18.0", "1.19.0"]})
    assert project.main("plan").code == 0
    (cell,) = project.run("--select", "onnxruntime==1.17.0").values()
    opinions = {"onnx.reference": "works", "onnxruntime 1.19.0": "works"}
    assert cell["variants"][0]["opinions"] == opinions
    assert all(name in project.main("explain", "*r1170").out for name in opinions)
    assert project.run()[cell["id"]]["variants"][0]["opinions"] == opinions


def test_a_runtime_whose_lock_nobody_knows_is_not_asked(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES), packages.onnxruntime("1.18.0"), packages.onnxruntime("1.19.0"))
    project.configure({"onnxruntime": ["1.17.0", "1.18.0", "1.19.0"]})
    assert project.main("plan", "--select", "onnxruntime==1.18.0").code == 0
    (cell,) = project.run("--select", "onnxruntime==1.17.0").values()
    assert cell["variants"][0]["opinions"] == {"onnx.reference": "works", "onnxruntime 1.18.0": "works"}


def test_nobody_is_asked_twice(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES), packages.onnxruntime("1.18.0", on_run=DIES))
    project.publish(packages.onnxruntime("1.19.0"))
    variants = {"exporters": ["torchscript"], "layouts": ["pair", "merged"], "bindings": ["numpy", "ortvalue"]}
    project.configure({"onnxruntime": ["1.17.0", "1.18.0", "1.19.0"]}, variants=variants, setup=["together", "handoff"])
    assert len(project.run("--jobs", "2")) == 6
    # The evaluator knows no bindings; the newest runtime has run everything anyway.
    (evaluation,) = project.starts("reference")
    assert len(evaluation["subjects"]) == 2
    *runs, fed, also_fed, again, also_again = project.starts("run")
    assert len(runs) == 3
    # Each runtime that failed, once for both environments: what was not asked of it, the other feedback.
    assert {subject.split("-")[3] for one in (fed, also_fed) for subject in one["subjects"]} == {"feed"}
    # Each variant of them once more at the end.
    names = {
        f"torchscript-17-{layout}-keep-cross-{binding}" for layout in ("pair", "merged") for binding in ("numpy", "ortvalue")
    }
    assert [set(one["subjects"]) for one in (again, also_again)] == [names] * 2


def test_the_evaluator_finds_the_exports_environment_still_there(project, monkeypatch):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES))
    project.configure({"onnxruntime": ["1.17.0"]}, setup=["handoff"])
    made = []
    create = Uv.create

    def counted(uv, folder, interpreter):
        made.append(folder)
        create(uv, folder, interpreter)

    monkeypatch.setattr(Uv, "create", counted)
    project.run()
    assert len(project.starts("reference")) == 1
    # The export's, composed of four layers, and the run's; both once more at the end, with the export that is made then.
    assert len(made) == 12
    assert [path for path in (project.store / "envs").iterdir() if path.is_dir()] == []


def test_a_verdict_reads_each_record_a_few_times_however_many_variants_fail(project, monkeypatch):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES), packages.onnxruntime("1.19.0"))
    versions = {"onnxruntime": ["1.17.0", "1.19.0"]}
    variants = {"exporters": ["torchscript"], "layouts": ["pair", "merged"], "opsets": {"torchscript": [14, 15, 16, 17]}}
    project.configure(versions, variants=variants)
    project.run()
    session = opened(Settings(config=project.config, store=project.store, sandbox="off"), lambda _event: None)
    reads: Counter[str] = Counter()
    read = Store.get

    def counted(store, kind, key):
        reads[key] += 1
        return read(store, kind, key)

    monkeypatch.setattr(Store, "get", counted)
    verdicts = session.verdicts()
    assert [len(one.opinions) for one in verdicts[0].variants] == [2] * 8
    # What all variants of both cells rest on is read for each of them.
    assert max(reads.values()) <= 2 * 8 + 2


def test_what_another_matrix_found_out_is_not_told(project):
    project.publish(
        packages.onnxruntime("1.17.0", on_run="if run['binding'] == 'numpy': " + DIES), packages.onnxruntime("1.19.0")
    )
    axes = {"onnxruntime": ["1.17.0", "1.19.0"]}
    asked = {"exporters": ["torchscript"], "layouts": ["pair"], "feedbacks": ["keep-cross", "feed-all"]}
    project.configure(axes, variants=asked)
    expected = told(project.run())
    project.configure(axes, variants={**asked, "bindings": ["numpy", "ortvalue"]})
    project.run()
    project.configure(axes, variants=asked)
    assert told(project.run()) == expected


def told(cells):
    return [(one["opinions"], one["controls"], one["evidence"]) for cell in cells.values() for one in cell["variants"]]


def test_an_opinion_is_stored_like_any_result(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES))
    project.configure({"onnxruntime": ["1.17.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair"]})
    first = only(project)
    starts = len(project.starts())
    assert only(project) == first
    assert len(project.starts()) == starts
