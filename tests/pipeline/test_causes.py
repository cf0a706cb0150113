"""Each cause is made on purpose, on fake wheels, and told from the others by what was run."""

from __future__ import annotations

import json
import re
from typing import Any

import packages
import pytest
from packages import raises
from project import AXES, Project

pytestmark = pytest.mark.usefixtures("installed_once")

PICKY = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""
MARIAN_ONLY = "if variant['family'] == 'marian': raise RuntimeError('unsupported operator aten::odd')"
DISAGREES = "if family == 'marian': return [0.5], [0.75]"

# One cell for each; what a case does not name is as in the working one. onnxruntime 1.20.0 is the newest, and works.
CASES: dict[str, dict[str, str]] = {
    "works": {},
    "newest": {"onnxruntime": "1.20.0"},
    "model": {"transformers": "4.56.0"},
    "export": {"torch": "2.0.0"},
    "check": {"onnx": "1.9.0"},
    "artifact": {"torch": "2.2.0"},
    "runtime at load": {"onnxruntime": "1.17.0"},
    "runtime at decode": {"onnxruntime": "1.17.1"},
    "runtime at parity": {"onnxruntime": "1.17.2"},
    "gate": {"torch": "2.6.0"},
    "gate passed": {"torch": "2.6.0", "onnxruntime": "1.20.0"},
    "conflict at import": {"onnxruntime": "1.15.1"},
    "conflict avoided": {"onnxruntime": "1.15.1", "torch": "2.1.1"},
    "conflict without a neighbour": {"onnxruntime": "1.15.2"},
    "conflict at resolve": {"transformers": "4.1.0"},
    "conflict at export": {"onnx": "1.8.0"},
}
WHEELS = (
    packages.transformers("4.56.0", eager="return [0.5], [0.75]"),
    packages.torch("2.0.0", on_export=raises("RuntimeError('unsupported operator aten::scaled_dot')")),
    packages.onnx("1.9.0", on_check=raises("ValueError('Field shape of type is required but missing')")),
    packages.torch("2.2.0", flawed=True),
    packages.onnxruntime("1.17.0", on_load=raises("RuntimeError('Could not find an implementation for Odd(9)')")),
    packages.onnxruntime("1.17.1", on_run=raises("RuntimeError('Non-zero status code while running Concat')")),
    packages.onnxruntime("1.17.2", on_run="return [0.5, 0.75]"),
    packages.onnxruntime("1.20.0", max_ir=10),
    packages.torch("2.6.0", ir=10),
    packages.onnxruntime("1.15.1", on_import=PICKY),
    packages.onnxruntime("1.15.2", on_import=PICKY),
    packages.torch("2.1.1", requires=("numpy<2",)),
    packages.transformers("4.1.0", requires=("numpy>=99",)),
    packages.onnx("1.8.0"),
)
EXPECTED = {
    "model": ("eager", "model", "proven"),
    "export": ("export", "exporter", "proven"),
    "check": ("check", "version conflict", "proven"),
    "artifact": ("parity", "exporter", "proven"),
    "runtime at load": ("load", "runtime", "proven"),
    "runtime at decode": ("decode", "runtime", "proven"),
    "runtime at parity": ("parity", "runtime", "proven"),
    "gate": ("load", "format gate", "proven"),
    "conflict at import": ("import", "version conflict", "proven"),
    "conflict without a neighbour": ("import", "version conflict", "likely"),
    "conflict at resolve": ("resolve", "version conflict", "proven"),
    "conflict at export": ("export", "version conflict", "proven"),
}
OLD_ONNX = """
    import importlib.metadata
    if importlib.metadata.version("onnx") == "1.8.0":
        raise AttributeError("module 'onnx' has no attribute 'inliner'")
"""


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One run of a matrix whose cells are `CASES`."""
    project = Project(tmp_path_factory.mktemp("causes"))
    project.publish(packages.torch(on_export=OLD_ONNX), packages.transformers(), packages.onnx(), packages.onnxruntime())
    project.publish(*packages.helpers(), *WHEELS)
    base = {axis: versions[0] for axis, versions in AXES.items()}
    project.configure(
        include=[{**base, **case} for name, case in CASES.items() if name != "works"],
        variants={"exporters": ["torchscript"], "layouts": ["merged"], "feedbacks": ["keep-cross", "feed-all"]},
    )
    answer = project.main("run", "--jobs", "4")
    assert answer.code == 0, answer.err
    return project


@pytest.fixture
def by_case(survey: Project) -> dict[str, dict[str, Any]]:
    """Name of the case → its cell."""
    return dict(zip(CASES, survey.report()["cells"], strict=True))


def told(variant: dict[str, Any]) -> tuple[str, str, str]:
    return variant["stage"], variant["cause"], variant["certainty"]


@pytest.mark.parametrize("case", EXPECTED)
def test_each_cause_is_told_from_the_others(by_case, case):
    kept = by_case[case]["variants"][0]
    assert told(kept) == EXPECTED[case]
    assert all(kept["evidence"])
    assert by_case[case]["id"] in kept["evidence"][0]
    assert kept["evidence"][-1].startswith("to settle it") == (kept["certainty"] == "likely")


def test_feeding_everything_back_is_the_consumers_fault_and_nobody_elses(by_case):
    for case in ("works", "newest", "gate passed", "conflict avoided"):
        kept, fed = by_case[case]["variants"]
        assert (kept["status"], kept["cause"], kept["certainty"], kept["evidence"]) == ("works", None, None, [])
        assert told(fed) == ("decode", "consumer protocol", "proven")
        runtime = by_case[case]["pins"]["onnxruntime"]
        assert f"with feedback keep-cross the same artifact works in onnxruntime {runtime}" in fed["evidence"]


def test_what_ails_an_artifact_anyway_is_not_put_down_to_the_consumer(by_case):
    kept, fed = by_case["artifact"]["variants"]
    assert (kept["stage"], fed["stage"]) == ("parity", "decode")
    assert (fed["cause"], fed["certainty"]) == ("exporter", "likely")
    assert any(sentence.startswith("with feedback keep-cross the same artifact fails too") for sentence in fed["evidence"])


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        (
            "model",
            "PyTorch runs the model with the same torch 2.1.0 in {works}, which has transformers 4.46.3 instead of 4.56.0",
        ),
        ("export", "PyTorch alone ran the model in the same process"),
        ("export", "it writes the same graph in {works}, which has torch 2.1.0 instead of 2.0.0"),
        (
            "check",
            "the same exporter writes the same graph and passes onnx's checker in {works}, which has onnx 1.16.2 instead",
        ),
        ("artifact", "onnx.reference, the same artifact: fails at parity: logits differ from PyTorch by 0.5"),
        ("artifact", "onnxruntime 1.20.0, the same artifact: fails at parity: logits differ from PyTorch by 0.5"),
        ("runtime at load", "onnx.reference runs the same artifact correctly"),
        ("runtime at load", "onnxruntime 1.20.0 runs the same artifact correctly"),
        ("gate", "the artifact has IR version 10; onnxruntime 1.16.3 runs up to 9, measured with one-node models"),
        (
            "conflict at import",
            "onnxruntime 1.15.1 can be imported in {conflict avoided}, which has torch 2.1.1 instead of 2.1.0",
        ),
        ("conflict without a neighbour", "to settle it: a cell in which onnxruntime 1.15.2 can be imported, beside"),
        ("conflict at resolve", "uv: transformers<=4.1.0 depends on numpy>=99"),
        ("conflict at export", "the same exporter writes the same graph in {works}, which has onnx 1.16.2 instead of 1.8.0"),
    ],
)
def test_the_evidence_names_what_was_run(by_case, case, sentence):
    ids = {name: cell["id"] for name, cell in by_case.items()}
    evidence = by_case[case]["variants"][0]["evidence"]
    assert any(one.startswith(sentence.format_map(ids)) for one in evidence), evidence


def test_nobody_is_asked_about_what_is_above_a_runtime(by_case):
    # The newest onnxruntime has run the same artifact, of the next cell: that is told there, and not here.
    assert by_case["gate passed"]["variants"][0]["status"] == "works"
    for variant in by_case["gate"]["variants"]:
        assert (variant["opinions"], variant["controls"], variant["logs"]) == ({}, {}, {})
        assert variant["evidence"] == [
            f"onnxruntime 1.16.3 in {by_case['gate']['id']} fails at load: {variant['error']}",
            "the artifact has IR version 10; onnxruntime 1.16.3 runs up to 9, measured with one-node models",
        ]


def test_what_an_opinion_rests_on_has_a_log(survey, by_case):
    logs = by_case["runtime at load"]["variants"][0]["logs"]
    assert set(logs) == {"onnx.reference", "onnxruntime 1.20.0"}
    assert all((survey.store / log).exists() for log in logs.values())


def test_the_page_counts_whom_each_failure_is_due_to(survey):
    page = (survey.reports / "matrix.md").read_text()
    _, _, section = page.partition("## Causes\n\n")
    table = [[entry.strip() for entry in line.split("|")[1:-1]] for line in section.split("\n\n")[1].splitlines()[2:]]
    counts = {row[0]: (row[1], row[2], row[3]) for row in table}
    # Where something is counted, an example and its log: uv's proofs are on the page, and have none.
    cells = survey.cells()
    for row in table:
        example, _, log = row[4].replace("`", "").partition(": ")
        assert bool(example) == (row[1] != "0")
        if example and log:
            assert (survey.store / log).is_file()
            assert log in {variant["log"] for variant in cells[example]["variants"]}
    assert [bool(".log" in row[4]) for row in table] == [True, True, True, False, True, False, True]
    assert counts == {
        "PyTorch/Transformers and their cache": ("2", "1", "2 proven"),
        "the exporter": ("4", "2", "3 proven, 1 likely"),
        "ONNX Runtime": ("6", "3", "6 proven"),
        "the architecture": ("0", "0", ""),
        "the versions": ("12 (10 version conflict, 2 format gate)", "6", "10 proven, 2 likely"),
        "the model's internals": ("0", "0", ""),
        "none of them: the consumer's protocol": ("4", "4", "4 proven"),
    }
    assert section.startswith("28 variants fail; 28 of them have a cause, 25 proven")


def test_report_says_the_same_as_run_and_explain_too(survey, by_case, tmp_path):
    assert survey.main("report", "--reports", str(tmp_path)).code == 0
    assert json.loads((tmp_path / "matrix.json").read_text()) == survey.report()
    answer = survey.main("explain", by_case["conflict at import"]["id"])
    assert "  cause: version conflict, proven\n" in answer.out
    for sentence in by_case["conflict at import"]["variants"][0]["evidence"]:
        assert f"    {sentence}\n" in answer.out


def test_the_terminal_names_the_cause_of_each_group(survey):
    told = survey.main("report", "--reports", str(survey.root / "again")).out
    # What is proven of one failure is not said of an equal one of which it is likely.
    assert told.count("    version conflict, proven: ") == 4
    assert told.count("    version conflict, likely: ") == 1
    assert told.count("    format gate, proven: ") == 1


def test_every_group_of_failures_has_a_count_and_a_log(survey):
    page = (survey.reports / "matrix.md").read_text()
    logs = [line.rpartition("in full in `")[2].rstrip("`") for line in page.splitlines() if "in full in `" in line]
    assert all((survey.store / log).exists() for log in logs)
    # All groups but what uv said, which is on the page as a whole.
    groups = [line for line in page.splitlines() if line.startswith("- **fails · ")]
    assert len(logs) == sum("fails · resolve" not in group for group in groups)


def test_where_everything_works_nobody_else_is_asked(project):
    project.run()
    assert not project.starts("reference")
    assert len(project.starts("export")) == len(project.starts("run")) == 1


TWO_STACKS = {"torch": ["2.0.0", "2.0.1"]}


class TestNothingWorks:
    """Then a model of another family is asked on every stack."""

    @pytest.fixture
    def ask(self, project: Project):
        def ask(axes=TWO_STACKS, **wheel: str) -> list[dict[str, Any]]:
            made = packages.transformers if "eager" in wheel else packages.torch
            versions = next(iter(axes.values()))
            project.publish(*(made(version, **wheel) for version in versions))
            project.configure(axes)
            return [cell["variants"][0] for cell in project.run().values()]

        return ask

    def test_and_it_is_the_architecture_if_that_works_on_all(self, project, ask):
        both = ask(on_export=MARIAN_ONLY)
        first, second = project.cells()
        for asked, own, other in zip(both, (first, second), (second, first), strict=True):
            assert told(asked) == ("export", "architecture", "proven")
            assert asked["controls"] == {"model t5": "works"}
            assert asked["evidence"][-3:] == [
                "nothing that was asked for works with this model; this fails on 2 stacks",
                f"with model t5 the same variant works in {own}",
                f"with model t5 it works on other stacks that have this failure: {other}",
            ]
        # Two stacks with two models, and each failure once more.
        assert len(project.starts("export")) == 6
        page = (project.reports / "matrix.md").read_text()
        assert re.search(r"^\| the architecture +\| 2 +\| 2 +\| 2 proven ", page, re.MULTILINE)

    def test_a_runtime_that_was_not_reached_needs_no_further_model(self, project):
        project.publish(*(packages.torch(version, on_export=MARIAN_ONLY) for version in TWO_STACKS["torch"]))
        project.publish(packages.onnxruntime("1.17.0"))
        project.configure({**TWO_STACKS, "onnxruntime": ["1.16.3", "1.17.0"]})
        variants = [cell["variants"][0] for cell in project.run().values()]
        assert [told(one) for one in variants] == [("export", "architecture", "proven")] * 4
        assert [one["controls"] for one in variants] == [{}, {"model t5": "works"}] * 2
        assert len(project.starts("export")) == 6

    def test_it_is_likely_only_if_that_fails_on_another_stack(self, project):
        both = "raise RuntimeError('unsupported operator aten::odd')"
        project.publish(packages.torch("2.0.0", on_export=both), packages.torch("2.0.1", on_export=MARIAN_ONLY))
        project.configure(TWO_STACKS)
        variants = [cell["variants"][0] for cell in project.run().values()]
        assert [told(one) for one in variants] == [("export", "architecture", "likely")] * 2
        first, second = project.cells()
        assert variants[1]["evidence"][-3:] == [
            f"with model t5 the same variant works in {second}",
            f"with model t5 the same variant fails at export in {first}",
            "to settle it: model t5 would have to work wherever this fails",
        ]

    def test_with_one_stack_it_is_likely_only(self, ask):
        (asked,) = ask({"torch": ["2.0.0"]}, on_export=MARIAN_ONLY)
        assert told(asked) == ("export", "architecture", "likely")
        assert asked["evidence"][-1] == "to settle it: more than one stack"

    def test_and_it_is_not_if_that_fails_too(self, ask):
        _, asked = ask(on_export=raises("RuntimeError('unsupported operator aten::odd')"))
        assert told(asked) == ("export", "exporter", "likely")
        assert asked["controls"]["model t5"].startswith("fails at export: unsupported operator")

    @pytest.mark.parametrize(
        ("eager", "suspect"),
        [(DISAGREES, "the model's internals"), ("return [0.5], [0.75]", "PyTorch/Transformers and their cache")],
    )
    def test_a_model_that_disagrees_with_itself_everywhere(self, project, ask, eager, suspect):
        _, asked = ask({"transformers": ["4.56.0", "4.57.0"]}, eager=eager)
        assert told(asked) == ("eager", "model", "proven")
        assert "in none of the 2 cells that got so far PyTorch agrees with itself" in asked["evidence"]
        assert any(one.startswith("with model t5 the same cell") for one in asked["evidence"])
        row = next(line for line in (project.reports / "matrix.md").read_text().splitlines() if line.startswith(f"| {suspect}"))
        assert row.split("|")[2].strip() == "2"

    def test_what_pytorch_runs_on_no_stack_although_it_runs_another_model_on_all(self, project, ask):
        odd = "if family == 'marian': raise TypeError('an odd argument')"
        for asked in ask({"transformers": ["4.56.0", "4.57.0"]}, eager=odd):
            assert told(asked) == ("eager", "architecture", "proven")
            assert [one for one in asked["evidence"] if "model t5" in one] == asked["evidence"][-2:]
        page = (project.reports / "matrix.md").read_text()
        assert re.search(r"^\| the architecture +\| 2 +\| 2 +\| 2 proven ", page, re.MULTILINE)

    def test_a_checkpoint_is_compared_with_its_own_family(self, project):
        (project.root / "mine").mkdir()
        (project.root / "mine" / "config.json").write_text('{"model_type": "m2m_100"}')
        # The fake probe knows the families of what is built from a configuration.
        checkpoint_only = "if variant['family'] is None: raise RuntimeError('a weight is odd')"
        project.publish(packages.torch("2.0.0", on_export=checkpoint_only), packages.torch("2.0.1", on_export=checkpoint_only))
        project.configure(TWO_STACKS, probe={"model": "mine"})
        _, cell = project.run().values()
        assert told(cell["variants"][0]) == ("export", "model", "proven")
        assert cell["variants"][0]["controls"] == {"model m2m100 of the same family": "works"}
        page = (project.reports / "matrix.md").read_text()
        assert re.search(r"^\| the model's internals +\| 2 ", page, re.MULTILINE)

    def test_a_format_gate_needs_no_other_model(self, project):
        project.publish(packages.torch("2.6.0", ir=10))
        project.configure({"torch": ["2.6.0"]})
        (cell,) = project.run().values()
        assert told(cell["variants"][0]) == ("load", "format gate", "proven")
        # The run is repeated at the end, because it fails.
        assert (len(project.starts("export")), len(project.starts("run"))) == (1, 2)

    def test_the_report_says_it_too_and_a_second_run_asks_nothing(self, project, ask):
        ask(on_export=MARIAN_ONLY)
        before, started = project.report(), len(project.starts())
        project.run()
        assert (project.report(), len(project.starts())) == (before, started)
