"""The files between an export and a run, readable with numpy and the standard library alone.

<out>/reference/reference.json    the model, the tolerance, and every case by name with its sizes
<out>/reference/arrays.npz        for every case, with its name and a slash in front:
`encoder/<input>`   what the encoder graph is given, if there is one
`common/<input>`    what the decoder graphs are given at every step, such as encoder_attention_mask (B, S) int64
`growing/<input>`   the same as (B, P + steps), of which each step is given as much as there are tokens by then
`tokens`            (B, P + steps) int64: what the decoder is given, prefix first
`logits/0`          (B, P, V) float32; `logits/<t>` (B, 1, V) for t ≥ 1
<out>/<variant id>/manifest.json  the variant, the cache (layers, heads, head_size, parts), and each graph by role with
its file, its actual inputs and outputs (name, dtype, dims: a number, or the name of a symbolic one)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

_SCHEMA = 1


class Case:
    """One case of the reference: its sizes and its arrays.

    `description` holds name, batch, source_length (None where it is no choice), prefix_length, steps and padding
    (right or left); `arrays` the entries named above without the case's name.
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

    def encoder_inputs(self) -> dict[str, Any]:
        """Return what the encoder graph is given; empty where the model has none."""
        return self._named("encoder/")

    def common(self) -> dict[str, Any]:
        """Return what the decoder graphs are given at every step."""
        return self._named("common/")

    def growing(self, length: int) -> dict[str, Any]:
        """Return what the decoder graphs are given when there are `length` tokens, the past's among them."""
        return {name: array[:, :length] for name, array in self._named("growing/").items()}

    def length(self, step: int) -> int:
        """Return how many tokens there are at `step`, the past's among them."""
        return int(self.description["prefix_length"]) + step

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

    def _named(self, prefix: str) -> dict[str, Any]:
        return {key[len(prefix) :]: array for key, array in self.arrays.items() if key.startswith(prefix)}


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
            cases = [Case(case, _arrays_of(archive, case["name"])) for case in description["cases"]]
        return cls(description["model"], description["tolerance"], cases)


def _arrays_of(archive: Any, case: str) -> dict[str, Any]:
    prefix = case + "/"
    return {key[len(prefix) :]: archive[key] for key in archive.files if key.startswith(prefix)}


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
