"""What work costs, in a sentence and as JSON."""

from __future__ import annotations

from typing import Any

from harness import quantities
from harness.execution.cost import Cost
from harness.report.tables import counted


def sentence(cost: Cost) -> str:
    """`to download: 8.9 GB (113 files); disk: 16.2 GB (200.1 GB free); time: 4 to 14 minutes …`."""
    low, high = (max(1, round(seconds / 60)) for seconds in cost.seconds)
    minutes = f"{low} to {high} minutes" if low < high else f"about {counted(low, 'minute')}"
    basis = "as measured in this store" if cost.measured else "a guess, since this store has measured nothing yet"
    beside = " plus the download" if cost.fetched else ""
    probes = f"{counted(cost.jobs, 'probe')} at once ({basis})"
    return "; ".join([*_bytes(cost), f"time: {minutes}{beside}, and more for what fails", probes])


def _bytes(cost: Cost) -> list[str]:
    if not cost.downloads:
        return ["to download: nothing"]
    unknown = f", the size of {len(cost.unknown)} is not known" if cost.unknown else ""
    return [
        f"to download: {quantities.text(cost.bytes)} ({counted(len(cost.fetched), 'file')}{unknown})",
        f"disk: {quantities.text(cost.disk)} ({quantities.text(cost.free)} free)",
    ]


def data(cost: Cost | None) -> dict[str, Any] | None:
    """The same as JSON."""
    if cost is None:
        return None
    return {
        "download_bytes": cost.bytes,
        "files": len(cost.fetched),
        "files_of_unknown_size": len(cost.unknown),
        "disk_bytes": cost.disk,
        "free_bytes": cost.free,
        "seconds": list(cost.seconds),
        "seconds_measured": cost.measured,
        "probes": cost.jobs,
    }
