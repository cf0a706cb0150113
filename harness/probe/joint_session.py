"""torch and onnxruntime at work in one process, as `together` promises. Part of the stage `import`.

Two copies of an OpenMP runtime, of protobuf or of a C++ library may be loaded side by side and break only when both are
used. So a session of a one-node model is created and run between two sums in torch, and arrays go from one to the other.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Iterator

from .identity_model import identity_model
from .journal import StageScope
from .messages import with_class
from .outcome import ProbeFailure

# Every onnxruntime runs these.
_IR, _OPSET = 4, 9
_MANY = 1 << 17
"""Elements of a tensor that torch sums with all its threads."""
_ERRORS_ONLY = 3


def run_joint_session(stage: StageScope) -> None:
    """Create and run the session, if torch and onnxruntime were imported.

    ProbeFailure, naming the step, if one fails. `stage` records the step before it, in case the process dies.
    """
    if {"torch", "onnxruntime"}.issubset(sys.modules):
        torch, onnxruntime = sys.modules["torch"], sys.modules["onnxruntime"]
        with _step(stage, "computing in torch beside onnxruntime"):
            _sum(torch)
            array = torch.ones(1).numpy()
        with _step(stage, "creating an onnxruntime session beside torch"):
            options = onnxruntime.SessionOptions()
            options.log_severity_level = _ERRORS_ONLY
            session = onnxruntime.InferenceSession(identity_model(_IR, _OPSET), options, providers=["CPUExecutionProvider"])
        with _step(stage, "running an onnxruntime session beside torch"):
            result = session.run(None, {"x": array})[0]
        with _step(stage, "computing in torch after onnxruntime has run"):
            _require(torch.from_numpy(result).sum().item(), 1.0)
            _sum(torch)


def _sum(torch: Any) -> None:
    _require(torch.ones(_MANY).sum().item(), float(_MANY))


def _require(actual: float, expected: float) -> None:
    if actual != expected:
        message = f"the sum is {actual} instead of {expected}"
        raise ProbeFailure(message)


@contextlib.contextmanager
def _step(stage: StageScope, words: str) -> Iterator[None]:
    stage.doing(words)
    try:
        yield
    except ProbeFailure as exc:
        message = f"{words}: {exc}"
        raise ProbeFailure(message) from exc
    except (Exception, SystemExit) as exc:
        message = f"{words}: {with_class(exc)}"
        raise ProbeFailure(message, exc) from exc
