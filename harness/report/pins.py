"""The set to pin for each runtime, ready to be copied: as requirements, and as the command that writes its lock. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from harness import invocation
from harness.report.tables import recommendations
from harness.stack import BESIDE_THE_AXES, of_python
from harness.verdicts.report_schema import Report, ReportedCell, sorted_runtimes


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """The newest working set of one runtime."""

    runtime: str
    """Name and version."""
    works: str
    """The variants that work in it; or why there is no such set."""
    cell: str = ""
    """Its id; empty if there is none."""
    python: str = ""
    requirements: tuple[str, ...] = ()
    """`torch==2.15.0`, …"""
    packages: tuple[str, ...] = ()
    """What is no distribution of Python, as a line of package.json has it: `"onnxruntime-node": "1.16.3"`."""
    command: str = ""
    """The command that confirms the set, and writes its lock."""


def pins(report: Report, options: str = "") -> list[Pin]:
    """A set for each runtime of `report`; `options` are those with which `pin` means the same matrix."""
    cells, made = {cell.id: cell for cell in report.cells}, []
    header, rows = recommendations(report)
    for runtime, row in zip(map(str, sorted_runtimes(report.cells)), rows, strict=True):
        if len(row) < len(header):
            made.append(Pin(runtime=runtime, works=row[-1]))
            continue
        cell = cells[row[-1]]
        requirements = [f"{name}=={version}" for name, version in cell.pins.items()]
        others = [name for name in BESIDE_THE_AXES if name in cell.resolved.keys() - cell.pins.keys()]
        options_of_pin = [f"--require {shlex.quote(text)}" for text in requirements]
        if select := _select(report, cell):
            options_of_pin.append(f"--select {shlex.quote(select)}")
        made.append(
            Pin(
                runtime=runtime,
                works=row[-2],
                cell=cell.id,
                python=cell.python,
                requirements=(
                    *(f"{name}=={version}" for name, version in cell.pins.items() if of_python(name)),
                    *(f"{name}=={cell.resolved[name]}" for name in others),
                ),
                packages=tuple(f'"{name}": "{version}"' for name, version in cell.pins.items() if not of_python(name)),
                command=invocation.command("pin", " \\\n  ".join(options_of_pin) + options),
            )
        )
    return made


def _select(report: Report, cell: ReportedCell) -> str:
    """What tells `cell` from cells with the same distributions."""
    python = f"python=={cell.python}" if len({other.python for other in report.cells}) > 1 else ""
    setup = f"setup={cell.setup}" if len({other.setup for other in report.cells}) > 1 else ""
    return ",".join(filter(None, [python, setup]))
