"""Versions that do not fit together, and releases that an index does not have, in the words of pip and uv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.decide.missing_releases import MissingReason, MissingRelease
from harness.decide.version_conflicts import VersionConflict
from harness.decide.working_cells import PYTHON
from harness.model import Stage
from harness.report.page import Text
from harness.report.pages.refusals.interface import RefusalWords, working
from harness.report.tables import counted

_BASIS = "what is asked for is as the text has it; what works, in cells of the published reports"


def _reason_of_conflict(refusal: VersionConflict) -> str:
    found = f", and the text has {refusal.found}" if refusal.found else ""
    return f"{refusal.package} {refusal.version} asks for {_needed(refusal)}{found}"


def _needed(refusal: VersionConflict) -> str:
    """`protobuf>=3.20.2`, `python 3.11, 3.12`."""
    return f"{refusal.needed} {refusal.bounds}" if refusal.needed == PYTHON else f"{refusal.needed}{refusal.bounds}"


def _of_conflict(refusal: VersionConflict) -> Iterator[Text]:
    yield working(f"{refusal.package} {refusal.version}", refusal.needed, refusal.measured)
    if refusal.found:
        yield working(f"{refusal.needed} {refusal.found}", refusal.package, refusal.instead)


def _reason_of_missing(refusal: MissingRelease) -> str:
    match refusal.reason:
        case MissingReason.ABSENT:
            return f"the index that was asked has no {refusal.package} {refusal.version}, or hides it"
        case MissingReason.NOT_FOUND:
            return f"pip finds no {_release(refusal)} for this Python and platform"
        case _:
            return f"{_release(refusal)} has no wheel for this Python or platform"


def _of_missing(refusal: MissingRelease) -> Iterator[Text]:
    yield working(_release(refusal), PYTHON, refusal.pythons)
    build = (refusal.version or "").partition("+")[2]
    if refusal.cutoff:
        yield "the text has `exclude-newer`: a release of a later day is there, and does not count"
    elif build and not any(offered.endswith(f"+{build}") for offered in refusal.offered):
        yield f"PyPI has no builds such as +{build}: who builds them has an index of his own"
    elif refusal.pythons and refusal.reason is MissingReason.ABSENT:
        yield "so there is such a release, in another index, or hidden in this one"
    elif refusal.pythons:
        yield "so there is such a release: what it lacks is a file for this Python, this system (glibc) or this architecture"
    if refusal.offered:
        yield f"what is found: {counted(len(refusal.offered), 'release')}, {' to '.join(_ends(refusal.offered))}"
    if refusal.working:
        yield working(f"of these, {refusal.package}", "the versions", refusal.working)


def _ends(versions: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([versions[0], versions[-1]]))


def _release(refusal: MissingRelease) -> str:
    """`onnxruntime 1.16.3`, or all of its releases."""
    return f"{refusal.package} {refusal.version}" if refusal.version else refusal.package


CONFLICT = RefusalWords(stage=Stage.RESOLVE, basis=_BASIS, reason=_reason_of_conflict, lines=_of_conflict)
MISSING = RefusalWords(stage=Stage.RESOLVE, basis=_BASIS, reason=_reason_of_missing, lines=_of_missing)
