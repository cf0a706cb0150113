"""What a process can import: a closure, and the layers of files that it is made of.

There is an environment for every distinct *closure*: what an export can import, or what a run can import. Files are
installed in *layers*: what torch imports where it is there (numpy), what torch reaches through its requirements, what
transformers does, what onnx does, and the rest. So each torch is on disk once, and its bytecode is compiled once, however
many combinations it is part of.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.model import Interpreter, Lock, digest
from harness.stack import LAYERED, SLOW_IMPORTS


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """A set of distributions for one interpreter: all that a process can import. Equal keys are equal closures."""

    key: str
    """Digest of interpreter version and distributions; see `closure`."""
    interpreter: Interpreter = field(compare=False)
    lock: Lock = field(compare=False)


def closure(interpreter: Interpreter, lock: Lock) -> Closure:
    """The closure of `lock` under its content key."""
    return Closure(interpreter=interpreter, lock=lock, key=digest([interpreter.version, lock.digest]))


def layers(whole: Closure) -> tuple[Closure, ...]:
    """The closures whose files make up `whole`; itself, where it is small."""
    if "torch" not in whole.lock.versions:
        return (whole,)
    first, torch, *others = (frozenset(whole.lock.closure(frozenset(names)).versions) for names in LAYERED)
    torch -= first
    # Who requires numpy, or torch itself, does not get a second one.
    names = [first, torch, *(part - first - torch if "torch" in part else part - first for part in others)]
    rest = frozenset(whole.lock.versions).difference(*names)
    parts = [whole.lock.only(part) for part in (*names, rest) if part]
    return tuple(closure(whole.interpreter, part) for part in parts)


def bases(whole: Closure) -> tuple[tuple[Closure, ...], ...]:
    """The first layers of `whole`, which hold what takes long to import and which other closures have alike.

    Those up to torch's, and those up to transformers'; each begins with the one before it.
    """
    parts = layers(whole)
    ends = [number for number, part in enumerate(parts, 1) for name in SLOW_IMPORTS if name in part.lock.versions]
    return tuple(parts[:end] for end in dict.fromkeys(ends)) or (parts,)
