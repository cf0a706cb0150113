"""A cause is proven by what was run, and by nothing less: a remedy, another cell, one failure alike in two runtimes."""

from __future__ import annotations

import json
from typing import Any

import packages
import pytest
from packages import raises
from project import AXES, Project

pytestmark = pytest.mark.usefixtures("installed_once")

NO_KERNEL = (
    "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for MatMul(13) node with name '/MatMul'"
)
FUSED = "Non-zero status code returned while running LayerNormalization node. Status Message: Size of scale must match this"


@pytest.fixture
def mending(project: Project) -> Project:
    """A project whose failures are mended where that is possible."""
    project.remedies = True
    return project


def told(variant: dict[str, Any]) -> tuple[str, str, str, str | None]:
    return variant["stage"], variant["cause"], variant["certainty"], variant["remedy"]


def first(project: Project) -> dict[str, Any]:
    """The first variant of the first cell."""
    variant: dict[str, Any] = next(iter(project.run().values()))["variants"][0]
    return variant


class TestARuntimeWithoutAnImplementation:
    """The evaluator's own limits are no word against the artifact either."""

    def ask(self, project: Project, **torch: str) -> dict[str, Any]:
        project.publish(packages.onnxruntime("1.17.0", on_load=raises(f"RuntimeError({NO_KERNEL!r})")), packages.torch(**torch))
        project.configure({"onnxruntime": ["1.17.0"]})
        return first(project)

    def test_is_at_fault_whatever_ails_the_evaluator(self, project):
        found = self.ask(project, on_evaluate=raises("TypeError('MatMul node: Output type mismatch: bfloat16 != float32')"))
        assert found["opinions"] == {
            "onnx.reference": "fails at decode: TypeError: MatMul node: Output type mismatch: bfloat16 != float32"
        }
        assert told(found) == ("load", "runtime", "likely", None)
        assert found["evidence"][-1] == "to settle it: an onnx whose reference evaluator runs the artifact"

    def test_is_proven_to_be_if_the_evaluator_runs_the_artifact(self, project):
        assert told(self.ask(project)) == ("load", "runtime", "proven", None)


def test_an_option_with_which_the_same_runtime_runs_the_same_artifact_proves_the_runtime(mending):
    fused = f"if run['session'].get('optimization') != 'basic': raise RuntimeError({FUSED!r})"
    mending.publish(packages.onnxruntime("1.17.0", on_run=fused), packages.onnxruntime("1.18.0", on_run=fused))
    mending.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
    for cell in mending.run().values():
        (variant,) = cell["variants"]
        assert variant["opinions"]["onnx.reference"] == "works"
        assert told(variant) == ("decode", "runtime", "proven", "optimization basic")
        runtime = cell["pins"]["onnxruntime"]
        assert variant["evidence"][-1] == (f"with optimization basic the same artifact works in the same onnxruntime {runtime}")
    assert mending.main("report", "--reports", str(mending.root / "again")).code == 0
    assert json.loads((mending.root / "again" / "matrix.json").read_text()) == mending.report()


def test_a_remedy_of_versions_alone_makes_it_a_version_conflict(mending):
    odd = "import numpy\nif numpy.__version__ >= '2': raise RuntimeError('the inliner is odd')"
    mending.publish(packages.torch("2.0.0", on_export=odd), packages.torch("2.0.1", on_export=odd, requires=("numpy<2",)))
    mending.configure({"torch": ["2.0.0", "2.0.1"]})
    variant = first(mending)
    assert told(variant) == ("export", "version conflict", "proven", "numpy<2")
    assert variant["evidence"][-1] == "with numpy<2 alone it writes the same graph"


class TestWordsOfVersionsAtOdds:
    """Any one version that is changed alone proves that they are."""

    ODD = """
        import importlib.metadata
        if importlib.metadata.version("optimum-onnx") == "0.0.1":
            raise ImportError("cannot import name 'is_odd' from 'torch'")
    """

    @pytest.fixture
    def ask(self, project):
        def ask(**axes: list[str]) -> dict[str, Any]:
            project.publish(*(packages.package("optimum_onnx", version) for version in ("0.0.1", "0.0.2")))
            project.publish(packages.torch("2.9.0", on_export=self.ODD))
            project.configure({"torch": ["2.9.0"], **axes})
            cells = project.run().values()
            return next(cell["variants"][0] for cell in cells if cell["pins"]["torch"] == "2.9.0")

        return ask

    def test_another_exporter_package_that_works(self, ask):
        variant = ask(**{"optimum-onnx": ["0.0.1", "0.0.2"]})
        assert told(variant) == ("export", "version conflict", "proven", None)
        assert "optimum-onnx 0.0.2 instead of 0.0.1" in variant["evidence"][-1]

    def test_another_torch_that_works(self, ask):
        variant = ask(torch=["2.1.0", "2.9.0"], **{"optimum-onnx": ["0.0.1"]})
        assert told(variant) == ("export", "version conflict", "proven", None)
        assert "torch 2.1.0 instead of 2.9.0" in variant["evidence"][-1]

    def test_words_alone(self, ask):
        variant = ask(**{"optimum-onnx": ["0.0.1"]})
        assert told(variant) == ("export", "version conflict", "likely", None)


def test_two_versions_that_differ_prove_no_exporter(project):
    project.publish(packages.torch("2.0.0", on_export=raises("ValueError('no')")), packages.transformers("4.47.0"))
    works = {**{axis: versions[0] for axis, versions in AXES.items()}, "transformers": "4.47.0"}
    project.configure({"torch": ["2.0.0"]}, include=[works])
    variant = first(project)
    assert told(variant) == ("export", "exporter", "likely", None)
    assert "torch 2.1.0 instead of 2.0.0, transformers 4.47.0 instead of 4.46.3" in variant["evidence"][-2]


def test_rules_tell_the_faults_of_one_stage_apart(project):
    """An IR gate and a fusion that is broken in some releases, both at load."""
    fused = raises("RuntimeError('Node (MatMulBnFusion_Gemm) Op (Gemm) [ShapeInferenceError] First input is not of rank 2')")
    project.publish(packages.torch("2.6.0", ir=10), packages.onnxruntime("1.16.3"))
    project.publish(*(packages.onnxruntime(version, max_ir=10, on_load=fused) for version in ("1.18.0", "1.20.0")))
    project.publish(packages.onnxruntime("1.21.0", max_ir=10))
    project.configure({"torch": ["2.6.0"], "onnxruntime": ["1.16.3", "1.18.0", "1.20.0", "1.21.0"]})
    project.run()
    rules = project.report()["rules"]
    assert {rule["text"]: (rule["variants"], rule["causes"]) for rule in rules} == {
        "1.18.0≤onnxruntime<1.21.0 → load": (2, {"runtime": 2}),
        "onnxruntime<1.18.0 → load": (1, {"format gate": 1}),
    }
    page = (project.reports / "matrix.md").read_text()
    assert "2 variants in 2 cells, runtime" in page
    assert "onnxruntime fails up to 1.20.0, passes at 1.21.0 (not asked)" in page


class TestTwoThingsThatDiffer:
    """What differs in two things shows nothing of one of them."""

    NEW_NUMPY = (
        "import importlib.metadata as m\n"
        "if m.version('numpy').startswith('2'): raise RuntimeError('the dtype of this array is not known')"
    )

    @pytest.mark.parametrize("setup", ["handoff", "together"])
    def test_another_runtime_beside_another_numpy_proves_nothing_about_the_runtime(self, project, setup):
        project.publish(
            packages.onnxruntime("1.18.0", on_run=self.NEW_NUMPY),
            packages.onnxruntime("1.17.0", requires=("flatbuffers", "numpy<2")),
        )
        project.configure({"onnxruntime": ["1.17.0", "1.18.0"]}, setup=setup)
        cells = project.run()
        (variant,) = next(cell for cell in cells.values() if cell["status"] == "fails")["variants"]
        assert told(variant) == ("decode", "runtime", "likely", None)
        assert variant["evidence"][-1].startswith("to settle it: numpy 2")
        assert variant["evidence"][-1].endswith("beside onnxruntime 1.17.0")

    def test_it_is_a_conflict_of_versions_once_the_numpy_was_tried(self, mending):
        mending.publish(
            packages.onnxruntime("1.18.0", on_run=self.NEW_NUMPY),
            packages.onnxruntime("1.17.0", requires=("flatbuffers", "numpy<2")),
        )
        mending.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
        (variant,) = next(cell for cell in mending.run().values() if cell["remedies"])["variants"]
        assert told(variant) == ("decode", "version conflict", "proven", "numpy<2")

    def test_a_cell_with_another_torch_and_another_sympy_proves_nothing_about_the_exporter(self, project):
        strict = (
            "import importlib.metadata as m\n"
            "if m.version('sympy') == '1.14.0': raise RuntimeError('cannot simplify the guards of this graph')"
        )
        project.publish(
            packages.package("sympy", "1.14.0", requires=("mpmath",)),
            packages.torch("2.1.0", requires=("sympy<1.14",), on_export=strict),
            packages.torch("2.2.0", on_export=strict),
        )
        project.configure({"torch": ["2.1.0", "2.2.0"]})
        (variant,) = next(cell for cell in project.run().values() if cell["status"] == "fails")["variants"]
        assert told(variant) == ("export", "exporter", "likely", None)
        assert variant["evidence"][-1].startswith("to settle it: the same cell with sympy 1.1")

    def test_a_stamp_that_the_checker_does_not_know_is_a_matter_of_versions(self, project):
        gate = (
            "import json\n"
            "with open(path) as file: ir = json.load(file)['ir']\n"
            'if ir > 9: raise ValueError(f"Your model ir_version {ir} is higher than the checker\'s (9)")'
        )
        project.publish(
            packages.torch(
                "2.6.0", on_export="variant = dict(variant, ir_version=10 if variant['exporter'] == 'dynamo' else 9)"
            ),
            packages.onnx("1.16.0", on_check=gate),
            packages.onnxruntime("1.21.0", max_ir=10),
        )
        axes = {"torch": ["2.6.0"], "onnx": ["1.16.0"], "onnxruntime": ["1.21.0"]}
        project.configure(axes, variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]})
        (cell,) = project.run().values()
        assert [variant["status"] for variant in cell["variants"]] == ["works", "fails"]
        assert told(cell["variants"][1]) == ("check", "version conflict", "likely", None)
