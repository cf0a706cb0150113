"""The built-in probe module; protocol.py explains its functions."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Iterator, Mapping

from ..artifact import Case
from ..compare import greedy
from ..protocol import Graphs, Pairs, Step
from ..variant import RequestedVariant
from .decode.case import DecodingCase
from .decode.loop import decode
from .decode.program import Program

IMPORTS = ("torch", "transformers", "onnx")


def load(options: Mapping[str, Any]) -> Any:
    """Build `{"family", "profile", "seed"}`, or read the checkpoint of `{"path", "seed"}`."""
    # Not at the top: a run has no torch.
    return importlib.import_module(".export.shared", __package__).Models(options)


def cases(models: Any) -> list[Case]:
    """Return the outputs of the model without a cache, checked against those with one."""
    found: list[Case] = models.cases()
    return found


def about(models: Any) -> dict[str, Any]:
    """Return the kind of cache, and the difference in PyTorch between decoding with it and without."""
    found: dict[str, Any] = models.about()
    return found


def export(models: Any, variant: RequestedVariant, folder: Path) -> None:
    """Write the files of the variant's layout."""
    models.export(variant, folder)


def starts(variant: RequestedVariant) -> list[str]:
    """Return the names of the pasts that the first step of the layout can take."""
    return [start.name for start in Program.of(variant).starts()]


def run(graphs: Graphs, case: Case, variant: RequestedVariant, start: str) -> Iterator[Step]:
    """Decode the case."""
    program = Program.of(variant)
    (named,) = (known for known in program.starts() if known.name == start)
    return decode(graphs, program, DecodingCase(case), named)


def measure(pairs: Pairs) -> dict[str, Any]:
    """Return whether greedy decoding takes the same tokens.

    It is no failure if tokens differ and the logits agree: the two best logits are closer than the tolerance.
    """
    equal = all(greedy(actual["logits"]) == greedy(expected["logits"]) for actual, expected in pairs)
    return {"tokens_equal": equal}
