"""How a program decodes: which graph runs at which step, what it is given, and what is fed back to it."""

from __future__ import annotations

from typing import NamedTuple

from ...failures import NotRun
from ...protocol import RequestedVariant
from ...runtime import Values

# How many steps after the prefix the strategy `mixed` still goes without the cache.
_MIXED_STEPS = 2
_NEVER = 2**31

PAST, PRESENT, SWITCH = "past_key_values.", "present.", "use_cache_branch"


class Start(NamedTuple):
    """How the first step of a layout is made: `dummy_length` is the length of the past it is given, if any."""

    name: str
    dummy_length: int


_NO_PAST = [Start("no past", 0)]
# A merged graph takes past inputs even where it does not use them. Programs differ in what they put there.
_DUMMIES = [Start("past of length 0", 0), Start("dummy past of length 1", 1)]

_STARTS = {"no-cache": _NO_PAST, "pair": _NO_PAST, "merged": _DUMMIES, "merged-passthrough": _DUMMIES}
_FIRST_CACHED = {"cached": 1, "mixed": 1 + _MIXED_STEPS}


class Program(NamedTuple):
    """One way of decoding.

    `cached` uses the cache from the first step after the prefix on; `mixed` goes without it for two more steps, each
    of which is given everything so far. The layout `no-cache` never uses one, so it knows no strategy but `cached`.
    """

    layout: str
    strategy: str
    feedback: str

    @classmethod
    def of(cls, variant: RequestedVariant) -> Program:
        """Return the program that `variant` asks for; NotRun where its parts do not go together."""
        program = cls(variant.layout, variant.strategy or "cached", variant.feedback or "keep-cross")
        if program.layout == "no-cache" and program.strategy != "cached":
            raise NotRun(f"the layout no-cache has no cache that the strategy {program.strategy} could begin to use")
        return program

    def starts(self) -> list[Start]:
        """Return the ways to begin."""
        return _STARTS[self.layout]

    def is_whole(self, step: int) -> bool:
        """Whether `step` is given everything so far, instead of one token and a past."""
        return step < (_NEVER if self.layout == "no-cache" else _FIRST_CACHED[self.strategy])

    def role(self, step: int) -> str:
        """Return which of the artifact's graphs runs at `step`."""
        if self.layout.startswith("merged"):
            return "decoder_merged"
        return "decoder" if self.is_whole(step) else "decoder_with_past"

    def may_empty_cross(self, step: int) -> bool:
        """Whether the cross-attention cache that `step` returns may be empty: so optimum writes its merged graphs."""
        return self.layout == "merged" and not self.is_whole(step)


class Feedback:
    """What a decoding feeds back: every `present.*` of the last step, or all but the cross-attention's.

    `keep-cross` takes the cross-attention cache from the last step that computed it, which is one that was given
    everything so far; `feed-all` from whichever step returned one.
    """

    def __init__(self, name: str) -> None:
        self._keeps_cross = {"keep-cross": True, "feed-all": False}[name]
        self.past: Values = {}

    def take(self, outputs: Values, *, is_whole: bool) -> None:
        """Remember the present of one step as the past of the next."""
        for name, value in outputs.items():
            if name.startswith(PRESENT) and (is_whole or not (self._keeps_cross and ".encoder." in name)):
                self.past[PAST + name[len(PRESENT) :]] = value
