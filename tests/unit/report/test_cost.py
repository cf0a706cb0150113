"""The sentence about a cost."""

from __future__ import annotations

from pathlib import Path

from harness.environments.downloads import Download
from harness.execution.cost import Cost, Room
from harness.report.cost import sentence


def of(*sizes: int | None, seconds: tuple[float, float] = (300, 900), measured: bool = False) -> str:
    downloads = tuple(Download(name=f"d{number}", version="1", size=size, unpacked=size) for number, size in enumerate(sizes))
    rooms = (Room(place=Path("/"), needed=16 * 10**9, free=200 * 10**9),) if sizes else ()
    return sentence(Cost(downloads=downloads, rooms=rooms, seconds=seconds, measured=measured, jobs=2))


def test_everything():
    assert of(2 * 10**9, 10**9) == (
        "to download: 3.0 GB (2 files); disk: 16.0 GB (200.0 GB free); time: 5 to 15 minutes plus the download, "
        "and more for what fails; 2 probes at once (a guess, since this store has measured nothing yet)"
    )


def test_nothing_to_download():
    text = of(seconds=(20, 40), measured=True)
    assert (
        text
        == "to download: nothing; time: about 1 minute, and more for what fails; 2 probes at once (as measured in this store)"
    )


def test_unknown_sizes_and_files_of_this_machine():
    assert of(10**9, None, 0).startswith("to download: 1.0 GB (2 files, the size of 1 is not known); disk: ")
