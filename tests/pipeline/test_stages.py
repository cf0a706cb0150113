"""Each stage is seen to fail once, each kind of trouble once, and the two never mix."""

from __future__ import annotations

import json

import packages
import pytest
from packages import HANG, HOARD, raises
from project import AXES, Project

pytestmark = pytest.mark.usefixtures("installed_once")

WORKS, FAILS, ERROR, NOT_RUN = "works", "fails", "error", "not-run"

# onnxruntime 1.16.3 works with all of these but the last; each other version goes wrong in its own way.
WHEELS = {
    "resolve": packages.transformers("4.1.0", requires=("numpy>=99",)),
    "resolve-tag": packages.package("torch", "2.2.0", tag="cp27-cp27m-win32"),
    "import": packages.torch("2.0.1", on_import=raises("ImportError('libtorch_cpu.so: undefined symbol: iJIT')")),
    "import-run": packages.onnxruntime("1.15.1", on_import=raises("ImportError('numpy.core.multiarray failed to import')")),
    "eager": packages.transformers("4.56.0", eager="return [0.5], [0.75]"),
    "export": packages.torch("2.0.0", on_export=raises("RuntimeError('unsupported operator aten::scaled_dot')")),
    "check": packages.onnx("1.9.0", on_check=raises("ValueError('Field shape of type is required but missing')")),
    "load": packages.torch("2.6.0", ir=10),
    "decode": packages.onnxruntime("1.17.0", on_run=raises("RuntimeError('Non-zero status code while running Concat')")),
    "parity": packages.onnxruntime("1.18.0", on_run="return [0.5, 0.75]"),
    "timeout": packages.onnxruntime("1.19.0", on_run=HANG),
    "memory": packages.onnxruntime("1.20.0", on_run=HOARD),
    "probe-bug": packages.transformers("4.57.0", eager="return None"),
    "exhausted": packages.onnxruntime("1.21.0", on_run=raises("OSError(28, 'No space left on device')")),
}

EXPECTED = {
    "works": (WORKS, None, None),
    "resolve": (FAILS, "resolve", "numpy>=99"),
    "resolve-tag": (FAILS, "resolve", "no wheels with a matching"),
    "import": (FAILS, "import", "import torch: ImportError: libtorch_cpu.so"),
    "import-run": (FAILS, "import", "import onnxruntime: ImportError: numpy.core.multiarray"),
    "eager": (FAILS, "eager", "cached and uncached decoding disagree"),
    "export": (FAILS, "export", "unsupported operator aten::scaled_dot"),
    "check": (FAILS, "check", "Field shape of type is required"),
    "load": (FAILS, "load", "Unsupported model IR version: 10, max supported IR version: 9"),
    "decode": (FAILS, "decode", "Non-zero status code while running Concat"),
    "parity": (FAILS, "parity", "logits differ from PyTorch by 0.5"),
    "timeout": (ERROR, "decode", "no progress in decode for 6 s"),
    "memory": (ERROR, "decode", "more than 0.3 GB resident in decode"),
    "probe-bug": (ERROR, "import", "the probe's own code failed"),
    "exhausted": (ERROR, "decode", "No space left on device"),
    "python": (NOT_RUN, "resolve", None),
}


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One run of a matrix whose cells each include one of `WHEELS`."""
    project = Project(tmp_path_factory.mktemp("survey"))
    project.publish(*packages.working(), *WHEELS.values())
    base = {axis: versions[0] for axis, versions in AXES.items()}
    extra = [{**base, wheel.name: wheel.version} for wheel in WHEELS.values()]
    project.configure(
        include=[*extra, {**base, "python": "3.99"}],
        variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]},
        run={"time-limit": "6s", "memory-limit": "300MB"},
    )
    answer = project.main("run", "--jobs", "4")
    assert answer.code == 0, answer.err
    return project


@pytest.fixture
def by_case(survey: Project) -> dict[str, dict]:
    """Name of the case → reported cell; cells come in the order of the matrix."""
    return dict(zip(["works", *WHEELS, "python"], survey.report()["cells"], strict=True))


@pytest.mark.parametrize("case", EXPECTED)
def test_a_cell_ends_where_its_package_goes_wrong(by_case, case):
    status, stage, words = EXPECTED[case]
    cell = by_case[case]
    assert cell["status"] == status
    assert [(one["status"], one["stage"]) for one in cell["variants"]] == [(status, stage)] * 2
    for variant in cell["variants"]:
        assert (words is None) == (variant["error"] is None)
        assert words is None or words in variant["error"]


def test_what_an_exit_says_and_where_its_log_is(survey, by_case):
    variant = by_case["load"]["variants"][0]
    assert variant["ir"] == 10
    assert variant["max_abs_diff"] is None
    assert (survey.store / variant["log"]).exists()


def test_working_variants_carry_what_was_measured(by_case):
    for variant in by_case["works"]["variants"]:
        assert variant["ir"] == 8
        assert variant["max_abs_diff"] == 0.0
        assert variant["seconds"] > 0
        assert variant["signature"] is variant["error"] is variant["reason"] is None


def test_a_parity_mismatch_still_reports_the_difference(by_case):
    assert {variant["max_abs_diff"] for variant in by_case["parity"]["variants"]} == {0.5}


def test_a_missing_interpreter_is_a_reason_and_no_error(by_case):
    for variant in by_case["python"]["variants"]:
        assert "no CPython 3.99 on this machine" in variant["reason"]
        assert "uv python install 3.99" in variant["reason"]
    assert by_case["python"]["resolved"] == {}
    assert by_case["python"]["lock"] is None


def test_the_probes_own_traceback_is_in_the_log(survey, by_case):
    log = survey.store / by_case["probe-bug"]["variants"][0]["log"]
    assert "a bug of the probe's own, outside of any stage" in log.read_text()


def test_equal_faults_have_equal_signatures_and_others_do_not(by_case):
    signatures = {case: {one["signature"] for one in cell["variants"]} for case, cell in by_case.items()}
    assert all(len(found) == 1 for found in signatures.values())
    faults = [next(iter(signatures[case])) for case, (_, _, words) in EXPECTED.items() if words]
    assert len(set(faults)) == len(faults)


def test_a_resolved_cell_names_every_distribution(by_case):
    assert by_case["works"]["resolved"] == {
        "flatbuffers": "24.3.25",
        "mpmath": "1.3.0",
        "numpy": "2.1.0",
        "onnx": "1.16.2",
        "onnxruntime": "1.16.3",
        "sympy": "1.13.1",
        "tokenizers": "0.20.3",
        "torch": "2.1.0",
        "transformers": "4.46.3",
    }


def test_the_newest_working_cell_is_recommended_for_each_onnxruntime(survey, by_case):
    assert survey.report()["recommended"] == {"1.16.3": by_case["works"]["id"]}


def test_cells_that_share_an_export_export_once(survey):
    # One for each torch, transformers and onnx that resolved; torch 2.1.0's serves eight onnxruntimes. What fails there
    # is run once more at the end. What fails with a graph is exported twice more: torch 2.1.0's. That of torch 2.6.0 has a
    # stamp above the limits.
    exports = [case for case, wheel in WHEELS.items() if wheel.name != "onnxruntime" and not case.startswith("resolve")]
    again = [case for case in exports if case in {"import", "eager", "export", "check"}]
    assert len(survey.starts("export")) == len(exports) + 1 + len(again) + 2


def test_a_second_run_starts_nothing_and_writes_the_same_bytes(survey):
    before = {path.name: path.read_bytes() for path in survey.reports.iterdir()}
    started = len(survey.starts())
    answer = survey.main("run")
    assert answer.code == 0
    assert len(survey.starts()) == started
    assert {path.name: path.read_bytes() for path in survey.reports.iterdir()} == before
    assert "tasks to do" not in answer.err


@pytest.mark.parametrize("status", ["error", "fails"])
def test_red_cells_fail_a_run_only_where_asked(survey, tmp_path, status):
    assert survey.main("run", "--reports", str(tmp_path), "--fail-on", status).code == 1
    assert (
        survey.main("run", "--reports", str(tmp_path), "--fail-on", status, "--select", "id=*-t210-tf4463-o1162-r1163").code
        == 0
    )


def test_explain_tells_every_stage_of_a_cell_and_starts_nothing(survey, by_case):
    started = len(survey.starts())
    answer = survey.main("explain", by_case["load"]["id"])
    assert answer.code == 0
    assert "fails at load" in answer.out
    assert "Unsupported model IR version: 10" in answer.out
    assert len(survey.starts()) == started


def test_plan_counts_cells_and_names_the_unsatisfiable(survey, by_case):
    answer = survey.main("plan")
    assert answer.code == 0
    assert f"{len(by_case)} cells, {2 * len(by_case)} variants" in answer.out
    assert f"{by_case['resolve']['id']}: fails at resolve" in answer.out
    assert f"{by_case['python']['id']}: not-run at resolve" in answer.out
    assert "everything is known already" in answer.out


def test_the_report_command_writes_the_same_report(survey, tmp_path):
    answer = survey.main("report", "--reports", str(tmp_path))
    assert answer.code == 0
    assert json.loads((tmp_path / "matrix.json").read_text()) == survey.report()
