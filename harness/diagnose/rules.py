"""Rules: the smallest conjunctions over axes, variants and transitive versions that separate fails from works. Pure.

A rule says at which stage what it holds for fails. Its support are the variants that failed there; a variant that passed
that stage, whatever became of it later, would be a counter-example, and then it is no rule. A variant that stopped
earlier never got there: it is neither, and is counted as masked. What ended in an error, or was not run further, has
passed the stages before and says nothing of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.diagnose import atoms, conjunctions
from harness.diagnose.atoms import Feature, union
from harness.diagnose.conjunctions import Chosen, Part
from harness.diagnose.reached import Seen, places, variant
from harness.diagnose.terms import Atom, Boundary, Kind, Rule, Unexplained, text
from harness.model import Stage
from harness.report.contract import ReportedCell

_TRANSITIVE_COST = 2
"""What the resolver chose mostly follows from the axes: a transitive version must be worth two parts that were asked for."""

NOTHING_PASSED = "nothing that got as far passed this stage: there is nothing to tell the failures from"
TOO_MANY_PARTS = f"none of the conjunctions of up to {conjunctions.LARGEST} parts that were tried separates it from what passed"


def find(cells: Sequence[ReportedCell], axes: Sequence[str]) -> tuple[list[Rule], list[Unexplained]]:
    """The rules that `cells` bear out, those with the largest support first; and the failures that none explains."""
    seen = Seen.of(cells)
    rules: list[Rule] = []
    unexplained: list[Unexplained] = []
    for stage in Stage:
        if failed := seen.failed.get(stage, 0):
            study = _Study(seen=seen, stage=stage, features=tuple(atoms.features(cells, axes, stage)))
            found, left = study.rules()
            rules += found
            why = TOO_MANY_PARTS if seen.passed(stage) else NOTHING_PASSED
            unexplained += [
                Unexplained(stage=stage, signature=signature, variants=list(map(seen.place, members)), why=why)
                for signature, members in seen.by_signature(failed & left).items()
            ]
    return sorted(rules, key=lambda rule: (-rule.variants, list(Stage).index(rule.stage), rule.text)), unexplained


def contradicted(cells: Sequence[ReportedCell], axes: Sequence[str], conjunction: Sequence[Atom], stage: Stage) -> bool:
    """Whether a variant passed `stage` although `conjunction`, whose bounds may lie at versions of no cell, holds for it."""
    there = {(feature.kind, feature.name): feature for feature in atoms.features(cells, axes, stage)}
    held = Seen.of(cells).passed(stage)
    for atom in conjunction:
        held &= there[atom.kind, atom.name].holds(atom.op, atom.value)
    return bool(held)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Study:
    """One stage of a report."""

    seen: Seen
    stage: Stage
    features: Sequence[Feature]

    @property
    def failed(self) -> int:
        return self.seen.failed[self.stage]

    @property
    def passed(self) -> int:
        return self.seen.passed(self.stage)

    def rules(self) -> tuple[list[Rule], int]:
        """The rules about this stage, and the failures that are left."""
        universe = self.seen.reached[self.stage]
        near = [feature.within(universe) for feature in self.features]
        told = self._told_apart(near)
        parts = [
            Part(bits=bits, cost=_cost(first[1]), rank=self._rank(*first), name=first[1].name)
            for bits, (first, *_) in told.items()
        ]
        there = list(told.values())
        chosen = conjunctions.cover(parts, self.failed, self.passed)
        explained = Counter(place for one in chosen for place in places(one.support))
        made = []
        for one in chosen:
            first, *others = _ways(one, there)
            # An axis is preferred anyway to what the resolver chose: only its like is worth a word beside it.
            ways = [first, *(way for way in others if _transitive(way) <= _transitive(first))]
            ways = [self._settled(way, near) for way in ways]
            texts = list(dict.fromkeys(text([atom for _, atom in _ordered(way)], self.stage) for way in ways))
            alone = sum(explained[place] == 1 for place in places(one.support))
            made.append(self._rule(ways[0], near, texts, alone))
        return made, self.failed & ~union(one.support for one in chosen)

    def _told_apart(self, near: Sequence[Feature]) -> dict[int, list[tuple[int, Atom]]]:
        """Variants → the atoms that hold for just these, the best first; such as exclude something that passed."""
        there = [(number, *one) for number, feature in enumerate(near) for one in feature.atoms()]
        found: dict[int, list[tuple[int, Atom]]] = {}
        for number, atom, bits in sorted(there, key=lambda one: self._rank(one[0], one[1])):
            if bits & self.failed and self.passed & ~bits:
                found.setdefault(bits, []).append((number, atom))
        return found

    def _rank(self, number: int, atom: Atom) -> tuple[int, ...]:
        """What was asked for before what followed; bounds before single versions, which say less; the order of the axes."""
        single = atom.op == "=" and any(value == atom.value for value, _ in self.features[number].ordered)
        return atom.kind is Kind.TRANSITIVE, single, number, "<>=".index(atom.op[0])

    def _settled(self, conjunction: Sequence[tuple[int, Atom]], near: Sequence[Feature]) -> list[tuple[int, Atom]]:
        """The same support, with each bound where it was seen: `<` the first version that passed, `≥` the first that failed."""
        settled = list(conjunction)
        before = None
        while settled != before:
            before = list(settled)
            for place, (number, atom) in enumerate(settled):
                if atom.op == "=":
                    continue
                beside = self._beside(settled, place, near)
                fails, passes = self._nearest(near[number], atom, beside)
                if atom.op == "<" and passes:
                    settled[place] = number, near[number].atom("<", passes)
                elif atom.op == ">=" and fails:
                    settled[place] = number, near[number].atom(">=", fails)
        return settled

    def _beside(self, conjunction: Sequence[tuple[int, Atom]], place: int, near: Sequence[Feature]) -> int:
        """Where all the other atoms of `conjunction` hold."""
        held = self.seen.reached[self.stage]
        for number, atom in (*conjunction[:place], *conjunction[place + 1 :]):
            held &= near[number].holds(atom.op, atom.value)
        return held

    def _nearest(self, feature: Feature, atom: Atom, beside: int) -> tuple[str | None, str | None]:
        """(the nearest version that failed within a bound, the nearest that passed beyond it), among `beside`."""
        failed, passed = self._tried(feature, atom, beside)
        ends = (-1, 0) if atom.op == "<" else (0, -1)
        return failed[ends[0]] if failed else None, passed[ends[1]] if passed else None

    def _tried(self, feature: Feature, atom: Atom, beside: int) -> tuple[list[str], list[str]]:
        """(the versions that failed within a bound, those that passed beyond it), oldest first, among `beside`."""
        place = [value for value, _ in feature.ordered].index(atom.value)
        older, newer = feature.ordered[:place], feature.ordered[place:]
        inside, outside = (older, newer) if atom.op == "<" else (newer, older)
        return (
            [value for value, bits in inside if bits & beside & self.failed],
            [value for value, bits in outside if bits & beside & self.passed],
        )

    def _rule(self, conjunction: Sequence[tuple[int, Atom]], near: Sequence[Feature], texts: Sequence[str], alone: int) -> Rule:
        held, everywhere = self.seen.reached[self.stage], self.seen.before(self.stage)
        for number, atom in conjunction:
            held &= near[number].holds(atom.op, atom.value)
            everywhere &= self.features[number].holds(atom.op, atom.value)
        if held & self.passed:
            raise AssertionError(f"{texts[0]} has a counter-example")
        support = list(places(held))
        cells = list(dict.fromkeys(self.seen.members[place][0].id for place in support))
        last = next(place for place in reversed(support) if self.seen.members[place][0].id == cells[-1])
        by_signature = Counter(self.seen.members[place][1].signature or "" for place in support)
        return Rule(
            text=texts[0],
            atoms=[atom for _, atom in _ordered(conjunction)],
            stage=self.stage,
            signatures=dict(sorted(by_signature.items(), key=lambda item: (-item[1], item[0]))),
            variants=len(support),
            cells=len(cells),
            alone=alone,
            masked=everywhere.bit_count(),
            examples=[self.seen.place(place) for place in dict.fromkeys((support[0], last))],
            boundaries=list(self._boundaries(conjunction, near)),
            alternatives=list(texts[1:]),
        )

    def _boundaries(self, conjunction: Sequence[tuple[int, Atom]], near: Sequence[Feature]) -> Iterator[Boundary]:
        for place, (number, atom) in enumerate(conjunction):
            feature = near[number]
            versions = [value for value, _ in feature.ordered]
            if atom.kind is Kind.VARIANT or atom.value not in versions:
                continue
            beside = self._beside(conjunction, place, near)
            bounds = [atom]
            if atom.op == "=":
                following = versions[versions.index(atom.value) + 1 :][:1]
                bounds = [feature.atom(">=", atom.value), *(feature.atom("<", value) for value in following)]
            for bound in bounds:
                if all(self._tried(feature, bound, beside)):
                    yield self._boundary(feature, bound, beside)

    def _boundary(self, feature: Feature, bound: Atom, beside: int) -> Boundary:
        fails, passes = map(str, self._nearest(feature, bound, beside))
        versions = self._tried(feature, bound, beside)
        failed, passed = (
            list(places(feature.holds("=", version) & beside & known))
            for version, known in ((fails, self.failed), (passes, self.passed))
        )
        partner = {self._otherwise(place, feature): place for place in passed}
        equal = [place for place in reversed(failed) if self._otherwise(place, feature) in partner]
        chosen = equal[0] if equal and feature.kind is Kind.AXIS else failed[-1]
        other = partner.get(self._otherwise(chosen, feature), passed[-1])
        return Boundary(
            name=feature.name,
            fails=fails,
            passes=passes,
            fails_at=self.seen.place(chosen),
            passes_at=self.seen.place(other),
            equal=bool(equal) and feature.kind is Kind.AXIS,
            failed=versions[0],
            passed=versions[1],
        )

    def _otherwise(self, place: int, feature: Feature) -> tuple[object, ...]:
        """What a variant of a cell is, but for its version on an axis."""
        cell, one = self.seen.members[place]
        axes = {"python": cell.python, **cell.pins} | {feature.name: None}
        return variant(one).id, cell.environment, tuple(sorted(axes.items(), key=lambda item: item[0]))


def _cost(atom: Atom) -> int:
    return _TRANSITIVE_COST if atom.kind is Kind.TRANSITIVE else 1


def _transitive(conjunction: Sequence[tuple[int, Atom]]) -> int:
    return sum(atom.kind is Kind.TRANSITIVE for _, atom in conjunction)


def _ways(one: Chosen, there: Sequence[Sequence[tuple[int, Atom]]]) -> list[list[tuple[int, Atom]]]:
    """The conjunction, and the others that these observations do not tell from it; `there` has the atoms of each part."""
    ways = [[there[part][0] for part in way] for way in (one.parts, *one.others)]
    for place, part in enumerate(one.parts):
        first, *equal = there[part]
        # Axes whose versions go together in every cell; what else goes with an axis follows from it.
        axes = {first[1].name: first}
        for number, atom in equal:
            if atom.kind is Kind.AXIS:
                axes.setdefault(atom.name, (number, atom))
        ways += [[*ways[0][:place], other, *ways[0][place + 1 :]] for other in axes.values() if other != first]
    return ways


def _ordered(conjunction: Sequence[tuple[int, Atom]]) -> list[tuple[int, Atom]]:
    """As a rule is read: the way of exporting first, then what is transitive, then the axes."""
    order = [Kind.VARIANT, Kind.TRANSITIVE, Kind.AXIS]
    return sorted(conjunction, key=lambda one: (order.index(one[1].kind), one[0], one[1].op == "<"))
