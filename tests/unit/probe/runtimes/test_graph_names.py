"""Inputs that nobody offers and outputs that are not there: a fact about versions, or the probe's mistake."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.probe.outcome import ProbeModuleError, status_of
from harness.probe.runtimes.graph_names import GraphNames, InventedInput, MissingOutput, by_role


def case(inputs: list[str], *expected: list[str]) -> SimpleNamespace:
    return SimpleNamespace(inputs=dict.fromkeys(inputs), expected=[dict.fromkeys(step) for step in expected])


def graph_names(
    *, requested: list[str] | None = None, promised: list[str] | None = None, cases: list[SimpleNamespace]
) -> GraphNames:
    declared = {} if promised is None and requested is None else {"net": {"inputs": requested, "outputs": promised or []}}
    return GraphNames("net", {"declared": declared, "graphs": {"net": {"outputs": [{"name": "z"}]}}}, cases)


def test_an_input_that_nobody_offers_is_the_exporters_invention():
    names = graph_names(cases=[case(["x"], ["y"])])
    with pytest.raises(InventedInput, match=r"net: the graph asks for inputs that nobody offers: invented, onnx::Gather_7"):
        names.offer(["x", "invented", "onnx::Gather_7"], {"x": 1})


def test_it_is_a_fact_and_what_the_probe_forgot_is_an_error():
    names = graph_names(requested=["x", "mask"], cases=[case(["x"], ["y"])])
    found = []
    for inputs in (["x", "invented"], ["x", "mask"]):
        with pytest.raises((InventedInput, ProbeModuleError)) as caught:
            names.offer(inputs, {"x": 1})
        found.append(status_of(caught.value)[0])
    assert found == ["fails", "error"]


def test_what_the_exporter_was_asked_for_and_a_case_lacks_is_the_probes_mistake():
    names = graph_names(requested=["x", "mask"], cases=[case(["x"], ["y"])])
    with pytest.raises(ProbeModuleError, match=r"the probe forgot inputs of the graph 'net': mask; .* the exporter was asked"):
        names.offer(["x", "mask"], {"x": 1})


def test_what_another_case_has_is_no_invention():
    names = graph_names(cases=[case(["x"], ["y"]), case(["x", "mask"], ["y"])])
    with pytest.raises(ProbeModuleError, match="mask; the call offers x, and other cases or calls have them"):
        names.offer(["x", "mask"], {"x": 1})


def test_what_an_earlier_call_has_offered_is_no_invention():
    names = graph_names(cases=[case(["x"], ["y"])])
    names.offer(["x", "past"], {"x": 1, "past": 2})
    with pytest.raises(ProbeModuleError, match="past"):
        names.offer(["x", "past"], {"x": 1})


def test_an_invention_weighs_more_than_what_the_probe_forgot_too():
    names = graph_names(requested=["x", "mask"], cases=[case([], ["y"])])
    with pytest.raises(InventedInput, match=r"nobody offers: invented \(offered: x\)"):
        names.offer(["mask", "invented"], {"x": 1})


def test_more_than_a_graph_takes_may_be_offered():
    graph_names(cases=[case(["x"], ["y"])]).offer(["x"], {"x": 1, "unused": 2})


@pytest.mark.parametrize(
    ("promised", "expected", "kind"),
    [(["y"], [], MissingOutput), (None, ["y"], MissingOutput), (None, ["other"], ProbeModuleError)],
)
def test_a_missing_output_is_a_fact_where_it_was_promised_or_is_expected(promised, expected, kind):
    outputs = graph_names(promised=promised, cases=[case(["x"], expected)]).outputs({"z": 1})
    assert outputs["z"] == 1
    with pytest.raises(kind, match="net: the graph returns no y; it returns z"):
        outputs["y"]


def test_what_another_graph_returns_is_not_missing_from_this():
    with pytest.raises(ProbeModuleError):
        graph_names(cases=[case(["x"], ["z"])]).outputs({"a": 1})["z"]


def test_a_role_that_the_artifact_lacks_is_named_in_words():
    with pytest.raises(ProbeModuleError, match="run\\(\\) asks for the graph 'decoder'; the export left encoder"):
        by_role({"encoder": 1})["decoder"]
