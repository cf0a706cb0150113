"""The files between an export and a run, readable with numpy and the standard library alone.

<out>/reference/reference.json    data about the model, the tolerance, and each case's name and notes
<out>/reference/arrays.npz        `<case>/inputs/<name>`, `<case>/expected/<step>/<output>` and, for values that are not
                                  compared, `<case>/ignored/<step>/<output>` (bool, of the same shape)
<out>/<variant id>/manifest.json  the variant, and each graph by role: file, stamps, actual inputs and outputs (name, dtype,
dims:
                                  a number, or a symbolic name). `declared`: the inputs and outputs that the exporter received.
                                  The graphs lie beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

_SCHEMA = 2


class Case:
    """Inputs of a run, and the outputs that it must give.

    `expected` maps output → array for each step of the run, or is one mapping if there is one step. `ignored` is like it, with
    booleans: true where the output is not compared. `notes` is further data for the run side, as JSON.
    """

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Any],
        expected: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        ignored: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.inputs = dict(inputs)
        self.expected = _by_step(expected)
        self.ignored = _by_step(ignored) or [{} for _ in self.expected]
        self.notes = dict(notes or {})

    def arrays(self) -> dict[str, Any]:
        """Return everything as flat name → array."""
        flat = {f"inputs/{name}": array for name, array in self.inputs.items()}
        for kind, steps in (("expected", self.expected), ("ignored", self.ignored)):
            for number, outputs in enumerate(steps):
                flat.update({f"{kind}/{number}/{name}": array for name, array in outputs.items()})
        return flat

    @classmethod
    def of_arrays(cls, name: str, arrays: Mapping[str, Any], steps: int, notes: Mapping[str, Any]) -> Case:
        """Return the case with these flat arrays."""
        expected, ignored = (
            [_without_prefix(f"{kind}/{number}/", arrays) for number in range(steps)] for kind in ("expected", "ignored")
        )
        return cls(name, _without_prefix("inputs/", arrays), expected, ignored, notes)


class Reference:
    """The cases with the outputs of a correct run, and data about the model that computed them."""

    def __init__(self, model: Mapping[str, Any], tolerance: Mapping[str, float], cases: Sequence[Case]) -> None:
        self.model = dict(model)
        self.tolerance = dict(tolerance)
        self.cases = list(cases)

    def write(self, folder: Path) -> None:
        """Write both files into `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            folder / "arrays.npz",
            **{f"{case.name}/{key}": array for case in self.cases for key, array in case.arrays().items()},
        )
        description = {
            "model": self.model,
            "tolerance": self.tolerance,
            "cases": [{"name": case.name, "steps": len(case.expected), "notes": case.notes} for case in self.cases],
        }
        write_json(folder / "reference.json", description)

    @classmethod
    def read(cls, folder: Path) -> Reference:
        """Read what `write` wrote."""
        description = read_json(folder / "reference.json")
        with np.load(folder / "arrays.npz", allow_pickle=False) as archive:
            arrays = dict(archive.items())
        cases = [
            Case.of_arrays(case["name"], _without_prefix(case["name"] + "/", arrays), case["steps"], case["notes"])
            for case in description["cases"]
        ]
        return cls(description["model"], description["tolerance"], cases)


def _by_step(outputs: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [dict(outputs)] if isinstance(outputs, Mapping) else [dict(step) for step in outputs]


def _without_prefix(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` with the schema's number in front."""
    path.write_text(json.dumps({"schema": _SCHEMA, **content}, indent=1), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote. ValueError: it has the schema of another version of the probe."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if content["schema"] != _SCHEMA:
        message = f"{path} has schema {content['schema']}, not {_SCHEMA}"
        raise ValueError(message)
    return content
