"""What a rule consists of, as matrix.json has it. Nothing here acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from harness.model import Stage


class ConditionKind(StrEnum):
    """What an atom speaks of."""

    AXIS = "axis"
    VARIANT = "variant"
    """A field of the variant, or the environment."""
    TRANSITIVE = "transitive"
    """The locked version of a distribution that is no axis."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One part of a conjunction."""

    kind: ConditionKind
    name: str
    op: Literal["=", "<", ">="]
    """Bounds hold for what has a version or number, never for what is `absent` or `stamped`."""
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.op.replace('>=', '≥')}{self.value}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One variant of one cell."""

    cell: str
    variant: str
    """Its name, as `explain` prints it."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A version between the two sides of a boundary, and what became of it there."""

    version: str
    outcome: str
    """`fails` or `passes` the rule's stage; otherwise why it says nothing."""


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """Where an atom about a version begins or ceases to hold, as far as it was tried beside the rule's other atoms."""

    name: str
    fails: str
    """The version nearest to the boundary that failed, and on its other side the nearest that passed:"""
    passes: str
    fails_at: Place
    passes_at: Place
    """Where that was seen: otherwise equal cells and the same variant, if there are such."""
    equal: bool
    """Whether they are."""
    failed: list[str]
    """All versions that were seen to fail on the one side, oldest first,"""
    passed: list[str]
    """and to pass on the other."""
    closed: bool = False
    """Whether no version is known to lie between the two that could be tried, and what lies there is known."""
    between: list[str] | None = None
    """The published versions between the two that were not tried, oldest first; null where they were not looked up."""
    tried: list[Tried] = field(default_factory=list)
    """What `--close-boundaries` has asked between them."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """All variants for which `atoms` hold and that got as far as `stage` failed there.

    Its support, which everything below counts, are those of one kind of failure (diagnose/rules/kinds.py).
    """

    text: str
    """`exporter=dynamo ∧ onnxruntime<1.18 → load`, `1.17.0≤onnxruntime<1.21.0 → load`."""
    atoms: list[Condition]
    stage: Stage
    signatures: dict[str, int]
    """Signature → variants that failed with it; one for equal faults, several where the stage fails in several ways."""
    variants: int
    """Support: variants that failed so."""
    cells: int
    alone: int
    """Variants that no other rule explains."""
    masked: int
    """Variants for which the atoms hold, and that failed earlier, or in another way at this stage: they say nothing."""
    examples: list[Place]
    """Two of the support, from different cells if there are two."""
    boundaries: list[Boundary]
    alternatives: list[str]
    """Equally small conjunctions about other things with the same support: these cells do not tell which it is."""
    causes: dict[str, int] = field(default_factory=dict)
    """Cause → variants of the support that have it; without those whose cause is open."""


@dataclass(frozen=True, kw_only=True)
class Unexplained:
    """Equal failures that no rule explains."""

    stage: Stage
    signature: str | None
    variants: list[Place]
    why: str


def text(atoms: Sequence[Condition], stage: Stage) -> str:
    """A rule as it is read; two bounds on one axis are an interval."""
    lower = {atom.name: atom for atom in atoms if atom.op == ">="}
    upper = {atom.name: atom for atom in atoms if atom.op == "<"}
    parts = []
    for atom in atoms:
        if atom.op == "=" or not (atom.name in lower and atom.name in upper):
            parts.append(str(atom))
        elif atom is lower[atom.name]:
            parts.append(f"{atom.value}≤{atom.name}<{upper[atom.name].value}")
    return f"{' ∧ '.join(parts)} → {stage}"
