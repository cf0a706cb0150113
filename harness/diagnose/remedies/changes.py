"""What can be changed about a failing question, in order of cost; and which stages each change can reach. Pure.

A change is no claim: only what was run with it says whether it mends anything (trials.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, auto

from harness.matrix.plan import Planned
from harness.model import Cell, Stage, Variant


class ChangeKind(IntEnum):
    """What is changed, the cheapest first: an option of a session, the caller's loop, the export, the environment."""

    OPTIMIZATION = auto()
    MEMORY_PATTERN = auto()
    FEEDBACK = auto()
    BINDING = auto()
    IR_VERSION = auto()
    OPSET = auto()
    ATTENTION = auto()
    LAYOUT = auto()
    EXPORTER = auto()
    ADDITION = auto()
    SECONDARY_PIN = auto()
    PATCH = auto()
    MINOR = auto()

    @property
    def keeps_cell(self) -> bool:
        """Whether the cell stays what it is: a version on every axis."""
        return self < ChangeKind.PATCH


def _since(first: Stage, last: Stage = Stage.PARITY) -> frozenset[Stage]:
    order = list(Stage)
    return frozenset(order[order.index(first) : order.index(last) + 1])


REACH: Mapping[ChangeKind, frozenset[Stage]] = {
    # A session is optimised when it is made, and plans its memory when it runs.
    ChangeKind.OPTIMIZATION: _since(Stage.LOAD),
    ChangeKind.MEMORY_PATTERN: _since(Stage.DECODE),
    # The caller's loop begins when the session is there.
    ChangeKind.FEEDBACK: _since(Stage.DECODE),
    ChangeKind.BINDING: _since(Stage.DECODE),
    # A stamp is read by the checker and by the runtime, and changes nothing for who has accepted it.
    ChangeKind.IR_VERSION: _since(Stage.CHECK, Stage.LOAD),
    ChangeKind.OPSET: _since(Stage.EXPORT),
    ChangeKind.ATTENTION: _since(Stage.EXPORT),
    ChangeKind.LAYOUT: _since(Stage.EXPORT),
    # Also where an exporter's helper has no place in the lock.
    ChangeKind.EXPORTER: _since(Stage.EXPORT) | {Stage.RESOLVE},
    ChangeKind.ADDITION: _since(Stage.IMPORT),
    # A further bound leaves a resolver no more solutions than it had.
    ChangeKind.SECONDARY_PIN: _since(Stage.INSTALL),
    ChangeKind.PATCH: _since(Stage.RESOLVE),
    ChangeKind.MINOR: _since(Stage.RESOLVE),
}
"""Kind → the stages whose outcome it can change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change: of the variant, of what is transitive, or of a version on an axis."""

    kind: ChangeKind
    variant: tuple[tuple[str, str | int | None], ...] = ()
    """(field of the variant, value); the first one names the change. An IR version of None is the stamped one."""
    bounds: tuple[str, ...] = ()
    """Requirements such as `numpy<2`."""
    pin: tuple[str, str] | None = None
    """(axis, version)."""
    added: tuple[str, str] | None = None
    """(side, distribution); see `Planned.added`."""

    @property
    def text(self) -> str:
        """How a report names it: `ir-version 9`, `numpy<2`, `onnxscript` (added), `transformers 4.46.3`."""
        named = [f"{name.replace('_', '-')} {'stamped' if value is None else value}" for name, value in self.variant[:1]]
        added = [self.added[1]] if self.added else []
        return " ".join([*named, *self.bounds, *added, *([" ".join(self.pin)] if self.pin else [])])

    def applied(self, planned: Planned, variant: Variant) -> tuple[Planned, Variant]:
        """The cell and the variant with the change."""
        changed = replace(variant, **dict(self.variant))  # type: ignore[arg-type]
        cell = with_version(planned.cell, *self.pin) if self.pin else planned.cell
        added = (*planned.added, *([self.added] if self.added else []))
        bounds = (*planned.bounds, *self.bounds)
        return replace(planned, cell=cell, variants=(changed,), bounds=bounds, added=added), changed


def with_version(cell: Cell, axis: str, version: str) -> Cell:
    """`cell` with another version on `axis`, under a name that says so."""
    name = f"{cell.id}+{axis}-{version}"
    if axis == "python":
        return replace(cell, id=name, python=version)
    return replace(cell, id=name, pins=tuple((pin, version if pin == axis else own) for pin, own in cell.pins))


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """Changes that were run together on one variant of one cell, and made it work."""

    changes: tuple[Change, ...]
    planned: Planned
    """The cell as it was run, with that one variant."""

    @property
    def variant(self) -> Variant:
        """The variant that works."""
        return self.planned.variants[0]

    @property
    def text(self) -> str:
        """How a report names it."""
        return text(self.changes)

    @property
    def keeps_cell(self) -> bool:
        """Whether the cell works with it; otherwise another cell does."""
        return all(change.kind.keeps_cell for change in self.changes)


def apply(changes: Sequence[Change], planned: Planned, variant: Variant) -> tuple[Planned, Variant]:
    """The cell and the variant with all `changes`."""
    for change in changes:
        planned, variant = change.applied(planned, variant)
    return planned, variant


def text(changes: Sequence[Change]) -> str:
    """How a report names changes that were made together."""
    return ", ".join(change.text for change in changes)
