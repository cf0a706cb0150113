"""A cell of a published report explained: what matrix.json alone knows."""

from __future__ import annotations

from dataclasses import replace

from values import report, reported_cell, reported_variant

from harness.model import Cause, Certainty, Setup, Stage, Status
from harness.report.page import Section, Table, plain
from harness.report.pages.explain_published import ReportExplained
from harness.verdicts.report_schema import ReportedVariant, StageTime

KNOWN = {"strategy": "cached", "attention": "default", "outcomes": [], "unanswered": []}


def variant(status: Status = Status.WORKS, stage: Stage | None = None, **given: object) -> ReportedVariant:
    return reported_variant(status, stage, **{**KNOWN, **given})


def failing(**given: object) -> ReportedVariant:
    known = {"error": "no", "signature": "0123456789ab", "cause": Cause.RUNTIME, "certainty": Certainty.LIKELY}
    return variant(Status.FAILS, Stage.LOAD, **{**known, **given})


def sections(*variants: ReportedVariant, **cell: object) -> dict[str, Section]:
    """Title → section of what is said of a cell."""
    held = replace(reported_cell(*variants, status=variants[0].status), **cell)
    blocks = ReportExplained(report(held)).blocks(held)
    return {plain(block.title): block for block in blocks if isinstance(block, Section)}


def test_what_fails_comes_first_and_what_was_not_run_last():
    titles = list(sections(variant(), variant(Status.NOT_RUN, Stage.EXPORT, layout="merged"), failing(layout="no-cache")))
    assert [title.partition(" — ")[0] for title in titles[:3]] == ["fails at load", "works", "not-run at export"]


def test_a_heading_names_some_variants_and_counts_the_rest():
    (title, *_) = sections(*(failing(opset=opset) for opset in range(12, 24)))
    assert title.startswith("fails at load — 12 variants: torchscript-12-pair-keep-cross-numpy, ")
    assert title.endswith("torchscript-15-pair-keep-cross-numpy and 8 more")


def test_stages_have_their_seconds_where_the_report_has_them():
    found = sections(failing(stages=[StageTime(stage=Stage.IMPORT, seconds=2.25)], seconds=3.0), variant(layout="merged"))[
        "Stages"
    ]
    assert found.detail
    (table,) = found.blocks
    assert isinstance(table, Table)
    assert table.header == ["variant", *(stage.value for stage in Stage), "all"]
    rows = [list(map(plain, row)) for row in table.rows]
    assert rows[0] == ["torchscript-17-pair-keep-cross-numpy", "✓", "✓", "2.2 s", "✓", "✓", "✓", "fails", "", "", "3.0 s"]
    assert rows[1] == ["torchscript-17-merged-keep-cross-numpy", *["✓"] * 9, "1.0 s"]


def test_the_lock_of_each_side():
    lock = {"numpy": "1.26.4", "torch": "2.1.2"}
    assert sections(failing(), resolved=lock)["Lock"].blocks[0].text == "numpy==1.26.4\ntorch==2.1.2"
    sides = {"export": lock, "run": {"numpy": "2.0.0"}}
    found = sections(failing(), environment=Setup.HANDOFF, resolved=lock, resolved_sides=sides)
    assert found["Lock, run side"].blocks[0].text == "numpy==2.0.0"
    assert "Lock" not in found
    assert not any(title.startswith("Lock") for title in sections(failing()))


def test_a_log_is_named_only_where_it_stands_beside_the_report():
    def lines(log: str) -> str:
        (section, *_) = sections(failing(log=log)).values()
        return " ".join(plain(item.text) for block in section.blocks if hasattr(block, "items") for item in block.items)

    assert "log: logs/load-0123456789ab.log" in lines("logs/load-0123456789ab.log")
    assert "log" not in lines("logs/0123456789abcdef0123456789abcdef.log")
    assert "log" not in lines("logs/../load-0123456789ab.log")
