"""Each cause on the real packages, made on purpose and told from the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_run import HERE, run

pytestmark = pytest.mark.real

OLD, NEW = "1.16.3", "1.32.0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One store for all: they share their environments."""
    return tmp_path_factory.mktemp("causes")


def ask(folder: Path, *options: str, probe: str | None = None, **lists: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(cell, variant) of causes.toml as `lists` change it, with one of the wrong probes where it is named."""
    lines = (HERE / "causes.toml").read_text().splitlines()
    places = {line.partition(" = ")[0]: place for place, line in enumerate(lines)}
    for name, value in lists.items():
        # What it does not have is one more of its variants, which come last.
        place = places.get(name, len(lines))
        lines[place : place + 1] = [f"{name} = {value}"]
    if probe:
        lines += ["[probe]", f'module = "{HERE / "wrong_probes" / probe}"']
    config = folder / f"{probe or 'causes'}{len(lists)}.toml"
    config.write_text("\n".join(lines))
    cells = run(folder, config, "--keep-envs", *options)["cells"]
    return [(cell, variant) for cell in cells for variant in cell["variants"]]


def told(variant: dict[str, Any]) -> tuple[str, str, str]:
    return variant["stage"], variant["cause"], variant["certainty"]


def test_gate_conflict_and_protocol_in_one_matrix(folder):
    ends = {}
    for cell, variant in ask(folder):
        pins = cell["pins"]["onnxruntime"], cell["pins"]["numpy"]
        ends[*pins, variant["ir_version"], variant["feedback"]] = told(variant)
    works, protocol = (None, None, None), ("decode", "consumer protocol", "proven")
    gate, conflict = ("load", "format gate", "proven"), ("import", "version conflict", "proven")
    assert ends == {
        (OLD, "1.26.4", 9, "keep-cross"): works,
        (OLD, "1.26.4", 9, "feed-all"): protocol,
        (OLD, "1.26.4", 10, "keep-cross"): gate,
        (OLD, "1.26.4", 10, "feed-all"): gate,
        **{(OLD, "2.2.6", ir, feedback): conflict for ir in (9, 10) for feedback in ("keep-cross", "feed-all")},
        (NEW, "1.26.4", 9, "keep-cross"): works,
        (NEW, "1.26.4", 9, "feed-all"): protocol,
        (NEW, "1.26.4", 10, "keep-cross"): works,
        (NEW, "1.26.4", 10, "feed-all"): protocol,
    }


def test_a_broken_model(folder):
    for _, variant in ask(folder, "--select", f"numpy<2,onnxruntime=={NEW}", probe="forgetful_cache.py"):
        assert told(variant) == ("eager", "model", "proven")
        assert "PyTorch with the cache differs from itself without" in variant["evidence"][0]


def test_a_broken_export(folder):
    select = "numpy<2,ir-version=9,feedback=keep-cross"
    asked = ask(folder, "--select", select, probe="dropped_bias.py", layouts='["pair"]', strategies='["cached"]')
    assert len(asked) == 2
    for _, variant in asked:
        assert told(variant) == ("parity", "exporter", "proven")
        assert any(sentence.startswith("onnx.reference, the same artifact: fails") for sentence in variant["evidence"])


def test_a_refusal_of_the_runtime(folder):
    asked = ask(folder, "--select", "numpy<2,ir-version=9", probe="triangle.py", layouts='["whole"]', feedbacks='["none"]')
    ends = {cell["pins"]["onnxruntime"]: told(variant) for cell, variant in asked}
    assert ends == {OLD: ("load", "runtime", "proven"), NEW: (None, None, None)}
    evidence = asked[0][1]["evidence"]
    assert "onnx.reference runs the same artifact correctly" in evidence
    assert f"onnxruntime {NEW} runs the same artifact correctly" in evidence


def test_an_architecture_until_another_opset_exports_it(folder):
    # What bart's attention is exported to needs opset 14; marian's does not.
    select = f"numpy<2,onnxruntime=={NEW},ir-version=9,feedback=keep-cross"
    lists = {"onnx": '["1.19.1", "1.23.2"]', "layouts": '["pair"]', "opsets": "{ torchscript = [13] }"}
    asked = ask(folder, "--select", select, "--model", "bart", "--no-remedies", **lists)
    assert [told(variant) for _, variant in asked] == [("export", "architecture", "proven")] * 2
    asked = ask(folder, "--select", select, "--model", "bart", **lists)
    assert [told(variant) for _, variant in asked] == [("export", "exporter", "proven")] * 2
    for _, variant in asked:
        assert any("with opset 14, it writes a graph of the same model" in sentence for sentence in variant["evidence"])
