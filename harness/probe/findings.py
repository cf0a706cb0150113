"""What was noticed about a graph, whether or not its stage failed for it: each rule by name.

pruned-input            an input was asked for, or is offered by the cases, and the exporter left it out or fed it to nothing
frozen-dimension        an axis declared dynamic is a number in the graph, or an axis that is a number was given another
unnamed-dimension       a dynamic axis has no name, or one that an exporter made up
dimension-bound-twice   within one call, one symbolic name stood for two values; runtimes plan their memory by the names
reshape-zero            a Reshape copies a dimension because its shape holds 0 and `allowzero` is unset
opset-above-runtime     the graph's opset is above what this runtime was measured to run
ir-above-runtime        the same of the graph's IR version
constant-offset         an output differs by the same amount everywhere: what is added to it, a bias, was dropped or changed

A probe of one's own may note rules of its own.
"""

from __future__ import annotations

from typing import Any, Dict, List

Finding = Dict[str, Any]
Findings = List[Finding]


def finding(rule: str, message: str, where: str, **measured: int) -> Finding:
    """Return the finding as the journal carries it; `where` names a graph, and what in it."""
    return {"rule": rule, "message": message, "where": where, **measured}
