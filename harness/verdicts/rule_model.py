"""The data of a rule, as matrix.json has it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from harness.model import Stage


class ConditionKind(StrEnum):
    """What an atom is about."""

    AXIS = "axis"
    VARIANT = "variant"
    """A field of the variant, or the setup."""
    TRANSITIVE = "transitive"
    """The locked version of a distribution that is no axis."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One part of a conjunction."""

    kind: ConditionKind
    name: str
    op: Literal["=", "<", ">="]
    """A bound holds for versions and numbers, never for `absent` or `stamped`."""
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.op.replace('>=', '≥')}{self.value}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One variant of one cell."""

    cell: str
    variant: str
    """Its id, as `explain` prints it."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A version between the two sides of a boundary that was run."""

    version: str
    outcome: str
    """`fails` or `passes`, at the stage of the rule; otherwise the reason why it says nothing."""


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """The two versions between which a bound begins to hold, as far as the other atoms hold too."""

    name: str
    fails: str
    """The nearest version that failed."""
    passes: str
    """The nearest version that passed, on the other side."""
    fails_at: Place
    passes_at: Place
    """A variant with each of these versions; if possible the same variant in cells that are otherwise equal."""
    equal: bool
    """Whether the two are the same variant in cells that are otherwise equal."""
    failed: list[str]
    """All versions that failed on the one side, oldest first."""
    passed: list[str]
    """All versions that passed on the other side, oldest first."""
    closed: bool = False
    """Whether the versions between the two are known, and none of them is left to try."""
    between: list[str] | None = None
    """The published versions between the two that were not tried, oldest first; null if they were not looked up."""
    tried: list[Tried] = field(default_factory=list)
    """The versions that `--close-boundaries` ran between the two."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """All variants for which `atoms` hold and that got as far as `stage` failed there.

    Its support are those with one kind of failure (diagnose/rules/kinds.py). All numbers count within the support.
    """

    text: str
    """`exporter=dynamo ∧ onnxruntime<1.18 → load`, `1.17.0≤onnxruntime<1.21.0 → load`."""
    atoms: list[Condition]
    stage: Stage
    signatures: dict[str, int]
    """Signature → number of variants that failed with it."""
    variants: int
    """Number of variants in the support."""
    cells: int
    """Number of cells in the support."""
    alone: int
    """Number of variants that no other rule explains."""
    masked: int
    """Number of variants for which the atoms hold and that failed earlier, or in another way at this stage."""
    examples: list[Place]
    """Two variants of the support, from different cells if possible."""
    boundaries: list[Boundary]
    alternatives: list[str]
    """Equally small conjunctions about other axes or fields with the same support; these cells do not separate them."""
    causes: dict[str, int] = field(default_factory=dict)
    """Cause → number of variants of the support with it; variants with an open cause are not counted."""


@dataclass(frozen=True, kw_only=True)
class Unexplained:
    """Equal failures that no rule explains."""

    stage: Stage
    signature: str | None
    variants: list[Place]
    why: str


def text(atoms: Sequence[Condition], stage: Stage) -> str:
    """A rule as text; two bounds on one axis are an interval."""
    lower = {atom.name: atom for atom in atoms if atom.op == ">="}
    upper = {atom.name: atom for atom in atoms if atom.op == "<"}
    parts = []
    for atom in atoms:
        if atom.op == "=" or not (atom.name in lower and atom.name in upper):
            parts.append(str(atom))
        elif atom is lower[atom.name]:
            parts.append(f"{atom.value}≤{atom.name}<{upper[atom.name].value}")
    return f"{' ∧ '.join(parts)} → {stage}"
