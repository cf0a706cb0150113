"""The main job on the real packages: environments, Marian exports and onnxruntime sessions as users have them."""

from pathlib import Path

import pytest
from harness_run import run

pytestmark = pytest.mark.real

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def report(folder) -> dict:
    return run(folder, HERE / "matrix.toml", "--no-remedies")


def variants(report: dict, **wanted: str) -> list[tuple[dict, dict]]:
    """(cell, variant) pairs whose pins and fields are the wanted ones."""
    found = []
    for cell in report["cells"]:
        for variant in cell["variants"]:
            known = {**cell["pins"], **variant}
            if all(known[name] == value for name, value in wanted.items()):
                found.append((cell, variant))
    assert found
    return found


def test_every_cell_works_and_nothing_is_an_error(report):
    assert [cell["status"] for cell in report["cells"]] == ["works"] * 6
    assert {variant["status"] for cell in report["cells"] for variant in cell["variants"]} == {"works", "fails"}


def test_torchscript_pair_agrees_with_pytorch_on_every_onnxruntime(report):
    for _, variant in variants(report, exporter="torchscript", layout="pair", feedback="keep-cross"):
        assert variant["status"] == "works"
        assert variant["max_abs_diff"] < 1e-4
        assert variant["ir"] == 8


def test_the_newest_onnxruntime_runs_all_variants_that_keep_the_cross_cache(report):
    for _, variant in variants(report, onnxruntime="1.32.0", feedback="keep-cross"):
        assert variant["status"] == "works"


def test_a_dynamo_export_has_an_ir_that_onnxruntime_1_16_refuses(report):
    for _, variant in variants(report, onnxruntime="1.16.3", exporter="dynamo", layout="pair"):
        assert (variant["status"], variant["stage"], variant["ir"]) == ("fails", "load", 10)
        assert "Unsupported model IR version: 10, max supported IR version: 9" in variant["error"]


def test_a_graph_merged_by_a_new_onnx_is_beyond_an_older_onnxruntime(report):
    for _, variant in variants(report, onnxruntime="1.20.1", layout="merged"):
        assert (variant["status"], variant["stage"], variant["ir"]) == ("fails", "load", 14)


def test_feeding_everything_back_into_a_merged_graph_dies_at_step_2_and_decides_nothing(report):
    for cell, variant in variants(report, onnxruntime="1.32.0", layout="merged", feedback="feed-all"):
        assert (variant["status"], variant["stage"]) == ("fails", "decode")
        assert "step 2" in variant["error"]
        assert cell["status"] == "works"


def test_the_other_runtimes_cannot_run_that_loop_either(report):
    for _, variant in variants(report, onnxruntime="1.32.0", layout="merged", feedback="feed-all", exporter="torchscript"):
        assert variant["opinions"]["onnx.reference"].startswith("fails at decode")
        assert any(finding.startswith("dimension-bound-twice: ") for finding in variant["findings"])


def test_every_lock_holds_what_the_cell_pins(report):
    for cell in report["cells"]:
        for name, version in cell["pins"].items():
            assert cell["resolved"][name].partition("+")[0] == version
        assert (cell["resolved"]["numpy"] < "2") == (cell["pins"]["onnxruntime"] == "1.16.3")


def test_the_second_run_does_nothing_and_writes_the_same_report(report, folder):
    def results() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (folder / "store" / "results").rglob("*.json")}

    before, known = (folder / "reports" / "matrix.json").read_bytes(), results()
    assert known
    run(folder, HERE / "matrix.toml", "--no-remedies")
    assert results() == known
    assert (folder / "reports" / "matrix.json").read_bytes() == before
    assert not [entry for entry in (folder / "store" / "envs").iterdir() if entry.is_dir()]


def test_unsatisfiable_unimportable_and_unloadable_cells_end_at_three_different_stages(tmp_path):
    cells = run(tmp_path, HERE / "twelve.toml")["cells"]
    assert [cell["status"] for cell in cells].count("works") == 9
    ends = {
        cell["pins"]["onnxruntime"]: (cell["status"], cell["variants"][0]["stage"], cell["variants"][0]["error"])
        for cell in cells
        if cell["status"] != "works"
    }
    assert {runtime: end[:2] for runtime, end in ends.items()} == {
        "1.18.1": ("fails", "resolve"),
        "1.17.3": ("fails", "import"),
        "1.16.3": ("works-with-remedy", "load"),
    }
    assert "onnxruntime==1.18.1 depends on numpy" in ends["1.18.1"][2]
    assert "compiled using NumPy 1.x" in ends["1.17.3"][2]
    assert "Unsupported model IR version: 10, max supported IR version: 9" in ends["1.16.3"][2]
    remedies = {cell["pins"]["onnxruntime"]: cell["remedies"] for cell in cells if cell["remedies"]}
    # numpy is pinned here: what mends these is another cell, but for a stamp in the graph.
    assert remedies == {"1.18.1": ["onnxruntime 1.20.1"], "1.17.3": ["onnxruntime 1.20.1"], "1.16.3": ["ir-version 9"]}


def test_a_numpy_that_is_too_new_is_found_out_and_held_back(tmp_path):
    (cell,) = run(tmp_path, HERE / "numpy_trap.toml")["cells"]
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["numpy<2"])
    (variant,) = cell["variants"]
    assert (variant["status"], variant["stage"], variant["remedy"]) == ("fails", "import", "numpy<2")
    assert cell["resolved"]["numpy"].startswith("2.")
