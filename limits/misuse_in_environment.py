"""Misuses the onnxruntime of this environment in each of the ways of misuse.py and prints its messages as JSON.

misuse.py starts it, from Python 3.8 on. Names, sizes and types are those that misuse.py replaces by what they stand for.
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime

from harness.probe.identity_model import _field

FLOAT, SIZE = 1, 7
CPU = ["CPUExecutionProvider"]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345678\n"
"""What Git leaves in place of a large file until `git lfs pull`."""


def value(name):
    """A float tensor of a fixed size."""
    dimension = _field(1, _field(1, SIZE))
    return _field(1, name) + _field(2, _field(1, _field(1, FLOAT) + _field(2, dimension)))


def model(external=None):
    """A model that adds its two inputs, and a weight that lies in the file `external`, if that is given."""
    nodes = [_field(1, "misuse_fed") + _field(1, "misuse_missing") + _field(2, "sum") + _field(4, "Add")]
    weight = b""
    if external:
        nodes += [_field(1, "sum") + _field(1, "weight") + _field(2, "misuse_output") + _field(4, "Add")]
        entries = {"location": external, "offset": "0", "length": str(4 * SIZE)}
        data = b"".join(_field(13, _field(1, key) + _field(2, entry)) for key, entry in entries.items())
        weight = _field(5, _field(1, SIZE) + _field(2, FLOAT) + _field(8, "weight") + data + _field(14, 1))
    else:
        nodes += [_field(1, "sum") + _field(2, "misuse_output") + _field(4, "Identity")]
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "misuse") + weight
    graph += _field(11, value("misuse_fed")) + _field(11, value("misuse_missing")) + _field(12, value("misuse_output"))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))


def session(source, providers=CPU):
    """A session that logs nothing."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(source, options, **({} if providers is None else {"providers": providers}))


def array(size=SIZE, dtype=np.float32):
    """Ones."""
    return np.ones(size, dtype=dtype)


def fed(feed, outputs=None):
    """Run the model with a feed."""
    session(model()).run(outputs, feed)


def written(folder, name, content):
    """Load a file with that content."""
    path = folder / name
    path.write_bytes(content)
    session(str(path))


def external(folder, data):
    """Load a model whose weight lies in a file with these data, or in none."""
    (folder / "external").mkdir(exist_ok=True)
    path = folder / "external" / "weights.data"
    path.unlink() if path.exists() else None
    if data is not None:
        path.write_bytes(data)
    written(folder / "external", "misuse.onnx", model("weights.data"))


def ways(folder):
    """Way of misuse -> what does it."""
    both = {"misuse_fed": array(), "misuse_missing": array()}
    return {
        "cut-file": lambda: written(folder, "misuse.onnx", model()[:-40]),
        "cut-bytes": lambda: session(model()[:-40]),
        "pointer-file": lambda: written(folder, "misuse.onnx", POINTER),
        "empty-file": lambda: written(folder, "misuse.onnx", b""),
        "absent-file": lambda: session(str(folder / "absent" / "misuse.onnx")),
        "absent-data": lambda: external(folder, None),
        "cut-data": lambda: external(folder, b"\0" * 8),
        "missing-input": lambda: fed({"misuse_fed": array()}),
        "extra-input": lambda: fed(dict(both, misuse_extra=array())),
        "wrong-type": lambda: fed(dict(both, misuse_fed=array(dtype=np.int32))),
        "wrong-size": lambda: fed(dict(both, misuse_fed=array(5))),
        "wrong-rank": lambda: fed(dict(both, misuse_fed=array((5, 3)))),
        "no-array": lambda: fed(dict(both, misuse_fed=[1.0] * SIZE)),
        "unknown-output": lambda: fed(both, ["misuse_unknown"]),
        "no-providers": lambda: session(model(), None),
        "absent-provider": lambda: session(model(), ["CUDAExecutionProvider", *CPU]),
    }


def message(misuse):
    """What it says, as an exception or as a warning; None if it says nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            misuse()
        except Exception as error:  # noqa: BLE001 -- its exceptions have no common base that every release exports
            return str(error)
    return str(caught[-1].message) if caught else None


def main():
    """Print the messages."""
    fed({"misuse_fed": array(), "misuse_missing": array()})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        external(folder, b"\0" * 4 * SIZE)
        found = {way: message(misuse) for way, misuse in ways(folder).items()}
        found = {way: text and text.replace(str(folder), "") for way, text in found.items()}
    json.dump({"version": onnxruntime.__version__, "messages": found}, sys.stdout)


if __name__ == "__main__":
    main()
