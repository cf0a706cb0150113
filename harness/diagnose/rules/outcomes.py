"""How far each variant of a report got: which stages it passed, failed, or never reached. Pure."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Stage, Status, Variant
from harness.verdicts.report_schema import ReportedCell, ReportedVariant
from harness.verdicts.rule_model import Place
from harness.verdicts.stages_passed import imports_all


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """How far each variant got; sets of variants are integers, see conditions.py."""

    members: Sequence[tuple[ReportedCell, ReportedVariant]]
    failed: Mapping[Stage, int]
    reached: Mapping[Stage, int]
    """Stage → the variants that are known to have failed or passed it."""
    untried: int
    """The variants that got beyond their imports without those of their run side."""

    @classmethod
    def of(cls, cells: Sequence[ReportedCell]) -> Seen:
        """How far the variants of `cells` got."""
        members = [(cell, variant) for cell in cells for variant in cell.variants]
        ends: dict[tuple[bool, Stage | None], list[int]] = {}
        for place, (_, variant) in enumerate(members):
            if variant.status is Status.WORKS or variant.stage is not None:
                observed = variant.status in {Status.FAILS, Status.WORKS_WITH_REMEDY}
                ends.setdefault((observed, variant.stage), []).append(place)
        sets = {end: _set(places, len(members)) for end, places in ends.items()}
        failed = {stage: bits for (observed, stage), bits in sets.items() if observed and stage}
        through = union(bits for (_, stage), bits in sets.items() if stage is None)
        reached = {}
        for stage in reversed(Stage):
            reached[stage] = through | failed.get(stage, 0)
            through |= failed.get(stage, 0) | sets.get((False, stage), 0)
        partial = {cell.id for cell in cells if not imports_all(cell)}
        untried = _set([place for place, (cell, _) in enumerate(members) if cell.id in partial], len(members))
        return cls(members=members, failed=failed, reached=reached, untried=untried)

    def passed(self, stage: Stage, *, run_side: bool = False) -> int:
        """The variants that are known to have passed it; with `run_side`, on the run side of a handoff cell too."""
        passed = self.reached[stage] & ~self.failed.get(stage, 0)
        return passed & ~self.untried if run_side and stage is Stage.IMPORT else passed

    def before(self, stage: Stage) -> int:
        """The variants that failed at an earlier stage."""
        return union(self.failed.get(other, 0) for other in Stage if other.number < stage.number)

    def by_signature(self, bits: int) -> dict[str | None, list[int]]:
        """The variants of `bits` by signature."""
        found: dict[str | None, list[int]] = {}
        for place in places(bits):
            found.setdefault(self.members[place][1].signature, []).append(place)
        return found

    def set_of(self, numbers: Sequence[int]) -> int:
        """The set of these variants."""
        return _set(numbers, len(self.members))

    def place(self, number: int) -> Place:
        """A variant by name."""
        cell, variant = self.members[number]
        return Place(cell=cell.id, variant=planned_variant(variant).id)


def planned_variant(variant: ReportedVariant) -> Variant:
    """The variant as it was planned."""
    return Variant(**{name: getattr(variant, name) for name in VARIANT_FIELDS})


def union(sets: Iterable[int]) -> int:
    """The variants that are in any of `sets`."""
    return functools.reduce(operator.or_, sets, 0)


def _set(numbers: Sequence[int], size: int) -> int:
    """The integer with these bits; one `|` for each would take a second for 10,000."""
    held = bytearray(size // 8 + 1)
    for number in numbers:
        held[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(held, "little")


def places(bits: int) -> Iterator[int]:
    """The places of the bits of `bits`, ascending."""
    for byte, value in enumerate(bits.to_bytes((bits.bit_length() + 7) // 8, "little")):
        for bit in range(8) if value else ():
            if value >> bit & 1:
                yield byte * 8 + bit
