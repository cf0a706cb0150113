"""Looks up a message that somebody pastes among those of the published reports. Pure.

A message is recognised if the text has it whole, apart from numbers; or if a text that is no more than a part of a message
says what the message says. Everything less is unknown: what is merely similar is named, and never an answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.decide import message_forms
from harness.decide.known_messages import KnownMessage, MeasuredFailure

_LEAST = (20, 3)
"""Characters and words of a message that may stand anywhere in a text; a shorter one must be a line of its own."""
_NEAR = 0.6
"""The least similarity (`difflib`, 0 to 1) of a message that is named as the nearest."""
_COMPARED = 40
"""Lines of a text that are compared with the known messages, the last ones."""
_COMPARED_CHARACTERS = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Recognised:
    """A known message that was found in a text."""

    message: KnownMessage
    values: tuple[str, ...]
    """The numbers in the text."""
    whole: bool
    """False if the text has the end of the message alone, without the nodes in which it happened."""
    alike: list[MeasuredFailure]
    """The failures with these numbers, and with names that the text has too."""

    @property
    def measured(self) -> bool:
        """Whether the message was measured with what the text says."""
        return bool(self.alike)

    @property
    def failures(self) -> list[MeasuredFailure]:
        """The failures that the text speaks of; all with this message, if it was measured with other values."""
        return self.alike or self.message.failures


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """A known message that is similar to a line of a text. It says nothing about the text."""

    message: KnownMessage
    similarity: float
    """0 to 1."""


class _Text:
    """A text, as it is compared."""

    def __init__(self, text: str) -> None:
        self._text = text
        clean = message_forms.cleaned(text)
        self.form = message_forms.form(text)
        self.nodes = set(message_forms.nodes(clean))
        self.names = message_forms.names(clean)

    @cached_property
    def lines(self) -> list[str]:
        """The forms of its lines, without the class of an exception."""
        return [message_forms.trimmed(_without_class(message_forms.form(line))) for line in self._text.splitlines()]


def recognised(text: str, known: Sequence[KnownMessage]) -> list[Recognised]:
    """The known messages that are in `text`, the best supported first; empty if it is unknown."""
    found = _found(_Text(text), known)
    # A terminal may have broken words in two.
    found = found or [match for match in _found(_Text("".join(text.splitlines())), known) if match.whole]
    return sorted(_outermost(found), key=lambda match: -len(match.failures))


def nearest(text: str, known: Sequence[KnownMessage], count: int = 3) -> list[Near]:
    """The known messages that are most similar to a line of `text`, or to all of it, the most similar first."""
    pieces = [line[: 4 * _COMPARED_CHARACTERS] for line in text.splitlines() if line.strip()][-_COMPARED:]
    forms = dict.fromkeys(message_forms.template(message_forms.form(piece)) for piece in [*pieces, " ".join(pieces)])
    near = []
    for message in known:
        whole = " ".join(message.templates)
        similarity = max((_similarity(piece, whole) for piece in forms), default=0.0)
        if similarity >= _NEAR:
            near.append(Near(message=message, similarity=round(similarity, 2)))
    return sorted(near, key=lambda found: -found.similarity)[:count]


def _found(text: _Text, known: Sequence[KnownMessage]) -> list[Recognised]:
    return [match for message in known for match in _matches(message, text)]


def _matches(message: KnownMessage, text: _Text) -> Iterator[Recognised]:
    """`message`, for each set of numbers with which it is in a text; else its end, if that is there."""
    if message.is_bound_to_node and not message.nodes & text.nodes:
        return
    start = message.templates[0]
    anywhere = len(start) >= _LEAST[0] and len(start.split()) >= _LEAST[1]
    pieces = [text.form] if anywhere else [line for line in text.lines if message.pattern.fullmatch(line)]
    numbers = dict.fromkeys(found.groups() for piece in pieces for found in message.pattern.finditer(piece))
    whole = bool(numbers)
    for values in numbers or _end(message, text.form):
        alike = [failure for failure in message.failures if failure.values[-len(values) :] == values or not values]
        alike = [failure for failure in alike if failure.names <= text.names]
        yield Recognised(message=message, values=values, whole=whole, alike=alike)


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


def _similarity(piece: str, whole: str) -> float:
    piece, whole = piece[:_COMPARED_CHARACTERS], whole[:_COMPARED_CHARACTERS]
    matcher = difflib.SequenceMatcher(None, piece, whole, autojunk=False)
    if matcher.real_quick_ratio() < _NEAR or matcher.quick_ratio() < _NEAR:
        return 0.0
    return matcher.ratio()
