"""Inputs that nobody offers and outputs that are not there: a fact about versions, or the probe's mistake."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.probe.outcome import ProbeModuleError, status_of
from harness.probe.runtimes.graph_names import GraphNames, InventedInput, MissingOutput, Roles


def case(inputs: list[str], *expected: list[str]) -> SimpleNamespace:
    return SimpleNamespace(inputs=dict.fromkeys(inputs), expected=[dict.fromkeys(step) for step in expected])


def interface(*, asked: list[str] | None = None, promised: list[str] | None = None, cases: list[SimpleNamespace]) -> GraphNames:
    declared = {} if promised is None and asked is None else {"net": {"inputs": asked, "outputs": promised or []}}
    return GraphNames("net", {"declared": declared, "graphs": {"net": {"outputs": [{"name": "z"}]}}}, cases)


def test_an_input_that_nobody_offers_is_the_exporters_invention():
    border = interface(cases=[case(["x"], ["y"])])
    with pytest.raises(InventedInput, match=r"net: the graph asks for inputs that nobody offers: invented, onnx::Gather_7"):
        border.offer(["x", "invented", "onnx::Gather_7"], {"x": 1})


def test_it_is_a_fact_and_what_the_probe_forgot_is_an_error():
    border = interface(asked=["x", "mask"], cases=[case(["x"], ["y"])])
    found = []
    for inputs in (["x", "invented"], ["x", "mask"]):
        with pytest.raises((InventedInput, ProbeModuleError)) as caught:
            border.offer(inputs, {"x": 1})
        found.append(status_of(caught.value)[0])
    assert found == ["fails", "error"]


def test_what_the_exporter_was_asked_for_and_a_case_lacks_is_the_probes_mistake():
    border = interface(asked=["x", "mask"], cases=[case(["x"], ["y"])])
    with pytest.raises(ProbeModuleError, match=r"the probe forgot inputs of the graph 'net': mask; .* the exporter was asked"):
        border.offer(["x", "mask"], {"x": 1})


def test_what_another_case_has_is_no_invention():
    border = interface(cases=[case(["x"], ["y"]), case(["x", "mask"], ["y"])])
    with pytest.raises(ProbeModuleError, match="mask; the call offers x, and other cases or calls have them"):
        border.offer(["x", "mask"], {"x": 1})


def test_what_an_earlier_call_has_offered_is_no_invention():
    border = interface(cases=[case(["x"], ["y"])])
    border.offer(["x", "past"], {"x": 1, "past": 2})
    with pytest.raises(ProbeModuleError, match="past"):
        border.offer(["x", "past"], {"x": 1})


def test_an_invention_weighs_more_than_what_the_probe_forgot_too():
    border = interface(asked=["x", "mask"], cases=[case([], ["y"])])
    with pytest.raises(InventedInput, match=r"nobody offers: invented \(offered: x\)"):
        border.offer(["mask", "invented"], {"x": 1})


def test_more_than_a_graph_takes_may_be_offered():
    interface(cases=[case(["x"], ["y"])]).offer(["x"], {"x": 1, "unused": 2})


@pytest.mark.parametrize(
    ("promised", "expected", "kind"),
    [(["y"], [], MissingOutput), (None, ["y"], MissingOutput), (None, ["other"], ProbeModuleError)],
)
def test_a_missing_output_is_a_fact_where_it_was_promised_or_is_expected(promised, expected, kind):
    outputs = interface(promised=promised, cases=[case(["x"], expected)]).outputs({"z": 1})
    assert outputs["z"] == 1
    with pytest.raises(kind, match="net: the graph returns no y; it returns z"):
        outputs["y"]


def test_what_another_graph_returns_is_not_missing_from_this():
    with pytest.raises(ProbeModuleError):
        interface(cases=[case(["x"], ["z"])]).outputs({"a": 1})["z"]


def test_a_role_that_the_artifact_lacks_is_named_in_words():
    with pytest.raises(ProbeModuleError, match="run\\(\\) asks for the graph 'decoder'; the export left encoder"):
        Roles({"encoder": 1})["decoder"]
