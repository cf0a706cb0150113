"""The known messages that are most similar to a text, and where they differ. They say nothing about the text. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.decide import message_forms
from harness.decide.imported_modules import Imports
from harness.decide.known_messages import KnownMessage

_NEAR = 0.6
"""The least similarity (`difflib`, 0 to 1) of a message that is named as the nearest."""
_COMPARED = 40
"""Lines of a text that are compared with the known messages, the last ones."""
_COMPARED_CHARACTERS = 600
_QUOTED = re.compile(r"'([A-Za-z_][\w.…]*)'")
_COMPARED_WORDS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """A known message that is similar to a line of a text."""

    message: KnownMessage
    similarity: float
    """0 to 1; 1 if the words are the same, and the place is another one."""
    apart: tuple[str, str]
    """Where they differ most: what the message has, and what the text has instead; either may be empty."""


def nearest(text: str, known: Sequence[KnownMessage], count: int = 3) -> list[Near]:
    """The known messages that are most similar to a line of `text`, or to all of it, the most similar first."""
    lines = [line[: 4 * _COMPARED_CHARACTERS] for line in text.splitlines() if line.strip()][-_COMPARED:]
    pieces = dict.fromkeys(message_forms.template(message_forms.form(piece)) for piece in [*lines, " ".join(lines)])
    form = message_forms.form(text)
    there = (_elsewhere(message, text) for message in known if message.pattern.search(form))
    found = [*there, *(_similar(message, list(pieces)) for message in known if not message.pattern.search(form))]
    return sorted((near for near in found if near.similarity >= _NEAR), key=lambda near: -near.similarity)[:count]


def _elsewhere(message: KnownMessage, text: str) -> Near:
    """`message`, whose words the text has, but at the import of another module, or in another node."""
    measured, own = message.nodes, set(message_forms.nodes(message_forms.cleaned(text)))
    if modules := {f"import {failure.module}" for failure in message.failures if failure.module}:
        imports = Imports(text)
        measured, own = modules, {f"import {name}" for name in imports.failing_with(message.pattern) or imports.modules}
    return Near(message=message, similarity=1.0, apart=("; ".join(sorted(measured)), "; ".join(sorted(own))))


def _similar(message: KnownMessage, pieces: Sequence[str]) -> Near:
    words = " ".join(message.templates)
    # `module 'torch' has no attribute 'x'` is alike for any two names, and says nothing of others.
    quoted = _QUOTED.findall(words)
    about = [piece for piece in pieces if not quoted or any(name in piece for name in quoted)]
    similarity, piece = max(((_similarity(piece, words), piece) for piece in about), default=(0.0, ""))
    apart = _apart(words, message_forms.trimmed(piece)) if similarity >= _NEAR else ("", "")
    return Near(message=message, similarity=round(similarity, 2), apart=apart)


def _apart(measured: str, pasted: str) -> tuple[str, str]:
    """The longest difference between two forms, without what merely stands around the message in the text."""
    words, own = measured.split()[:_COMPARED_WORDS], pasted.split()[:_COMPARED_WORDS]
    pairs = []
    for step, start, end, own_start, own_end in difflib.SequenceMatcher(None, words, own, autojunk=False).get_opcodes():
        instead = own[own_start:own_end]
        if own_start == 0:
            instead = instead[len(instead) - (end - start) :] if end > start else []
        elif own_end == len(own):
            instead = instead[: end - start]
        if step != "equal":
            pairs.append((" ".join(words[start:end]), " ".join(instead)))
    return max(pairs, key=lambda pair: len(pair[0]) + len(pair[1]), default=("", ""))


def _similarity(piece: str, whole: str) -> float:
    piece, whole = piece[:_COMPARED_CHARACTERS], whole[:_COMPARED_CHARACTERS]
    matcher = difflib.SequenceMatcher(None, piece, whole, autojunk=False)
    if matcher.real_quick_ratio() < _NEAR or matcher.quick_ratio() < _NEAR:
        return 0.0
    return matcher.ratio()
