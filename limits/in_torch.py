"""Prints which operators the exporters of this environment's torch have a translation for, as JSON; exporters.py starts it.

Nothing is exported: both exporters are asked for what is registered with them.
"""

import importlib
import json
import platform
import sys
from importlib import metadata

import torch
import torch.onnx
from torch.onnx import _constants

try:
    from torch.onnx._internal.torchscript_exporter import registration, utils  # since torch 2.9
except ImportError:
    from torch.onnx import utils
    from torch.onnx._internal import registration
try:
    from torch.onnx._internal.exporter import _registration
except ImportError:
    _registration = None

OLDEST_OPSET = 9
"""Before it the exporter puts functions that only refuse in the place of what is missing."""


def torchscript():
    """Operator (`aten::add`) -> the opsets with which the exporter finds a translation for it."""
    newest = getattr(_constants, "ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET", None) or _constants.ONNX_MAX_OPSET
    opsets = range(OLDEST_OPSET, newest + 1)
    # An export imports them; each registers what it translates.
    for opset in range(OLDEST_OPSET, newest + 1):
        importlib.import_module(utils.__name__.rpartition(".")[0] + ".symbolic_opset" + str(opset))
    registry = registration.registry
    if not registry.is_registered_op("aten::add", newest):
        raise SystemExit("the operators of " + utils.__name__ + " are not registered")
    found = {name: [opset for opset in opsets if registry.is_registered_op(name, opset)] for name in registry.all_functions()}
    return {"opsets": list(opsets), "operators": {name: own for name, own in sorted(found.items()) if own and "::" in name}}


def dynamo():
    """The operators (`aten.add.Tensor`) for which the exporter has functions; None without that exporter."""
    if not hasattr(_registration, "ONNXRegistry"):
        return None
    registry = _registration.ONNXRegistry.from_torchlib()
    # Some are for complex inputs alone.
    usual = [target for target, found in registry.functions.items() if not all(one.is_complex for one in found)]
    targets = sorted({overload(target) for target in usual} - {None})
    if "aten.add.Tensor" not in targets:
        raise SystemExit("no function for aten.add.Tensor is registered")
    return targets


def overload(target):
    """`aten.add.Tensor` of what a function is registered for; None of a Python function."""
    name = target if isinstance(target, str) else getattr(target, "name", str)()
    if "::" not in name:
        return None
    namespace, _, operator = name.partition("::")
    return namespace + "." + operator + ("" if "." in operator else ".default")


def version(name):
    """The version of a distribution; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


json.dump(
    {
        "version": torch.__version__.partition("+")[0],
        "python": platform.python_version(),
        "onnxscript": version("onnxscript"),
        "torchscript": torchscript(),
        "dynamo": dynamo(),
    },
    sys.stdout,
)
