"""What is noticed about a graph, whether or not its stage fails: each rule by name.

pruned-input            an input was requested, or the cases offer it, and the exporter left it out or connected it to nothing
frozen-dimension        an axis declared dynamic is a number in the graph, or an axis that is a number was given another
unnamed-dimension       a dynamic axis has no name, or one that an exporter made up
dimension-bound-twice   within one call, one symbolic name stood for two values; runtimes plan their memory by the names
reshape-zero            a Reshape copies a dimension because its shape holds 0 and `allowzero` is unset
opset-above-runtime     the graph's opset is above the largest that this runtime was measured to run
ir-above-runtime        the same for the graph's IR version
constant-offset         an output differs by the same amount everywhere: a bias was dropped or changed

One's own probe may note rules of its own.
"""

from __future__ import annotations

from typing import Any, Dict, List

Finding = Dict[str, Any]
"""See wire.PlacedFinding; a graph is described by whatever the rule adds."""
Findings = List[Finding]


def finding(rule: str, message: str, where: str, **measured: int) -> Finding:
    """Return the finding as the journal carries it; `where` names a graph, and what in it."""
    return {"rule": rule, "message": message, "where": where, **measured}
