"""Probes of one's own: the two examples, wrong ones that must be caught, and ones that prove nothing."""

from pathlib import Path

import pytest
from harness_run import HERE, ROOT, run

pytestmark = pytest.mark.real

WRONG = HERE / "wrong_probes"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One store for all: they share their environments."""
    return tmp_path_factory.mktemp("probes")


def ask(folder: Path, module: Path, name: str) -> dict:
    """The only variant of the only cell, as the probe at `module` finds it."""
    config = folder / f"{name}.toml"
    config.write_text((WRONG / "matrix.toml").read_text().replace("PROBE", str(module)))
    (cell,) = run(folder, config, "--keep-envs")["cells"]
    (variant,) = cell["variants"]
    return variant


def rules(variant: dict) -> set[str]:
    return {finding.partition(":")[0] for finding in variant["findings"]}


def test_an_environment_holds_hardly_more_than_links(folder):
    ask(folder, WRONG / "dropped_bias.py", "dropped_bias")
    made = [path for path in (folder / "store" / "envs").iterdir() if path.is_dir()]
    own = {
        path.name: sum(file.lstat().st_size for file in path.rglob("*") if file.lstat().st_nlink == 1 and not file.is_dir())
        for path in made
    }
    assert len(own) >= 6  # four layers, an export's, a run's
    assert max(own.values()) <= 2_000_000, own


def test_the_vision_example_needs_opset_16_and_an_ir_that_the_runtime_knows(folder):
    report = run(folder, ROOT / "examples" / "vision" / "matrix.toml", "--select", "torch==2.13.0,onnxruntime!=1.20.1")
    ends = {
        (cell["pins"]["onnxruntime"], variant["exporter"], variant["opset"]): (variant["status"], variant["stage"])
        for cell in report["cells"]
        for variant in cell["variants"]
    }
    assert ends == {
        ("1.16.3", "torchscript", 15): ("fails", "export"),
        ("1.16.3", "torchscript", 16): ("works", None),
        ("1.16.3", "torchscript", 17): ("works", None),
        ("1.16.3", "dynamo", 18): ("fails", "load"),
        ("1.32.0", "torchscript", 15): ("fails", "export"),
        ("1.32.0", "torchscript", 16): ("works", None),
        ("1.32.0", "torchscript", 17): ("works", None),
        ("1.32.0", "dynamo", 18): ("works", None),
    }
    assert all("transformers" not in cell["resolved"] for cell in report["cells"])


def test_the_existing_script_exports_by_itself(folder):
    report = run(folder, ROOT / "examples" / "existing_script" / "matrix.toml", "--select", "torch==2.13.0")
    variants = [variant for cell in report["cells"] for variant in cell["variants"]]
    assert [(variant["exporter"], variant["opset"], variant["status"]) for variant in variants] == [
        ("script", 14, "works"),
        ("script", 17, "works"),
    ] * 2
    assert all(variant["max_abs_diff"] < 1e-5 for variant in variants)
    assert report["probe"]["model"] == "probe.py"


def test_one_name_for_two_lengths_is_found_at_run_time(folder):
    variant = ask(folder, WRONG / "one_name_for_two_lengths.py", "names")
    assert "dimension-bound-twice" in rules(variant)
    assert any("'past_decoder_sequence_length' stands for 1 " in finding for finding in variant["findings"])


def test_a_dropped_bias_is_told_from_other_differences(folder):
    variant = ask(folder, WRONG / "dropped_bias.py", "bias")
    assert (variant["status"], variant["stage"]) == ("fails", "parity")
    assert "constant-offset" in rules(variant)


def test_a_pruned_past_fails_the_export(folder):
    variant = ask(folder, WRONG / "pruned_past.py", "past")
    assert (variant["status"], variant["stage"]) == ("fails", "export")
    assert "pruned-input" in rules(variant)
    assert "past_key_values.0.decoder.key" in variant["error"]


PROVES_NOTHING = {
    "a bug": ("def cases(model):\n    return [][0]\ndef graphs(model): ...", "eager", "list index out of range"),
    "no cases": ("def graphs(model): ...", "eager", "has no function cases()"),
    "a file that was not named": ("import helper", "import", "No module named 'helper': neither the environment"),
    "a package that no axis brings": ("IMPORTS = ('torchvision',)", "import", "No module named 'torchvision': neither"),
    "not Python": ("def cases(", "import", "was never closed"),
}


@pytest.mark.parametrize("name", PROVES_NOTHING)
def test_what_goes_wrong_in_the_probe_itself_is_an_error_and_no_fact(folder, tmp_path, name):
    code, stage, message = PROVES_NOTHING[name]
    (tmp_path / "own.py").write_text(code)
    (tmp_path / "helper.py").touch()
    variant = ask(folder, tmp_path / "own.py", name.replace(" ", "-"))
    assert (variant["status"], variant["stage"]) == ("error", stage)
    assert message in variant["error"]


INVENTS = """
import numpy as np
from harness_probe.protocol import Case

def cases(model):
    x = np.ones((2, 3), np.float32)
    yield Case("2 rows", {"x": x}, {"y": x + 1})

def export(model, variant, folder):
    import onnx
    from onnx import TensorProto, helper
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])
    node = helper.make_node("Add", ["x", "invented"], ["y"])
    graph = helper.make_graph([node], "g", [value("x"), value("invented")], [value("y")])
    opsets = [helper.make_opsetid("", variant.opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(folder / "net.onnx"))
"""

FORGETS = """
import numpy as np
from harness_probe.protocol import Case, GraphRequest

def cases(model):
    x = np.ones((2, 3), np.float32)
    yield Case("2 rows", {"x": x}, {"y": x + 1})

def graphs(model):
    import torch
    class Adding(torch.nn.Module):
        def forward(self, x, more):
            return x + more
    x = torch.ones(2, 3)
    yield GraphRequest(role="net", module=Adding().eval(), inputs={"x": x, "more": x}, outputs=("y",))
"""


def test_an_input_that_the_exporter_invented_is_a_fact_and_one_that_the_probe_forgot_is_none(folder, tmp_path):
    (tmp_path / "invents.py").write_text(INVENTS)
    (tmp_path / "forgets.py").write_text(FORGETS)
    invented, forgotten = (ask(folder, tmp_path / f"{name}.py", name) for name in ("invents", "forgets"))
    assert (invented["status"], invented["stage"], invented["cause"]) == ("fails", "decode", "exporter")
    assert "net: the graph asks for inputs that nobody offers: invented" in invented["error"]
    assert (forgotten["status"], forgotten["stage"], forgotten["cause"]) == ("error", "decode", None)
    assert "the probe forgot inputs of the graph 'net': more" in forgotten["error"]


# Every tensor is put where those of a model of more than 2 GB are.
LARGE = """
from harness_probe.decoders.probe import IMPORTS, about, cases, export, measure, run, starts
from harness_probe.decoders.probe import load as load_right

def load(options):
    from harness_probe.export import external
    external.LIMIT = 0
    return load_right({"family": "marian", "profile": "tiny", **options})
"""


def test_graphs_with_external_data_pass_the_checker_and_run(folder, tmp_path):
    (tmp_path / "large.py").write_text(LARGE)
    config = folder / "large.toml"
    text = (WRONG / "matrix.toml").read_text().replace("PROBE", str(tmp_path / "large.py"))
    config.write_text(text.replace('["pair"]', '["pair", "merged"]'))
    (cell,) = run(folder, config, "--keep-envs")["cells"]
    assert [(one["layout"], one["status"], one["error"]) for one in cell["variants"]] == [
        ("pair", "works", None),
        ("merged", "works", None),
    ]
    found = {path.name for path in (folder / "store" / "artifacts").glob("*/*.data")}
    assert found == {"encoder.onnx.data", "decoder.onnx.data", "decoder_with_past.onnx.data", "decoder_merged.onnx.data"}
