"""The two feedback protocols as a controlled experiment."""

from dataclasses import replace

from values import report, reported_cell, reported_variant

from harness.model import Stage, Status
from harness.report.feedback import comparisons, sentence

DIED = "case a, step 2: [ONNXRuntimeError] Status Message: The dimension with value zero exceeds the dimension size"


def both(fed, kept=Status.WORKS, **axes):
    stage = None if fed is Status.WORKS else Stage.DECODE
    return reported_cell(
        reported_variant(kept, None if kept is Status.WORKS else Stage.LOAD, layout="merged"),
        reported_variant(fed, stage, layout="merged", feedback="feed-all", error=DIED if stage else None),
        **axes,
    )


def test_a_loop_that_must_change_is_told_in_one_sentence():
    (found,) = comparisons(report(both(Status.FAILS, onnxruntime="1.20.1"), both(Status.FAILS, onnxruntime="1.16.3")))
    assert (found.layout, found.pairs, found.keep_cross_works, found.feed_all_works, found.differing) == ("merged", 2, 2, 0, 2)
    assert [runtime.version for runtime in found.runtimes] == ["1.16.3", "1.20.1"]
    assert found.steps == (2,)
    assert found.messages == ("The dimension with value zero exceeds the dimension size",)
    told = sentence(found)
    assert told.startswith(
        "With a `merged` graph, a decoding loop that feeds every `present.*` output back as the next past fails at step 2; "
    )
    assert told.endswith("So change the loop; no version has to change.")


def test_a_message_that_names_no_step():
    cell = both(Status.FAILS)
    fed = replace(cell.variants[1], error="the runtime died")
    (found,) = comparisons(report(replace(cell, variants=[cell.variants[0], fed])))
    assert "as the next past fails; one that keeps" in sentence(found)


def test_what_fails_under_both_protocols_says_nothing_about_them():
    (found,) = comparisons(report(both(Status.FAILS, kept=Status.FAILS)))
    assert (found.keep_cross_works, found.differing) == (0, 0)
    assert sentence(found) == ""


def test_where_only_some_differ_no_conclusion_is_drawn():
    (found,) = comparisons(report(both(Status.FAILS), both(Status.WORKS, onnxruntime="1.20.1")))
    assert (found.keep_cross_works, found.differing) == (2, 1)
    assert not sentence(found).endswith("no version.")


def test_one_protocol_alone_is_no_experiment():
    assert comparisons(report(reported_cell(reported_variant(layout="merged")))) == []


def test_messages_that_are_equally_frequent_keep_the_order_of_the_cells():
    """A report is the same in every process, whatever the hashes of its texts."""
    cells = []
    for number in range(20):
        cell = both(Status.FAILS, onnxruntime=f"1.{number}.0")
        cells.append(replace(cell, variants=[cell.variants[0], replace(cell.variants[1], error=f"message {number}")]))
    (found,) = comparisons(report(*cells))
    assert found.messages == tuple(f"message {number}" for number in range(20))
