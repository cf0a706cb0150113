"""The files between an export and a run, readable with numpy and the standard library alone.

<out>/reference/reference.json    the model, the tolerance, and every case by name with its sizes
<out>/reference/arrays.npz        `<case>/encoder/<input>`: what the encoder graph is given, where there is one,
`<case>/common/<input>`: what the decoder graphs are given at every step,
`<case>/growing/<input>` (B, P + steps): the same, cut to the length so far,
`<case>/tokens` (B, P + steps) int64: what the decoder is given, prefix first,
`<case>/logits/0` (B, P, V) float32, `<case>/logits/<t>` (B, 1, V) for t ≥ 1
<out>/<variant id>/manifest.json  the variant, the cache's sizes, and each graph by role with its file, its actual
inputs and outputs (name, dtype, dims: a number, or the name of a symbolic one)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

_SCHEMA = 1


class Case:
    """One case of the reference: its sizes and its arrays.

    `description` holds name, batch, source_length, prefix_length and steps; `arrays` the entries named above without
    the case's name.
    """

    def __init__(self, description: dict[str, Any], arrays: dict[str, Any]) -> None:
        self.description = description
        self.name: str = description["name"]
        self.arrays = arrays

    def tokens(self, step: int) -> Any:
        """Return what the decoder is given at `step`: the prefix (B, P) at 0, one token (B, 1) after."""
        prefix: int = self.description["prefix_length"]
        first = 0 if step == 0 else prefix + step - 1
        return self.arrays["tokens"][:, first : prefix + step]

    def tokens_so_far(self, step: int) -> Any:
        """Return everything that a decoder without a cache is given at `step` (B, P + step)."""
        return self.arrays["tokens"][:, : self.length(step)]

    def length(self, step: int) -> int:
        """Return how many tokens there are at `step`, its own included."""
        return int(self.description["prefix_length"]) + step

    def encoder_inputs(self) -> dict[str, Any]:
        """Return input → array of the encoder graph."""
        return self._arrays_in("encoder/")

    def common(self) -> dict[str, Any]:
        """Return input → array of what the decoder graphs are given at every step."""
        return self._arrays_in("common/")

    def growing(self, length: int) -> dict[str, Any]:
        """Return input → array (B, length) of what grows with the tokens."""
        return {name: array[:, :length] for name, array in self._arrays_in("growing/").items()}

    def logits(self, step: int) -> Any:
        """Return the logits that `step` must give."""
        return self.arrays[f"logits/{step}"]

    def steps(self) -> range:
        """Return the step numbers: 0 is the prefix."""
        return range(self.last_step + 1)

    @property
    def last_step(self) -> int:
        """The number of the last step."""
        return int(self.description["steps"])

    def _arrays_in(self, folder: str) -> dict[str, Any]:
        return _without_prefix(folder, self.arrays)


class Reference:
    """What a correct decoding gives."""

    def __init__(self, model: dict[str, Any], tolerance: dict[str, float], cases: list[Case]) -> None:
        self.model = model
        self.tolerance = tolerance
        self.cases = cases

    def write(self, folder: Path) -> None:
        """Write both files into `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {f"{case.name}/{key}": array for case in self.cases for key, array in case.arrays.items()}
        np.savez(folder / "arrays.npz", **arrays)
        description = {
            "model": self.model,
            "tolerance": self.tolerance,
            "cases": [case.description for case in self.cases],
        }
        write_json(folder / "reference.json", description)

    @classmethod
    def read(cls, folder: Path) -> Reference:
        """Read what `write` wrote."""
        description = read_json(folder / "reference.json")
        with np.load(folder / "arrays.npz", allow_pickle=False) as archive:
            arrays = dict(archive.items())
        cases = [Case(case, _without_prefix(case["name"] + "/", arrays)) for case in description["cases"]]
        return cls(description["model"], description["tolerance"], cases)

    def only(self, names: Sequence[str] | None) -> Reference:
        """Return the reference with the cases of those `names`; with all where there are none. KeyError for a stranger."""
        if names is None:
            return self
        by_name = {case.name: case for case in self.cases}
        return Reference(self.model, self.tolerance, [by_name[name] for name in names])


def _without_prefix(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` with the schema's number in front."""
    path.write_text(json.dumps({"schema": _SCHEMA, **content}, indent=1), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote; ValueError where another probe's schema is found."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if content["schema"] != _SCHEMA:
        message = f"{path} has schema {content['schema']}, not {_SCHEMA}"
        raise ValueError(message)
    return content
