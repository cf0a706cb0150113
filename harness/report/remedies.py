"""What is known of a remedy for each failure, in one sentence: the page and `explain` both say this one. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Stage, Status
from harness.report.tables import counted
from harness.stack import VENDORS
from harness.verdicts.remedy_effects import effect
from harness.verdicts.report_model import ReportedCell, ReportedVariant

_Fault = tuple[Stage | None, str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedyText:
    """What is known of a remedy for one variant in one cell."""

    text: str
    """A sentence; empty where nothing is known."""
    works: bool
    """Whether a remedy was run on this variant in this cell, and made it work."""


class RemedyTexts:
    """The remedies of a report, by variant and by fault."""

    def __init__(self, cells: Iterable[ReportedCell]) -> None:
        self._elsewhere: dict[_Fault, Counter[str]] = {}
        self._example: dict[tuple[_Fault, str], str] = {}
        for cell in cells:
            for one in cell.variants:
                if one.remedy and one.status is Status.FAILS:
                    self._elsewhere.setdefault(_fault(one), Counter())[one.remedy] += 1
                    self._example.setdefault((_fault(one), one.remedy), cell.id)

    def of(self, cell: ReportedCell, variant: ReportedVariant) -> RemedyText:
        """What was run on this variant of `cell`; where that mended nothing, also what mends the same failure elsewhere."""
        if variant.status is not Status.FAILS:
            return RemedyText(text="", works=False)
        if variant.remedy:
            return RemedyText(text=f"mended by {', or by '.join(variant.remedies or [variant.remedy])}", works=True)
        missing = f"the module {variant.missing} is missing" if variant.missing else ""
        return RemedyText(text="; ".join(filter(None, [missing, _search(variant), self._hint(cell, variant)])), works=False)

    def _hint(self, cell: ReportedCell, variant: ReportedVariant) -> str:
        """What mends the same failure in another cell, or variant, and was not run on this one, or proved nothing here."""
        known = [*variant.tried, *variant.unproven]
        for remedy, _ in self._elsewhere.get(_fault(variant), Counter()).most_common():
            if not any(text.startswith(f"{remedy}: ") for text in known):
                there = f"{remedy}, which mends the same failure in {self._example[_fault(variant), remedy]}"
                ran = next((one for one in cell.variants if _changed(variant, one, remedy)), None)
                if ran is None or ran.status not in {Status.FLAKY, Status.ERROR}:
                    return f"not run here: {there}"
                return f"unproven here, where it ended {_ENDED[ran.status]}: {there}"
        return ""


_ENDED = {Status.FLAKY: "flaky", Status.ERROR: "in an error"}


def _changed(variant: ReportedVariant, other: ReportedVariant, remedy: str) -> bool:
    """Whether `other`, of the same cell, is `variant` with the fields of the remedy of that text."""
    change = effect(remedy)
    if change is None or not change.only(change.fields):
        return False
    differing = {name for name in VARIANT_FIELDS if getattr(variant, name) != getattr(other, name)}
    # Each exporter has opsets of its own; without a cache there is nothing to feed back, or to mix.
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
"""How the bounds begin that say nothing one by one: torch's CUDA libraries, all pinned by torch itself."""


def _search(variant: ReportedVariant) -> str:
    vain = f"{counted(len(variant.tried), 'change')} tried in vain" if variant.tried else ""
    if not variant.search_open:
        return f"no remedy found: {vain}" if vain else ""
    unproven = f"{len(variant.unproven)} ended in an error or flaky, which proves nothing" if variant.unproven else ""
    # Whether an index was in trouble, or was not asked, a report cannot know: neither is recorded.
    names = dict.fromkeys(canonicalize_name(Requirement(text).name) for text in variant.unanswered or ())
    asked = f"no index has answered yet which other versions there are of {', '.join(names)}" if names else ""
    return f"remedy open: {', '.join(filter(None, [vain, unproven, asked])) or 'nothing tried yet'}"


def _fault(variant: ReportedVariant) -> _Fault:
    return variant.stage, variant.signature
