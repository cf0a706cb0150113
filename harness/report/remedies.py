"""What is known about remedies of each failure, in a sentence that the report and `explain` share. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Stage, Status
from harness.packaging_values import required_name
from harness.report.tables import counted
from harness.stack import VENDORS
from harness.verdicts.remedy_effects import effect
from harness.verdicts.report_schema import ReportedCell, ReportedVariant

_Failure = tuple[Stage | None, str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedyText:
    """What is known about remedies of one variant in one cell."""

    text: str
    """A sentence; empty if nothing is known."""
    works: bool
    """Whether a remedy was run on this variant in this cell, and made it work."""


class RemedyTexts:
    """The remedies of a report, by variant and by failure."""

    def __init__(self, cells: Iterable[ReportedCell]) -> None:
        self._elsewhere: dict[_Failure, Counter[str]] = {}
        self._example: dict[tuple[_Failure, str], str] = {}
        for cell in cells:
            for variant in cell.variants:
                if variant.remedy and variant.status is Status.FAILS:
                    self._elsewhere.setdefault(_failure(variant), Counter())[variant.remedy] += 1
                    self._example.setdefault((_failure(variant), variant.remedy), cell.id)

    def of(self, cell: ReportedCell, variant: ReportedVariant) -> RemedyText:
        """What was run on this variant of `cell`; if nothing helped, also what helps with the same failure elsewhere."""
        if variant.status is not Status.FAILS:
            return RemedyText(text="", works=False)
        if variant.remedy:
            return RemedyText(text=f"mended by {', or by '.join(variant.remedies or [variant.remedy])}", works=True)
        missing = f"the module {variant.missing} is missing" if variant.missing else ""
        return RemedyText(text="; ".join(filter(None, [missing, _search(variant), self._hint(cell, variant)])), works=False)

    def _hint(self, cell: ReportedCell, variant: ReportedVariant) -> str:
        """A remedy of the same failure in another cell or variant that was not run on this one, or proved nothing here."""
        known = [*variant.tried, *variant.unproven]
        for remedy, _ in self._elsewhere.get(_failure(variant), Counter()).most_common():
            if not any(text.startswith(f"{remedy}: ") for text in known):
                there = f"{remedy}, which mends the same failure in {self._example[_failure(variant), remedy]}"
                ran = next((other for other in cell.variants if _changed(variant, other, remedy)), None)
                if ran is None or ran.status not in {Status.FLAKY, Status.ERROR}:
                    return f"not run here: {there}"
                return f"unproven here, where it ended {_ENDED[ran.status]}: {there}"
        return ""


_ENDED = {Status.FLAKY: "flaky", Status.ERROR: "in an error"}


def _changed(variant: ReportedVariant, other: ReportedVariant, remedy: str) -> bool:
    """Whether `other`, of the same cell, is `variant` with the fields that a remedy changes."""
    change = effect(remedy)
    if change is None or not change.only(change.fields):
        return False
    differing = {name for name in VARIANT_FIELDS if getattr(variant, name) != getattr(other, name)}
    # Each exporter has its own opsets; without a cache there is nothing to feed back or to mix.
    free = {"exporter": {"opset"}, "layout": {"feedback", "strategy"}}
    named = {name.replace("-", "_") for name in change.fields}
    values = {f"{name.replace('_', '-')} {getattr(other, name)}" for name in named}
    return values == set(remedy.split(", ")) and differing <= named.union(*(free.get(name, set()) for name in named))


def families(texts: Sequence[str]) -> list[str]:
    """`texts` with bounds on several distributions of one vendor as one: `15 of nvidia-…`."""
    vendors = [_VENDOR.match(text) for text in texts]
    counts = Counter(vendor[0] for vendor in vendors if vendor)
    made = [
        f"{counts[vendor[0]]} of {vendor[0]}…" if vendor and counts[vendor[0]] > 1 else text
        for text, vendor in zip(texts, vendors, strict=True)
    ]
    return list(dict.fromkeys(made))


_VENDOR = re.compile("|".join(map(re.escape, VENDORS)))
"""The beginning of bounds that mean nothing one by one: torch pins all its CUDA libraries itself."""


def _search(variant: ReportedVariant) -> str:
    vain = f"{counted(len(variant.tried), 'change')} tried without success" if variant.tried else ""
    if not variant.search_open:
        return f"no remedy found: {vain}" if vain else ""
    unproven = f"{len(variant.unproven)} ended in an error or flaky, which proves nothing" if variant.unproven else ""
    # A report cannot distinguish an index that failed from one that was not asked: neither is recorded.
    names = dict.fromkeys(map(required_name, variant.unanswered or ()))
    unanswered = f"no index has answered yet which other versions exist of {', '.join(names)}" if names else ""
    return f"remedy open: {', '.join(filter(None, [vain, unproven, unanswered])) or 'nothing tried yet'}"


def _failure(variant: ReportedVariant) -> _Failure:
    return variant.stage, variant.signature
