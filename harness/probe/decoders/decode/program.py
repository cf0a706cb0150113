"""How a program decodes: which graph runs at which step, and what is fed back."""

from __future__ import annotations

from typing import NamedTuple

from ...outcome import NotRun
from ...runtime import Values
from ...variant import RequestedVariant

# Steps without the cache, after the prefix, of the strategy `mixed`.
_MIXED_STEPS = 2
_NEVER = 2**31

PAST, PRESENT, SWITCH = "past_key_values.", "present.", "use_cache_branch"


class Start(NamedTuple):
    """The past of the first step: `dummy_length` is its length, if the graph takes one."""

    name: str
    dummy_length: int


_NO_PAST = [Start("no past", 0)]
# A merged graph takes past inputs even if it does not use them. Programs differ in what they pass.
_DUMMIES = [Start("past of length 0", 0), Start("dummy past of length 1", 1)]

_STARTS = {"no-cache": _NO_PAST, "pair": _NO_PAST, "merged": _DUMMIES, "merged-passthrough": _DUMMIES}
_FIRST_CACHED = {"cached": 1, "mixed": 1 + _MIXED_STEPS}


class Program(NamedTuple):
    """One way of decoding.

    `cached` uses the cache from the first step after the prefix on. `mixed` takes two more steps without it, each with all
    tokens so far. The layout `no-cache` never uses it, so its only strategy is `cached`.
    """

    layout: str
    strategy: str
    feedback: str

    @classmethod
    def of(cls, variant: RequestedVariant) -> Program:
        """Return the program of `variant`; NotRun if its parts do not go together."""
        program = cls(variant.layout, variant.strategy or "cached", variant.feedback or "keep-cross")
        if program.layout == "no-cache" and program.strategy != "cached":
            raise NotRun(f"the layout no-cache has no cache that the strategy {program.strategy} could begin to use")
        return program

    def starts(self) -> list[Start]:
        """Return the ways to begin."""
        return _STARTS[self.layout]

    def is_whole(self, step: int) -> bool:
        """Whether `step` takes all tokens so far, instead of one token and a past."""
        return step < (_NEVER if self.layout == "no-cache" else _FIRST_CACHED[self.strategy])

    def role(self, step: int) -> str:
        """Return the role of the graph that runs at `step`."""
        if self.layout.startswith("merged"):
            return "decoder_merged"
        return "decoder" if self.is_whole(step) else "decoder_with_past"

    def may_empty_cross(self, step: int) -> bool:
        """Whether `step` may return an empty cross-attention cache, as optimum writes its merged graphs."""
        return self.layout == "merged" and not self.is_whole(step)


class PastCache:
    """The past of the next step: every `present.*` of the last step, for the cross-attention as `feedback` says.

    `keep-cross` takes the cross-attention cache of the last step that computed it, one that took all tokens so far.
    `feed-all` takes that of the last step that returned one.
    """

    def __init__(self, feedback: str) -> None:
        self._keeps_cross = {"keep-cross": True, "feed-all": False}[feedback]
        self.values: Values = {}

    def take(self, outputs: Values, *, is_whole: bool) -> None:
        """Remember the present of one step as the past of the next."""
        for name, value in outputs.items():
            if name.startswith(PRESENT) and (is_whole or not (self._keeps_cross and ".encoder." in name)):
                self.values[PAST + name[len(PRESENT) :]] = value
