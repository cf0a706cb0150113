"""What `pin` wrote, as a page, or why it wrote nothing."""

from __future__ import annotations

from collections.abc import Sequence

from harness.decide.pin import WrittenPin
from harness.decide.regressions import variant_text
from harness.report.page import Page, items


def page(written: WrittenPin, remedy: str = "") -> Page[WrittenPin]:
    """The page of a pin; `remedy` is what the set has besides its versions, if it works with that only."""
    cell = written.verdict.cell
    versions = ", ".join(f"{name} {version}" for name, version in cell.pins)
    return Page(
        title=f"{cell.id}{f' with {remedy}' if remedy else ''} works, and was confirmed in a fresh environment",
        blocks=[
            items(
                f"Python {cell.python}, {versions}",
                f"export: {variant_text(written.variant)}",
                *(str(written.folder / name) for name in written.files),
            )
        ],
        data={
            "pinned": cell.id,
            "folder": str(written.folder),
            "files": written.files,
            "python": cell.python,
            "pins": dict(cell.pins),
            "variant": written.variant.id,
            "remedy": remedy or None,
        },
        source=written,
    )


def nothing(reason: str, details: Sequence[str]) -> Page[None]:
    """The page where nothing was pinned."""
    return Page(
        title=reason,
        blocks=[items(*details)] if details else [],
        data={"pinned": None, "why": reason, "details": list(details)},
        source=None,
    )
