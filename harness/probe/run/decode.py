"""The decoding loops: which graph runs at which step, and what is fed back to it."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple

import numpy as np

from ..artifact import Case
from .session import Graph

Arrays = Dict[str, Any]
Graphs = Mapping[str, Graph]


class Start(NamedTuple):
    """How the first step of a layout is made: `dummy_length` is the length of the past it is given, if any."""

    name: str
    dummy_length: int


# A merged graph takes past inputs even where it does not use them. Programs differ in what they put there.
_STARTS = {
    "pair": [Start("no past", 0)],
    "merged": [Start("past of length 0", 0), Start("dummy past of length 1", 1)],
}


def starts(layout: str) -> list[Start]:
    """Return the ways to begin a decoding in `layout`."""
    return _STARTS[layout]


class Feedback:
    """What a decoding loop feeds back: every `present.*` of the last step, or all but the cross-attention's.

    `keep-cross` takes the cross-attention cache from the first step; `feed-all` from whichever step returned one.
    """

    def __init__(self, name: str) -> None:
        self._keeps_cross = {"keep-cross": True, "feed-all": False}[name]
        self.past: Arrays = {}

    def take(self, outputs: Arrays) -> None:
        """Remember the present of one step as the past of the next."""
        is_first = not self.past
        for name, array in outputs.items():
            if name.startswith("present.") and (is_first or not (self._keeps_cross and ".encoder." in name)):
                self.past["past_key_values." + name[len("present.") :]] = array


def decode(
    graphs: Graphs, layout: str, cache: Mapping[str, Any], case: Case, *, start: Start, feedback: Feedback
) -> Iterator[Any]:
    """Yield the logits of each step of `case`, teacher-forced with its tokens."""
    common = case.common()
    if "encoder" in graphs:
        common["encoder_hidden_states"] = graphs["encoder"].run(case.encoder_inputs())["last_hidden_state"]
    run_step = _STEPPERS[layout]
    for step in case.steps():
        past = feedback.past if step else _dummy_past(cache, case, start)
        growing = case.growing(case.length(step))
        outputs = run_step(graphs, step, {**common, **growing, **past, "input_ids": case.tokens(step)})
        feedback.take(outputs)
        yield outputs["logits"]


def _pair_step(graphs: Graphs, step: int, arrays: Arrays) -> Arrays:
    return graphs["decoder_with_past" if step else "decoder"].run(arrays)


def _merged_step(graphs: Graphs, step: int, arrays: Arrays) -> Arrays:
    return graphs["decoder_merged"].run({**arrays, "use_cache_branch": np.array([step > 0])})


_STEPPERS: dict[str, Callable[[Graphs, int, Arrays], Arrays]] = {"pair": _pair_step, "merged": _merged_step}


def _dummy_past(cache: Mapping[str, Any], case: Case, start: Start) -> Arrays:
    shape = (case.description["batch"], cache["heads"], start.dummy_length, cache["head_size"])
    return {
        f"past_key_values.{layer}.{part}": np.zeros(shape, dtype=np.float32)
        for layer in range(cache["layers"])
        for part in cache["parts"]
    }
