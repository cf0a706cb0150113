"""Measures the onnxruntime of this environment and prints the limits as JSON; run.py starts it, from Python 3.8 on.

The one-node models and the search for the largest stamps are the probe's own. Of operators it prints the signatures and the
kernels on the CPU that this onnxruntime has registered.
"""

import json
import os
import platform
import re
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

from harness.probe.identity_model import _field, _value, identity_model
from harness.probe.runtimes.ort import supported_formats

SAFE_IR, SAFE_OPSET = 8, 13
"""Stamps that every release runs."""
DOMAINS = (
    "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "ai.onnx.training", "com.microsoft",
    "com.microsoft.experimental", "com.microsoft.nchwc", "com.ms.internal.nhwc", "org.pytorch.aten",
)  # fmt: skip
"""Domains other than the default one that some release knows, besides those that it says itself."""
DEFAULT_DOMAIN = "ai.onnx"
KERNEL_DOMAINS = (DEFAULT_DOMAIN, "ai.onnx.ml", "com.microsoft")
"""Those of which operators are described."""
WITHOUT_END = 2**31 - 1
UNGATED = 9999
"""A version of a domain that is refused wherever versions of that domain are looked at."""
WEIGHT = np.full(1, 2, dtype=np.float32)
DATA = "weight.data"


def refusal(model, expected):
    """None if the model (bytes or a path) makes `expected` of a 1, else the last sentences of the message."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        (result,) = session.run(None, {"x": np.ones(1, dtype=np.float32)})
    except Exception as error:  # noqa: BLE001 -- its exceptions have no common base that every release exports
        # Without the place in its source, which ends in the arguments of a function.
        return " ".join(re.split(r"[&t]\) ", str(error))[-1].split())[:600]
    return None if result.tolist() == [expected] else f"it returned {result.tolist()}"


def stamp_refusal(ir, opset):
    """As `refusal`, of the model of one Identity node with these stamps."""
    return refusal(identity_model(ir, opset), 1)


def softsign_refusal(opset):
    """As `stamp_refusal`, of an operator that gets new versions more rarely; its name has as many letters."""
    return refusal(identity_model(SAFE_IR, opset).replace(b"Identity", b"Softsign"), 0.5)


def domain_refusal(domain, version):
    """As `stamp_refusal`, of a model that imports that version of another domain, and uses nothing of it."""
    return refusal(identity_model(SAFE_IR, SAFE_OPSET) + _field(8, _field(1, domain) + _field(2, version)), 1)


def domain_limits():
    """Each domain of which imports are gated → the largest version."""
    if domain_refusal("made.up", UNGATED):
        raise SystemExit("the import of a domain that it does not know is refused: " + domain_refusal("made.up", UNGATED))
    schemas = getattr(onnxruntime.capi.onnxruntime_pybind11_state, "get_all_operator_schema", list)()
    domains = sorted({schema.domain for schema in schemas} - {""} | set(DOMAINS))
    gated = [domain for domain in domains if domain_refusal(domain, UNGATED)]
    return {domain: largest(0, lambda version, domain=domain: domain_refusal(domain, version) is None) for domain in gated}


def parameters(given, schema):
    """The type of each input or output: `T`, or the only one that it may have (`tensor(int64)`).

    With `+` one that repeats, with `*` one that repeats and has a type of its own each time.
    """
    only = {one.type_param_str: list(one.allowed_type_strs) for one in schema.type_constraints}
    only = {name: types[0] for name, types in only.items() if len(types) == 1}
    repeats = {True: "+", False: "*"}
    return [
        only.get(one.typeStr, one.typeStr) + (repeats[one.isHomogeneous] if one.option.name == "Variadic" else "")
        for one in given
    ]


def merged(kernels):
    """Kernels (parameter -> types), those that differ in the types of one parameter made one."""
    found = []
    for types in kernels:
        for other in found:
            differing = [name for name in types if sorted(types[name]) != sorted(other.get(name, ()))]
            if types.keys() == other.keys() and len(differing) <= 1:
                for name in differing:
                    other[name] = sorted({*other[name], *types[name]})
                break
        else:
            found.append({name: sorted(own) for name, own in types.items()})
    return found if len(found) == len(kernels) else merged(found)


def operators():
    """Domain -> operator -> the opset that brought this form of it -> its signature and its kernels on the CPU.

    Releases before 1.16 do not tell; of them none is known.
    """
    state, registered, found = onnxruntime.capi.onnxruntime_pybind11_state, {}, {}
    if not hasattr(state, "get_all_opkernel_def"):
        return found
    for kernel in state.get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider":
            place = kernel.domain or DEFAULT_DOMAIN, kernel.op_name
            registered.setdefault(place, []).append((kernel.version_range, kernel.type_constraints))
    for schema in state.get_all_operator_schema():
        domain, since = schema.domain or DEFAULT_DOMAIN, schema.since_version
        if domain in KERNEL_DOMAINS:
            # As onnxruntime looks them up: a kernel without an end is for the form of the operator of its first opset alone.
            kernels = [
                types
                for (first, last), types in registered.get((domain, schema.name), ())
                if first == since or (first < since <= last and last != WITHOUT_END)
            ]
            signature = {name: parameters(getattr(schema, name), schema) for name in ("inputs", "outputs")}
            found.setdefault(domain, {}).setdefault(schema.name, {})[since] = dict(signature, kernels=merged(kernels))
    return found


def largest(first, runs):
    """The largest stamp from `first` on, without a gap, that runs."""
    stamp = first
    while runs(stamp + 1):
        stamp += 1
    return stamp


def smallest(last, runs):
    """The smallest stamp from which on all up to `last` run."""
    stamp = last
    while stamp > 1 and runs(stamp - 1):
        stamp -= 1
    return stamp


def external_model(location):
    """A model that multiplies its input by a weight which lies in another file."""
    entries = {"location": location, "offset": "0", "length": str(WEIGHT.nbytes)}
    data = b"".join(_field(13, _field(1, key) + _field(2, value)) for key, value in entries.items())
    weight = _field(1, WEIGHT.size) + _field(2, 1) + _field(8, "w") + data + _field(14, 1)
    node = _field(1, "x") + _field(1, "w") + _field(2, "y") + _field(3, "product") + _field(4, "Mul")
    graph = _field(1, node) + _field(2, "external") + _field(5, weight) + _field(11, _value("x")) + _field(12, _value("y"))
    return _field(1, SAFE_IR) + _field(7, graph) + _field(8, _field(1, "") + _field(2, SAFE_OPSET))


def external_refusals(folder):
    """Way in which the data lie beside a model → why they are not read; None if they are."""
    inside, outside, cache = folder / "model", folder / "outside", folder / "cache"
    for place in (inside / "sub", outside, cache):
        place.mkdir(parents=True)
    for place in (inside, inside / "sub", outside):
        (place / DATA).write_bytes(WEIGHT.tobytes())
    (inside / "linked.data").symlink_to(DATA)
    (inside / "linked-outside.data").symlink_to(outside / DATA)
    os.link(str(outside / DATA), str(inside / "hard.data"))
    # As the cache of a hub lays out a snapshot: model and data are links to files with other names in one folder.
    (outside / "blob").write_bytes(external_model(DATA))
    (cache / "model.onnx").symlink_to(outside / "blob")
    (cache / DATA).symlink_to(outside / DATA)
    ways = {
        "plain": DATA,
        "subfolder": "sub/" + DATA,
        "symbolic-link": "linked.data",
        "symbolic-link-outside": "linked-outside.data",
        "hard-link": "hard.data",
        "outside": "../outside/" + DATA,
        "absolute": str(outside / DATA),
    }
    found = {}
    for way, location in ways.items():
        path = inside / "model.onnx"
        path.write_bytes(external_model(location))
        found[way] = refusal(str(path), 2)
    found["model-and-data-linked"] = refusal(str(cache / "model.onnx"), 2)
    return {way: message and message.replace(str(folder), "") for way, message in found.items()}


def main():
    """Print the limits."""
    limits = supported_formats.measured()
    ir, opset = limits["max_ir"], limits["max_opset"]
    if ir is None or opset is None:
        raise SystemExit("not even the safe stamps run: " + str(stamp_refusal(SAFE_IR, SAFE_OPSET)))
    together = stamp_refusal(ir, opset)
    if together:
        raise SystemExit("each stamp runs alone, and both together do not: " + together)
    with tempfile.TemporaryDirectory() as folder:
        external = external_refusals(Path(folder).resolve())
    measured = {
        "version": onnxruntime.__version__,
        "ir": ir,
        "opset": opset,
        "opset_some": largest(opset, lambda stamp: softsign_refusal(stamp) is None),
        "oldest_ir": smallest(SAFE_IR, lambda stamp: stamp_refusal(stamp, SAFE_OPSET) is None),
        "oldest_opset": smallest(SAFE_OPSET, lambda stamp: stamp_refusal(SAFE_IR, stamp) is None),
        "refusal_ir": stamp_refusal(ir + 1, SAFE_OPSET),
        "refusal_opset": stamp_refusal(SAFE_IR, opset + 1),
        "external": external,
        "domains": domain_limits(),
        "operators": operators(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
