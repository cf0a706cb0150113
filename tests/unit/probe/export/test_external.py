"""Graphs whose tensors lie in other files, as those of more than 2 GB do: the same mechanism with a few bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from harness.probe.decoders.export import layouts  # noqa: E402
from harness.probe.export import external  # noqa: E402
from harness.probe.export.inspection import describe_graph, stamp_ir  # noqa: E402
from harness.probe.outcome import ProbeFailure  # noqa: E402
from harness.store.store import Store  # noqa: E402

SIZE = 300  # floats; more bytes than a tensor may have that stays in its graph
X = np.arange(SIZE, dtype=np.float32)


def write_adding(path: Path, value: float) -> None:
    """Write y = x + weight as TorchScript does it for a large model: a file for each tensor, named like the tensor."""
    weight = numpy_helper.from_array(np.full(SIZE, value, np.float32), "onnx__MatMul_17")
    path.with_name(weight.name).unlink(missing_ok=True)  # as TorchScript does; onnx would append to it
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", weight.name], ["y"])],
        "adding",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [SIZE])],
        [weight],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=False,
        size_threshold=0,
    )


def runs(path: Path, **more: object) -> list[float]:
    """The first element of y in onnxruntime and in the reference evaluator, both by the graph's path."""
    onnx.checker.check_model(str(path), full_check=True)
    values = {"x": X, **more}
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [float(one.run(None, values)[0][0]) for one in (session, ReferenceEvaluator(str(path)))]


@pytest.fixture
def two(tmp_path):
    """Two graphs with a tensor of one name, exported one after the other into one folder."""
    folder = tmp_path / "exported"
    for role, value in (("decoder", 1.0), ("decoder_with_past", 2.0)):
        external.write_apart(lambda path, value=value: write_adding(path, value), folder / f"{role}.onnx")
    return {role: folder / f"{role}.onnx" for role in ("decoder", "decoder_with_past")}


def test_the_exporters_own_files_overwrite_each_other_in_one_folder(tmp_path):
    write_adding(tmp_path / "decoder.onnx", 1.0)
    write_adding(tmp_path / "decoder_with_past.onnx", 2.0)
    assert runs(tmp_path / "decoder.onnx") == [2.0, 2.0]


def test_each_graph_keeps_its_own_tensors(two):
    assert {role: runs(path) for role, path in two.items()} == {"decoder": [1.0, 1.0], "decoder_with_past": [2.0, 2.0]}
    assert sorted(path.name for path in two["decoder"].parent.iterdir()) == [
        "decoder.onnx",
        "decoder.onnx.data",
        "decoder_with_past.onnx",
        "decoder_with_past.onnx.data",
    ]


def test_a_variants_files_are_copies_under_their_own_names(two, tmp_path):
    folder = tmp_path / "variant"
    folder.mkdir()
    layouts.place_graphs({"first": two["decoder"], "later": two["decoder_with_past"]}, folder)
    assert [runs(folder / f"{role}.onnx") for role in ("first", "later")] == [[1.0, 1.0], [2.0, 2.0]]
    assert sorted(path.name for path in folder.iterdir()) == ["first.onnx", "first.onnx.data", "later.onnx", "later.onnx.data"]
    assert {path.stat().st_nlink for path in folder.iterdir()} == {1}


def test_merged_decoders_hold_the_tensors_of_both(two, tmp_path):
    folder = tmp_path / "variant"
    folder.mkdir()
    layouts.LAYOUTS["merged"].build(two, folder)
    merged = folder / "decoder_merged.onnx"
    assert sorted(path.name for path in folder.iterdir()) == ["decoder_merged.onnx", "decoder_merged.onnx.data"]
    found = [runs(merged, use_cache_branch=np.array([cached])) for cached in (False, True)]
    assert found == [[1.0, 1.0], [2.0, 2.0]]


def test_of_equal_tensors_the_merged_graph_holds_one(tmp_path):
    graphs = {}
    for role in ("decoder", "decoder_with_past"):
        graphs[role] = tmp_path / role / f"{role}.onnx"
        external.write_apart(lambda path: write_adding(path, 1.0), graphs[role])
    layouts.LAYOUTS["merged"].build(graphs, tmp_path)
    assert (tmp_path / "decoder_merged.onnx.data").stat().st_size == SIZE * 4


def test_another_ir_version_leaves_the_data_alone(two):
    path = two["decoder"]
    before = path.with_name("decoder.onnx.data").read_bytes()
    stamp_ir(path, 7)
    assert describe_graph(path)["ir"] == 7
    assert path.with_name("decoder.onnx.data").read_bytes() == before
    assert runs(path) == [1.0, 1.0]


def test_a_published_artifact_runs_where_it_is(two, tmp_path):
    store = Store(tmp_path / "store")
    with store.scratch() as scratch:
        (scratch / "variant").mkdir()
        layouts.place_graphs(two, scratch / "variant")
        digest = store.artifacts.publish(scratch / "variant")
    assert runs(store.artifacts.folder(digest) / "decoder_with_past.onnx") == [2.0, 2.0]


def inline(path: Path) -> None:
    """Write y = x + 1 in one file."""
    external.write_apart(lambda written: write_adding(written, 1.0), path)
    onnx.save(onnx.load(str(path)), str(path), save_as_external_data=False)
    model = onnx.load(str(path))
    onnx.external_data_helper.convert_model_from_external_data(model)
    onnx.save(model, str(path))
    path.with_name(path.name + ".data").unlink()


def test_a_small_graph_stays_one_file_byte_by_byte(tmp_path):
    inline(tmp_path / "net.onnx")
    external.place(tmp_path / "net.onnx", tmp_path / "copy.onnx")
    assert (tmp_path / "copy.onnx").read_bytes() == (tmp_path / "net.onnx").read_bytes()
    assert not (tmp_path / "copy.onnx.data").exists()


def test_what_becomes_too_large_for_one_file_is_given_another(tmp_path, monkeypatch):
    inline(tmp_path / "net.onnx")
    monkeypatch.setattr(external, "LIMIT", 1000)
    external.place(tmp_path / "net.onnx", tmp_path / "copy.onnx")
    assert (tmp_path / "copy.onnx.data").stat().st_size == SIZE * 4
    assert (tmp_path / "copy.onnx").stat().st_size < 1000
    assert runs(tmp_path / "copy.onnx") == [1.0, 1.0]


def test_tensors_within_nodes_and_branches_are_found(tmp_path, monkeypatch):
    inline(tmp_path / "net.onnx")
    layouts.LAYOUTS["merged"].build(dict.fromkeys(("decoder", "decoder_with_past"), tmp_path / "net.onnx"), tmp_path)
    model = onnx.load(str(tmp_path / "decoder_merged.onnx"))
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(X, "c"))
    model.graph.node[0].attribute[0].g.node.append(constant)
    assert sorted(len(tensor.raw_data) for tensor in external.tensors(model)) == [SIZE * 4] * 2


def test_data_that_the_exporter_left_behind_are_a_finding(two):
    two["decoder"].with_name("decoder.onnx.data").write_bytes(b"too short")
    with pytest.raises(ProbeFailure, match=r"onnx__MatMul_17: decoder\.onnx\.data has not the bytes that the graph names"):
        external.place(two["decoder"], two["decoder"].with_name("copy.onnx"))
