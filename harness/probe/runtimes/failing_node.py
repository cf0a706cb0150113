"""The node that failed, read from onnxruntime's messages."""

from __future__ import annotations

import re
from typing import Any

_NODE = re.compile(r"while running (?P<op_type>\S+) node\. Name:'(?P<name>[^']*)'")
# Reshape: `Input shape:{0,4,1,8}, requested shape:{…}`; MatMul and its fusions: `LeftShape: {…}, RightShape: {…}`;
# broadcasting: `… by axis: 2: left_shape…`. A release that words it otherwise leaves the shapes unknown.
_SHAPES = (
    re.compile(r"Input shape:\s*\{([\d,]*)\}"),
    re.compile(r"[Ll]eft_?[Ss]hape:\s*\{([\d,]*)\},?\s*[Rr]ight_?[Ss]hape:\s*\{([\d,]*)\}"),
)


def failing_node(message: str) -> dict[str, Any] | None:
    """Return name, op_type and input_shapes; None if no node is named (an input was refused, for example).

    The shapes are those of the node's first inputs; None if the message has none.
    """
    matches = list(_NODE.finditer(message))
    if not matches:
        return None
    found = matches[-1]  # the innermost: an If is named before the node in its branch
    return {"name": found["name"], "op_type": found["op_type"], "input_shapes": _input_shapes(message)}


def _input_shapes(message: str) -> list[list[int]] | None:
    for pattern in _SHAPES:
        found = pattern.search(message)
        if found:
            return [[int(size) for size in group.split(",") if size] for group in found.groups()]
    return None
