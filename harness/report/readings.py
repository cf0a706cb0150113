"""Which onnxruntimes read something, in words: neighbours among the measured versions are named together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby

from harness.decide.model_support import Reading
from harness.model import Status
from harness.report.page import Span
from harness.stack import RUNTIME

STATUS = {Reading.READS: Status.WORKS, Reading.REFUSES: Status.FAILS, Reading.UNKNOWN: Status.FLAKY}
"""Reading → the status whose colour it has."""


def sentence(readings: Mapping[str, Reading], what: str) -> Iterator[Span | str]:
    """`onnxruntime 1.18.1 and later read it; 1.17.3 and older do not`."""
    counts = Counter(readings.values())
    if len(counts) == 1 and len(readings) > 1:
        (reading,) = counts
        yield Span(f"each of the {len(readings)} measured {RUNTIME}s {_verb(reading, 1)} {what}", status=STATUS[reading])
        return
    yield f"{RUNTIME} "
    for number, reading in enumerate(kind for kind in Reading if counts[kind]):
        chosen = {version for version, found in readings.items() if found is reading}
        yield "; " if number else ""
        refusal = "does not" if counts[reading] == 1 else "do not"
        end = refusal if number and reading is Reading.REFUSES else f"{_verb(reading, counts[reading])} {what}"
        # What a runtime does not read, no earlier one reads.
        yield Span(f"{', '.join(ranges(list(readings), chosen, older=True))} {end}", status=STATUS[reading])


def _verb(reading: Reading, count: int) -> str:
    """What so many runtimes do."""
    verb = {Reading.READS: "read", Reading.UNKNOWN: "may read", Reading.REFUSES: "refuse"}[reading]
    return verb if count > 1 or reading is Reading.UNKNOWN else f"{verb}s"


def ranges(versions: Sequence[str], chosen: Collection[str], *, older: bool = False, later: bool = True) -> Iterator[str]:
    """The `chosen` ones among the measured versions, neighbours together.

    With `older` all before the oldest measured one are meant too, and with `later` those after the newest.
    """
    for is_chosen, group in groupby(versions, key=lambda version: version in chosen):
        members = list(group)
        if is_chosen:
            yield version_range(members, first=older and members[0] == versions[0], last=later and members[-1] == versions[-1])


def version_range(versions: Sequence[str], *, first: bool, last: bool) -> str:
    """Neighbours among the measured versions, in words."""
    if first and not last:
        return f"{versions[-1]} and older" if len(versions) > 1 else versions[0]
    if last and not first:
        return f"{versions[0]} and later" if len(versions) > 1 else versions[0]
    return versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
