"""What onnxruntime says when it refuses a model, against what was measured of each release. Pure.

Such a sentence has all that an answer takes: the version of a format, or the operator without a kernel. So it is answered with
any numbers and any operator, from the measured limits, where no run of a model is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.decide import message_forms
from harness.decide.model_support import Reading
from harness.onnx_files.onnx_model import DEFAULT_DOMAIN
from harness.verdicts.runtime_kernels import Operator, Operators
from harness.verdicts.runtime_limits import RuntimeLimits

_IR = re.compile(r"Unsupported model IR version: (?P<asked>\d{1,9}), max supported IR version: (?P<limit>\d{1,9})")
_OPSET = re.compile(
    r"Opset (?P<asked>\d{1,9}) is under development and support for this is limited\..{0,400}?"
    r"Current official support for domain (?P<domain>[\w.]*\w) is till opset (?P<limit>\d{1,9})"
)
_API = re.compile(
    r"The requested API version \[(?P<asked>\d{1,9})\] is not available, "
    r"only API versions \[1, (?P<limit>\d{1,9})\] are supported in this build"
)
_KERNEL = re.compile(
    r"Could not find an implementation for (?:the node (?:[^\s:()]*:)?)?(?P<operator>[A-Za-z]\w*)\((?P<since>\d{1,9})\)"
)
_TYPE = re.compile(
    r"Type '(?P<type>[a-z]\w*\([^']{1,60}\))' of input parameter \([^()]{0,300}\) of operator \((?P<operator>[A-Za-z]\w*)\)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FormatRefusal:
    """A version of a format that is above what the onnxruntime of a text reads."""

    format: str
    """`IR version`, or `opset of ai.onnx`."""
    asked: int
    """The version that the model has."""
    limit: int
    """The largest that this onnxruntime reads, as it says itself."""
    saying: tuple[str, ...]
    """The measured onnxruntimes with that limit."""
    readings: dict[str, Reading]
    """Measured onnxruntime → whether it reads the version that was asked for, the oldest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiRefusal:
    """A program in another language that calls a newer C API than the library of onnxruntime has which it loads."""

    asked: int
    """The version that the program calls."""
    limit: int
    """The newest that the library has, as it says itself."""
    having: tuple[str, ...]
    """The measured onnxruntimes with that limit."""
    readings: dict[str, Reading]
    """Onnxruntime whose library was asked → whether it has the version, the oldest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Takes:
    """The kernels of one form of an operator on the CPU, in the onnxruntimes in which they are the same."""

    since: int
    """The opset that brought this form."""
    types: tuple[str, ...]
    """The types that it has kernels for; empty where they do not depend on a type."""
    runtimes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorRefusal:
    """An operator that the onnxruntime of a text has no kernel for, or that does not take a type."""

    operator: str
    since: int | None
    """The opset that brought the form which the model uses; None if the text does not say."""
    type: str | None
    """The type that the operator does not take; None if the text does not say."""
    takes: tuple[Takes, ...]
    """What the measured onnxruntimes have; of all forms, if the text names none."""
    castable: bool
    """Whether its first input and its output have one type, which may be float: a Cast before and behind keeps the numbers."""
    later: tuple[int, ...]
    """The opsets that brought later forms of the operator of which a measured onnxruntime has a kernel."""
    readings: dict[str, Reading]
    """Measured onnxruntime → whether it has a kernel; UNKNOWN if it has some for certain types, and the text names none."""


_FLOAT = "tensor(float)"
_Answer = Callable[[re.Match[str], Mapping[str, RuntimeLimits]], "FormatRefusal | ApiRefusal"]
RuntimeRefusal = FormatRefusal | ApiRefusal | OperatorRefusal


def runtime_refusals(
    text: str, limits: Callable[[], Mapping[str, RuntimeLimits]], kernels: Callable[[], Operators]
) -> list[RuntimeRefusal]:
    """The refusals that `text` has, each once. `limits` and `kernels` read what was measured, if a sentence needs it."""
    clean = " ".join(message_forms.cleaned(text).split())
    found: dict[tuple[str, ...], RuntimeRefusal] = {}
    answers: tuple[tuple[re.Pattern[str], _Answer], ...] = ((_IR, _ir), (_OPSET, _opset), (_API, _api))
    for pattern, answered in answers:
        for match in pattern.finditer(clean):
            found[pattern.pattern, *match.groups()] = answered(match, limits())
    for pattern in (_KERNEL, _TYPE):
        for match in pattern.finditer(clean):
            if refusal := _operator(match.groupdict(), kernels(), tuple(limits())):
                found[pattern.pattern, *match.groups()] = refusal
    return list(found.values())


def _ir(match: re.Match[str], limits: Mapping[str, RuntimeLimits]) -> FormatRefusal:
    return _format("IR version", match, {version: (limit.ir, limit.ir) for version, limit in limits.items()})


def _opset(match: re.Match[str], limits: Mapping[str, RuntimeLimits]) -> FormatRefusal:
    domain = match["domain"]
    if domain == DEFAULT_DOMAIN:
        known = {version: (limit.opset, limit.opset_some) for version, limit in limits.items()}
    else:
        of_domain = {version: (limit.domains or {}).get(domain) for version, limit in limits.items()}
        known = {version: (limit, limit) for version, limit in of_domain.items() if limit is not None}
    return _format(f"opset of {domain}", match, known)


def _api(match: re.Match[str], limits: Mapping[str, RuntimeLimits]) -> ApiRefusal:
    asked, limit = int(match["asked"]), int(match["limit"])
    known = {version: own.api for version, own in limits.items() if own.api is not None}
    return ApiRefusal(
        asked=asked,
        limit=limit,
        having=tuple(version for version, api in known.items() if api == limit),
        readings={version: Reading.READS if asked <= api else Reading.REFUSES for version, api in known.items()},
    )


def _format(name: str, match: re.Match[str], known: Mapping[str, tuple[int, int]]) -> FormatRefusal:
    """`known`: version → the largest that it reads, and the largest of which it reads some models."""
    asked, limit = int(match["asked"]), int(match["limit"])
    return FormatRefusal(
        format=name,
        asked=asked,
        limit=limit,
        saying=tuple(version for version, (_, some) in known.items() if some == limit),
        readings={
            version: Reading.READS if asked <= whole else Reading.UNKNOWN if asked <= some else Reading.REFUSES
            for version, (whole, some) in known.items()
        },
    )


def _operator(named: Mapping[str, str], kernels: Operators, releases: tuple[str, ...]) -> OperatorRefusal | None:
    """None for an operator of which no kernel was looked for."""
    name, kind = named["operator"], named.get("type")
    since = int(named["since"]) if "since" in named else None
    of_domains = [operators[name] for operators in kernels.values() if name in operators]
    # `Gelu(1)` is that of com.microsoft, and `Gelu(20)` that of ONNX.
    forms = next((forms for forms in of_domains if since in forms), of_domains[0] if of_domains else {})
    chosen = {number: form for number, form in forms.items() if since in {None, number}}
    if not chosen:
        return None
    later = {number for number, form in forms.items() if since is not None and number > since and form.kernels}
    takes = tuple(taken for number, form in sorted(chosen.items()) for taken in _taken(number, form, releases))
    described = {version for operators in kernels.values() for version in _described(operators)}
    return OperatorRefusal(
        operator=name,
        since=since,
        type=kind,
        takes=takes,
        castable=all(map(_is_castable, chosen.values())),
        later=tuple(sorted(later)),
        readings={version: _reading(version, takes, kind) for version in releases if version in described},
    )


def _is_castable(form: Operator) -> bool:
    if not form.inputs or form.inputs[:1] != form.outputs[:1]:
        return False
    return any(_FLOAT in kernel.types.get(form.inputs[0], ()) for kernel in form.kernels)


def _reading(version: str, takes: tuple[Takes, ...], kind: str | None) -> Reading:
    own = [taken for taken in takes if version in taken.runtimes]
    if any(not taken.types or kind in taken.types for taken in own):
        return Reading.READS
    return Reading.UNKNOWN if own and kind is None else Reading.REFUSES


def _taken(since: int, form: Operator, releases: tuple[str, ...]) -> Iterator[Takes]:
    """The kernels of a form, for each set of types that some releases have."""
    by_types: dict[tuple[str, ...], list[str]] = {}
    for version in releases:
        own = [kernel for kernel in form.kernels if version in kernel.runtimes]
        if own:
            types = {kind for kernel in own for kinds in kernel.types.values() for kind in kinds}
            by_types.setdefault(tuple(sorted(types)), []).append(version)
    for taken, versions in by_types.items():
        yield Takes(since=since, types=taken, runtimes=tuple(versions))


def _described(operators: Mapping[str, Mapping[int, Operator]]) -> set[str]:
    """The onnxruntimes that have any of the operators: of the others kernels were not looked for."""
    forms = (form for by_opset in operators.values() for form in by_opset.values())
    return {version for form in forms for kernel in form.kernels for version in kernel.runtimes}
