"""Reports of any size: the cells of the published report, with other versions, so that messages and locks are real."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

from harness.verdicts import report_file
from harness.verdicts.report_schema import Report, ReportedCell

ROOT = Path(__file__).resolve().parents[1]
AXES = ("torch", "transformers", "onnx", "onnxruntime")


def synthetic(cells: int) -> Report:
    """A report of `cells` cells, as near to a cube as it can be."""
    base = report_file.read(ROOT / "reports" / "matrix.json")
    side = math.ceil(cells ** (1 / len(AXES)))
    versions = {axis: [f"{number}.{number % 7}.0" for number in range(1, side + 1)] for axis in AXES}
    chosen = itertools.islice(itertools.product(*versions.values()), cells)
    known = [cell for cell in base.cells if "onnxruntime" in cell.pins]
    made = [_cell(known[number * 7 % len(known)], dict(zip(AXES, pins, strict=True))) for number, pins in enumerate(chosen)]
    newest = {cell.pins["onnxruntime"]: cell.id for cell in made if cell.status == "works"}
    axes = {
        "python": base.axes["python"],
        **{axis: [v for v in versions[axis] if any(c.pins[axis] == v for c in made)] for axis in AXES},
    }
    return replace(base, cells=made, axes=axes, recommended=newest, recommended_elsewhere={})


def _cell(like: ReportedCell, pins: dict[str, str]) -> ReportedCell:
    name = "-".join(["py311", *(f"{axis[0]}{version.replace('.', '')}" for axis, version in pins.items())])
    name += "".join(version.partition(".")[0].rjust(3, "_") for version in pins.values())
    variants = [
        replace(
            variant, evidence=[text.replace(like.id, name) for text in variant.evidence], seconds=variant.seconds + len(name)
        )
        for variant in like.variants
    ]
    return replace(like, id=name, pins=pins, resolved={**like.resolved, **pins}, variants=variants)
