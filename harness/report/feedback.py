"""The finding that is about no version: a decoding loop that feeds back what it must not.

The same artifact on the same runtime, run under both feedback protocols, is a controlled experiment: where `keep-cross`
works and `feed-all` does not, neither exporter nor runtime nor versions are to blame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from harness.model import Stage, Status
from harness.verdicts.messages import headline
from harness.verdicts.report_model import Report, ReportedCell, ReportedVariant, identity


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """What both protocols gave for one layout, over all pairs of variants that differ in nothing else."""

    layout: str
    pairs: int
    keep_cross_works: int
    feed_all_works: int
    told_apart: int
    """Pairs in which keep-cross works and feed-all fails."""
    runtimes: tuple[str, ...]
    """onnxruntime versions on which that was seen."""
    steps: tuple[int, ...]
    """Decoding steps at which feed-all died."""
    messages: tuple[str, ...]
    """The distinct messages of feed-all, most frequent first, each cut to its last sentence."""


def protocols(report: Report) -> list[Protocol]:
    """One entry for each layout of which the report holds both protocols; nothing where only one was asked for."""
    pairs: dict[str, list[tuple[ReportedCell, ReportedVariant, ReportedVariant]]] = {}
    for cell in report.cells:
        known = {identity(variant): variant for variant in cell.variants}
        for variant in cell.variants:
            kept = known.get(identity(replace(variant, feedback="keep-cross")))
            if variant.feedback == "feed-all" and kept is not None:
                pairs.setdefault(variant.layout, []).append((cell, kept, variant))
    return [_protocol(layout, found) for layout, found in pairs.items()]


def sentence(protocol: Protocol) -> str:
    """What follows for somebody who writes a decoding loop; empty where the two protocols did not differ."""
    if not protocol.told_apart:
        return ""
    where = f" at step {' or '.join(map(str, protocol.steps))}" if protocol.steps else ""
    text = (
        f"With a `{protocol.layout}` graph, a decoding loop that feeds every `present.*` output back as the next past "
        f"dies{where}; one that keeps the cross-attention cache (`present.*.encoder.*`) of its first step decodes correctly. "
        f"Seen in {protocol.told_apart} of {protocol.keep_cross_works} pairs of runs that differ in nothing else, "
        f"on onnxruntime {', '.join(protocol.runtimes)}."
    )
    whole = protocol.told_apart == protocol.keep_cross_works
    return f"{text} So the loop has to change, and no version." if whole else text


def _protocol(layout: str, pairs: Sequence[tuple[ReportedCell, ReportedVariant, ReportedVariant]]) -> Protocol:
    apart = [
        (cell, fed)
        for cell, kept, fed in pairs
        if kept.status is Status.WORKS and fed.status is Status.FAILS and fed.stage in {Stage.DECODE, Stage.PARITY}
    ]
    messages = [_last_sentence(fed.error or "") for _, fed in apart]
    return Protocol(
        layout=layout,
        pairs=len(pairs),
        keep_cross_works=sum(kept.status is Status.WORKS for _, kept, _ in pairs),
        feed_all_works=sum(fed.status is Status.WORKS for _, _, fed in pairs),
        told_apart=len(apart),
        runtimes=tuple(sorted({cell.pins["onnxruntime"] for cell, _ in apart}, key=Version)),
        steps=tuple(sorted({int(found[1]) for _, fed in apart if (found := re.search(r"step (\d+)", fed.error or ""))})),
        messages=tuple(sorted(set(messages), key=lambda message: -messages.count(message))),
    )


def _last_sentence(message: str) -> str:
    return headline(message).rpartition("Status Message: ")[2]
