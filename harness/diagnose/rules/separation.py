"""One kind of failure at one stage: the conjunctions that separate it from what passed, and the rules that these are. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.diagnose.rules import set_cover
from harness.diagnose.rules.conditions import Feature
from harness.diagnose.rules.outcomes import Seen, places, planned_variant, union
from harness.diagnose.rules.set_cover import Chosen, Part
from harness.matrix.plan import by_version
from harness.model import Stage
from harness.verdicts.rule_model import Boundary, Condition, ConditionKind, Rule, text

_TRANSITIVE_COST = 2
"""A resolver's choice mostly follows from the axes: a transitive version must be worth two parts of the matrix."""

Conjunction = Sequence[tuple[int, Condition]]
"""(place of its feature, atom) of each part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A conjunction that is a rule."""

    conjunction: Conjunction
    texts: Sequence[str]
    """Its own, and those of its alternatives."""
    held: int
    """The variants that reached the stage and for which it holds."""
    alone: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One kind of failure at one stage of a report."""

    seen: Seen
    stage: Stage
    features: Sequence[Feature]
    near: Sequence[Feature]
    """The same, restricted to the variants that reached the stage."""
    failed: int
    passed: int
    """The variants that passed the stage, or got beyond this kind of failure."""
    apart: int
    """The variants for which no rule may hold: `passed`, and failures of other kinds that are counter-examples."""

    def rules(self) -> tuple[list[Made], int]:
        """The rules, and the failures that are left."""
        by_variants = self._by_variants()
        parts = [
            Part(bits=bits, cost=_cost(first[1]), rank=self._rank(*first), name=first[1].name)
            for bits, (first, *_) in by_variants.items()
        ]
        atoms = list(by_variants.values())
        chosen = set_cover.cover(parts, self.failed, self.apart)
        explained = Counter(place for part in chosen for place in places(part.support))
        made = []
        for part in chosen:
            first, *others = _ways(part, atoms)
            # An axis is preferred to a resolver's choice: beside it only another axis is an alternative.
            ways = [first, *(way for way in others if _transitive(way) <= _transitive(first))]
            ways = [self._settled(way) for way in ways]
            texts = list(dict.fromkeys(text([atom for _, atom in _ordered(way)], self.stage) for way in ways))
            alone = sum(explained[place] == 1 for place in places(part.support))
            made.append(Made(conjunction=ways[0], texts=texts, held=self._held(ways[0]), alone=alone))
        return made, self.failed & ~union(part.support for part in chosen)

    def _by_variants(self) -> dict[int, list[tuple[int, Condition]]]:
        """Variants → the atoms that hold for just these and exclude something that passed, the best first."""
        atoms = [(number, *held) for number, feature in enumerate(self.near) for held in feature.atoms()]
        found: dict[int, list[tuple[int, Condition]]] = {}
        for number, atom, bits in sorted(atoms, key=lambda ranked: self._rank(ranked[0], ranked[1])):
            if bits & self.failed and self.apart & ~bits:
                found.setdefault(bits, []).append((number, atom))
        return found

    def _rank(self, number: int, atom: Condition) -> tuple[int, ...]:
        """Sort key: the matrix before transitive versions; bounds before single versions; the order of the axes."""
        single = atom.op == "=" and any(value == atom.value for value, _ in self.features[number].ordered)
        return atom.kind is ConditionKind.TRANSITIVE, single, number, "<>=".index(atom.op[0])

    def _settled(self, conjunction: Conjunction) -> list[tuple[int, Condition]]:
        """The same support, with observed bounds: `<` the first version that passed, `≥` the first that failed."""
        settled = list(conjunction)
        before = None
        while settled != before:
            before = list(settled)
            for place, (number, atom) in enumerate(settled):
                if atom.op == "=":
                    continue
                feature = self.near[number]
                failed, passed = self._tried(feature, atom, self._beside(settled, place), self.apart)
                if atom.op == "<" and passed:
                    settled[place] = number, feature.atom("<", passed[0])
                elif atom.op == ">=" and failed:
                    settled[place] = number, feature.atom(">=", failed[0])
        return settled

    def _held(self, conjunction: Conjunction) -> int:
        """The variants that reached the stage and for which `conjunction` holds."""
        held = self.seen.reached[self.stage]
        for number, atom in conjunction:
            held &= self.near[number].holds(atom.op, atom.value)
        return held

    def _beside(self, conjunction: Conjunction, place: int) -> int:
        """The variants for which all atoms of `conjunction` but the one at `place` hold."""
        return self._held([*conjunction[:place], *conjunction[place + 1 :]])

    def _tried(self, feature: Feature, atom: Condition, beside: int, passed: int) -> tuple[list[str], list[str]]:
        """(the versions that failed within a bound, those of `passed` beyond it), oldest first, among `beside`."""
        place = [value for value, _ in feature.ordered].index(atom.value)
        older, newer = feature.ordered[:place], feature.ordered[place:]
        inside, outside = (older, newer) if atom.op == "<" else (newer, older)
        return (
            [value for value, bits in inside if bits & beside & self.failed],
            [value for value, bits in outside if bits & beside & passed],
        )

    def rule(self, made: Made, alone: int) -> Rule:
        """The rule as a report has it."""
        held, everywhere = self._held(made.conjunction), self.seen.before(self.stage)
        if held & self.passed:
            raise AssertionError(f"{made.texts[0]} has a counter-example")
        for number, atom in made.conjunction:
            everywhere &= self.features[number].holds(atom.op, atom.value)
        masked = everywhere.bit_count() + (held & ~self.failed).bit_count()
        support = list(places(held & self.failed))
        cells = list(dict.fromkeys(self.seen.members[place][0].id for place in support))
        last = next(place for place in reversed(support) if self.seen.members[place][0].id == cells[-1])
        variants = [self.seen.members[place][1] for place in support]
        return Rule(
            text=made.texts[0],
            atoms=[atom for _, atom in _ordered(made.conjunction)],
            stage=self.stage,
            signatures=_counted(variant.signature or "" for variant in variants),
            variants=len(support),
            cells=len(cells),
            alone=alone,
            masked=masked,
            examples=[self.seen.place(place) for place in dict.fromkeys((support[0], last))],
            boundaries=list(self._boundaries(made.conjunction)),
            alternatives=list(made.texts[1:]),
            causes=_counted(variant.cause for variant in variants if variant.cause),
        )

    def _boundaries(self, conjunction: Conjunction) -> Iterator[Boundary]:
        for place, (number, atom) in enumerate(conjunction):
            feature = self.near[number]
            versions = [value for value, _ in feature.ordered]
            if atom.kind is ConditionKind.VARIANT or atom.value not in versions:
                continue
            beside = self._beside(conjunction, place)
            bounds = [atom]
            if atom.op == "=":
                following = versions[versions.index(atom.value) + 1 :][:1]
                bounds = [feature.atom(">=", atom.value), *(feature.atom("<", value) for value in following)]
            for bound in bounds:
                if all(self._tried(feature, bound, beside, self.passed)):
                    yield self._boundary(feature, bound, beside)

    def _boundary(self, feature: Feature, bound: Condition, beside: int) -> Boundary:
        versions = self._tried(feature, bound, beside, self.passed)
        ends = (-1, 0) if bound.op == "<" else (0, -1)
        fails, passes = (tried[end] for tried, end in zip(versions, ends, strict=True))
        failed, passed = (
            list(places(feature.holds("=", version) & beside & known))
            for version, known in ((fails, self.failed), (passes, self.passed))
        )
        partner = {self._without(feature, place): place for place in passed}
        equal = [place for place in reversed(failed) if self._without(feature, place) in partner]
        chosen = equal[0] if equal and feature.kind is ConditionKind.AXIS else failed[-1]
        other = partner.get(self._without(feature, chosen), passed[-1])
        return Boundary(
            name=feature.name,
            fails=fails,
            passes=passes,
            fails_at=self.seen.place(chosen),
            passes_at=self.seen.place(other),
            equal=bool(equal) and feature.kind is ConditionKind.AXIS,
            failed=versions[0],
            passed=versions[1],
            closed=feature.name == "python" and _adjacent(fails, passes),
        )

    def _without(self, feature: Feature, place: int) -> tuple[object, ...]:
        """A variant of a cell, apart from its version on an axis."""
        cell, variant = self.seen.members[place]
        axes = {"python": cell.python, **cell.pins} | {feature.name: None}
        return planned_variant(variant).id, cell.environment, tuple(sorted(axes.items(), key=lambda item: item[0]))


def _adjacent(version: str, other: str) -> bool:
    """Whether nothing lies between two minor versions of Python; between two of its patch releases others may."""
    releases = by_version(version).release, by_version(other).release
    (major, minor), (other_major, other_minor) = (release[:2] for release in releases)
    return {len(release) for release in releases} == {2} and major == other_major and abs(minor - other_minor) == 1


def _counted(names: Iterable[str]) -> dict[str, int]:
    """How often each occurs, the most frequent first."""
    return dict(sorted(Counter(map(str, names)).items(), key=lambda item: (-item[1], item[0])))


def _cost(atom: Condition) -> int:
    return _TRANSITIVE_COST if atom.kind is ConditionKind.TRANSITIVE else 1


def _transitive(conjunction: Conjunction) -> int:
    return sum(atom.kind is ConditionKind.TRANSITIVE for _, atom in conjunction)


def _ways(chosen: Chosen, atoms: Sequence[Sequence[tuple[int, Condition]]]) -> list[list[tuple[int, Condition]]]:
    """The conjunction, and the others that these observations do not tell from it; `atoms` are those of each part."""
    ways = [[atoms[part][0] for part in way] for way in (chosen.parts, *chosen.others)]
    for place, part in enumerate(chosen.parts):
        first, *equal = atoms[part]
        # Other axes with versions that go together in every cell. Transitive versions follow from an axis.
        axes = {first[1].name: first}
        for number, atom in equal:
            if atom.kind is ConditionKind.AXIS:
                axes.setdefault(atom.name, (number, atom))
        ways += [[*ways[0][:place], other, *ways[0][place + 1 :]] for other in axes.values() if other != first]
    return ways


def _ordered(conjunction: Conjunction) -> list[tuple[int, Condition]]:
    """In reading order: the variant first, then transitive versions, then the axes."""
    order = [ConditionKind.VARIANT, ConditionKind.TRANSITIVE, ConditionKind.AXIS]
    return sorted(conjunction, key=lambda part: (order.index(part[1].kind), part[0], part[1].op == "<"))
