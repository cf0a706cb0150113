"""What a process can import: a closure, and the layers of files that it is made of.

There is an environment for every distinct *closure*: what an export can import, or what a run can import. Files are
installed in *layers*: what torch reaches through its requirements, what transformers does, what onnx does, and the
rest. So each torch is on disk once, and its bytecode is compiled once, however many combinations it is part of.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.model import Interpreter, Lock, digest


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


_LAYERED = ("torch", "transformers", "onnx")
"""What has a layer of its own: large, and the same in many closures."""


def layers(whole: Closure) -> tuple[Closure, ...]:
    """The closures whose files make up `whole`; itself, where it is small."""
    there = [name for name in _LAYERED if name in whole.lock.versions]
    if "torch" not in there:
        return (whole,)
    names = [frozenset(whole.lock.closure(frozenset({name})).versions) for name in there]
    # Who requires torch itself does not get a second one.
    names = [names[0], *(part - names[0] if "torch" in part else part for part in names[1:])]
    rest = frozenset(whole.lock.versions).difference(*names)
    parts = [whole.lock.only(part) for part in (*names, rest) if part]
    return tuple(closure(whole.interpreter, part) for part in parts)


def base(whole: Closure) -> tuple[Closure, ...]:
    """The first layers of `whole`, which hold what takes long to import, and which other closures have alike."""
    parts = layers(whole)
    return parts if len(parts) == 1 else parts[: sum(name in whole.lock.versions for name in ("torch", "transformers"))]
