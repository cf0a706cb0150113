"""One decoding of one case, teacher-forced with the reference's tokens."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, NamedTuple

import numpy as np

from ..artifact import Case
from .forms import Expected, wrong_form
from .graph import Graph, Values
from .protocol import PAST, SWITCH, Feedback, Protocol, Start

Graphs = Mapping[str, Graph]
Cache = Mapping[str, Any]


class Step(NamedTuple):
    """What one step gave: the logits that the reference has too, and in words what is wrong with its outputs' forms."""

    logits: Any
    wrong: str | None


def decode(graphs: Graphs, protocol: Protocol, cache: Cache, case: Case, start: Start) -> Iterator[Step]:
    """Yield each step of `case`. Only the logits are read; everything else goes from graph to graph as it is."""
    encoded = _encode(graphs, case)
    hidden = encoded.get("encoder_hidden_states")
    source_length = graphs["encoder"].form(hidden).shape[1] if hidden is not None else None
    feedback = Feedback(protocol.feedback)
    for step in case.steps():
        is_whole = protocol.is_whole(step)
        graph = graphs[protocol.role(step)]
        tokens = case.tokens_so_far(step) if is_whole else case.tokens(step)
        length = case.length(step)
        past = _dummy_past(cache, case, start) if is_whole else feedback.past
        outputs = graph.run(
            {
                **case.common(),
                **encoded,
                **case.growing(length),
                **past,
                "input_ids": tokens,
                SWITCH: np.array([not is_whole]),
            }
        )
        feedback.take(outputs, is_whole=is_whole)
        expected = Expected(cache, tokens.shape, length, source_length, protocol.may_empty_cross(step))
        wrong = wrong_form({name: graph.form(value) for name, value in outputs.items()}, expected)
        yield Step(_comparable(graph.array(outputs["logits"]), step), wrong)


def _encode(graphs: Graphs, case: Case) -> Values:
    """Return the encoder's hidden states under the decoders' name for them; nothing where the model has no encoder."""
    if "encoder" not in graphs:
        return {}
    return {"encoder_hidden_states": graphs["encoder"].run(case.encoder_inputs())["last_hidden_state"]}


def _comparable(logits: Any, step: int) -> Any:
    """Return the part of the logits that the reference keeps: all of the prefix, then the last position."""
    return logits if step == 0 else logits[:, -1:]


def _dummy_past(cache: Cache, case: Case, start: Start) -> Values:
    shape = (case.description["batch"], cache["heads"], start.dummy_length, cache["head_size"])
    return {
        f"{PAST}{layer}.{part}": np.zeros(shape, dtype=np.float32)
        for layer in range(cache["layers"])
        for part in cache["parts"]
    }
