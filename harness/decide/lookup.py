"""Looks up a message that somebody pastes among those of the published reports. Pure.

A message is recognised if the text has it whole, apart from numbers; or if a text that is no more than a part of a message
says what the message says. Everything less is unknown: what is merely similar is named, and never an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from packaging.utils import canonicalize_name

from harness.decide import message_forms
from harness.decide.imported_modules import Imports
from harness.decide.known_messages import KnownMessage, MeasuredFailure
from harness.decide.measured_remedies import distributions, limit
from harness.model import Stage
from harness.stack import RUNTIME

_LEAST = (20, 3)
"""Characters and words of a message that may stand anywhere in a text; a shorter one must be a line of its own."""
_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError"}
"""Classes of exceptions that say what could not be imported, and not by which package."""

_OTHER_BUILDS = re.compile(
    r"\bonnxruntime[-_](training|gpu|directml|openvino|qnn|rocm|migraphx|cann|vitisai|web|react[-_]native|android|mobile)\b|"
    r"\bort(training)(?=[_\W])",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recognised:
    """A known message that was found in a text."""

    message: KnownMessage
    values: tuple[str, ...]
    """The numbers in the text."""
    whole: bool
    """False if the text has the end of the message alone, without the nodes in which it happened."""
    measured: bool
    """Whether the message was measured with what the text says."""
    failures: list[MeasuredFailure]
    """The failures that the text speaks of; all with this message, if it was measured with other values."""
    unnamed: set[str]
    """The distributions that were imported, or changed, when it was measured, and of which the text does not speak."""

    @property
    def shows_cause(self) -> bool:
        """Whether the cause of `failures` is that of the text; else it is that of what was measured."""
        return self.message.shows_cause and not self.unnamed

    def admits(self, failure: MeasuredFailure, change: str) -> bool:
        """Whether a remedy of a failure may hold for the text."""
        # Some are named by their module.
        unnamed = set(map(canonicalize_name, self.unnamed))
        concerned = set(map(canonicalize_name, distributions(change)))
        return not concerned & unnamed and not self._limit(failure, change)

    @property
    def ruled_out(self) -> dict[str, str]:
        """Remedy that the numbers of the text rule out → the limit that they set."""
        limits = {change: self._limit(failure, change) for failure in self.failures for change in failure.remedies}
        return {change: words for change, words in limits.items() if words}

    def _limit(self, failure: MeasuredFailure, change: str) -> str | None:
        if self.measured or not self.values:
            return None
        return limit(change, failure.values[-len(self.values) :], self.values)


class _Text:
    """A text, as it is compared."""

    def __init__(self, text: str, imports: Imports) -> None:
        self._text = text
        self.imports = imports
        clean = message_forms.cleaned(text)
        self.form = message_forms.form(text)
        self.nodes = set(message_forms.nodes(clean))
        self.names = message_forms.names(clean)

    def speaks_of(self, distribution: str) -> bool:
        """Whether it names a distribution: `optimum-onnx` by `optimum` too, and not `onnx` by `onnxscript`."""
        return bool(re.search(rf"{re.split('[-_.]', distribution)[0]}(?![a-z])", self._text, re.IGNORECASE))

    @cached_property
    def lines(self) -> list[str]:
        """The forms of its lines, without the class of an exception."""
        return [message_forms.trimmed(_without_class(message_forms.form(line))) for line in self._text.splitlines()]


def recognised(text: str, known: Sequence[KnownMessage]) -> list[Recognised]:
    """The known messages that are in `text`, the best supported first; empty if it is unknown."""
    imports = Imports(text)
    found = _found(_Text(text, imports), known)
    # A terminal may have broken words in two.
    found = found or [match for match in _found(_Text("".join(text.splitlines()), imports), known) if match.whole]
    return sorted(_outermost(found), key=lambda match: -len(match.failures))


def other_builds(text: str) -> list[str]:
    """The builds of onnxruntime that `text` names, and that were not measured: `onnxruntime-training`."""
    found = (next(filter(None, names)).lower() for names in _OTHER_BUILDS.findall(text))
    return list(dict.fromkeys(f"{RUNTIME}-{name.replace('_', '-')}" for name in found))


def _found(text: _Text, known: Sequence[KnownMessage]) -> list[Recognised]:
    return [match for message in known for match in _matches(message, text)]


def _matches(message: KnownMessage, text: _Text) -> Iterator[Recognised]:
    """`message`, for each set of numbers with which it is in a text; else its end, if that is there."""
    if message.is_bound_to_node and not message.nodes & text.nodes:
        return
    start = message.templates[0]
    anywhere = len(start) >= _LEAST[0] and len(start.split()) >= _LEAST[1]
    pieces = [text.form] if anywhere else [line for line in text.lines if message.pattern.fullmatch(line)]
    numbers = dict.fromkeys(match.groups() for piece in pieces for match in message.pattern.finditer(piece))
    whole = bool(numbers)
    found = list(numbers) or _end(message, text.form)
    failures, unnamed = _spoken_of(message, text) if found else ([], set())
    for values in found if failures else ():
        alike = [failure for failure in failures if failure.values[-len(values) :] == values or not values]
        alike = [failure for failure in alike if failure.names <= text.names]
        yield Recognised(
            message=message,
            values=values,
            whole=whole,
            measured=bool(alike),
            failures=alike or failures,
            unnamed=unnamed,
        )


def _spoken_of(message: KnownMessage, text: _Text) -> tuple[list[MeasuredFailure], set[str]]:
    """The failures that a text with `message` may speak of, and the distributions that it does not show to be concerned."""
    if message.stage is Stage.IMPORT:
        return _imported(message, text.imports)
    # An export failed for an import: the message does not say which package has it.
    missing = [failure for failure in message.failures if failure.variant.error_type in _IMPORT_ERRORS]
    changed = {name for failure in missing for change in failure.remedies for name in distributions(change)}
    return message.failures, {name for name in changed if not text.speaks_of(name)}


def _imported(message: KnownMessage, imports: Imports) -> tuple[list[MeasuredFailure], set[str]]:
    """As `_spoken_of`: the import that failed is the one in which a traceback ends; without a traceback it may be any."""
    ends = imports.failing_with(message.pattern)
    if shown := [failure for failure in message.failures if failure.module in {None, *ends}]:
        return shown, set()
    possible = [failure for failure in message.failures if not imports.modules or failure.module in imports.modules]
    return possible, {failure.module for failure in possible if failure.module}


def _end(message: KnownMessage, form: str) -> list[tuple[str, ...]]:
    """The numbers of the innermost end of a message in a text that names no node; empty if it is not there."""
    end = message_forms.innermost(message.templates[-1])
    if end == message.templates[-1] or not message_forms.is_distinct(end):
        return []
    found = message_forms.pattern((end,)).search(form)
    return [found.groups()] if found else []


def _outermost(found: Sequence[Recognised]) -> list[Recognised]:
    """`found` without messages that are a part of others among them."""
    whole = [" ".join(match.message.templates) for match in found]
    return [
        match for match, text in zip(found, whole, strict=True) if not any(text != other and text in other for other in whole)
    ]


def _without_class(line: str) -> str:
    """A line of a traceback without the class of its exception."""
    name, colon, rest = line.partition(": ")
    return rest if colon and " " not in name else line
