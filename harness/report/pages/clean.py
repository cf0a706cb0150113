"""What `clean` freed, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness import quantities
from harness.clean import CachedWheels, Cleaned
from harness.report.page import Block, Page, Paragraph, Table

_SHOWN = 5
"""Packages that are named, the largest first."""


def page(cleaned: Cleaned) -> Page[Cleaned]:
    """The page of a cleaning, or of what it would free."""
    if cleaned.leftovers or cleaned.packages:
        title = f"{quantities.text(cleaned.size)} {'would be freed' if cleaned.dry else 'freed'}"
    else:
        title = "nothing to free: the matrix reaches everything"
    return Page(title=title, blocks=list(_blocks(cleaned)), data=_data(cleaned), source=cleaned)


def _blocks(cleaned: Cleaned) -> Iterator[Block]:
    sums = _sums(cleaned)
    rows = [[kind, str(count), quantities.text(size)] for kind, (count, size) in sums.items()]
    if rows:
        yield Table(header=["what", "number", "size"], rows=rows)
    if cleaned.packages:
        yield Paragraph(text=f"from uv's cache, in all versions: {_named(cleaned.packages)}")
    if cleaned.kept:
        size = quantities.text(sum(wheels.size for wheels in cleaned.kept))
        yield Paragraph(
            text=f"kept in uv's cache, {size}: {_named(cleaned.kept)}. No lock that stays has these versions, but uv removes "
            "all versions of a package or none, and other versions of these are needed"
        )


def _sums(cleaned: Cleaned) -> dict[str, tuple[int, int]]:
    """What → (number, bytes)."""
    found: dict[str, tuple[int, int]] = {}
    sized = [(each.kind, each.size) for each in cleaned.leftovers]
    for kind, size in [*sized, *(("packages in uv's cache", wheels.size) for wheels in cleaned.packages)]:
        count, before = found.get(kind, (0, 0))
        found[kind] = count + 1, before + size
    return found


def _named(packages: Sequence[CachedWheels]) -> str:
    largest = sorted(packages, key=lambda wheels: -wheels.size)
    names = [f"{wheels.name} {', '.join(wheels.versions)}".strip() for wheels in largest[:_SHOWN]]
    rest = len(packages) - _SHOWN
    return ", ".join(names) + (f" and {rest} more" if rest > 0 else "")


def _data(cleaned: Cleaned) -> dict[str, Any]:
    return {
        "dry_run": cleaned.dry,
        "bytes": cleaned.size,
        "freed": {kind: {"number": count, "bytes": size} for kind, (count, size) in _sums(cleaned).items()},
        "uv_cache": [_wheels(wheels) for wheels in cleaned.packages],
        "kept_in_uv_cache": [_wheels(wheels) for wheels in cleaned.kept],
    }


def _wheels(wheels: CachedWheels) -> dict[str, Any]:
    return {"name": wheels.name, "versions": wheels.versions, "bytes": wheels.size}
