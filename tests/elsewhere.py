"""What tests of other executors and stores compare: a matrix that works, fails and waits, and its report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import packages
from project import Project


def several(root: Path, gate: Path) -> Project:
    """Six cells that work, fail and share exports; onnxruntime 1.18.0 runs only once the file `gate` exists."""
    project = Project.working(root)
    waits = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    project.publish(
        packages.torch("2.2.0", on_export="raise RuntimeError('no')"),
        packages.onnxruntime("1.17.0", on_run="raise RuntimeError('no')"),
        packages.onnxruntime("1.18.0", on_run=waits),
    )
    axes = {"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]}
    project.configure(axes, variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]})
    return project


def fresh(project: Project, root: Path) -> Project:
    """The same project elsewhere, not run yet."""
    shutil.copytree(project.index, root / "index")
    shutil.copyfile(project.config, root / "matrix.toml")
    return Project(root)


def comparable(project: Project) -> Any:
    """The report without what differs from one run to the next: times, memory and places of logs."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            left_out = {"seconds", "generated", "log", "logs", "peak_memory"}
            return {name: stripped(one) for name, one in value.items() if name not in left_out}
        return [stripped(one) for one in value] if isinstance(value, list) else value

    return stripped(project.report())


def kept(store: Path) -> list[str]:
    """Environments that were left behind."""
    return [path.name for path in (store / "envs").iterdir() if path.is_dir()]
