"""Tables and groups of failures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import report, reported_cell, reported_variant

from harness.model import Setup, Stage, Status
from harness.report.failures import failure_groups, not_run
from harness.report.tables import cell_text, facets, legend, recommendations, variant_names
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import identity

WORKS, FAILS, ERROR, NOT_RUN = Status.WORKS, Status.FAILS, Status.ERROR, Status.NOT_RUN


def failed(message: str, signature: str, stage: Stage = Stage.LOAD, status: Status = FAILS, **given):
    return reported_variant(status, stage, error=message, signature=signature, **given)


def test_one_facet_for_each_torch_and_python_with_onnxruntimes_as_columns():
    cells = [
        reported_cell(torch=torch, onnxruntime=runtime, python=python)
        for python in ("3.11", "3.12")
        for torch in ("2.1.2", "2.6.0")
        for runtime in ("1.16.3", "1.9.0")
    ]
    made = facets(report(*cells))
    assert [facet.title for facet in made] == [
        "torch 2.1.2 · Python 3.11",
        "torch 2.6.0 · Python 3.11",
        "torch 2.1.2 · Python 3.12",
        "torch 2.6.0 · Python 3.12",
    ]
    assert all(facet.columns == (("onnxruntime", "1.9.0"), ("onnxruntime", "1.16.3")) for facet in made)
    assert sum(cell is not None for facet in made for _, row in facet.rows for cell in row) == len(cells)


def test_a_hole_in_the_table_is_empty():
    made = facets(report(reported_cell(onnxruntime="1.16.3"), reported_cell(onnxruntime="1.17.0", onnx="1.15.0")))
    ((_, first), (_, second)) = made[0].rows
    assert [cell is None for cell in (*first, *second)] == [False, True, True, False]
    assert cell_text(None, []) == ""


@pytest.mark.parametrize(
    ("status", "variants", "text"),
    [
        (WORKS, [reported_variant(), reported_variant(layout="merged")], "works ✓✓"),
        (WORKS, [reported_variant(), failed("x", "s", layout="merged")], "works ✓✗"),
        (FAILS, [failed("x", "s"), failed("y", "t", layout="merged")], "fails load"),
        (FAILS, [failed("x", "s", Stage.IMPORT), failed("y", "t", Stage.DECODE, layout="merged")], "fails decode ✗✗"),
        (ERROR, [failed("x", "s", Stage.DECODE, ERROR), failed("y", "t", Stage.PARITY, layout="merged")], "error decode !✗"),
        (NOT_RUN, [reported_variant(NOT_RUN, Stage.RESOLVE)], "not-run"),
    ],
)
def test_what_a_table_says_of_a_cell(status, variants, text):
    cell = reported_cell(*variants, status=status)
    assert cell_text(cell, [identity(variant) for variant in cell.variants]) == text


def test_faults_are_grouped_by_stage_and_signature_errors_first_and_then_the_most_frequent():
    cells = [
        reported_cell(failed("a", "a"), status=FAILS, onnxruntime="1.16.3"),
        reported_cell(failed("b", "b"), status=FAILS, onnxruntime="1.17.0"),
        reported_cell(failed("b", "b"), failed("b", "b"), status=FAILS, onnxruntime="1.18.0"),
        reported_cell(failed("e", "e", Stage.DECODE, ERROR), status=ERROR, onnxruntime="1.19.0"),
        reported_cell(failed("a", "a", Stage.IMPORT), status=FAILS, onnxruntime="1.20.0"),
    ]
    found = failure_groups(report(*cells))
    assert [(group.status, group.stage, group.message, group.cells, group.variants) for group in found] == [
        (ERROR, Stage.DECODE, "e", 1, 1),
        (FAILS, Stage.LOAD, "b", 2, 3),
        (FAILS, Stage.LOAD, "a", 1, 1),
        (FAILS, Stage.IMPORT, "a", 1, 1),
    ]
    assert found[1].where == "onnxruntime 1.17.0, 1.18.0"


def test_where_names_what_the_affected_have_in_common():
    dynamo = {"exporter": "dynamo", "opset": 18}
    cells = [
        reported_cell(
            reported_variant() if runtime == "1.18.0" else failed("old", "o"), failed("x", "s", **dynamo), onnxruntime=runtime
        )
        for runtime in ("1.16.3", "1.18.0")
    ]
    where = {group.message: group.where for group in failure_groups(report(*cells))}
    assert where == {"x": "exporter dynamo", "old": "onnxruntime 1.16.3 · exporter torchscript"}


def test_what_fails_everywhere_is_everywhere():
    (group,) = failure_groups(report(reported_cell(failed("x", "s")), reported_cell(failed("x", "s"), onnx="1.15.0")))
    assert group.where == "everywhere"


def test_reasons_for_not_running_are_counted():
    gone = reported_variant(NOT_RUN, Stage.RESOLVE, reason="no CPython 3.99")
    cut = reported_variant(NOT_RUN, Stage.LOAD, reason="the run ended")
    found = not_run(report(reported_cell(cut), reported_cell(gone, gone, onnx="1.15.0")))
    assert found == [("no CPython 3.99", 2), ("the run ended", 1)]


@pytest.mark.parametrize(
    ("variants", "names"),
    [
        ([{}], ["torchscript pair"]),
        ([{}, {"layout": "merged"}], ["pair", "merged"]),
        ([{}, {"exporter": "dynamo", "opset": 18}], ["torchscript", "dynamo"]),
        ([{"opset": 14}, {"opset": 17}], ["opset 14", "opset 17"]),
        (
            [{"opset": 14}, {"opset": 17}, {"exporter": "dynamo", "opset": 18}],
            ["torchscript 14", "torchscript 17", "dynamo 18"],
        ),
    ],
)
def test_glyphs_are_named_by_what_differs(variants, names):
    assert list(variant_names(report(reported_cell(*(reported_variant(**given) for given in variants)))).values()) == names


def test_every_cell_has_the_same_slots():
    dynamo = {"exporter": "dynamo", "opset": 18}
    both = reported_cell(failed("x", "s"), reported_variant(**dynamo))
    alone = reported_cell(reported_variant(**dynamo), onnx="1.15.0")
    other = reported_cell(reported_variant(layout="merged"), onnx="1.14.0")
    names = variant_names(report(alone, both, other))
    assert list(names.values()) == ["torchscript pair", "dynamo pair", "torchscript merged"]
    assert [cell_text(cell, names) for cell in (both, alone, other)] == ["works ✗✓-", "works -✓-", "works --✓"]


def test_what_works_is_named_by_all_that_differs():
    cell = reported_cell(reported_variant(), failed("x", "s", binding="ortvalue"))
    header, rows = recommendations(report(cell, recommended={"1.16.3": cell.id}))
    assert dict(zip(header, rows[0], strict=True))["variants that work"] == "numpy"
    assert "setup" not in header


def test_the_environment_is_named_where_there_are_both():
    one, two = reported_cell(), replace(reported_cell(), id="two", environment=Setup.HANDOFF)
    header, rows = recommendations(report(one, two, recommended={"1.16.3": "two"}))
    assert dict(zip(header, rows[0], strict=True))["setup"] == "handoff"


def test_a_headline_is_the_end_of_a_message_on_one_line():
    assert headline("one\n  two") == "one two"
    assert headline("what happened\nhint: what to do") == "what happened"
    long = headline("path " * 100 + "the point", 40)
    assert long.startswith("… ")
    assert long.endswith("the point")
    assert len(long) <= 42


PROOF = """onnxscript cannot be added: error: No solution found when resolving dependencies
  cause: Because only onnxscript<=0.7 is available and onnxscript<0.6 depends on onnx>=1.16, we can conclude that
         onnxscript<0.6 depends on onnx>=1.16.
         And because onnxscript>=0.6 depends on onnx>=1.17, we can conclude that all versions of onnxscript depend on
         onnx>=1.16.
         And because you require onnx==1.15.0 and onnxscript, we can conclude that your requirements are unsatisfiable.

hint: Pre-releases are available"""
SHORT_PROOF = """  \u00d7 No solution found when resolving dependencies:
  \u2570\u2500\u25b6 Because you require a<1 and a>1, we can conclude that your requirements are unsatisfiable."""
REFUSED = """error: No solution found when resolving dependencies
  cause: Because torch was not found in the package registry and you require torch, we can conclude that no.

hint: An index URL (http://x/simple) could not be queried due to a lack of credentials (401 Unauthorized)"""

NO_OVERLOAD = """z_(): incompatible function arguments. The following argument types are supported:
    1. (self: torch._C.Node, arg0: str, arg1: torch.Tensor) -> torch._C.Node

Invoked with: %146 : Tensor = onnx::Constant(), scope: models.Encoder::/modeling_marian.MarianAttention::self_attn
, 'value', 0.3535533905932738
(Occurred when translating scaled_dot_product_attention)."""


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            PROOF,
            (
                "onnxscript cannot be added: … all versions of onnxscript depend on onnx>=1.16. And because you require "
                "onnx==1.15.0 and onnxscript, we can conclude that your requirements are unsatisfiable."
            ),
        ),
        (SHORT_PROOF, "Because you require a<1 and a>1, we can conclude that your requirements are unsatisfiable."),
        (REFUSED, "An index URL (http://x/simple) could not be queried due to a lack of credentials (401 Unauthorized)"),
        (
            "Load model from <store>/artifacts/bf533c37f57cfedf9ba09b412c1cabc4/encoder.onnx failed",
            "Load model from …/encoder.onnx failed",
        ),
        (NO_OVERLOAD, "z_(): incompatible function arguments (Occurred when translating scaled_dot_product_attention)."),
        (NO_OVERLOAD.partition("(Occurred")[0], "z_(): incompatible function arguments"),
    ],
)
def test_a_headline_is_the_useful_part(message, said):
    assert headline(message) == said


def mended(**pins: str):
    variant = reported_variant(Status.FAILS, Stage.IMPORT, error="no", signature="s", remedy="numpy<2")
    return replace(reported_cell(variant, status=Status.WORKS_WITH_REMEDY, **pins), remedies=["numpy<2"])


def test_a_remedy_stands_where_the_cell_does_and_is_explained():
    told = report(mended(), reported_cell(onnxruntime="1.18.0"))
    assert cell_text(told.cells[0], variant_names(told)) == "works-with-remedy ✚ numpy<2"
    assert "✚ works only with the remedy that is named" in legend(told)
    assert "✚" not in legend(report(reported_cell()))


def test_what_works_with_a_remedy_only_is_not_recommended_and_named():
    told = report(mended(), mended(torch="2.6.0"))
    (row,) = recommendations(told)[1]
    newest = told.cells[1].id
    assert row == ["1.16.3", f"none of these cells works by itself; the newest that works with a remedy: {newest} (numpy<2)"]


def test_a_remedy_stands_over_the_variants_that_it_was_run_on_and_the_others_say_their_own():
    searched = replace(failed("x", "s"), tried=["opset 14: fails at load"])
    left, tried = reported_cell(failed("x", "s")), reported_cell(searched, onnx="1.15.0")
    (group,) = failure_groups(report(left, tried))
    assert group.example == tried.id
    assert [remedy.text for remedy in group.remedies] == [
        "no remedy found: 1 change tried without success (1 variant: onnx 1.15.0)"
    ]
    mended = reported_cell(replace(searched, remedy="opset 15", remedies=["opset 15 (also 16)", "layout pair"]), onnx="1.17.0")
    (group,) = failure_groups(report(left, tried, mended))
    assert group.example == mended.id
    hint = f"not run here: opset 15, which mends the same failure in {mended.id}"
    assert [remedy.text for remedy in group.remedies] == [
        "mended by opset 15 (also 16), or by layout pair (1 variant: onnx 1.17.0)",
        f"{hint} (1 variant: onnx 1.16.2)",
        f"no remedy found: 1 change tried without success; {hint} (1 variant: onnx 1.15.0)",
    ]
    vain = reported_cell(replace(searched, tried=["opset 15: fails at decode"]), onnx="1.15.0")
    (group,) = failure_groups(report(vain, mended))
    assert group.remedies[1].text == "no remedy found: 1 change tried without success (1 variant: onnx 1.15.0)"
    (group,) = failure_groups(report(left))
    assert (group.example, group.remedies) == (left.id, ())


def test_an_open_search_is_no_search_that_found_nothing():
    tried = replace(failed("x", "s"), tried=["opset 14: fails at load"], unproven=["opset 15: error at load"], search_open=True)
    (group,) = failure_groups(report(reported_cell(tried)))
    assert [remedy.text for remedy in group.remedies] == [
        "remedy open: 1 change tried without success, 1 ended in an error or flaky, which proves nothing"
    ]


def test_a_runtime_is_named_where_there_are_several():
    node = replace(reported_cell(**{"onnxruntime": None, "onnxruntime-node": "1.16.3"}), environment=Setup.HANDOFF)
    made = replace(
        report(reported_cell(), node),
        recommended={"1.16.3": reported_cell().id},
        recommended_elsewhere={"onnxruntime-node": {"1.16.3": node.id}},
    )
    header, rows = recommendations(made)
    assert (header[0], [row[0] for row in rows]) == ("runtime", ["onnxruntime 1.16.3", "onnxruntime-node 1.16.3"])
    assert [facet.columns for facet in facets(made)] == [(("onnxruntime", "1.16.3"),), (("onnxruntime-node", "1.16.3"),)]


def test_the_only_runtime_heads_its_versions():
    node = {"onnxruntime": None, "onnxruntime-node": "1.16.3"}
    header, (row,) = recommendations(report(reported_cell(status=Status.FAILS, **node)))
    assert (header[0], row[0]) == ("onnxruntime-node", "1.16.3")
