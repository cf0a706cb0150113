"""What `pin` wrote, as a page, or why it wrote nothing."""

from __future__ import annotations

from collections.abc import Sequence

from harness import invocation
from harness.decide.pin import WrittenPin
from harness.decide.regressions import variant_text
from harness.report.page import Page, items
from harness.report.pages import matrix
from harness.stack import RUNTIME
from harness.verdicts.report_schema import Report


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


def listing(report: Report) -> Page[Report]:
    """The page of `--list`: the newest working set for each runtime, to choose from."""
    cells = {cell.id: cell for cell in report.cells}
    example = next((f"{runtime.name}=={runtime.version}" for runtime in report.newest_working), None)
    return Page(
        title="what `pin` can choose",
        blocks=[
            matrix.newest_working(report),
            *([items(f"pin one: {invocation.command('pin', f'--require {example}')}")] if example else []),
        ],
        data={
            # The version alone of the runtime that was the only one first.
            runtime.version if runtime.name == RUNTIME else str(runtime): {
                "cell": cell_id,
                "python": cells[cell_id].python,
                "pins": cells[cell_id].pins,
            }
            for runtime, cell_id in report.newest_working.items()
        },
        source=report,
    )


def nothing(reason: str, details: Sequence[str]) -> Page[None]:
    """The page where nothing was pinned."""
    return Page(
        title=reason,
        blocks=[items(*details)] if details else [],
        data={"pinned": None, "why": reason, "details": list(details)},
        source=None,
    )
