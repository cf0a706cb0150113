"""A finding that is about no version: a decoding loop that feeds back what it must not.

The same artifact on the same runtime, run under both feedback protocols, is a controlled experiment: where `keep-cross`
works and `feed-all` does not, neither exporter nor runtime nor versions are to blame.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.model import Stage, Status
from harness.stack import RuntimeVersion, listed
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant, identity, sorted_runtimes


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackComparison:
    """Both protocols with one layout, over all pairs of variants that differ in nothing else."""

    layout: str
    pairs: int
    keep_cross_works: int
    feed_all_works: int
    differing: int
    """Pairs in which keep-cross works and feed-all fails."""
    runtimes: tuple[RuntimeVersion, ...]
    """The runtimes on which that was seen."""
    steps: tuple[int, ...]
    """Decoding steps at which feed-all died."""
    messages: tuple[str, ...]
    """The distinct messages of feed-all, most frequent first, each cut to its last sentence."""


def comparisons(report: Report) -> list[FeedbackComparison]:
    """One entry for each layout that has variants with both protocols."""
    pairs: dict[str, list[tuple[ReportedCell, ReportedVariant, ReportedVariant]]] = {}
    for cell in report.cells:
        fed = [variant for variant in cell.variants if variant.feedback == "feed-all"]
        known = {identity(variant): variant for variant in cell.variants} if fed else {}
        for variant in fed:
            if kept := known.get(identity(replace(variant, feedback="keep-cross"))):
                pairs.setdefault(variant.layout, []).append((cell, kept, variant))
    return [_comparison(layout, found) for layout, found in pairs.items()]


def sentence(comparison: FeedbackComparison) -> str:
    """The advice for a decoding loop; empty if the two protocols did not differ."""
    if not comparison.differing:
        return ""
    where = f" at step {' or '.join(map(str, comparison.steps))}" if comparison.steps else ""
    text = (
        f"With a `{comparison.layout}` graph, a decoding loop that feeds every `present.*` output back as the next past "
        f"fails{where}; one that keeps the cross-attention cache (`present.*.encoder.*`) of its first step decodes correctly. "
        f"Seen in {comparison.differing} of {comparison.keep_cross_works} pairs of runs that differ in nothing else, "
        f"on {listed(comparison.runtimes)}."
    )
    whole = comparison.differing == comparison.keep_cross_works
    return f"{text} So change the loop; no version has to change." if whole else text


def _comparison(layout: str, pairs: Sequence[tuple[ReportedCell, ReportedVariant, ReportedVariant]]) -> FeedbackComparison:
    apart = [
        (cell, fed)
        for cell, kept, fed in pairs
        if kept.status is Status.WORKS and fed.status is Status.FAILS and fed.stage in {Stage.DECODE, Stage.PARITY}
    ]
    messages = [headline(fed.error or "").rpartition("Status Message: ")[2] for _, fed in apart]
    return FeedbackComparison(
        layout=layout,
        pairs=len(pairs),
        keep_cross_works=sum(kept.status is Status.WORKS for _, kept, _ in pairs),
        feed_all_works=sum(fed.status is Status.WORKS for _, _, fed in pairs),
        differing=len(apart),
        runtimes=tuple(sorted_runtimes(cell for cell, _ in apart)),
        steps=tuple(sorted({int(found[1]) for _, fed in apart if (found := re.search(r"step (\d+)", fed.error or ""))})),
        messages=tuple(message for message, _ in Counter(messages).most_common()),
    )
