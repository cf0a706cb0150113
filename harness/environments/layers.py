"""Closures, the distributions that a process can import, and the layers that they are installed in.

There is an environment for every distinct *closure* of an export or of a run. Files are installed in *layers*: what torch
imports if it is installed (numpy, tqdm), what torch reaches through its requirements, what transformers reaches, what onnx
reaches, and the rest. So each torch is on disk once, and its bytecode is compiled once, for all cells that have it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from harness.hashing import digest
from harness.locked import Lock
from harness.model import Interpreter
from harness.stack import ECOSYSTEMS, LAYERED, SLOW_IMPORTS


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """All distributions that a process can import, for one interpreter. Equal keys are equal closures."""

    key: str
    """Digest of interpreter version and distributions; see `closure`."""
    interpreter: Interpreter = field(compare=False)
    lock: Lock = field(compare=False)
    composed: bool = field(default=True, compare=False)
    """Whether its environment may be composed of layers; without that it is one site-packages, and the key says so."""
    runtime: str | None = field(default=None, compare=False)
    """The runtime of which these are the packages, and the `interpreter` what runs them; None for distributions of Python."""


@functools.cache
def closure(interpreter: Interpreter, lock: Lock) -> Closure:
    """The closure of `lock` under its content key."""
    return Closure(interpreter=interpreter, lock=lock, key=digest([interpreter.version, lock.digest]))


@functools.cache
def undivided(interpreter: Interpreter, lock: Lock) -> Closure:
    """The closure of `lock` in one site-packages, as any other tool installs it."""
    key = digest([interpreter.version, lock.digest, "undivided"])
    return Closure(interpreter=interpreter, lock=lock, key=key, composed=False)


@functools.cache
def packages(runtime: str, program: Interpreter, lock: Lock) -> Closure:
    """The packages of a runtime that is no distribution of Python, for the program that runs them."""
    key = digest([ECOSYSTEMS[runtime], program.version, lock.digest])
    return Closure(interpreter=program, lock=lock, key=key, runtime=runtime)


def layers(whole: Closure) -> tuple[Closure, ...]:
    """The closures that `whole` is made of; `whole` itself without torch, or if it is not composed."""
    if whole.runtime or not whole.composed or "torch" not in whole.lock.versions:
        return (whole,)
    first, torch, *others = (frozenset(whole.lock.closure(frozenset(names)).versions) for names in LAYERED)
    torch -= first
    # What a part has in common with the layers of numpy and torch is not installed twice.
    names = [first, torch, *(part - first - torch if "torch" in part else part - first for part in others)]
    rest = frozenset(whole.lock.versions).difference(*names)
    parts = [whole.lock.only(part) for part in (*names, rest) if part]
    return tuple(closure(whole.interpreter, part) for part in parts)


def bases(whole: Closure) -> tuple[tuple[Closure, ...], ...]:
    """The first layers of `whole`, with the slow imports, which other closures share: up to torch's, and up to transformers'.

    Each of these begins with the one before it.
    """
    parts = layers(whole)
    ends = [number for number, part in enumerate(parts, 1) for name in SLOW_IMPORTS if name in part.lock.versions]
    return tuple(parts[:end] for end in dict.fromkeys(ends)) or (parts,)
