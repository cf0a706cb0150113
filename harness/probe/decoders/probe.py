"""The built-in probe module; what each function is for is said in protocol.py."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Iterator, Mapping

from ..artifact import Case
from ..compare import greedy
from ..protocol import Graphs, Pairs, RequestedVariant, Step
from .decode.case import DecodingCase
from .decode.loop import decode
from .decode.program import Program

IMPORTS = ("torch", "transformers", "onnx")


def load(options: Mapping[str, Any]) -> Any:
    """Build `{"family", "profile", "seed"}`, or read the checkpoint of `{"path", "seed"}`."""
    # Not at the top: a run has no torch.
    return importlib.import_module(".export.shared", __package__).Models(options)


def cases(models: Any) -> list[Case]:
    """Return what the model gives without a cache, checked against what it gives with one."""
    made: list[Case] = models.cases()
    return made


def about(models: Any) -> dict[str, Any]:
    """Return the kind of cache, and how far decoding with it is from decoding without, in PyTorch."""
    known: dict[str, Any] = models.about()
    return known


def export(models: Any, variant: RequestedVariant, folder: Path) -> None:
    """Write the files of the variant's layout, by its exporter."""
    models.export(variant, folder)


def starts(variant: RequestedVariant) -> list[str]:
    """Return the names of what the first step of the layout can be given as a past."""
    return [start.name for start in Program.of(variant).starts()]


def run(graphs: Graphs, case: Case, variant: RequestedVariant, start: str) -> Iterator[Step]:
    """Decode the case."""
    program = Program.of(variant)
    (chosen,) = (one for one in program.starts() if one.name == start)
    return decode(graphs, program, DecodingCase(case), chosen)


def measure(pairs: Pairs) -> dict[str, Any]:
    """Return whether greedy decoding takes the same tokens.

    Tokens that differ while the logits agree are no failure: the two best logits are then closer than the tolerance.
    """
    equal = all(greedy(actual["logits"]) == greedy(expected["logits"]) for actual, expected in pairs)
    return {"tokens_equal": equal}
