"""Files and texts that the readers take: what the damage of tests/fuzz/damaged.py begins with."""

from __future__ import annotations

import numpy as np
import onnx_models

MATRIX_TOML = b"""[axes]
python = ["3.11"]
torch = ["2.1.2", "2.6.0"]
transformers = ["4.36.2"]
onnx = ["1.15.0"]
onnxruntime = ["1.16.3", "1.20.1"]
[[exclude]]
reason = "x"
torch = ">=2.6"
onnxruntime = "<1.17"
[variants]
exporters = ["torchscript", "dynamo"]
opsets = { torchscript = [17], dynamo = [18] }
layouts = ["pair", "merged"]
[probe]
profile = "tiny"
[run]
time-limit = "90s"
memory-limit = "6GB"
"""
UV_LOCK = b"""version = 1
requires-python = ">=3.11"

[[package]]
name = "project"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "torch", marker = "python_full_version >= '3.11'" }, { name = "onnx", extra = ["ml"] }]

[[package]]
name = "torch"
version = "2.6.0"
source = { registry = "https://example.org/simple" }
wheels = [{ url = "https://example.org/torch.whl", hash = "sha256:00", size = 1 }]

[[package]]
name = "onnx"
version = "1.17.0"
source = { registry = "https://example.org/simple" }
"""
PYLOCK = b"""lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.11"
[[packages]]
name = "torch"
version = "2.6.0"
wheels = [{ url = "https://example.org/torch-2.6.0-py3-none-any.whl", hashes = { sha256 = "00" } }]
"""
PYPROJECT = b"""[project]
name = "project"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["torch==2.6.0", "onnx>=1.15,<2; python_version < '3.14'", "transformers[torch]==4.57.6"]
[project.optional-dependencies]
export = ["onnxruntime==1.20.1"]
[dependency-groups]
test = ["pytest"]
dev = ["numpy", {include-group = "test"}]
[tool.uv]
constraint-dependencies = ["numpy<2"]
"""
REQUIREMENTS = b"""# versions
--index-url https://user:secret@example.org/simple
torch==2.6.0 ; python_version >= "3.9"
transformers[torch] ~= 4.57  # a comment
onnx==1.17.0 \\
    --hash=sha256:00
onnxruntime==1.20.1
"""
PACKAGE = b'{"name": "app", "dependencies": {"onnxruntime-node": "^1.16.3"}, "devDependencies": {"onnxruntime-web": "1.17.0"}}'
INTEGRITY = b"sha512-" + b"A" * 86 + b"=="
PACKAGE_LOCK = b"""{"lockfileVersion": 3, "packages": {"": {"dependencies": {"onnxruntime-node": "1.16.3"}},
"node_modules/onnxruntime-node": {"version": "1.16.3", "resolved": "https://example.org/o.tgz",
"integrity": "INTEGRITY", "dependencies": {"onnxruntime-common": "~1.16.3"}},
"node_modules/onnxruntime-common": {"version": "1.16.3", "resolved": "https://example.org/c.tgz",
"integrity": "INTEGRITY"}}}""".replace(b"INTEGRITY", INTEGRITY)
COMPILED = b"""torch==2.6.0 \\
    --hash=sha256:00
    # via -r requirements.in
numpy==1.26.4 \\
    --hash=sha256:11 \\
    --hash=sha256:22
    # via
    #   torch
    #   onnx
"""
EVENTS = (
    b'{"event": "begin", "stage": "load", "subject": null, "time": 1.5}',
    b"""{"event": "end", "stage": "load", "subject": "v", "status": "fails", "seconds": 0.5, "data": {},
"error": {"type": "Fail", "message": "x", "traceback": "t", "where": "package", "refused": false}}""",
    b"""{"event": "end", "stage": "parity", "subject": "v", "status": "works", "seconds": 0.5, "error": null,
"data": {"max_diff": 1e-6}}""",
)
STAGES_VALUE = (
    b'{"artifact": "00000000000000000000000000000000", "disk": null, "limits": [90.0, 6e9], "stages": [{"stage": "load", '
    b'"status": "fails", "error": {"type": "Fail", "message": "Unsupported", "text": "t"}, "seconds": 0.1, "finished": 1.0, '
    b'"data": {"ir": 9, "findings": [{"rule": "ir-above-runtime", "message": "m"}]}}]}'
)
LOCK_VALUE = (
    b'{"foreign": false, "lock": {"distributions": [{"name": "torch", "version": "2.6.0", "hashes": ["sha256:00"], '
    b'"via": []}]}, "result": {"stage": "resolve", "status": "works", "seconds": 0.1}}'
)
MESSAGES = (
    b"Load model from m.onnx failed: Unsupported model IR version: 10, max supported IR version: 9",
    b"ImportError: cannot import name 'x' from 'torch.onnx' (/a/site-packages/torch/onnx/__init__.py)",
    b"The conflict is caused by:\n    The user requested protobuf==3.20.0\n    onnx 1.14.1 depends on protobuf>=3.20.2\n",
    b"onnx 1.13.0 requires protobuf<4,>=3.20.2, but you have protobuf 3.20.1 which is incompatible.",
    b"Because optimum[exporters]==1.19.2 depends on transformers>=4.26.0,<4.41.0 and you require transformers==4.41.0, we can",
    b"You're using CPython 3.9 (`cp39`), but `onnx` (v1.24.2) only has wheels with the following Python ABI tag: `cp311`",
    b"You're on macOS (`macosx_15_0_x86_64`), but `onnxruntime` (v1.24.4) only has wheels for the following platform: `win32`",
    b"have no matching distributions available for your environment:\n    onnxruntime\n    piper-phonemize\n\nTo fix",
    b"RuntimeError: module compiled against API version 0xe but this version of numpy is 0xd",
    b"module was compiled against NumPy C-API version 0x10 (NumPy 1.23) but the running NumPy has C-API version 0xf.",
    b"Type Error: Type 'tensor(int64)' of input parameter (x) of operator (Max) in node (/Max) is invalid.",
    b"Could not find a version that satisfies the requirement onnxruntime==1.16.3 (from versions: 1.17.0, 1.18.1)",
    b"Because there is no version of onnxruntime==1.16.3 and you require onnxruntime==1.16.3, we can conclude that",
    b"Could not find an implementation for Trilu(14) node with name '/model/Trilu'",
    b"Exporting the operator 'aten::scaled_dot_product_attention' to ONNX opset version 13 is not supported.",
    b"Non-zero status code returned while running Reshape node. Name:'/decoder/Reshape_4' Status Message: cannot be reshaped",
)


def onnx_files() -> list[bytes]:
    """Models from one node to every feature of the format."""
    models = [
        onnx_models.identity(),
        onnx_models.merged(),
        onnx_models.merged(np.zeros((1, 2), np.float32)),
        onnx_models.every_feature(),
    ]
    return [model.SerializeToString() for model in models]
