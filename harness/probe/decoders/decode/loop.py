"""One decoding of one case. Each step takes the tokens of the reference (teacher forcing)."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from ...protocol import Graphs, Step
from ...runtime import Graph, Values, array_of
from ...runtimes.graph_names import MissingOutput
from .case import DecodingCase
from .forms import Expected, wrong_form
from .program import PAST, PRESENT, SWITCH, PastCache, Program, Start


def decode(graphs: Graphs, program: Program, case: DecodingCase, start: Start) -> Iterator[Step]:
    """Yield each step of `case`. Only the logits are read; all other values go from graph to graph as they are."""
    encoded = _encode(graphs, case)
    hidden = encoded.get("encoder_hidden_states")
    source_length = graphs["encoder"].form(hidden).shape[1] if hidden is not None else None
    cache = PastCache(program.feedback)
    for step in case.steps:
        is_whole = program.is_whole(step)
        graph = graphs[program.role(step)]
        tokens = case.tokens_so_far(step) if is_whole else case.tokens(step)
        length = case.length(step)
        past = _dummy_past(case, start) if is_whole else _fed_back(cache, graph)
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
        cache.take(outputs, is_whole=is_whole)
        expected = Expected(case.cache, tokens.shape, length, source_length, program.may_empty_cross(step))
        wrong = wrong_form({name: graph.form(value) for name, value in outputs.items()}, expected)
        yield Step({"logits": _comparable(array_of(outputs["logits"]), step)}, wrong)


def _fed_back(cache: PastCache, graph: Graph) -> Values:
    """Return the past; MissingOutput if no step has returned the present for an input of `graph`."""
    lost = [name for name in graph.inputs if name.startswith(PAST) and name not in cache.values]
    if lost:
        returned = ", ".join(PRESENT + name[len(PAST) :] for name in lost)
        raise MissingOutput(f"there is no past to feed back: the step before returned no {returned}")
    return cache.values


def _encode(graphs: Graphs, case: DecodingCase) -> Values:
    """Return the encoder's hidden states under the decoders' name for them; empty if the model has no encoder."""
    if "encoder" not in graphs:
        return {}
    return {"encoder_hidden_states": graphs["encoder"].run(case.encoder_inputs())["last_hidden_state"]}


def _comparable(logits: Any, step: int) -> Any:
    """Return the logits that the reference has: all of the prefix, then the last position."""
    return logits if step == 0 else logits[:, -1:]


def _dummy_past(case: DecodingCase, start: Start) -> Values:
    cache = case.cache
    shape = (case.batch, cache["heads"], start.dummy_length, cache["head_size"])
    return {
        f"{PAST}{layer}.{part}": np.zeros(shape, dtype=np.float32)
        for layer in range(cache["layers"])
        for part in cache["parts"]
    }
